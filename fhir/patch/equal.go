package patch

import (
	"bytes"
	"math/big"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// equal compares as the test operation asks: numbers by value, strings by their
// characters, objects without regard to order.
//
// See https://www.rfc-editor.org/rfc/rfc6902#section-4.6.
func equal(a, b *value) bool {
	if a.kind() != b.kind() {
		return false
	}
	switch a.kind() {
	case element.String:
		return bytes.Equal(a.doc.Bytes(a.node), b.doc.Bytes(b.node))
	case element.Number:
		return parseNumber(a.doc.Text(a.node)).equal(parseNumber(b.doc.Text(b.node)))
	case element.Array:
		a.expand()
		b.expand()
		if len(a.items) != len(b.items) {
			return false
		}
		for i := range a.items {
			if !equal(a.items[i], b.items[i]) {
				return false
			}
		}
	case element.Object:
		a.expand()
		b.expand()
		if len(a.members) != len(b.members) {
			return false
		}
		others := make(map[string]*value, len(b.members))
		for _, m := range b.members {
			others[m.name] = m.v
		}
		for _, m := range a.members {
			if other := others[m.name]; other == nil || !equal(m.v, other) {
				return false
			}
		}
	}
	return true
}

// number is a JSON number without what does not matter to its value: the value
// is 0.digits times ten to the exponent. Zero has no digits.
type number struct {
	negative bool
	digits   string // without zeros at either end
	exponent *big.Int
}

// parseNumber reads the text of a valid JSON number.
func parseNumber(s string) number {
	var n number
	s, n.negative = strings.CutPrefix(s, "-")
	n.exponent = new(big.Int)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n.exponent.SetString(strings.TrimPrefix(s[i+1:], "+"), 10)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	point := len(whole)
	trimmed := strings.TrimLeft(digits, "0")
	point -= len(digits) - len(trimmed)
	n.digits = strings.TrimRight(trimmed, "0")
	if n.digits == "" {
		return number{exponent: new(big.Int)}
	}
	n.exponent.Add(n.exponent, big.NewInt(int64(point)))
	return n
}

func (n number) equal(o number) bool {
	return n.negative == o.negative && n.digits == o.digits && n.exponent.Cmp(o.exponent) == 0
}
