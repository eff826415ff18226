package fhirpath

import (
	"strings"
	"unicode"

	"github.com/amate-health/amate/fhir/element"
	"github.com/cockroachdb/apd/v3"
)

func opEqual(r *run, x, y Collection) (Collection, error) {
	if len(x) == 0 || len(y) == 0 {
		return nil, nil
	}
	l, err := equalCollections(r, x, y)
	return l.collection(), err
}

func opNotEqual(r *run, x, y Collection) (Collection, error) {
	if len(x) == 0 || len(y) == 0 {
		return nil, nil
	}
	l, err := equalCollections(r, x, y)
	switch l {
	case yes:
		l = no
	case no:
		l = yes
	}
	return l.collection(), err
}

// equalCollections compares item by item, in order.
//
// See https://hl7.org/fhirpath/N1/#equality.
func equalCollections(r *run, x, y Collection) (logic, error) {
	if len(x) != len(y) {
		return no, nil
	}
	all := yes
	for i := range x {
		l, err := equal(r, x[i], y[i])
		if err != nil || l == no {
			return l, err
		}
		all = and(all, l)
	}
	return all, nil
}

// equal compares two items; unknown where precision does not allow an answer.
func equal(r *run, x, y Item) (logic, error) {
	if err := r.step(1); err != nil {
		return unknown, err
	}
	if x.Doc != nil && x.Doc == y.Doc && x.Node == y.Node && x.Node != element.None {
		return yes, nil
	}
	a, b := x.System(), y.System()
	if a != nil && b != nil {
		return equalValues(a, b), r.weigh(a, b)
	}
	if a != nil || b != nil {
		return no, nil
	}
	return equalElements(r, x, y, equal, false)
}

func equalValues(a, b Value) logic {
	if number(a) && number(b) {
		return logical(decimalOf(a).Cmp(decimalOf(b).Decimal) == 0)
	}
	switch a := a.(type) {
	case Temporal:
		b, ok := b.(Temporal)
		if !ok || (a.kind == "Time") != (b.kind == "Time") {
			return no
		}
		c, known := a.compare(b)
		if !known {
			return unknown
		}
		return logical(c == 0)
	case Quantity:
		b, ok := asQuantity(b)
		if !ok {
			return no
		}
		c, how := a.compare(b)
		if how != comparable {
			return how.equality()
		}
		return logical(c == 0)
	}
	if _, ok := b.(Quantity); ok && number(a) {
		return equalValues(b, a)
	}
	return logical(a == b)
}

// equalElements compares two elements that are no values by their children, each
// with f. With loose, the children need not stand in the same order.
func equalElements(r *run, x, y Item, f func(*run, Item, Item) (logic, error), loose bool) (logic, error) {
	if x.Doc == nil || y.Doc == nil || x.Type != y.Type {
		return no, nil
	}
	a, err := r.named(x)
	if err != nil {
		return unknown, err
	}
	b, err := r.named(y)
	if err != nil {
		return unknown, err
	}
	if len(a) != len(b) {
		return no, nil
	}
	all := yes
	for name, xs := range a {
		ys := b[name]
		var l logic
		if loose {
			l, err = equivalentCollections(r, xs, ys)
		} else if len(xs) != len(ys) {
			l = no
		} else {
			l, err = equalCollections(r, xs, ys)
		}
		if err != nil || l == no {
			return l, err
		}
		all = and(all, l)
	}
	return all, nil
}

// named returns the children of i by JSON property.
func (r *run) named(i Item) (map[string]Collection, error) {
	out := map[string]Collection{}
	d, n := i.Doc, i.Node
	if n == element.None {
		n = i.Side
	}
	if n == element.None || d.Kind(n) != element.Object {
		return out, nil
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		key := strings.TrimPrefix(string(d.Name(c)), "_")
		e := &untyped
		if i.Type != nil {
			e = i.Type.Element([]byte(key))
		}
		if e == nil || out[key] != nil {
			continue
		}
		each(d, e, d.Get(n, key), beside(d, n, key), func(c Item) { out[key] = append(out[key], c) })
		if err := r.step(d.Size(n) + len(out[key])); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func opEquivalent(r *run, x, y Collection) (Collection, error) {
	l, err := equivalentCollections(r, x, y)
	if err != nil {
		return nil, err
	}
	return truths(l == yes), nil
}

func opNotEquivalent(r *run, x, y Collection) (Collection, error) {
	l, err := equivalentCollections(r, x, y)
	if err != nil {
		return nil, err
	}
	return truths(l != yes), nil
}

// equivalentCollections compares without regard to order; it never answers unknown.
//
// See https://hl7.org/fhirpath/N1/#equivalence.
func equivalentCollections(r *run, x, y Collection) (logic, error) {
	if len(x) != len(y) {
		return no, nil
	}
	used := make([]bool, len(y))
search:
	for _, a := range x {
		for j, b := range y {
			if used[j] {
				continue
			}
			l, err := equivalent(r, a, b)
			if err != nil {
				return no, err
			}
			if l == yes {
				used[j] = true
				continue search
			}
		}
		return no, nil
	}
	return yes, nil
}

func equivalent(r *run, x, y Item) (logic, error) {
	if err := r.step(1); err != nil {
		return no, err
	}
	a, b := x.System(), y.System()
	if a != nil && b != nil {
		return logical(equivalentValues(a, b)), r.weigh(a, b)
	}
	if a != nil || b != nil {
		return no, nil
	}
	return equalElements(r, x, y, equivalent, true)
}

func equivalentValues(a, b Value) bool {
	if number(a) && number(b) {
		return equivalentDecimals(decimalOf(a), decimalOf(b))
	}
	switch a := a.(type) {
	case String:
		b, ok := b.(String)
		return ok && loosely(string(a)) == loosely(string(b))
	case Quantity:
		b, ok := asQuantity(b)
		if !ok {
			return false
		}
		return a.equivalent(b)
	case Temporal:
		return equalValues(a, b) == yes
	}
	return equalValues(a, b) == yes
}

// equivalentDecimals compares at the precision of the less precise number,
// trailing zeros not counted.
func equivalentDecimals(a, b Decimal) bool {
	places := min(scale(a), scale(b))
	return rounded(a, places).Cmp(rounded(b, places)) == 0
}

// scale returns the digits after the point, without trailing zeros.
func scale(d Decimal) int32 {
	r := new(apd.Decimal)
	r.Reduce(d.Decimal)
	return max(0, -r.Exponent)
}

func rounded(d Decimal, places int32) *apd.Decimal {
	out := new(apd.Decimal)
	if _, err := wide.Quantize(out, d.Decimal, -places); err != nil {
		return d.Decimal
	}
	return out
}

// wide holds any number that parseDecimal accepts, with all its places.
var wide = apd.Context{Precision: 2 * maxExponent, MaxExponent: 4 * maxExponent, MinExponent: -4 * maxExponent, Rounding: apd.RoundHalfUp}

// loosely returns s as ~ compares it: lower case, each run of white space a single space.
func loosely(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), unicode.IsSpace), " ")
}

// has reports whether c holds an item equal to i.
func has(r *run, c Collection, i Item) (bool, error) {
	for _, o := range c {
		l, err := equal(r, o, i)
		if err != nil || l == yes {
			return l == yes, err
		}
	}
	return false, nil
}

// distinct appends to out those items of in that it does not hold yet.
func distinct(r *run, out, in Collection) (Collection, error) {
	for _, i := range in {
		found, err := has(r, out, i)
		if err != nil {
			return nil, err
		}
		if !found {
			out = append(out[:len(out):len(out)], i)
		}
	}
	return out, nil
}
