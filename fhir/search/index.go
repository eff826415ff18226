package search

import (
	"cmp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// Index is what a resource can be found by. Every slice is sorted and without
// duplicates, so that two Indexes can be compared row by row.
type Index struct {
	Tokens  []int64  // hashes of parameter and value: token, uri, canonical, and references that are not relative literals
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

// Amount is a number or a quantity: the values from Lo to Hi, both included. Of a
// plain value, all three are that value: the precision of what is stored plays no
// part, only that of what is asked. A Range, a SampledData and a value with a
// comparator have ends of their own, infinite where open; Value is then a finite
// end, for sorting.
//
// See https://hl7.org/fhir/R4/search.html#number.
type Amount struct {
	Param  uint16
	Unit   int64 // UnitHash, or 0 for a plain number; a quantity also has a row under Unit 0, and one for its code or unit alone
	Value  float64
	Lo, Hi float64
}

// Text is a string, folded: see Fold. Exact holds the original for :exact. A row
// with an empty Exact is the tail of a name that begins at a later word, so that
// "Quiñones" finds "Carreño Quiñones"; it does not count when sorting.
type Text struct {
	Param  uint16
	Folded string
	Exact  string
}

func compareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), strings.Compare(a.Target.Type, b.Target.Type), strings.Compare(a.Target.ID, b.Target.ID))
}

func compareRanges(a, b Range) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi))
}

func compareAmounts(a, b Amount) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Value, b.Value),
		cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi))
}

func compareTexts(a, b Text) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), strings.Compare(a.Folded, b.Folded), strings.Compare(a.Exact, b.Exact))
}

// tidy sorts the slices of ix and drops duplicates.
func (ix *Index) tidy() {
	slices.Sort(ix.Tokens)
	ix.Tokens = slices.Compact(ix.Tokens)
	slices.SortFunc(ix.Links, compareLinks)
	ix.Links = slices.Compact(ix.Links)
	slices.SortFunc(ix.Dates, compareRanges)
	ix.Dates = slices.Compact(ix.Dates)
	slices.SortFunc(ix.Numbers, compareAmounts)
	ix.Numbers = slices.Compact(ix.Numbers)
	slices.SortFunc(ix.Strings, compareTexts)
	ix.Strings = slices.Compact(ix.Strings)
}
