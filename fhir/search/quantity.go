package search

import (
	"math"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// A quantity is stored as a number, once without a unit, once for system and code
// (for UCUM in base units, see scale), and once for the code, and the unit text where
// it differs, alone.
//
// See https://hl7.org/fhir/R4/search.html#quantity.

// currencies is the system of the codes of a Money.
var currencies = []byte("urn:iso:std:iso:4217")

// UnitHash returns what Amount.Unit holds for a unit: for system and code, or for
// a code or unit text alone when system is "".
func UnitHash(system, code string) int64 { return unitHash([]byte(system), []byte(code)) }

func unitHash(system, code []byte) int64 {
	var buf [128]byte
	b := append(buf[:0], system...)
	b = append(b, '|')
	return sum(append(b, code...))
}

// quantityEmit returns how a number or quantity of type t is indexed; nil when t is neither.
func quantityEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t.Is("Quantity"):
		return emitQuantity
	case t.Is("Money"):
		return emitMoney
	case t.Is("Range"):
		return emitRange
	case t.Is("SampledData"):
		return emitSampled
	case t.Is("decimal"), t.Is("integer"):
		return emitNumber
	}
	return nil
}

func emitQuantity(x *extractor, l *leaf, n element.Node) {
	f, ok := x.float(x.d.Get(n, "value"))
	if !ok {
		return
	}
	lo, hi := f, f
	switch comparator := x.child(n, "comparator"); string(comparator) {
	case "<", "<=":
		lo = math.Inf(-1)
	case ">", ">=":
		hi = math.Inf(1)
	}
	x.measured(l, n, f, lo, hi)
}

// measured adds a range with the unit of the Quantity at n.
func (x *extractor) measured(l *leaf, n element.Node, value, lo, hi float64) {
	m := x.measure(n)
	x.amount(l, 0, value, lo, hi)
	if v, a, b, ok := m.convert(value, lo, hi); ok {
		x.amount(l, m.scale.unit, v, a, b)
	} else if m.both != 0 {
		x.amount(l, m.both, value, lo, hi)
	}
	if m.code != 0 {
		x.amount(l, m.code, value, lo, hi)
	}
	if m.text != 0 {
		x.amount(l, m.text, value, lo, hi)
	}
}

// measure is how the unit of a Quantity can be asked for, 0 where it cannot.
type measure struct {
	node             element.Node
	known            bool
	scale            *scale // of a unit of UCUM
	both, code, text int64
}

// measure returns the unit of the Quantity at n.
func (x *extractor) measure(n element.Node) *measure {
	m := &x.last
	if m.known && m.node == n {
		return m
	}
	system, code, unit := x.child(n, "system"), x.child(n, "code"), x.child(n, "unit")
	*m = measure{node: n, known: true}
	if len(code) > 0 {
		m.code = unitHash(nil, code)
		if string(system) == unitsOfMeasure {
			m.scale = scaleOf(code)
		}
		if len(system) > 0 && m.scale == nil {
			m.both = unitHash(system, code)
		}
	}
	if len(unit) > 0 && string(unit) != string(code) {
		m.text = unitHash(nil, unit)
	}
	return m
}

// convert returns a range in the base units of what it measures, if it has any.
func (m *measure) convert(value, lo, hi float64) (v, a, b float64, ok bool) {
	if m.scale == nil {
		return 0, 0, 0, false
	}
	return m.scale.convertAll(value, lo, hi)
}

func emitMoney(x *extractor, l *leaf, n element.Node) {
	f, ok := x.float(x.d.Get(n, "value"))
	if !ok {
		return
	}
	x.amount(l, 0, f, f, f)
	if currency := x.child(n, "currency"); len(currency) > 0 {
		x.amount(l, unitHash(currencies, currency), f, f, f)
		x.amount(l, unitHash(nil, currency), f, f, f)
	}
}

// emitRange takes the unit of the low end, or of the high one when there is no low.
func emitRange(x *extractor, l *leaf, n element.Node) {
	low, high := x.d.Get(n, "low"), x.d.Get(n, "high")
	lo, okLo := x.float(x.d.Get(low, "value"))
	hi, okHi := x.float(x.d.Get(high, "value"))
	value, unit := lo, low
	switch {
	case !okLo && !okHi:
		return
	case !okLo:
		value, unit, lo = hi, high, math.Inf(-1)
	case !okHi:
		hi = math.Inf(1)
	}
	x.measured(l, unit, value, lo, hi)
}

// emitSampled covers everything from the least to the greatest sample, in the unit
// of the origin.
//
// See https://hl7.org/fhir/R4/datatypes.html#SampledData.
func emitSampled(x *extractor, l *leaf, n element.Node) {
	origin := x.d.Get(n, "origin")
	zero, ok := x.float(x.d.Get(origin, "value"))
	if !ok {
		return
	}
	factor, ok := x.float(x.d.Get(n, "factor"))
	if !ok {
		factor = 1
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for sample := range strings.FieldsSeq(string(x.child(n, "data"))) {
		f, err := strconv.ParseFloat(sample, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			continue // E, L and U stand for an error and for values off the scale
		}
		f = zero + factor*f
		lo, hi = min(lo, f), max(hi, f)
	}
	if lo <= hi {
		x.measured(l, origin, lo, lo, hi)
	}
}

// parseQuantity reads one value of a quantity parameter, still escaped: number,
// number|system|code or number||unit.
func parseQuantity(p *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw}
	parts := split(raw, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	var err error
	if v.Num, v.Prefix, err = parsePrefixed(p, raw, parts[0]); err != nil {
		return v, err
	}
	switch {
	case len(parts) == 1:
	case len(parts) == 3 && parts[2] != "":
		v.Unit = UnitHash(parts[1], parts[2])
		v.normalise(parts[1], parts[2])
	case len(parts) == 3 && parts[1] == "":
	default:
		return v, badValue(p, raw, "a quantity is number, number|system|code or number||unit")
	}
	return v, nil
}

// normalise takes a number that was given with a unit of UCUM to base units.
func (v *Value) normalise(system, code string) {
	if system != unitsOfMeasure {
		return
	}
	if s := scaleOf([]byte(code)); s != nil {
		if value, lo, hi, ok := s.convertAll(v.Num.Value, v.Num.Lo, v.Num.Hi); ok {
			v.Unit, v.Num = s.unit, Decimal{value, lo, hi}
		}
	}
}
