package fhirpath

import (
	"math/big"
	"strings"

	"github.com/amate-health/amate/fhir/ucum"
	"github.com/cockroachdb/apd/v3"
)

// Quantities. Units are UCUM's, or the words for calendar durations.
//
// See https://hl7.org/fhirpath/N1/#quantity and https://hl7.org/fhirpath/N1/#time-valued-quantities.

// calendarUnits maps the words for calendar durations to their singular.
var calendarUnits = map[string]string{
	"year": "year", "years": "year", "month": "month", "months": "month",
	"week": "week", "weeks": "week", "day": "day", "days": "day",
	"hour": "hour", "hours": "hour", "minute": "minute", "minutes": "minute",
	"second": "second", "seconds": "second", "millisecond": "millisecond", "milliseconds": "millisecond",
}

// milliseconds is the length of the calendar durations of definite length.
var milliseconds = map[string]int64{
	"week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1,
}

// definite maps those to the UCUM units of the same length. Years and months are not
// among them: a calendar year is not the year of UCUM.
var definite = map[string]string{"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}

// calendarCode maps all of them to the UCUM units that ~ takes them for.
var calendarCode = map[string]string{
	"year": "a", "month": "mo", "week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms",
}

// weigh takes steps for work on two values: converting units costs more than most.
func (r *run) weigh(a, b Value) error {
	p, ok := a.(Quantity)
	q, both := b.(Quantity)
	if ok && both && p.Unit != q.Unit {
		return r.step(40)
	}
	return nil
}

// relation says whether two quantities can be compared.
type relation uint8

const (
	comparable relation = iota
	different           // they measure different things
	undecided           // a unit is not known, or a calendar year or month meets a length in seconds
)

// equality returns what = says of quantities that cannot be compared.
func (r relation) equality() logic {
	if r == different {
		return no
	}
	return unknown
}

// months returns how many months the unit of a calendar duration has, 0 for other units.
func (q Quantity) months() int64 {
	switch {
	case q.Calendar && q.Unit == "year":
		return 12
	case q.Calendar && q.Unit == "month":
		return 1
	}
	return 0
}

// unit returns the UCUM unit of q, nil when it has none.
func (q Quantity) unit() *ucum.Unit {
	code := q.Unit
	if q.Calendar {
		code = definite[q.Unit]
	}
	u, err := ucum.Parse(code)
	if err != nil {
		return nil
	}
	return u
}

// meet settles whether a FHIR Quantity in years or months stands for a calendar
// duration or for the UCUM unit, which depends on what it meets.
func (q Quantity) meet(o Quantity) (p, r Quantity) {
	if q.code != "" && !o.Calendar && o.Unit != "1" {
		q.Unit, q.Calendar, q.code = q.code, false, ""
	}
	if o.code != "" && !q.Calendar && q.Unit != "1" {
		o.Unit, o.Calendar, o.code = o.code, false, ""
	}
	return q, o
}

// compare compares two quantities, as far as their units allow.
func (q Quantity) compare(o Quantity) (cmp int, how relation) {
	q, o = q.meet(o)
	if q.Unit == o.Unit && q.Calendar == o.Calendar {
		return q.Value.Cmp(o.Value.Decimal), comparable
	}
	m, n := q.months(), o.months()
	if m > 0 && n > 0 {
		return rational(q.Value, m).Cmp(rational(o.Value, n)), comparable
	}
	u, v := q.unit(), o.unit()
	if u == nil || v == nil {
		return 0, undecided
	}
	cmp, ok := ucum.Compare(rational(q.Value, 1), u, rational(o.Value, 1), v)
	if !ok {
		return 0, different
	}
	return cmp, comparable
}

// equivalent compares at the precision of the less precise value, in the larger unit.
func (q Quantity) equivalent(o Quantity) bool {
	q, o = q.plain(), o.plain()
	if q.Unit == o.Unit {
		return equivalentDecimals(q.Value, o.Value)
	}
	q, o, ok := q.align(o, coarser)
	return ok && equivalentDecimals(q.Value, o.Value)
}

// plain takes a calendar unit for its UCUM name: ~ does not tell them apart.
func (q Quantity) plain() Quantity {
	if q.Calendar {
		q.Unit, q.Calendar, q.code = calendarCode[q.Unit], false, ""
	}
	return q
}

// Which of two units align chooses.
const (
	finer   = false
	coarser = true
)

// align expresses two quantities in one of their units; ok is false when it cannot.
func (q Quantity) align(o Quantity, large bool) (p, r Quantity, ok bool) {
	q, o = q.meet(o)
	if q.Unit == o.Unit && q.Calendar == o.Calendar {
		return q, o, true
	}
	first := true // the unit of q is chosen
	if m, n := q.months(), o.months(); m > 0 && n > 0 {
		first = m > n == large
	} else if u, v := q.unit(), o.unit(); u == nil || v == nil || !u.Comparable(v) {
		return q, o, false
	} else {
		first = u.Float(1) >= v.Float(1) == large
	}
	if first {
		o, ok = o.to(q.Unit, q.Calendar)
	} else {
		q, ok = q.to(o.Unit, o.Calendar)
	}
	return q, o, ok
}

// to converts q to another unit, at 30 days a month and 365 a year between calendar
// durations. The years and months of UCUM are no calendar durations, nor the reverse.
func (q Quantity) to(unit string, calendar bool) (Quantity, bool) {
	out := Quantity{Unit: unit, Calendar: calendar}
	if calendar && q.Calendar {
		v := rational(q.Value, 1)
		switch m, n := q.months(), out.months(); {
		case m > 0 && n > 0:
			v.Mul(v, big.NewRat(m, n))
		default:
			v.Mul(v, big.NewRat(calendarLength(q.Unit), calendarLength(unit)))
		}
		return out.with(v)
	}
	if q.code != "" && !calendar {
		q.Unit, q.Calendar = q.code, false
	}
	u, v := q.unit(), out.unit()
	if u == nil || v == nil || q.Calendar && average(unit) || calendar && average(q.Unit) {
		return out, false
	}
	r, ok := ucum.Convert(rational(q.Value, 1), u, v)
	if !ok {
		return out, false
	}
	return out.with(r)
}

// average reports whether code is a year or month of UCUM, of average length.
func average(code string) bool {
	return code == "a" || code == "mo" || strings.HasPrefix(code, "a_") || strings.HasPrefix(code, "mo_")
}

// calendarLength returns milliseconds.
func calendarLength(unit string) int64 {
	switch unit {
	case "year":
		return 365 * milliseconds["day"]
	case "month":
		return 30 * milliseconds["day"]
	}
	return milliseconds[unit]
}

func (q Quantity) with(v *big.Rat) (Quantity, bool) {
	d, ok := decimalOfRational(v)
	q.Value = d
	return q, ok
}

// product returns q times o to the power n, which is 1 or -1. Calendar durations
// take part only with numbers.
func (q Quantity) product(o Quantity, n int) (Collection, error) {
	f := arithmetic.Mul
	if n < 0 {
		f = divide
	}
	if u, v := q.unit(), o.unit(); u != nil && u.Special() || v != nil && v.Special() {
		return nil, nil
	}
	if o.Unit == "1" {
		return quantities(f, q, o, q)
	}
	if q.Unit == "1" && n > 0 {
		return quantities(f, o, q, o)
	}
	if q.Calendar && q.code == "" || o.Calendar && o.code == "" {
		return productOfCalendar(q, o, n)
	}
	if v := o.unit(); v != nil && v.Dimension() == ucum.None && q.Calendar {
		return productOfCalendar(q, o, n)
	}
	if v := q.unit(); v != nil && v.Dimension() == ucum.None && o.Calendar {
		return productOfCalendar(q, o, n)
	}
	q, o = q.measured(), o.measured()
	u, v := q.unit(), o.unit()
	if u == nil || v == nil {
		return nil, nil
	}
	unit, factor, ok := ucum.Product(u, v, n)
	if !ok {
		return nil, nil
	}
	a, b := rational(q.Value, 1), rational(o.Value, 1)
	if n < 0 {
		b.Inv(b)
	}
	out, ok := Quantity{Unit: unit.String()}.with(a.Mul(a, b).Mul(a, factor))
	if !ok {
		return nil, nil
	}
	return values(out), nil
}

// measured returns q in UCUM units.
func (q Quantity) measured() Quantity {
	if q.code != "" {
		q.Unit, q.Calendar, q.code = q.code, false, ""
	}
	return q
}

// productOfCalendar multiplies a calendar duration with a number, which may be
// written as a quantity whose units cancel out.
func productOfCalendar(q, o Quantity, n int) (Collection, error) {
	if o.Calendar && !q.Calendar && n > 0 {
		q, o = o, q
	}
	v := o.unit()
	if o.Calendar || v == nil || v.Dimension() != ucum.None || v.Special() {
		return nil, nil
	}
	by, ok := v.Base(rational(o.Value, 1))
	if !ok {
		return nil, nil
	}
	if n < 0 {
		by.Inv(by)
	}
	out, ok := q.with(by.Mul(by, rational(q.Value, 1)))
	if !ok {
		return nil, nil
	}
	return values(out), nil
}

// rational returns n times d, exactly.
func rational(d Decimal, n int64) *big.Rat {
	c := new(big.Int).Set(d.Coeff.MathBigInt())
	if d.Negative {
		c.Neg(c)
	}
	out := new(big.Rat)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(int64(d.Exponent), -int64(d.Exponent))), nil)
	if d.Exponent < 0 {
		out.SetFrac(c, ten)
	} else {
		out.SetInt(c.Mul(c, ten))
	}
	return out.Mul(out, new(big.Rat).SetInt64(n))
}

// decimalOfRational returns r as a decimal, to 34 digits where it has no end.
func decimalOfRational(r *big.Rat) (Decimal, bool) {
	num := apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(r.Num()), 0)
	den := apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(r.Denom()), 0)
	out := new(apd.Decimal)
	if _, err := divide(out, num, den); err != nil || out.Form != apd.Finite {
		return Decimal{}, false
	}
	return Decimal{out}, true
}
