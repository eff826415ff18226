package bundle

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Criterion parses the search by which a conditional interaction, or a
// conditional reference, selects a resource of type typ among those that only
// lets through.
// Errors: fhir.Invalid; a criterion that says nothing, and would select
// everything, is one.
//
// See https://hl7.org/fhir/R4/http.html#ccreate.
func (m Maker) Criterion(typ string, params []search.Param, only *search.Restriction) (*search.Query, error) {
	q, err := search.Parse(typ, params, search.Options{Base: m.Base, DefaultCount: 2, Catalogue: m.catalogue(), Terminology: m.Terminology, FullText: m.FullText})
	if err != nil {
		return nil, err
	}
	if len(q.Where) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "a conditional interaction needs a criterion, such as identifier=system|value")
	}
	if len(q.Sort) > 0 || len(q.Includes) > 0 {
		return nil, fhir.Errorf(fhir.Invalid, "a criterion only selects: it can neither sort nor include")
	}
	q.Count, q.Total, q.Restriction = 2, search.TotalNone, only
	return q, nil
}
