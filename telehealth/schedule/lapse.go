package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// heldKind is the kind of entries that tell of holds: the key is the digest of one. They are
// there so that somebody notices that one has expired.
const heldKind = "agenda-held"

// holding is a slot that is held.
type holding struct {
	Schedule string    `json:"schedule"` // id
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Expires  time.Time `json:"expires"`
}

// heldUntil returns the entry of a hold.
func heldUntil(a *Agenda, at Span, digest string, expires time.Time) (fhir.Entry, error) {
	b, err := json.Marshal(holding{a.Ref.ID, at.Start, at.End, expires})
	return fhir.Entry{Kind: heldKind, Key: digest, Expires: at.End, Value: b}, err
}

// Lapse offers what becomes free by itself to who waits: slots that were held and not
// booked, and those that were offered to somebody who did not take them in time. It is to be
// called every minute or so, by one server or by several.
func (s *Service) Lapse(ctx context.Context, base string) error {
	return errors.Join(s.lapseHolds(ctx, base), s.lapseOffers(ctx, base))
}

// lapseHolds offers slots whose hold has expired. One that was booked is offered to nobody.
func (s *Service) lapseHolds(ctx context.Context, base string) error {
	for after := ""; ; {
		holds, err := s.Store.Entries(ctx, heldKind, "", after, mostPlaces)
		if err != nil || len(holds) == 0 {
			return err
		}
		for _, e := range holds {
			after = e.Key
			var h holding
			if err := json.Unmarshal(e.Value, &h); err != nil {
				return err
			}
			if s.Now().Before(h.Expires) {
				continue
			}
			a, err := s.agenda(ctx, search.Unrestricted, h.Schedule)
			if err != nil && fhir.CodeOf(err) != fhir.Unprocessable {
				return err
			}
			if err := s.Store.Remove(ctx, heldKind, e.Key, e.Version); err != nil {
				return err
			}
			if a != nil { // else the Schedule is gone, or has no rules any more
				s.offerNext(ctx, base, a, Span{h.Start, h.End})
			}
		}
	}
}

// lapseOffers takes back offers that nobody took in time, and makes them to the next.
func (s *Service) lapseOffers(ctx context.Context, base string) error {
	for after := ""; ; {
		offers, err := s.Store.Entries(ctx, offerKind, "", after, mostPlaces)
		if err != nil || len(offers) == 0 {
			return err
		}
		for _, e := range offers {
			after = e.Key
			var o offer
			if err := json.Unmarshal(e.Value, &o); err != nil {
				return err
			}
			if s.Now().Before(o.Expires) {
				continue
			}
			if err := s.lapse(ctx, base, e, &o); err != nil && !passing(err) {
				return err
			}
		}
	}
}

// lapse takes one offer back. It is forgotten when that is done.
func (s *Service) lapse(ctx context.Context, base string, e fhir.Entry, o *offer) error {
	r, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Appointment", ID: e.Key})
	if err != nil {
		return err
	}
	var k *appointment
	if r != nil {
		if k, err = readAppointment(r); err != nil {
			return err
		}
	}
	if k == nil || k.Status != "proposed" { // it was booked, or cancelled
		return s.Store.Remove(ctx, offerKind, e.Key, e.Version)
	}
	a, err := s.agenda(ctx, search.Unrestricted, o.Place.Schedule)
	if err != nil && fhir.CodeOf(err) != fhir.Unprocessable {
		return err
	}
	c, err := s.restated(base, k, "waitlist", nil, nil)
	if err != nil {
		return err
	}
	// Who let an offer pass goes on waiting, behind the others.
	p, err := s.placed(o.Place)
	if err != nil {
		return err
	}
	if _, err = s.write(ctx, arrangement{changes: []bundle.Change{c}, entries: []fhir.Entry{p}}); err != nil {
		return err
	}
	if err := s.Store.Remove(ctx, offerKind, e.Key, e.Version); err != nil {
		return err
	}
	if a != nil { // else the Schedule is gone, or has no rules any more
		s.offerNext(ctx, base, a, Span{o.Start, o.End})
	}
	return nil
}
