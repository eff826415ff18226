package main

import (
	"context"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/zone"
)

// arco says how requests of ARCO rights are dealt with.
type arco struct {
	Regime           string   `help:"Whose law sets the deadlines: public or private." enum:"public,private" default:"public"`
	Closed           []string `help:"Days on which the authority does not count, beside those of art. 74 of the Ley Federal del Trabajo: 2026-12-24, or 2026-12-21..2027-01-06." placeholder:"DAYS"`
	Zone             string   `help:"Time zone whose days count; without it, that of Mexico City." placeholder:"NAME"`
	Answer           int      `help:"Business days to answer, where they are not those of the regime." placeholder:"DAYS"`
	AnswerExtension  int      `help:"Business days by which the answer can be put off, likewise." placeholder:"DAYS"`
	Execute          int      `help:"Business days to do what was granted, likewise." placeholder:"DAYS"`
	ExecuteExtension int      `help:"Business days by which that can be put off, likewise." placeholder:"DAYS"`
}

// office is what requests are dealt with by.
type office struct {
	calendar *rights.Calendar
	regime   rights.Regime
	zone     *time.Location

	wordsVersion int64 // of the dictionary, as far as purges took words out of it; of follow alone
}

// open reads the settings.
func (a *arco) open() (o office, err error) {
	if o.calendar, err = rights.NewCalendar(a.Closed...); err != nil {
		return o, usagef("--arco-closed: %v", err)
	}
	if o.regime, err = rights.RegimeOf(a.Regime); err != nil {
		return o, usagef("--arco-regime: %v", err)
	}
	for _, p := range []struct{ given, of *int }{
		{&a.Answer, &o.regime.Answer}, {&a.AnswerExtension, &o.regime.AnswerExtension},
		{&a.Execute, &o.regime.Execute}, {&a.ExecuteExtension, &o.regime.ExecuteExtension},
	} {
		if *p.given != 0 {
			*p.of = *p.given
		}
	}
	if err := o.regime.Check(); err != nil {
		return o, usagef("%v", err)
	}
	if a.Zone != "" {
		if o.zone, err = zone.Load(a.Zone); err != nil {
			return o, usagef("--arco-zone: %v", err)
		}
	}
	return o, nil
}

// blockedLabel is the label of a record that is blocked.
var blockedLabel = rights.Label{System: authz.LabelSystem, Code: authz.Blocked}

// blockedPatients returns the Patients whose record is blocked and who have one of some
// identifiers, a value of the search parameter identifier.
func (o *opened) blockedPatients(ctx context.Context, identifiers string) ([]fhir.Resource, error) {
	q, err := search.Parse("Patient", []search.Param{
		{Name: "identifier", Value: identifiers}, {Name: "_security", Value: blockedLabel.System + "|" + blockedLabel.Code},
	}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Count, q.Restriction = 100, search.Unrestricted
	found, err := o.engine.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// rightsStore writes for operations, and tells the audit trail of it.
type rightsStore struct{ *opened }

// Apply implements rights.Store.
func (s rightsStore) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := s.opened.Apply(ctx, b)
	if err == nil {
		s.claims(ctx, results)
	}
	for i := range results {
		rest.Touched(ctx, results[i].Resource)
	}
	return results, err
}

// rightsOperations are those by which patients demand what the law gives them.
func (o *opened) rightsOperations() []operation.Operation {
	return rights.Operations(rights.Config{
		Store: rightsStore{o}, Kept: o, Maker: o.maker, Calendar: o.office.calendar, Regime: o.office.regime, Zone: o.office.zone,
		Label: blockedLabel, Signed: o.signedDocument,
	})
}

// signedDocument reports whether a resource cannot be changed as it stands, so that a
// rectification is appended to it.
func (o *opened) signedDocument(r *fhir.Resource) bool {
	after := fhir.Resource{Ref: fhir.Ref{Type: r.Ref.Type, ID: r.Ref.ID, Version: r.Ref.Version + 1}, Method: fhir.DELETE}
	b := bundle.Batch{Holds: o.holds, Rights: []string{rights.HoldName}}
	return b.Held(r, &after) != nil
}
