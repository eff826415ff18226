package visit

import (
	"cmp"
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// BookedKind is the kind of entries that say which app booked an Appointment by itself: by
// the id of the Appointment, in the group of the app, which is the value too. Whoever books
// for apps writes them (package schedule).
const BookedKind = "appointment-app"

// App returns what a caller is known by as an app that acts by itself.
func App(c operation.Caller) string { return cmp.Or(c.Client, c.Principal) }

// errOther is of a visit that another app runs.
var errOther = fhir.Errorf(fhir.Forbidden, "the visit is of another app: the one that booked it, or began to act in it, runs it")

// binds reports whether a visit is of a caller who acts in it: an app by itself, that sees
// no records. Those who sign in are in a visit as themselves.
func (s *Service) binds(c operation.Caller) bool {
	return c.User.ID == "" && c.Roles != nil && s.isApp(c) && !slices.ContainsFunc(c.Roles, func(role string) bool { return slices.Contains(s.Keepers, role) })
}

// entrust makes a visit that begins that of the app which booked it, or else of the caller.
// Errors: fhir.Forbidden for another app.
func (s *Service) entrust(ctx context.Context, call *operation.Call, v *sheet) error {
	e, err := s.Store.Entry(ctx, BookedKind, v.Appointment)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	v.App, v.Ours = string(e.Value), len(e.Value) > 0
	return s.claim(v, call)
}

// claim makes a visit that is of no app that of the caller, when they are one. Errors:
// fhir.Forbidden for that of another app, which could else sit in any visit in the place
// of its people.
func (s *Service) claim(v *sheet, call *operation.Call) error {
	if !s.binds(call.Caller) {
		return nil
	}
	if v.App == "" {
		v.App = App(call.Caller)
	}
	if v.App != App(call.Caller) {
		return errOther
	}
	return nil
}

// claimed is claim for a visit that goes on.
func (s *Service) claimed(ctx context.Context, v *visit, call *operation.Call) (*visit, error) {
	if err := s.claim(&v.sheet, call); err != nil {
		return nil, err
	}
	if !s.binds(call.Caller) {
		return v, nil
	}
	return s.change(ctx, v.Room, func(v *visit) error { return s.claim(&v.sheet, call) }) // writes only what is new
}
