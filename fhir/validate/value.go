package validate

import (
	"math/big"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
)

// equal reports whether a value is the fixed one, exactly.
//
// See https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_.
func equal(want *profile.Value, at *place) bool {
	return at.item.Node != element.None && same(want.Doc, want.Node, at.item.Doc, at.item.Node)
}

// same compares two values, whatever the order of their members.
func same(d *element.Doc, n element.Node, e *element.Doc, m element.Node) bool {
	if d.Kind(n) != e.Kind(m) {
		return false
	}
	switch d.Kind(n) {
	case element.Object:
		if d.Size(n) != e.Size(m) {
			return false
		}
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			o := e.Get(m, string(d.Name(c)))
			if o == element.None || !same(d, c, e, o) {
				return false
			}
		}
		return true
	case element.Array:
		if d.Size(n) != e.Size(m) {
			return false
		}
		o := e.First(m)
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			if !same(d, c, e, o) {
				return false
			}
			o = e.Next(m, o)
		}
		return true
	}
	return sameText(d, n, e, m)
}

// sameText compares two primitives: numbers by their value.
func sameText(d *element.Doc, n element.Node, e *element.Doc, m element.Node) bool {
	a, b := d.Bytes(n), e.Bytes(m)
	if string(a) == string(b) {
		return true
	}
	if d.Kind(n) != element.Number || len(a) > 64 || len(b) > 64 {
		return false
	}
	x, ok := new(big.Rat).SetString(string(a))
	y, also := new(big.Rat).SetString(string(b))
	return ok && also && x.Cmp(y) == 0
}

// fits reports whether a value has all that a pattern has.
//
// See https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_.
func fits(pattern *profile.Value, at *place) bool {
	return at.item.Node != element.None && holdsPattern(pattern.Doc, pattern.Node, at.item.Doc, at.item.Node)
}

func holdsPattern(d *element.Doc, n element.Node, e *element.Doc, m element.Node) bool {
	if d.Kind(n) != e.Kind(m) {
		return false
	}
	switch d.Kind(n) {
	case element.Object:
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			o := e.Get(m, string(d.Name(c)))
			if o == element.None || !holdsPattern(d, c, e, o) {
				return false
			}
		}
		return true
	case element.Array: // each item of the pattern is somewhere
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			found := false
			for o := e.First(m); o != element.None && !found; o = e.Next(m, o) {
				found = holdsPattern(d, c, e, o)
			}
			if !found {
				return false
			}
		}
		return true
	}
	return sameText(d, n, e, m)
}

// shown returns a fixed or pattern value for a diagnostic.
func shown(v *profile.Value) string {
	raw := v.Doc.Raw(v.Node)
	if len(raw) > 200 {
		raw = raw[:200]
	}
	return string(raw)
}
