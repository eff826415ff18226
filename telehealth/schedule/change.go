package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// live are the statuses of an Appointment that has its slot and can still be changed.
var live = []string{"booked", "pending", "arrived", "checked-in"}

// mine returns the Appointment that a call is on, as the caller sees it, and its agenda.
func (s *Service) mine(ctx context.Context, call *operation.Call) (*appointment, *Agenda, error) {
	r, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, fhir.Errorf(fhir.NotFound, "no such Appointment is shown to you")
	}
	k, err := readAppointment(r)
	if err != nil {
		return nil, nil, err
	}
	if k.Agenda == "" {
		return nil, nil, fhir.Errorf(fhir.Unprocessable, "the Appointment was not booked in an agenda of this server: update it instead")
	}
	a, err := s.agenda(ctx, search.Unrestricted, k.Agenda)
	return k, a, err
}

// reschedule answers Appointment/[id]/$reschedule: moves it to another time, or to
// another agenda. It has its old time until it has the new one.
func (s *Service) reschedule(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("schedule", "start", "hold"); err != nil {
		return nil, err
	}
	k, from, err := s.mine(ctx, call)
	if err != nil {
		return nil, err
	}
	if k.Status != "booked" && k.Status != "pending" {
		return nil, fhir.Errorf(fhir.Conflict, "an Appointment that is %s is not moved any more", k.Status)
	}
	hold, err := call.In.Text("hold")
	if err != nil {
		return nil, err
	}
	a, at, digest := from, Span{}, ""
	if hold != "" {
		digest, a, at, err = s.held(ctx, search.Unrestricted, hold)
	} else {
		a, at, err = s.destination(ctx, call, from)
	}
	if err == nil && a.Ref.ID != from.Ref.ID {
		err = s.notBegun(ctx, k)
	}
	if err != nil {
		return nil, err
	}
	results, err := s.arrange(ctx, a, []Span{at}, func(day sheets, others []Taken) (done arrangement, err error) {
		had := day.drop(digest)
		day.drop(k.Ref.ID)
		switch {
		case digest != "" && !had:
			return done, s.unheld(ctx, a, at, a.Rules.Left(at, append(day.taken(a), others...)) > 0)
		case a.Rules.Left(at, append(day.taken(a), others...)) == 0:
			return done, s.full(ctx, a, at)
		}
		day.add(taken{Schedule: a.Ref.ID, Start: at.Start, End: at.End, Appointment: k.Ref.ID})
		before, err := s.sheets(ctx, from, k.Span)
		if err != nil {
			return done, err
		}
		for _, sh := range before {
			if !slices.ContainsFunc(day, func(d *sheet) bool { return d.entry.Key == sh.entry.Key }) {
				sheets{sh}.drop(k.Ref.ID)
				done.sheets = append(done.sheets, sh)
			}
		}
		if done.entries, err = s.stillBookedBy(ctx, k.Ref.ID, at); err == nil {
			done.changes, err = s.moved(call, k, a, at)
		}
		return done, err
	})
	if err != nil {
		return nil, err
	}
	s.offerNext(ctx, call.Base, from, k.Span)
	return resource(results), nil
}

// notBegun refuses to give an Appointment to another agenda while its visit goes on: the
// people of the visit are those of the one before.
func (s *Service) notBegun(ctx context.Context, k *appointment) error {
	begun, err := s.Begun(ctx, k.Ref.ID)
	if err == nil && begun {
		err = fhir.Errorf(fhir.Conflict, "the visit has begun with its professional: end it by $end-visit, and book another one")
	}
	return err
}

// destination returns the slot that an Appointment is to move to.
func (s *Service) destination(ctx context.Context, call *operation.Call, from *Agenda) (*Agenda, Span, error) {
	named, err := call.Reference("schedule", "Schedule")
	if err != nil {
		return nil, Span{}, err
	}
	if named.ID != "" {
		return s.wanted(ctx, call)
	}
	start, err := instant(call, "start")
	if err == nil && start.IsZero() {
		err = fhir.Errorf(fhir.Invalid, "the parameter start is needed: when the new slot begins")
	}
	if err != nil {
		return nil, Span{}, err
	}
	at := from.span(start)
	return from, at, s.offered(from, at)
}

// moved returns what moving an Appointment writes.
func (s *Service) moved(call *operation.Call, k *appointment, a *Agenda, at Span) ([]bundle.Change, error) {
	d, err := element.Parse(k.json)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Set(0, "start", compose.Text(at.Start.In(a.Rules.Zone).Format(time.RFC3339)))
	e.Set(0, "end", compose.Text(at.End.In(a.Rules.Zone).Format(time.RFC3339)))
	e.Set(0, "minutesDuration", compose.Text(int(at.End.Sub(at.Start)/time.Minute)))
	if k.Agenda != a.Ref.Current().String() {
		s.entrust(e, d, k, a)
	}
	m := s.Maker(call.Base)
	c, err := update(m, e.AppendTo(nil), k.Ref)
	if err != nil {
		return nil, err
	}
	slot, err := create(m, slotOf(a, at, "busy"), slotRef(k.Ref.ID).ID)
	if err != nil {
		return nil, err
	}
	changes := []bundle.Change{c, slot}
	if patient := k.patient(); patient != "" {
		for i, before := range s.Reminders {
			status := "active"
			when := at.Start.Add(-before)
			if !when.After(s.Now()) {
				status = "revoked"
			}
			c, err := create(m, reminder(fhir.Ref{Type: "Patient", ID: patient}, k.Ref.ID, when, status), reminderID(k.Ref.ID, i))
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// entrust puts the actors of another agenda in the place of those of the one before.
func (s *Service) entrust(e *element.Edit, d *element.Doc, k *appointment, a *Agenda) {
	for ext := range d.Items(0, "extension") {
		if d.TextAt(ext, "url") == OfURL {
			e.Set(ext, "valueReference", compose.Text(compose.Reference(a.Ref)))
		}
	}
	planned := s.planned(a, k.Span)["participant"].([]compose.Object)
	var keep []json.RawMessage
	for p := range d.Items(0, "participant") {
		ref := d.TextAt(p, "actor", "reference")
		if typ, _, _ := strings.Cut(ref, "/"); slices.Contains([]string{"Practitioner", "PractitionerRole", "HealthcareService", "Location"}, typ) {
			continue
		}
		keep = append(keep, d.AppendCompact(nil, p))
	}
	for _, p := range planned {
		keep = append(keep, compose.JSON(p))
	}
	e.Set(0, "participant", compose.Text(keep))
}

// cancel answers Appointment/[id]/$cancel: gives the slot back, for which whoever waits
// is asked.
func (s *Service) cancel(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("reason"); err != nil {
		return nil, err
	}
	reason, err := call.Needed("reason", "why, such as pat, prov, maint, meds-inc or other, or in words")
	if err != nil {
		return nil, err
	}
	r, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fhir.Errorf(fhir.NotFound, "no such Appointment is shown to you")
	}
	k, err := readAppointment(r)
	if err != nil {
		return nil, err
	}
	switch {
	case k.Status == "cancelled":
		return &operation.Answer{JSON: k.json}, nil // the answer of before was lost
	case k.Status == "waitlist" || k.Status == "proposed" && k.Waits != "":
	case k.Agenda == "":
		return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment was not booked in an agenda of this server: update it instead")
	case !slices.Contains(live, k.Status):
		return nil, fhir.Errorf(fhir.Conflict, "an Appointment that is %s is not cancelled any more", k.Status)
	}
	under, err := s.UnderWay(ctx, k.Ref.ID)
	if err == nil && under {
		err = fhir.Errorf(fhir.Conflict, "the visit is under way: it is ended by $end-visit")
	}
	if err != nil {
		return nil, err
	}
	return s.cancelled(ctx, call, k, reason)
}

// cancelled writes that an Appointment is cancelled.
func (s *Service) cancelled(ctx context.Context, call *operation.Call, k *appointment, reason string) (*operation.Answer, error) {
	named := k.Agenda
	if named == "" {
		named = k.Waits
	}
	a, err := s.agenda(ctx, search.Unrestricted, named)
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(k.json)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Set(0, "status", `"cancelled"`)
	e.Set(0, "cancelationReason", compose.Text(why(reason)))
	m := s.Maker(call.Base)
	c, err := update(m, e.AppendTo(nil), k.Ref)
	if err != nil {
		return nil, err
	}
	changes := []bundle.Change{c}
	if slices.Contains(live, k.Status) {
		// It is not free by that: somebody else may have the time, by a Slot of their own.
		slot, err := create(m, slotOf(a, k.Span, "entered-in-error"), slotRef(k.Ref.ID).ID)
		if err != nil {
			return nil, err
		}
		changes = append(changes, slot)
		for i, before := range s.Reminders {
			when := k.Start.Add(-before)
			if k.patient() == "" || !when.After(s.Now()) {
				continue
			}
			c, err := create(m, reminder(fhir.Ref{Type: "Patient", ID: k.patient()}, k.Ref.ID, when, "revoked"), reminderID(k.Ref.ID, i))
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	var times []Span // none when it only waited
	if !k.Start.IsZero() {
		times = append(times, k.Span)
	}
	results, err := s.arrange(ctx, a, times, func(day sheets, _ []Taken) (arrangement, error) {
		day.drop(k.Ref.ID)
		return arrangement{changes: changes}, nil
	})
	if err != nil {
		return nil, err
	}
	if !k.Start.IsZero() {
		s.offerNext(ctx, call.Base, a, k.Span)
	}
	if err := s.Store.Remove(ctx, BookedKind, k.Ref.ID, 0); err != nil { // it is open no more
		return nil, err
	}
	if k.Status == "waitlist" {
		if err := s.leave(ctx, a.Ref.ID, k.Ref.ID); err != nil {
			return nil, err
		}
	}
	return resource(results), nil
}

// cancelCodes are of http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason.
var cancelCodes = []string{"pat", "pat-crs", "pat-cpp", "pat-dec", "pat-fb", "pat-lt", "pat-mt", "pat-mv", "pat-preg", "pat-swl", "pat-uwo", "prov", "prov-pers", "prov-dch", "prov-edu", "prov-hosp", "prov-labs", "prov-mbo", "maint", "meds-inc", "other", "oth-cms", "oth-err", "oth-fin", "oth-iv", "oth-int", "oth-mu", "oth-room", "oth-oerr", "oth-swie", "oth-weath"}

// why returns a reason as a CodeableConcept: a code, or words.
func why(reason string) compose.Object {
	if slices.Contains(cancelCodes, reason) {
		return compose.Concept("http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason", reason, "")
	}
	return compose.Object{"text": reason}
}
