package fhirpath

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

// Arithmetic. A result that cannot be represented is empty, as is division by zero.
//
// See https://hl7.org/fhirpath/N1/#math-2.

// operands returns the two values; ok is false when either collection is empty.
func operands(x, y Collection) (a, b Value, ok bool, err error) {
	if len(x) == 0 || len(y) == 0 {
		return nil, nil, false, nil
	}
	if a, err = single(x); err != nil {
		return nil, nil, false, err
	}
	if b, err = single(y); err != nil || a == nil && x[0].hollow() || b == nil && y[0].hollow() {
		return nil, nil, false, err
	}
	return a, b, true, nil
}

func opAdd(r *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if err := r.weigh(a, b); err != nil {
		return nil, err
	}
	if s, ok := a.(String); ok {
		if t, ok := b.(String); ok {
			return join(r, string(s), string(t))
		}
	}
	if t, ok := a.(Temporal); ok {
		return move(t, b, 1)
	}
	return calculate(a, b, arithmetic.Add, func(i, j int64) (int64, bool) {
		return i + j, (i+j > i) == (j > 0)
	})
}

func opSubtract(r *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if err := r.weigh(a, b); err != nil {
		return nil, err
	}
	if t, ok := a.(Temporal); ok {
		return move(t, b, -1)
	}
	return calculate(a, b, arithmetic.Sub, func(i, j int64) (int64, bool) {
		return i - j, (i-j < i) == (j > 0)
	})
}

// move adds a duration to a date or time.
func move(t Temporal, b Value, sign int64) (Collection, error) {
	q, ok := b.(Quantity)
	if !ok {
		return nil, failure("only a duration can be added to a date")
	}
	unit := q.Unit
	if !q.Calendar {
		words := map[string]string{"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}
		if word := calendarUnits[unit]; word != "" {
			unit = word // no UCUM unit, but what is meant is plain
		} else if unit, ok = words[unit]; !ok {
			return nil, &Failure{Rule: "dates know units of calendar time alone", Value: q.Unit}
		}
	}
	if t.kind == "Time" && (unit == "year" || unit == "month" || unit == "week" || unit == "day") {
		return nil, failure("a time of day has no %ss", unit)
	}
	n, ok := whole(q.Value)
	if !ok {
		return nil, nil
	}
	out, ok := t.add(sign*n, unit)
	if !ok {
		return nil, nil
	}
	return values(out), nil
}

// whole returns d without its fraction.
func whole(d Decimal) (int64, bool) {
	t := new(apd.Decimal)
	d.Modf(t, nil)
	n, err := t.Int64()
	return n, err == nil && n > math.MinInt64/2 && n < math.MaxInt64/2
}

// calculate applies an operation that both numbers and quantities of one unit have.
func calculate(a, b Value, f func(d, x, y *apd.Decimal) (apd.Condition, error), g func(i, j int64) (int64, bool)) (Collection, error) {
	i, ok := a.(Integer)
	if j, both := b.(Integer); ok && both {
		n, fits := g(int64(i), int64(j))
		if !fits {
			return nil, nil
		}
		return values(Integer(n)), nil
	}
	if number(a) && number(b) {
		return decimals(f, decimalOf(a), decimalOf(b))
	}
	p, ok := asQuantity(a)
	q, both := asQuantity(b)
	if !ok || !both {
		return nil, failure("an operator does not fit the types of its operands")
	}
	p, q, ok = p.align(q, finer)
	if u := p.unit(); !ok || u != nil && u.Special() {
		return nil, nil
	}
	return quantities(f, p, q, p)
}

func decimals(f func(d, x, y *apd.Decimal) (apd.Condition, error), a, b Decimal) (Collection, error) {
	out := new(apd.Decimal)
	if c, err := f(out, a.Decimal, b.Decimal); err != nil || c&^(apd.Inexact|apd.Rounded) != 0 || out.Form != apd.Finite {
		return nil, nil
	}
	return values(Decimal{out}), nil
}

// quantities applies f to the values and gives the result the unit of as.
func quantities(f func(d, x, y *apd.Decimal) (apd.Condition, error), p, q, as Quantity) (Collection, error) {
	out, err := decimals(f, p.Value, q.Value)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	as.Value = out[0].value.(Decimal)
	return values(as), nil
}

func opMultiply(r *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if err := r.weigh(a, b); err != nil {
		return nil, err
	}
	if p, ok := asQuantity(a); ok && !(number(a) && number(b)) {
		q, ok := asQuantity(b)
		if !ok {
			return nil, failure("an operator does not fit the types of its operands")
		}
		return p.product(q, 1)
	}
	return calculate(a, b, arithmetic.Mul, func(i, j int64) (int64, bool) {
		n := i * j
		return n, i == 0 || n/i == j && !(i == -1 && j == math.MinInt64)
	})
}

func opDivide(r *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if err := r.weigh(a, b); err != nil {
		return nil, err
	}
	p, ok := asQuantity(a)
	q, both := asQuantity(b)
	if !ok || !both {
		return nil, failure("an operator does not fit the types of its operands")
	}
	if q.Value.IsZero() {
		return nil, nil
	}
	if number(a) && number(b) {
		return decimals(divide, p.Value, q.Value)
	}
	return p.product(q, -1)
}

// divide drops the zeros that filling up to the precision leaves behind.
func divide(d, x, y *apd.Decimal) (apd.Condition, error) {
	c, err := arithmetic.Quo(d, x, y)
	if err == nil && d.Form == apd.Finite {
		d.Reduce(d)
		if d.Exponent > 0 {
			return wide.Quantize(d, d, 0)
		}
	}
	return c, err
}

func opDiv(_ *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if !number(a) || !number(b) {
		return nil, failure("div needs numbers")
	}
	if decimalOf(b).IsZero() {
		return nil, nil
	}
	out, err := decimals(arithmetic.QuoInteger, decimalOf(a), decimalOf(b))
	if err != nil || len(out) == 0 {
		return nil, err
	}
	n, err := out[0].value.(Decimal).Int64()
	if err != nil {
		return nil, nil
	}
	return values(Integer(n)), nil
}

func opMod(_ *run, x, y Collection) (Collection, error) {
	a, b, ok, err := operands(x, y)
	if !ok {
		return nil, err
	}
	if !number(a) || !number(b) {
		return nil, failure("mod needs numbers")
	}
	if decimalOf(b).IsZero() {
		return nil, nil
	}
	i, ok := a.(Integer)
	if j, both := b.(Integer); ok && both {
		if j == -1 {
			return values(Integer(0)), nil
		}
		return values(i % j), nil
	}
	return decimals(arithmetic.Rem, decimalOf(a), decimalOf(b))
}

func negate(d Decimal) Decimal {
	out := new(apd.Decimal)
	return Decimal{out.Neg(d.Decimal)}
}
