package fhirpath

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

// What a value can lie between, given the digits it was written with. Those of a Period are
// of its start and its end, as SQL on FHIR 2.0 asks for.
//
// See https://hl7.org/fhirpath/#lowboundaryprecision-integer-decimal--date--datetime--time
// and the functions that follow it there.
var boundaries = map[string]function{
	"lowBoundary":  {max: 1, eval: boundary(false)},
	"highBoundary": {max: 1, eval: boundary(true)},
	"precision":    plain(precision),
	"comparable":   withCollection(canCompare),
}

// maxPlaces is the largest precision of a decimal that a boundary has.
const maxPlaces = 28

func boundary(high bool) func(*run, scope, Collection, []node) (Collection, error) {
	return func(r *run, s scope, in Collection, args []node) (Collection, error) {
		arg, err := optional(r, s, args, 0)
		if err != nil || len(in) == 0 {
			return nil, err
		}
		places, given, err := integer(arg)
		if err != nil {
			return nil, err
		}
		if len(in) == 1 && in[0].Type.Is("Period") {
			end := "start"
			if high {
				end = "end"
			}
			if in, err = r.members(nil, in[0].Doc, in[0].Type, in[0].Node, end); err != nil || len(in) == 0 {
				return nil, err
			}
		}
		v, err := single(in)
		if err != nil {
			return nil, err
		}
		var out Value
		switch v := v.(type) {
		case Integer, Decimal:
			out = decimalBoundary(decimalOf(v), places, given, high)
		case Quantity:
			if d, ok := decimalBoundary(v.Value, places, given, high).(Decimal); ok {
				v.Value = d
				out = v
			}
		case Temporal:
			if t, ok := v.boundary(places, given, high); ok {
				out = t
			}
		default:
			return nil, failure("only numbers, quantities, dates and times have boundaries")
		}
		if out == nil {
			return nil, nil
		}
		return values(out), nil
	}
}

// decimalBoundary returns half a unit of the last digit less or more than d, rounded
// outwards to so many places, 8 when they are not given. A boundary below a tenth of
// the last place is 0, as the cases HighBoundaryDecimal15 and 16 of the official
// suite have it.
func decimalBoundary(d Decimal, places int64, given, high bool) Value {
	if !given {
		places = 8
	}
	if places < 0 || places > maxPlaces {
		return nil
	}
	half := apd.New(5, min(d.Exponent, 0)-1)
	ctx, out := wide, new(apd.Decimal)
	f := ctx.Sub
	ctx.Rounding = apd.RoundFloor
	if high {
		ctx.Rounding, f = apd.RoundCeiling, ctx.Add
	}
	if _, err := f(out, d.Decimal, half); err != nil {
		return nil
	}
	if out.NumDigits()+int64(out.Exponent) < -places {
		out = apd.New(0, 0)
	}
	if _, err := ctx.Quantize(out, out, int32(-places)); err != nil {
		return nil
	}
	if out.IsZero() {
		out.Negative = false
	}
	return Decimal{out}
}

// digitsOf maps each precision to the digits that a date and time has down to it,
// and a time; 3 more with a fraction of a second.
var digitsOf = [...]struct{ date, time int64 }{Year: {4, 0}, Month: {6, 0}, Day: {8, 0}, Hour: {10, 2}, Minute: {12, 4}, Second: {14, 6}}

// boundary returns the first or last moment of t at a precision in digits, 8, 17 or
// 9 when it is not given. Where t says no offset, the one that makes the boundary
// the earliest or latest is taken.
func (t Temporal) boundary(digits int64, given, high bool) (Temporal, bool) {
	full := map[string]int64{"Date": 8, "DateTime": 17, "Time": 9}[t.kind]
	if !given {
		digits = full
	}
	fraction := digits == full && t.kind != "Date"
	if fraction {
		digits -= 3
	}
	precision := Precision(0)
	for p := Year; p <= Second; p++ {
		if t.kind == "Time" && p >= Hour && digitsOf[p].time == digits || t.kind != "Time" && digitsOf[p].date == digits {
			precision = p
		}
	}
	if precision == 0 || digits > full {
		return t, false
	}
	at := t.at
	if high {
		at = t.last()
	}
	if t.kind == "DateTime" && precision > Day && !t.zoned {
		zone := time.FixedZone("", 14*3600)
		if high {
			zone = time.FixedZone("", -12*3600)
		}
		at = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone)
		t.zoned = true
	}
	t.at, t.precision, t.digits = at, precision, 0
	if fraction {
		t.digits = 3
	}
	return t, true
}

// last returns the last moment that t covers, to the nanosecond.
func (t Temporal) last() time.Time {
	var after time.Time
	switch t.precision {
	case Year:
		after = t.at.AddDate(1, 0, 0)
	case Month:
		after = t.at.AddDate(0, 1, 0)
	case Day:
		after = t.at.AddDate(0, 0, 1)
	case Hour:
		after = t.at.Add(time.Hour)
	case Minute:
		after = t.at.Add(time.Minute)
	default:
		unit := time.Second
		for range min(t.digits, 9) {
			unit /= 10
		}
		after = t.at.Add(unit)
	}
	return after.Add(-1)
}

// precision returns the digits of a value: those after the point of a decimal, all
// of a date or time.
func precision(_ *run, in Collection) (Collection, error) {
	if len(in) == 0 {
		return nil, nil
	}
	v, err := single(in)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case Integer:
		return values(Integer(0)), nil
	case Decimal:
		return values(Integer(max(0, -v.Exponent))), nil
	case Quantity:
		return values(Integer(max(0, -v.Value.Exponent))), nil
	case Temporal:
		n := digitsOf[v.precision].date
		if v.kind == "Time" {
			n = digitsOf[v.precision].time
		}
		if v.digits > 0 {
			n += 3
		}
		return values(Integer(n)), nil
	}
	return nil, failure("only numbers, dates and times have a precision")
}

// canCompare is comparable(): whether two quantities measure the same.
func canCompare(_ *run, in, arg Collection) (Collection, error) {
	a, b, ok, err := operands(in, arg)
	if !ok {
		return nil, err
	}
	p, ok := asQuantity(a)
	q, both := asQuantity(b)
	if !ok || !both {
		return nil, failure("comparable() needs quantities")
	}
	_, how := p.compare(q)
	return truths(how == comparable), nil
}
