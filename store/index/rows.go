package index

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Rows are what one resource has in the index tables. Every slice is sorted and
// without duplicates.
type Rows struct {
	Postings []int64
	Dates    []Date
	Numbers  []Number
	Strings  []String
	Places   []search.Place
	Texts    []FullText // one at most
	People   []Person   // one at most
}

// The bits of a mark. A sort by a parameter takes only rows with the bit of its
// direction, of which a resource has one.
const (
	MarkFirst int16 = 1 // the smallest value of the resource under this parameter
	MarkLast  int16 = 2 // the largest
	MarkPlain int16 = 4 // a number that also matches without a unit
	MarkTail  int16 = 8 // a string that is only the end of a text
)

// Make turns the index values of a resource into rows. key gives the row key of
// a reference's target, which is positive, or 0 for a target that cannot be stored.
func Make(x *search.Index, key func(fhir.Ref) int64) Rows {
	return Rows{
		Postings: postings(x, key),
		Dates:    dates(x.Dates),
		Numbers:  numbers(x.Numbers),
		Strings:  texts(x.Strings),
		Places:   x.Places,
		Texts:    fullTexts(x),
		People:   people(x),
	}
}

// Sort puts rows that were read from a database into order.
func (r *Rows) Sort() {
	slices.Sort(r.Postings)
	slices.SortFunc(r.Dates, Date.compare)
	slices.SortFunc(r.Numbers, Number.compare)
	slices.SortFunc(r.Strings, String.compare)
	slices.SortFunc(r.Places, comparePlaces)
}

// Diff returns what must be removed and what must be added to make old into new.
func Diff(old, new *Rows) (gone, added Rows) {
	gone.Postings, added.Postings = diff(old.Postings, new.Postings, cmp.Compare[int64])
	gone.Dates, added.Dates = diff(old.Dates, new.Dates, Date.compare)
	gone.Numbers, added.Numbers = diff(old.Numbers, new.Numbers, Number.compare)
	gone.Strings, added.Strings = diff(old.Strings, new.Strings, String.compare)
	gone.Places, added.Places = diff(old.Places, new.Places, comparePlaces)
	gone.Texts, added.Texts = diff(old.Texts, new.Texts, compareFullTexts)
	gone.People, added.People = diff(old.People, new.People, comparePeople)
	return gone, added
}

// diff merges two sorted slices.
func diff[T any](old, new []T, compare func(a, b T) int) (gone, added []T) {
	for len(old) > 0 && len(new) > 0 {
		switch c := compare(old[0], new[0]); {
		case c < 0:
			gone, old = append(gone, old[0]), old[1:]
		case c > 0:
			added, new = append(added, new[0]), new[1:]
		default:
			old, new = old[1:], new[1:]
		}
	}
	return append(gone, old...), append(added, new...)
}

// mark sets the bits of the first and last row of every run with the same
// parameter. rows must be sorted by parameter, then by value.
func mark[T any](rows []T, param func(*T) uint16, set func(*T, int16)) {
	for i := 0; i < len(rows); {
		end := i + 1
		for end < len(rows) && param(&rows[end]) == param(&rows[i]) {
			end++
		}
		markRun(rows[i:end], set)
		i = end
	}
}

// markRun sets the bits of the first and last row of one parameter.
func markRun[T any](rows []T, set func(*T, int16)) {
	if len(rows) > 0 {
		set(&rows[0], MarkFirst)
		set(&rows[len(rows)-1], MarkLast)
	}
}

// sortedSet sorts rows and drops duplicates.
func sortedSet[T any](rows []T, compare func(a, b T) int) []T {
	slices.SortFunc(rows, compare)
	return slices.CompactFunc(rows, func(a, b T) bool { return compare(a, b) == 0 })
}
