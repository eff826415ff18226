package search

import "github.com/amate-health/amate/fhir"

// Index is what a resource can be found by. Every slice is sorted and without
// duplicates, so that two Indexes can be compared row by row.
type Index struct {
	Tokens  []int64  // hashes of parameter and value: token, uri, canonical, and references that are not relative literals; and Presence of every token, uri or reference parameter that has a value
	Links   []Link   // relative literal references
	Dates   []Range  // UTC microseconds; an open end is math.MinInt64 or math.MaxInt64
	Numbers []Amount // number and quantity
	Strings []Text
}

// Link is a reference from the indexed resource to Target (without a version).
type Link struct {
	Param  uint16
	Target fhir.Ref
}

// Range is an instant, a partial date or a period: it covers Lo <= t < Hi, in
// microseconds since 1970 UTC.
//
// See https://hl7.org/fhir/R4/search.html#date.
type Range struct {
	Param  uint16
	Lo, Hi int64
}

// Amount is a number or a quantity. Lo and Hi are the ends of its implicit
// precision (1.0 covers [0.95, 1.05)); for Range and SampledData, their ends.
//
// See https://hl7.org/fhir/R4/search.html#number.
type Amount struct {
	Param  uint16
	Unit   int64 // hash of system and code, or 0 for a plain number; a quantity also has a row under Unit 0, and one for its code or unit alone
	Value  float64
	Lo, Hi float64
}

// Text is a string, folded: lower case, no accents, single spaces.
// Exact holds the original for :exact.
type Text struct {
	Param  uint16
	Folded string
	Exact  string
}

// Presence returns the hash that stands in Index.Tokens for "has some value under
// this token, uri or reference parameter". It is what :missing asks for.
func Presence(param uint16) int64 {
	// A multiple of an odd number: distinct for distinct parameters, and spread like a hash.
	return int64((uint64(param) + 1) * 0x9E3779B97F4A7C15)
}
