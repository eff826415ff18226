package search

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Holds reports whether m holds for a resource with index ix. It defines what the
// engines compute in SQL.
func (m Match) Holds(ix *Index) bool {
	if m.Modifier == "missing" {
		return m.Values[0].Bool != m.any(ix)
	}
	return slices.ContainsFunc(m.Values, func(v Value) bool { return m.value(ix, &v) })
}

// value reports whether ix has a value that v matches.
func (m Match) value(ix *Index, v *Value) bool {
	id := m.Param.ID
	if m.worded() {
		return m.inWords(ix, v)
	}
	switch m.Compared {
	case spec.Date:
		return slices.ContainsFunc(ix.Dates, func(r Range) bool { return r.Param == id && r.Pair.fits(v.Pair) && r.holds(v) })
	case spec.Number, spec.Quantity:
		return slices.ContainsFunc(ix.Numbers, func(a Amount) bool {
			return a.Param == id && a.Unit == v.Unit && a.Pair.fits(v.Pair) && a.holds(v)
		})
	case spec.String:
		return slices.ContainsFunc(ix.Strings, func(t Text) bool { return t.Param == id && t.Pair.fits(v.Pair) && t.holds(m.Modifier, v) })
	case spec.Special:
		return slices.ContainsFunc(ix.Places, func(p Place) bool { return p.Param == id && p.holds(v) })
	}
	if slices.ContainsFunc(v.Tokens, func(h int64) bool { _, ok := slices.BinarySearch(ix.Tokens, h); return ok }) {
		return true
	}
	return slices.ContainsFunc(v.Refs, func(ref fhir.Ref) bool {
		_, ok := slices.BinarySearchFunc(ix.Links, Link{id, ref}, compareLinks)
		return ok
	})
}

// fits reports whether a row of pair p is one that asked looks for.
func (p Pair) fits(asked Pair) bool {
	return p.Code == asked.Code && (asked.Both == 0 || p.Both == asked.Both)
}

// any reports whether ix has any value for the parameter.
func (m Match) any(ix *Index) bool {
	id := m.Param.ID
	if _, ok := slices.BinarySearch(ix.Tokens, PresenceHash(id)); ok {
		return true
	}
	return slices.ContainsFunc(ix.Links, func(l Link) bool { return l.Param == id }) ||
		slices.ContainsFunc(ix.Dates, func(r Range) bool { return r.Param == id }) ||
		slices.ContainsFunc(ix.Numbers, func(a Amount) bool { return a.Param == id }) ||
		slices.ContainsFunc(ix.Strings, func(t Text) bool { return t.Param == id })
}
