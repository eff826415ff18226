package search

import "iter"

// Terminology answers what code systems and value sets say. fhir/terminology has it.
//
// See https://hl7.org/fhir/R4/search.html#modifiers.
type Terminology interface {
	// Codes yields system and code of all that a value set has, named by its URL,
	// perhaps with |version.
	// Errors: fhir.NotFound when it is not known; fhir.TooCostly when it has no end.
	Codes(valueSet string) (iter.Seq2[string, string], error)

	// Subsumed yields a code and all below it, or, with above, all above it.
	// Errors: fhir.NotFound when the system or the code is not known.
	Subsumed(system, code string, above bool) (iter.Seq[string], error)
}
