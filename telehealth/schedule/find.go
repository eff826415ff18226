package schedule

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Bounds of what one question may ask for.
const (
	mostFound = 200
	mostDays  = 92 * 24 * time.Hour
)

// find answers Appointment/$find: what is free, as Appointments that are proposed.
func (s *Service) find(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("schedule", "actor", "service-type", "start", "end"); err != nil {
		return nil, err
	}
	within, err := s.window(call)
	if err != nil {
		return nil, err
	}
	count, err := limited(call, 20, mostFound)
	if err != nil {
		return nil, err
	}
	agendas, err := s.asked(ctx, call)
	if err != nil {
		return nil, err
	}
	type offer struct {
		*Agenda
		Slot
	}
	var offers []offer
	for _, a := range agendas {
		free, err := s.freeOf(ctx, a, within, count)
		if err != nil {
			return nil, err
		}
		for _, f := range free {
			offers = append(offers, offer{a, f})
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Ref.ID, b.Ref.ID))
	})
	entries := []compose.Object{}
	for _, o := range offers[:min(count, len(offers))] {
		entries = append(entries, compose.Object{"resource": s.proposed(o.Agenda, o.Span), "search": compose.Object{"mode": "match"}})
	}
	b := compose.Object{"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
	if len(entries) > 0 {
		b["entry"] = entries
	}
	return &operation.Answer{JSON: compose.JSON(b)}, nil
}

// window returns the time that a question is about: from start, now when it is left out,
// to end, a week later when that is left out.
func (s *Service) window(call *operation.Call) (w Span, err error) {
	if w.Start, err = instant(call, "start"); err != nil {
		return w, err
	}
	if w.End, err = instant(call, "end"); err != nil {
		return w, err
	}
	if w.Start.IsZero() {
		w.Start = s.Now()
	}
	if w.End.IsZero() {
		w.End = w.Start.Add(7 * 24 * time.Hour)
	}
	if !w.Start.Before(w.End) || w.End.Sub(w.Start) > mostDays {
		return w, fhir.Errorf(fhir.Invalid, "end is after start, and at most 92 days later")
	}
	return w, nil
}

// asked returns the agendas that a question is about.
func (s *Service) asked(ctx context.Context, call *operation.Call) ([]*Agenda, error) {
	named, err := call.Reference("schedule", "Schedule")
	if err != nil {
		return nil, err
	}
	if named.ID != "" {
		a, err := s.agenda(ctx, search.Unrestricted, named.ID)
		if err != nil {
			return nil, err
		}
		return []*Agenda{a}, nil
	}
	actor, err := call.In.Text("actor")
	if err != nil {
		return nil, err
	}
	service, err := call.In.Text("service-type")
	if err != nil {
		return nil, err
	}
	if actor == "" && service == "" {
		return nil, fhir.Errorf(fhir.Invalid, "give schedule, actor or service-type: whose time, or what for")
	}
	return s.agendas(ctx, search.Unrestricted, actor, service)
}

// freeOf returns the free slots of a within a span.
func (s *Service) freeOf(ctx context.Context, a *Agenda, within Span, limit int) ([]Slot, error) {
	taken, err := s.takenIn(ctx, a, within)
	if err != nil {
		return nil, err
	}
	around := a.Rules.wide(within)
	around.End = around.End.Add(a.Rules.Length) // the last slot may end behind it
	others, err := s.others(ctx, a, around)
	if err != nil {
		return nil, err
	}
	return a.free(within, append(taken, others...), s.Now(), limit), nil
}

// proposed returns a free slot as an Appointment.
func (s *Service) proposed(a *Agenda, at Span) compose.Object {
	o := s.planned(a, at)
	o["status"] = "proposed"
	return o
}

// planned returns what every Appointment of an agenda has.
func (s *Service) planned(a *Agenda, at Span) compose.Object {
	var who []compose.Object
	for _, actor := range a.Actors {
		ref := compose.Object{"reference": actor.Reference}
		if actor.Display != "" {
			ref["display"] = actor.Display
		}
		who = append(who, compose.Object{"actor": ref, "status": "accepted"})
	}
	o := compose.Object{
		"resourceType": "Appointment",
		"extension":    []compose.Object{{"url": OfURL, "valueReference": compose.Reference(a.Ref)}},
		"start":        at.Start.In(a.Rules.Zone).Format(time.RFC3339), "end": at.End.In(a.Rules.Zone).Format(time.RFC3339),
		"minutesDuration": int(at.End.Sub(at.Start) / time.Minute),
		"participant":     who,
	}
	if len(a.Types) > 0 {
		o["serviceType"] = a.Types
	}
	return o
}
