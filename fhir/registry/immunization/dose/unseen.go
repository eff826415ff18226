package dose

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/search"
)

// veiledStatus is the status of a forecast that rests on what is not shown to the caller.
const veiledStatus = "Conditional"

// unseen looks at a dose that is given here once more, by all that is on record. Those who
// give vaccines may not read the conditions, pregnancies and allergies of everybody, nor
// what a label hides; they are told that something on record speaks against the dose, and
// never what. Forecasts that would be others by all that is on record are withheld: a date
// that leaves something out would be wrong.
//
// before is what the caller sees, made the dose as it will be stored, was the one that it
// replaces, and j what it means by what the caller sees. Only where ask is set, warnings
// are added: nothing can be prevented where the dose was recorded before.
func (s *Service) unseen(ctx context.Context, p *posting, before []parsed, made object, was fhir.Ref, j *judgement, ask bool) error {
	if p.call.Restriction == search.Unrestricted || j.now == nil {
		return nil
	}
	all, err := s.recorded(ctx, search.Unrestricted, p.patient.Ref)
	if err != nil {
		return err
	}
	hidden := slices.DeleteFunc(slices.Clone(all), func(one parsed) bool {
		return slices.ContainsFunc(before, func(b parsed) bool { return b.Ref.Current() == one.Ref.Current() })
	})
	if len(hidden) == 0 {
		return nil
	}
	_, whole, err := s.foresee(p, all, made, was)
	if err != nil || whole.now == nil {
		return err
	}
	j.veil(whole, slices.ContainsFunc(hidden, func(one parsed) bool {
		return text(one.Doc, 0, "resourceType") == "Immunization" && text(one.Doc, 0, "status") == "completed"
	}))
	if !ask || p.notDone != "" || p.reported {
		return nil
	}
	informed := *p
	informed.issues = nil
	informed.warn(whole)
	if err := informed.contraindicated(s, all); err != nil {
		return err
	}
	for _, found := range informed.issues {
		switch {
		case slices.ContainsFunc(p.issues, func(i fhir.Issue) bool { return i.Rule == found.Rule }):
		case found.Rule == "contraindicated":
			p.odd(found.Rule, "a contraindication to this vaccine is on record, in what is not shown to you: ask who treats the patient before you give it", "vaccine")
		default:
			p.odd("unseen-record", "something on record that is not shown to you speaks against this dose: ask who treats the patient before you give it", "vaccine")
		}
	}
	return nil
}

// veil withholds the forecasts that are others by all that is on record. Where a dose is
// hidden it withholds all of them: one alone would tell of which vaccine.
func (j *judgement) veil(whole *judgement, doses bool) {
	j.veiled = map[string]bool{}
	for i := range j.now.Forecasts {
		f := &j.now.Forecasts[i]
		same := slices.ContainsFunc(whole.now.Forecasts, func(g immunization.Forecast) bool {
			return f.Group == g.Group && f.Status == g.Status && f.Number == g.Number && f.Earliest == g.Earliest &&
				f.Recommended == g.Recommended && f.PastDue == g.PastDue && f.Latest == g.Latest && slices.Equal(f.CVX, g.CVX)
		})
		if doses || !same {
			j.veiled[f.Group] = true
		}
	}
}
