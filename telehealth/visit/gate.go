package visit

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// Reasons for which somebody does not get in.
var (
	errNone    = fhir.Errorf(fhir.LoginRequired, "the link was used, or is none: ask for another one")
	errOver    = fhir.Errorf(fhir.Gone, "the visit has ended")
	errConsent = fhir.Errorf(fhir.Forbidden, "the patient has not consented to the consultation at a distance, or has withdrawn that: record it by $visit-consent")
)

// open reports an error unless a visit is going on now.
func (s *Service) open(v *sheet) error {
	now := s.Now()
	switch {
	case !v.Ended.IsZero():
		return errOver
	case now.Before(s.opens(v).Add(-s.Skew)):
		return fhir.Errorf(fhir.Forbidden, "it is too early for the visit").With("it opens at %s", stamp(s.opens(v)))
	case now.After(s.closes(v).Add(s.Skew)):
		return fhir.Errorf(fhir.Forbidden, "the time of the visit is over")
	}
	return nil
}

// presented returns the room that a token or a secret begins with.
func presented(secret string) (string, error) {
	if len(secret) <= roomLength || len(secret) > 200 || strings.ContainsAny(secret, "/#") {
		return "", errNone
	}
	return secret[:roomLength], nil
}

// Enter implements [room.Gate].
func (s *Service) Enter(ctx context.Context, token string) (*room.Ticket, string, error) {
	name, err := presented(token)
	if err != nil {
		return nil, "", err
	}
	digest := digestOf(token)
	var t *room.Ticket
	kept, known := secret(name)
	v, err := s.change(ctx, name, func(v *visit) error {
		who := v.find(func(t *seat) bool { return same(t.Token, digest) })
		if err := s.admissible(ctx, &v.sheet, who); err != nil {
			return err
		}
		who.Token, who.Secret = "", known
		t = s.ticket(&v.sheet, who)
		return nil
	})
	if err != nil {
		return nil, "", hidden(err)
	}
	return s.helped(ctx, &v.sheet, t), kept, nil
}

// Resume implements [room.Gate].
func (s *Service) Resume(ctx context.Context, secret string) (*room.Ticket, error) {
	name, err := presented(secret)
	if err != nil {
		return nil, err
	}
	v, err := s.load(ctx, name)
	if err != nil {
		return nil, hidden(err)
	}
	digest := digestOf(secret)
	who := v.find(func(t *seat) bool { return same(t.Secret, digest) })
	if err := s.admissible(ctx, &v.sheet, who); err != nil {
		return nil, err
	}
	return s.helped(ctx, &v.sheet, s.ticket(&v.sheet, who)), nil
}

// helped returns the ticket of a clinician with where the patient is, and whom to call. That
// this cannot be read keeps nobody out.
func (s *Service) helped(ctx context.Context, v *sheet, t *room.Ticket) *room.Ticket {
	if t.Role != room.Clinician {
		return t
	}
	r, err := s.one(ctx, everything, fhir.Ref{Type: "Encounter", ID: v.Encounter})
	if err == nil && r != nil {
		t.Help, err = helpOf(r)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "where the patient of a visit is, and whom to call, is not shown", "error", err)
	}
	return t
}

// hidden makes of a room that is none a token that is none.
func hidden(err error) error {
	if fhir.CodeOf(err) == fhir.NotFound {
		return errNone
	}
	return err
}

// admissible reports an error unless somebody may be in a visit now.
func (s *Service) admissible(ctx context.Context, v *sheet, who *seat) error {
	switch {
	case !v.Ended.IsZero():
		return errOver
	case who == nil || who.Refused:
		return errNone
	}
	if err := s.open(v); err != nil {
		return err
	}
	return s.consented(ctx, v.Patient)
}

// governs returns the seat of a clinician.
func (v *sheet) governs(by string) error {
	if t := v.seat(by); t == nil || t.Role != room.Clinician || t.Refused || !t.Admitted {
		return fhir.Errorf(fhir.Forbidden, "this is for clinicians of the visit")
	}
	if !v.Ended.IsZero() {
		return errOver
	}
	return nil
}

// Admit implements [room.Gate]. With the first of the patient's side whom it lets in, the
// visit is in progress.
func (s *Service) Admit(ctx context.Context, name, by, id string) error {
	_, err := s.change(ctx, name, func(v *visit) error {
		if err := v.governs(by); err != nil {
			return err
		}
		t := v.seat(id)
		if err := s.admissible(ctx, &v.sheet, t); err != nil {
			return err
		}
		if t.Admitted {
			return nil
		}
		t.Admitted = true
		if !t.Theirs || v.Status == inProgress {
			return nil
		}
		v.Began = s.Now().UTC()
		v.turn(inProgress, v.Began)
		return s.record(ctx, v, "")
	})
	return hidden(err)
}

// Refuse implements [room.Gate].
func (s *Service) Refuse(ctx context.Context, name, by, id string) error {
	_, err := s.change(ctx, name, func(v *visit) error {
		if err := v.governs(by); err != nil {
			return err
		}
		t := v.seat(id)
		if t == nil || id == by {
			return errNone
		}
		t.turnAway()
		return nil
	})
	return hidden(err)
}

// turnAway keeps somebody out for good.
func (t *seat) turnAway() { t.Refused, t.Token, t.Secret = true, "", "" }

// End implements [room.Gate].
func (s *Service) End(ctx context.Context, name, by string) error {
	v, err := s.change(ctx, name, func(v *visit) error {
		if err := v.governs(by); err != nil {
			return err
		}
		return s.finish(ctx, v, outcomeOf(&v.sheet, s.Now()))
	})
	if err != nil {
		return hidden(err)
	}
	return s.settle(ctx, v)
}

// Over reports whether a meeting has ended, and which seats of it were turned away: what
// another server may have decided.
func (s *Service) Over(ctx context.Context, name string) (ended bool, refused []string, err error) {
	v, err := s.load(ctx, name)
	if err != nil {
		return fhir.CodeOf(err) == fhir.NotFound, nil, hidden(err)
	}
	for _, t := range v.Seats {
		if t.Refused {
			refused = append(refused, t.ID)
		}
	}
	return !v.Ended.IsZero(), refused, nil
}
