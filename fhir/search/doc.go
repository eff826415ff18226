// Package search is FHIR search without a database: a query string becomes a
// [Query], a resource becomes an [Index], and [Holds] says whether the one finds the
// other. A [Catalogue] tells by which parameters, those of R4 or more.
//
// One file per search type holds both sides, how a value is indexed and how a
// query value is read, so that they cannot disagree on normalisation. What is
// stored is small and typed: a token is a 64-bit hash, a date a range of UTC
// microseconds, a number a range of float64, a string its folded text. The
// engines in store compare those and nothing else.
//
// See https://hl7.org/fhir/R4/search.html.
package search
