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
	Words   []Word   // what tokens say in words
	Places  []Place  // special: near
	Text    []string // words of the narrative, as Analyse makes them, for _text
	Content []string // words of all text, the narrative included, for _content
	Person  Person   // of a Patient, where Indexing.Person says
}

// Person is by what a Patient is found among those who may be the same person. No
// search parameter asks for it.
type Person struct {
	Keys     []int64 // hashes that the records of one person are likely to share, ascending
	Features []byte  // what is compared; none when there is too little of it
}

// Word is what a token says: the text that a sort by its parameter compares, or
// that :text, or :below on a uri, looks in. Many resources share one, so that a
// store keeps each once, beside the postings of those that have it. Posting is
// among Index.Tokens.
//
// See https://hl7.org/fhir/R4/search.html#text.
type Word struct {
	Param   uint16
	Kind    WordKind
	Posting int64
	Text    string
}

// WordKind says what a Word is for.
type WordKind uint8

// The kinds.
const (
	CodeWord    WordKind = 1 // the code, uri or identifier value as written; Posting is its bare form. For sorting and :below
	DisplayWord WordKind = 2 // a display or text, folded; Posting is the token of that text. For :text
)

// Place is a position on the Earth, in degrees (WGS 84).
//
// See https://hl7.org/fhir/R4/location.html#positional.
type Place struct {
	Param    uint16
	Lat, Lon float64
}

// Pair is the first half of a composite value, when its row stands for a pair; of
// a plain value both are 0. Code is the hash of the bare code under the composite
// parameter, Both that of system|code, or of |code when there is no system.
//
// See https://hl7.org/fhir/R4/search.html#combining.
type Pair struct{ Code, Both int64 }

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
	Pair   Pair
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
	Pair   Pair
}

// Text is a string, folded: see Fold. Exact holds the original for :exact. A row
// with an empty Exact is the tail of a name that begins at a later word, so that
// "Quiñones" finds "Carreño Quiñones"; it does not count when sorting.
type Text struct {
	Param  uint16
	Folded string
	Exact  string
	Pair   Pair
}

func compareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), strings.Compare(a.Target.Type, b.Target.Type), strings.Compare(a.Target.ID, b.Target.ID))
}

func compareRanges(a, b Range) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi), a.Pair.compare(b.Pair))
}

func compareAmounts(a, b Amount) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Value, b.Value),
		cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi), a.Pair.compare(b.Pair))
}

func compareTexts(a, b Text) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), strings.Compare(a.Folded, b.Folded), strings.Compare(a.Exact, b.Exact), a.Pair.compare(b.Pair))
}

func (a Pair) compare(b Pair) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Both, b.Both))
}

func compareWords(a, b Word) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Text, b.Text), cmp.Compare(a.Posting, b.Posting))
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Lat, b.Lat), cmp.Compare(a.Lon, b.Lon))
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
	slices.SortFunc(ix.Words, compareWords)
	ix.Words = slices.Compact(ix.Words)
	slices.SortFunc(ix.Places, comparePlaces)
	ix.Places = slices.Compact(ix.Places)
	slices.Sort(ix.Text)
	ix.Text = slices.Compact(ix.Text)
	slices.Sort(ix.Content)
	ix.Content = slices.Compact(ix.Content)
}
