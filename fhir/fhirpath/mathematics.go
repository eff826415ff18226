package fhirpath

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

// See https://hl7.org/fhirpath/N1/#math.
var mathematics = map[string]function{
	"abs":      onNumber(abs),
	"ceiling":  onNumber(func(d Decimal) (Value, error) { return rounding(d, arithmetic.Ceil) }),
	"floor":    onNumber(func(d Decimal) (Value, error) { return rounding(d, arithmetic.Floor) }),
	"truncate": onNumber(truncate),
	"exp":      onNumber(func(d Decimal) (Value, error) { return approximate(math.Exp(float(d))), nil }),
	"ln":       onNumber(func(d Decimal) (Value, error) { return approximate(math.Log(float(d))), nil }),
	"sqrt":     onNumber(squareRoot),
	"log": withNumber(func(d, base Decimal) (Value, error) {
		return approximate(math.Log(float(d)) / math.Log(float(base))), nil
	}),
	"power": {min: 1, max: 1, eval: power},
	"round": {max: 1, eval: round},
}

func float(d Decimal) float64 {
	f, err := d.Float64()
	if err != nil {
		return math.NaN()
	}
	return f
}

// approximate returns f to the 15 digits that it is good for, nil where it is no number.
func approximate(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	d, err := new(apd.Decimal).SetFloat64(f)
	if err != nil {
		return nil
	}
	c := arithmetic
	c.Precision = 15
	if _, err := c.Round(d, d); err != nil {
		return nil
	}
	d.Reduce(d)
	if d.Exponent > 0 {
		if _, err := wide.Quantize(d, d, 0); err != nil {
			return nil
		}
	}
	return Decimal{d}
}

// onNumber makes a function of a number without arguments.
func onNumber(f func(Decimal) (Value, error)) function {
	return plain(func(_ *run, in Collection) (Collection, error) {
		if len(in) == 0 {
			return nil, nil
		}
		v, err := single(in)
		if err != nil || v == nil && in[0].hollow() {
			return nil, err
		}
		if q, ok := v.(Quantity); ok {
			out, err := f(q.Value)
			if err != nil || out == nil {
				return nil, err
			}
			q.Value = decimalOf(out)
			return values(q), nil
		}
		if !number(v) {
			return nil, failure("expected a number")
		}
		out, err := f(decimalOf(v))
		if err != nil || out == nil {
			return nil, err
		}
		if _, ok := v.(Integer); ok {
			if n, err := decimalOf(out).Int64(); err == nil {
				out = Integer(n)
			}
		}
		return values(out), nil
	})
}

// withNumber makes a function of two numbers.
func withNumber(f func(x, y Decimal) (Value, error)) function {
	return withCollection(func(_ *run, in, arg Collection) (Collection, error) {
		a, b, ok, err := operands(in, arg)
		if !ok {
			return nil, err
		}
		if !number(a) || !number(b) {
			return nil, failure("expected numbers")
		}
		out, err := f(decimalOf(a), decimalOf(b))
		if err != nil || out == nil {
			return nil, err
		}
		return values(out), nil
	})
}

func abs(d Decimal) (Value, error) {
	return Decimal{new(apd.Decimal).Abs(d.Decimal)}, nil
}

func rounding(d Decimal, f func(d, x *apd.Decimal) (apd.Condition, error)) (Value, error) {
	out := new(apd.Decimal)
	if _, err := f(out, d.Decimal); err != nil {
		return nil, nil
	}
	n, err := out.Int64()
	if err != nil {
		return nil, nil
	}
	return Integer(n), nil
}

func truncate(d Decimal) (Value, error) {
	n, ok := whole(d)
	if !ok {
		return nil, nil
	}
	return Integer(n), nil
}

func squareRoot(d Decimal) (Value, error) {
	if d.Negative && !d.IsZero() {
		return nil, nil
	}
	return approximate(math.Sqrt(float(d))), nil
}

// power stays an Integer when both numbers are, and the result is whole and not too large.
func power(r *run, s scope, in Collection, args []node) (Collection, error) {
	arg, err := args[0].eval(r, s)
	if err != nil {
		return nil, err
	}
	a, b, ok, err := operands(in, arg)
	if !ok {
		return nil, err
	}
	if !number(a) || !number(b) {
		return nil, failure("expected numbers")
	}
	f := math.Pow(float(decimalOf(a)), float(decimalOf(b)))
	_, whole := a.(Integer)
	_, both := b.(Integer)
	if whole && both && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return values(Integer(f)), nil
	}
	if v := approximate(f); v != nil {
		return values(v), nil
	}
	return nil, nil
}

func round(r *run, s scope, in Collection, args []node) (Collection, error) {
	arg, err := optional(r, s, args, 0)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	places, _, err := integer(arg)
	if err != nil {
		return nil, err
	}
	v, err := single(in)
	if err != nil || v == nil && in[0].hollow() {
		return nil, err
	}
	if places < 0 || places > maxExponent {
		return nil, failure("round() cannot keep so many places")
	}
	if q, ok := v.(Quantity); ok {
		q.Value = Decimal{rounded(q.Value, int32(places))}
		return values(q), nil
	}
	if !number(v) {
		return nil, failure("round() needs a number")
	}
	return values(Decimal{rounded(decimalOf(v), int32(places))}), nil
}
