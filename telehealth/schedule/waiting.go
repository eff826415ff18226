package schedule

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// wait answers Appointment/$wait: puts a Patient on the waiting list of an agenda. When a
// slot becomes free within the time that they have, their Appointment is proposed for it,
// and they have a while to book it by $book with waiting.
func (s *Service) wait(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("schedule", "patient", "start", "end", "reason"); err != nil {
		return nil, err
	}
	named, err := call.Reference("schedule", "Schedule")
	if err == nil && named.ID == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter schedule is needed: a reference to the Schedule")
	}
	if err != nil {
		return nil, err
	}
	a, err := s.agenda(ctx, search.Unrestricted, named.ID)
	if err != nil {
		return nil, err
	}
	within, err := s.window(call)
	if err != nil {
		return nil, err
	}
	patient, err := s.patient(ctx, call)
	if err != nil {
		return nil, err
	}
	reason, err := call.In.Text("reason")
	if err != nil {
		return nil, err
	}
	if err := s.waitsFor(ctx, patient); err != nil {
		return nil, err
	}
	o := s.planned(a, within)
	delete(o, "start")
	delete(o, "end")
	delete(o, "minutesDuration")
	o["status"], o["created"] = "waitlist", s.Now().UTC().Format(time.RFC3339Nano)
	o["extension"] = []compose.Object{{"url": WindowURL, "valueReference": compose.Reference(a.Ref)}}
	o["requestedPeriod"] = []compose.Object{{"start": within.Start.Format(time.RFC3339), "end": within.End.Format(time.RFC3339)}}
	o["participant"] = append([]compose.Object{{"actor": compose.Reference(patient), "status": "accepted"}}, o["participant"].([]compose.Object)...)
	if reason != "" {
		o["reasonCode"] = []compose.Object{{"text": reason}}
	}
	id := s.NewID()
	c, err := create(s.Maker(call.Base), o, id)
	if err != nil {
		return nil, err
	}
	e, err := s.placed(place{Appointment: id, Schedule: a.Ref.ID, Start: within.Start, End: within.End})
	if err != nil {
		return nil, err
	}
	results, err := s.write(ctx, arrangement{changes: []bundle.Change{c}, entries: []fhir.Entry{e}})
	if err != nil {
		return nil, err
	}
	return resource(results), nil
}

// placeKind is the kind of entries that are places on the waiting list of an agenda, and
// offerKind of those that are offers to who waits. Places are in the order in which they
// were taken, since their keys begin with the time; the key of an offer is the id of its
// Appointment.
const (
	placeKind = "agenda-place"
	offerKind = "agenda-offer"
)

// place is a place on a waiting list.
type place struct {
	Appointment string    `json:"appointment"` // id
	Schedule    string    `json:"schedule"`    // id
	Start       time.Time `json:"start"`       // from when they have time
	End         time.Time `json:"end"`
}

// offer is a slot that is offered to somebody.
type offer struct {
	Place   place     `json:"place"` // that they had, and have again when they let the offer pass
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Expires time.Time `json:"expires"`
}

// placed returns the entry of a place at the end of its list.
func (s *Service) placed(p place) (fhir.Entry, error) {
	b, err := json.Marshal(p)
	return fhir.Entry{Kind: placeKind, Key: uuid.Must(uuid.NewV7()).String(), Group: p.Schedule, Expires: p.End, Value: b}, err
}

// mostPlaces is how much of a waiting list is read at once.
const mostPlaces = 200

// mostWaits is for how many things a patient waits at a time, so that nobody fills a list.
const mostWaits = 10

// waitsFor refuses another place to a patient who has enough of them. One whose time has
// passed is none any more.
func (s *Service) waitsFor(ctx context.Context, patient fhir.Ref) error {
	q, err := search.Parse("Appointment", []search.Param{{Name: "patient", Value: patient.Current().String()}, {Name: "status", Value: "waitlist"}}, search.Options{})
	if err != nil {
		return err
	}
	q.Count, q.Restriction = mostPlaces, search.Unrestricted
	for waits := 0; ; {
		found, err := s.Store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range found.Matches {
			k, err := readAppointment(&found.Matches[i])
			if err != nil {
				return err
			}
			if s.Now().Before(k.Window.End) {
				waits++
			}
		}
		if waits >= mostWaits {
			return fhir.Errorf(fhir.Throttled, "a patient has %d places on waiting lists at most: cancel one", mostWaits)
		}
		if q.After = found.Next; q.After == "" {
			return nil
		}
	}
}

// eachPlace calls do for the places on the waiting list of a Schedule, in the order in which
// they were taken, until it says that it is done.
func (s *Service) eachPlace(ctx context.Context, schedule string, do func(key string, p place) (done bool, err error)) error {
	for after := ""; ; {
		places, err := s.Store.Entries(ctx, placeKind, schedule, after, mostPlaces)
		if err != nil || len(places) == 0 {
			return err
		}
		for _, e := range places {
			after = e.Key
			var p place
			if err := json.Unmarshal(e.Value, &p); err != nil {
				return err
			}
			if done, err := do(e.Key, p); done || err != nil {
				return err
			}
		}
	}
}

// leave takes somebody off a waiting list. Their place is found in vain when they were
// offered something meanwhile.
func (s *Service) leave(ctx context.Context, schedule, appointment string) error {
	return s.eachPlace(ctx, schedule, func(key string, p place) (bool, error) {
		if p.Appointment != appointment {
			return false, nil
		}
		return true, s.Store.Remove(ctx, placeKind, key, 0)
	})
}

// passing reports whether an error only says that somebody else was first.
func passing(err error) bool {
	code := fhir.CodeOf(err)
	return code == fhir.Conflict || code == fhir.Stale
}

// offerNext offers a slot that became free to who waits longest and has time then. That
// nobody is offered it is no fault of the call that freed it, which is done: it is logged.
func (s *Service) offerNext(ctx context.Context, base string, a *Agenda, free Span) {
	if err := s.offer(ctx, base, a, free); err != nil && !passing(err) {
		slog.ErrorContext(ctx, "offer a free slot to the waiting list", "schedule", a.Ref.ID, "error", err.Error())
	}
}

func (s *Service) offer(ctx context.Context, base string, a *Agenda, free Span) error {
	if !a.offers(free, s.Now()) {
		return nil
	}
	return s.eachPlace(ctx, a.Ref.ID, func(key string, p place) (bool, error) {
		if free.Start.Before(p.Start) || free.End.After(p.End) {
			return false, nil
		}
		offered, err := s.offerTo(ctx, base, a, free, p)
		if err != nil {
			return false, err
		}
		return offered, s.Store.Remove(ctx, placeKind, key, 0) // else they are not waiting any more
	})
}

// offerTo offers a slot to who has a place, and reports whether they wait still.
func (s *Service) offerTo(ctx context.Context, base string, a *Agenda, free Span, p place) (bool, error) {
	r, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Appointment", ID: p.Appointment})
	if err != nil || r == nil {
		return false, err
	}
	k, err := readAppointment(r)
	if err != nil || k.Status != "waitlist" {
		return false, err
	}
	return true, s.propose(ctx, base, a, free, k, p)
}

// propose offers a slot to somebody, and keeps it for them for a while.
func (s *Service) propose(ctx context.Context, base string, a *Agenda, free Span, k *appointment, p place) error {
	expires := s.Now().Add(s.OfferFor).UTC().Truncate(time.Second)
	if notice := free.Start.Add(-a.Rules.Notice); notice.Before(expires) {
		expires = notice
	}
	c, err := s.restated(base, k, "proposed", &free, a)
	if err != nil {
		return err
	}
	value, err := json.Marshal(offer{p, free.Start, free.End, expires})
	if err != nil {
		return err
	}
	_, err = s.arrange(ctx, a, []Span{free}, func(day sheets, others []Taken) (done arrangement, err error) {
		if a.Rules.Left(free, append(day.taken(a), others...)) == 0 {
			return done, fhir.Errorf(fhir.Conflict, "it is taken again")
		}
		day.add(taken{Schedule: a.Ref.ID, Start: free.Start, End: free.End, Appointment: k.Ref.ID, Expires: expires})
		e, err := s.Store.Entry(ctx, offerKind, k.Ref.ID)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return done, err
		}
		return arrangement{changes: []bundle.Change{c}, entries: []fhir.Entry{{Kind: offerKind, Key: k.Ref.ID, Version: e.Version, Value: value}}}, nil
	})
	return err
}

// restated returns the change that gives an Appointment another status, and the time that
// it is proposed for, nil for none.
func (s *Service) restated(base string, k *appointment, status string, at *Span, a *Agenda) (bundle.Change, error) {
	d, err := element.Parse(k.json)
	if err != nil {
		return bundle.Change{}, err
	}
	e := d.Edit(0)
	e.Set(0, "status", compose.Text(status))
	if at != nil {
		e.Set(0, "start", compose.Text(at.Start.In(a.Rules.Zone).Format(time.RFC3339)))
		e.Set(0, "end", compose.Text(at.End.In(a.Rules.Zone).Format(time.RFC3339)))
	} else {
		for _, name := range []string{"start", "end"} {
			if n := d.Get(0, name); n != element.None {
				e.Drop(n)
			}
		}
	}
	return update(s.Maker(base), e.AppendTo(nil), k.Ref)
}

// offeredTo returns the Appointment of somebody who was offered a slot, and that slot.
func (s *Service) offeredTo(ctx context.Context, call *operation.Call, ref fhir.Ref) (*appointment, *Agenda, Span, error) {
	r, err := s.one(ctx, call.Restriction, ref)
	if err != nil {
		return nil, nil, Span{}, err
	}
	if r == nil {
		return nil, nil, Span{}, fhir.Errorf(fhir.Unprocessable, "there is no such Appointment, or it is not shown to you")
	}
	k, err := readAppointment(r)
	if err != nil {
		return nil, nil, Span{}, err
	}
	e, err := s.Store.Entry(ctx, offerKind, ref.ID)
	var o offer
	if err == nil {
		err = json.Unmarshal(e.Value, &o)
	}
	if k.Status != "proposed" || k.Waits == "" || err != nil || !s.Now().Before(o.Expires) {
		return nil, nil, Span{}, fhir.Errorf(fhir.Conflict, "nothing is offered to this Appointment, or not any more")
	}
	a, err := s.agenda(ctx, search.Unrestricted, o.Place.Schedule)
	return k, a, Span{o.Start, o.End}, err
}
