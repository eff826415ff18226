package visit

import (
	"context"
	"errors"
	"slices"

	"github.com/amate-health/amate/fhir"
)

// Tend closes visits that nobody else closes: those to which the patient does not come,
// whose time is over, whose Appointment was cancelled, and of patients who do not consent
// any more. Several servers may do so at once.
func (s *Service) Tend(ctx context.Context) error {
	return s.eachOpen(ctx, func(v *visit) error {
		if !v.Ended.IsZero() {
			return s.settle(ctx, v) // a server ended before it was done
		}
		return s.tend(ctx, v)
	})
}

// eachOpen calls f with every visit that is not settled, also when it fails with some.
func (s *Service) eachOpen(ctx context.Context, f func(v *visit) error) error {
	var failed []error
	const page = 200
	for after := ""; ; {
		entries, err := s.Store.Entries(ctx, visitKind, openGroup, after, page)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, e := range entries {
			after = e.Key
			v, err := s.load(ctx, e.Key)
			if err == nil {
				err = f(v)
			}
			if err != nil && fhir.CodeOf(err) != fhir.NotFound {
				failed = append(failed, err)
			}
		}
		if len(entries) < page || ctx.Err() != nil {
			return errors.Join(failed...)
		}
	}
}

// gone are statuses of an Appointment that does not take place.
var gone = []string{"cancelled", "noshow", "entered-in-error", "waitlist", "proposed"}

func (s *Service) tend(ctx context.Context, v *visit) error {
	now := s.Now()
	r, err := s.one(ctx, everything, fhir.Ref{Type: "Appointment", ID: v.Appointment})
	if err != nil {
		return err
	}
	var a *appointment
	if r != nil {
		if a, err = readAppointment(r); err != nil {
			return err
		}
	}
	switch {
	case r == nil || slices.Contains(gone, a.status):
		return s.close(ctx, v, func(v *sheet) outcome {
			if !v.Began.IsZero() {
				return outcome{finished, ""}
			}
			return outcome{cancelled, ""}
		})
	case !a.start.Equal(v.Start) || !a.end.Equal(v.End):
		_, err := s.change(ctx, v.Room, func(v *visit) error {
			v.Start, v.End = a.start.UTC(), a.end.UTC()
			return nil
		})
		return err
	case now.After(s.closes(&v.sheet).Add(s.Skew)):
		return s.close(ctx, v, func(v *sheet) outcome { return outcomeOf(v, now) })
	case !v.cameTheirs() && now.After(v.Start.Add(s.NoShow)):
		return s.close(ctx, v, func(v *sheet) outcome { return outcomeOf(v, now) })
	}
	return s.withoutConsent(ctx, v)
}

// withoutConsent ends a visit if its patient does not consent any more. One that nobody
// entered yet waits for the consent.
func (s *Service) withoutConsent(ctx context.Context, v *visit) error {
	err := s.consented(ctx, v.Patient)
	if err != errConsent {
		return err
	}
	if len(v.Seats) == 0 && !v.Granted {
		return nil
	}
	return s.close(ctx, v, func(v *sheet) outcome {
		if !v.Began.IsZero() {
			return outcome{finished, "fulfilled"}
		}
		return outcome{cancelled, ""}
	})
}

// AppointmentsChanged ends at once the visits of Appointments that were cancelled or deleted.
// It is told their ids.
func (s *Service) AppointmentsChanged(ctx context.Context, ids ...string) error {
	var failed []error
	for _, id := range ids {
		name, err := s.roomOf(ctx, encounterID(id))
		if err == nil {
			var v *visit
			if v, err = s.load(ctx, name); err == nil && v.Appointment == id && v.Ended.IsZero() {
				err = s.tend(ctx, v)
			}
		}
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Begun reports whether the visit of an Appointment has begun.
func (s *Service) Begun(ctx context.Context, appointment string) (bool, error) {
	_, err := s.roomOf(ctx, encounterID(appointment))
	if fhir.CodeOf(err) == fhir.NotFound {
		return false, nil
	}
	return err == nil, err
}

// Off reports whether an Appointment with a status does not take place.
func Off(status string) bool { return slices.Contains(gone, status) }

// close ends a visit by itself.
func (s *Service) close(ctx context.Context, v *visit, came func(v *sheet) outcome) error {
	v, err := s.change(ctx, v.Room, func(v *visit) error { return s.finish(ctx, v, came(&v.sheet)) })
	if err != nil {
		return err
	}
	return s.settle(ctx, v)
}

// UnderWay reports whether the patient of an Appointment was let into its visit, and it has
// not ended.
func (s *Service) UnderWay(ctx context.Context, appointment string) (bool, error) {
	name, err := s.roomOf(ctx, encounterID(appointment))
	if err == nil {
		var v *visit
		if v, err = s.load(ctx, name); err == nil {
			return v.Appointment == appointment && !v.Began.IsZero() && v.Ended.IsZero(), nil
		}
	}
	if fhir.CodeOf(err) == fhir.NotFound {
		err = nil
	}
	return false, err
}
