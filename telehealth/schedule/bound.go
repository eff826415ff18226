package schedule

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// BookedKind is the kind of entries that say which app booked an Appointment by itself: by
// the id of the Appointment, in the group of the app, which is the value too. They last
// until the Appointment is over.
const BookedKind = "appointment-app"

// appOf returns by what an app that books by itself is known, "" for other callers.
func (s *Service) appOf(c operation.Caller) string {
	if c.User.ID != "" || !slices.ContainsFunc(c.Roles, func(role string) bool { return slices.Contains(s.Bound, role) }) {
		return ""
	}
	return cmp.Or(c.Client, c.Principal)
}

// within refuses more bookings to a patient or an app than one may have before them.
// Bookings at the same moment may go beyond it by a few.
func (s *Service) within(ctx context.Context, call *operation.Call, patient fhir.Ref, more int) error {
	q, err := search.Parse("Appointment", []search.Param{
		{Name: "patient", Value: patient.Current().String()}, {Name: "status", Value: "booked,pending"}, {Name: "date", Value: "ge" + s.Now().UTC().Format(time.RFC3339)},
	}, search.Options{})
	if err != nil {
		return err
	}
	q.Count, q.Restriction = s.MostOpen, search.Unrestricted
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return err
	}
	if had := len(found.Matches); had+more > s.MostOpen {
		return fhir.Errorf(fhir.Throttled, "a patient has %d bookings before them at most, and this one has %d: some have to be over, or be cancelled", s.MostOpen, had)
	}
	app, n, after := s.appOf(call.Caller), 0, ""
	for app != "" {
		const page = 500
		some, err := s.Store.Entries(ctx, BookedKind, app, after, page)
		if err != nil {
			return err
		}
		if n += len(some); n+more > s.MostOpenApp {
			return fhir.Errorf(fhir.Throttled, "the app has %d bookings of its own before it: some have to be over, or be cancelled", s.MostOpenApp)
		}
		if len(some) < page {
			break
		}
		after = some[page-1].Key
	}
	return nil
}

// bookedBy returns the entry that says which app booked an Appointment, none for other
// callers. One from the waiting list may have had another app.
func (s *Service) bookedBy(ctx context.Context, call *operation.Call, id string, at Span) ([]fhir.Entry, error) {
	app := s.appOf(call.Caller)
	if app == "" {
		return nil, nil
	}
	e, err := s.Store.Entry(ctx, BookedKind, id)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return nil, err
	}
	return []fhir.Entry{{Kind: BookedKind, Key: id, Group: app, Version: e.Version, Value: []byte(app), Expires: at.End.Add(bookedFor)}}, nil
}

// stillBookedBy returns the entry of who booked an Appointment for the time that it moves to.
func (s *Service) stillBookedBy(ctx context.Context, id string, at Span) ([]fhir.Entry, error) {
	e, err := s.Store.Entry(ctx, BookedKind, id)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, nil
	}
	e.Expires = at.End.Add(bookedFor)
	return []fhir.Entry{e}, err
}

// bookedFor is how long after an Appointment it is still known who booked it: a visit may
// take longer.
const bookedFor = 12 * time.Hour
