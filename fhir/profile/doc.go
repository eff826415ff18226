// Package profile reads StructureDefinitions and compiles them into trees of the
// rules that they add to R4.
//
// A definition with a snapshot is compiled from that; one without, from its
// differential on top of what it is based on. A tree holds only what a profile
// says beyond the base definitions, since fhir/validate checks those anyway: an
// element that a profile leaves alone is not in its tree.
//
// See https://hl7.org/fhir/R4/profiling.html.
package profile
