// Package r4 is the only package that imports Google's FHIR protocol buffers
// (github.com/google/fhir/go v0.7.4), which take minutes to build and parse a resource
// a hundred times slower than fhir/element, and refuse or alter some legal FHIR.
// Nothing on the path of a request uses it.
//
// It serves two ends: as an oracle, an independent reading of R4 that the generated
// table of fhir/spec and the rules of fhir/validate are held against (see the tests);
// and as the typed form of resources for domain code that builds or reads them in
// batches. That code fills the messages of
// github.com/google/fhir/go/proto/google/fhir/proto/r4/core/... with the help of
// String, Concept, Reference and the like, and turns them into JSON by Marshal, which
// is what is stored.
//
// What Unmarshal refuses because the messages would lose it is in its comment.
package r4
