package fhirpath

import "strings"

// operator evaluates a binary operator for operands that are evaluated already.
type operator func(r *run, x, y Collection) (Collection, error)

var binaryOperators = map[string]operator{
	"and": logicOperator(and), "or": logicOperator(or), "xor": logicOperator(xor), "implies": logicOperator(implies),
	"=": opEqual, "!=": opNotEqual, "~": opEquivalent, "!~": opNotEquivalent,
	"<":  comparison(func(c int) bool { return c < 0 }),
	"<=": comparison(func(c int) bool { return c <= 0 }),
	">":  comparison(func(c int) bool { return c > 0 }),
	">=": comparison(func(c int) bool { return c >= 0 }),
	"|":  union,
	"in": opIn, "contains": func(r *run, x, y Collection) (Collection, error) { return opIn(r, y, x) },
	"+": opAdd, "-": opSubtract, "*": opMultiply, "/": opDivide, "div": opDiv, "mod": opMod,
	"&": opConcatenate,
}

// shortcut answers for operators whose first operand can decide alone, so that the
// second is not evaluated.
func shortcut(op string, x Collection) (out Collection, done bool, err error) {
	if op != "and" && op != "or" && op != "implies" {
		return nil, false, nil
	}
	l, err := truth(x)
	switch {
	case err != nil:
		return nil, true, err
	case op == "and" && l == no:
		return truths(false), true, nil
	case op == "or" && l == yes, op == "implies" && l == no:
		return truths(true), true, nil
	}
	return nil, false, nil
}

func logicOperator(f func(x, y logic) logic) operator {
	return func(_ *run, x, y Collection) (Collection, error) {
		a, err := truth(x)
		if err != nil {
			return nil, err
		}
		b, err := truth(y)
		if err != nil {
			return nil, err
		}
		return f(a, b).collection(), nil
	}
}

// The tables of three-valued logic.
//
// See https://hl7.org/fhirpath/N1/#boolean-logic.

func and(x, y logic) logic {
	switch {
	case x == no || y == no:
		return no
	case x == yes && y == yes:
		return yes
	}
	return unknown
}

func or(x, y logic) logic {
	switch {
	case x == yes || y == yes:
		return yes
	case x == no && y == no:
		return no
	}
	return unknown
}

func xor(x, y logic) logic {
	if x == unknown || y == unknown {
		return unknown
	}
	return logical(x != y)
}

func implies(x, y logic) logic {
	switch {
	case x == no || y == yes:
		return yes
	case x == yes:
		return y
	}
	return unknown
}

// union returns the distinct items of both sides.
func union(r *run, x, y Collection) (Collection, error) {
	out, err := distinct(r, nil, x)
	if err != nil {
		return nil, err
	}
	return distinct(r, out, y)
}

// opIn reports whether the single item of x is among those of y.
func opIn(r *run, x, y Collection) (Collection, error) {
	if len(x) == 0 {
		return nil, nil
	}
	if len(x) > 1 {
		return nil, failure("in and contains look for one item, found %d", len(x))
	}
	found, err := has(r, y, x[0])
	return truths(found), err
}

// opConcatenate joins texts, and takes the empty collection for an empty one.
func opConcatenate(r *run, x, y Collection) (Collection, error) {
	a, _, err := text(x)
	if err != nil {
		return nil, err
	}
	b, _, err := text(y)
	if err != nil {
		return nil, err
	}
	return join(r, a, b)
}

// join makes a text of several, within the limits.
func join(r *run, parts ...string) (Collection, error) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > maxString {
		return nil, ErrTooCostly
	}
	if err := r.step(1 + size/64); err != nil {
		return nil, err
	}
	return texts(strings.Join(parts, "")), nil
}

// comparison makes an operator of what it wants of the result of a comparison.
//
// See https://hl7.org/fhirpath/N1/#comparison.
func comparison(want func(int) bool) operator {
	return func(r *run, x, y Collection) (Collection, error) {
		a, b, ok, err := operands(x, y)
		if !ok {
			return nil, err
		}
		if err := r.weigh(a, b); err != nil {
			return nil, err
		}
		c, known, err := order(a, b)
		if err != nil || !known {
			return nil, err
		}
		return truths(want(c)), nil
	}
}

// order compares two values; known is false when their precision or unit forbids an answer.
func order(a, b Value) (cmp int, known bool, err error) {
	if number(a) && number(b) {
		return decimalOf(a).Cmp(decimalOf(b).Decimal), true, nil
	}
	switch a := a.(type) {
	case String:
		if b, ok := b.(String); ok {
			return strings.Compare(string(a), string(b)), true, nil
		}
	case Quantity:
		if b, ok := asQuantity(b); ok {
			cmp, how := a.compare(b)
			return cmp, how == comparable, nil
		}
	case Temporal:
		if b, ok := b.(Temporal); ok && (a.kind == "Time") == (b.kind == "Time") {
			cmp, known = a.compare(b)
			return cmp, known, nil
		}
	}
	if b, ok := b.(Quantity); ok && number(a) {
		cmp, how := Quantity{Value: decimalOf(a), Unit: "1"}.compare(b)
		return cmp, how == comparable, nil
	}
	return 0, false, failure("values of these types have no order")
}

// asQuantity converts numbers, which are quantities without a dimension.
func asQuantity(v Value) (Quantity, bool) {
	if number(v) {
		return Quantity{Value: decimalOf(v), Unit: "1"}, true
	}
	q, ok := v.(Quantity)
	return q, ok
}
