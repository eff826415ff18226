// Package fhirpath evaluates FHIRPath over [element.Doc], with the types of [spec].
//
// An expression is compiled once and evaluated many times, by many goroutines.
// Expressions that only walk down names, as nearly all search parameters do,
// also have a direct plan ([Expr.Paths]): a list of JSON properties to follow,
// worked out from the definitions beforehand.
//
// Evaluation is bounded: an expression that takes too many steps, or makes too
// large a string, ends in an error, so that text from a caller can be run.
//
// See https://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html.
package fhirpath
