// Package chart answers what is asked of a whole record at once: all that there is
// about a patient or an encounter ($everything), and the last observations of each
// kind ($lastn). Both are searches, each held to what its caller may see.
//
// See https://hl7.org/fhir/R4/operationslist.html.
package chart

import (
	"context"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Operations returns the operations of this package, on what store has.
func Operations(store Store) []operation.Operation {
	e := &everything{store: store}
	l := &lastN{store: store}
	return []operation.Operation{
		{
			Name: "everything", URL: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
			Scope: operation.OnType | operation.OnInstance, Types: []string{"Patient"}, Run: e.run,
		},
		{
			Name: "everything", URL: "http://hl7.org/fhir/OperationDefinition/Encounter-everything",
			Scope: operation.OnInstance, Types: []string{"Encounter"}, Run: e.run,
		},
		{
			Name: "lastn", URL: "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
			Scope: operation.OnType, Types: []string{"Observation"}, Run: l.run,
		},
	}
}
