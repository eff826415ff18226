// Package r4 is the only package that imports Google's FHIR protocol buffers
// (github.com/google/fhir/go), which take minutes to build and parse a resource a
// hundred times slower than fhir/element, and refuse or alter some legal FHIR.
// Nothing on the path of a request uses it.
//
// It serves two ends: as an oracle, an independent reading of R4 that the generated
// table of fhir/spec is checked against (see the test); and as the typed form of
// resources for domain code that builds or reads them in batches.
package r4
