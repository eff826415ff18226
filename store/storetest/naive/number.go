package naive

import (
	"encoding/json"
	"math/big"
	"strings"
)

// numberValue is a number, or a range of numbers of which an end is nil when it is
// open, with its unit when it is a quantity.
type numberValue struct {
	lo, hi             *big.Rat
	system, code, unit string
}

func rational(v any) *big.Rat {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return nil
	}
	return r
}

func readNumber(datatype string, v any) []value {
	switch m := object(v); datatype {
	case "decimal", "integer":
		if n := rational(v); n != nil {
			return []value{numberValue{lo: n, hi: n}}
		}
	case "Quantity":
		n := rational(m["value"])
		if n == nil {
			return nil
		}
		q := withUnit(m, n, n)
		switch text1(m["comparator"]) {
		case "<", "<=":
			q.lo = nil
		case ">", ">=":
			q.hi = nil
		}
		return []value{q}
	case "Range":
		low, high := object(m["low"]), object(m["high"])
		lo, hi := rational(low["value"]), rational(high["value"])
		if lo == nil && hi == nil {
			return nil
		}
		if lo == nil {
			low = high
		}
		return []value{withUnit(low, lo, hi)}
	case "SampledData":
		return readSampled(m)
	}
	return nil
}

func withUnit(m map[string]any, lo, hi *big.Rat) numberValue {
	return numberValue{lo, hi, text1(m["system"]), text1(m["code"]), text1(m["unit"])}
}

// readSampled covers the samples from the least to the greatest.
func readSampled(m map[string]any) []value {
	origin := object(m["origin"])
	zero, factor := rational(origin["value"]), rational(m["factor"])
	if zero == nil {
		return nil
	}
	if factor == nil {
		factor = big.NewRat(1, 1)
	}
	var lo, hi *big.Rat
	for _, sample := range strings.Fields(text1(m["data"])) {
		n, ok := new(big.Rat).SetString(sample)
		if !ok {
			continue
		}
		n.Add(n.Mul(n, factor), zero)
		if lo == nil || n.Cmp(lo) < 0 {
			lo = n
		}
		if hi == nil || n.Cmp(hi) > 0 {
			hi = n
		}
	}
	if lo == nil {
		return nil
	}
	return []value{withUnit(origin, lo, hi)}
}

// precision returns half a unit of the last digit of a number as written. A single
// digit before an exponent counts as two: 1e2 is 95 to 105.
//
// See https://hl7.org/fhir/R4/search.html#number.
func precision(text string) *big.Rat {
	mantissa, exponent, exponential := strings.Cut(strings.ToLower(strings.TrimLeft(text, "+-")), "e")
	_, fraction, point := strings.Cut(mantissa, ".")
	half, _ := new(big.Rat).SetString("0.5e" + or(exponent, "0"))
	for range fraction {
		half.Quo(half, big.NewRat(10, 1))
	}
	if exponential && !point && len(mantissa) == 1 {
		half.Quo(half, big.NewRat(10, 1))
	}
	return half
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ucum holds factors that take a unit to another of the same kind.
var ucum = map[string]struct {
	kind   string
	factor *big.Rat
}{
	"kg": {"g", big.NewRat(1000, 1)}, "g": {"g", big.NewRat(1, 1)}, "mg": {"g", big.NewRat(1, 1000)}, "ug": {"g", big.NewRat(1, 1_000_000)},
	"ng": {"g", big.NewRat(1, 1_000_000_000)}, "pg": {"g", big.NewRat(1, 1_000_000_000_000)},
	"m": {"m", big.NewRat(1, 1)}, "cm": {"m", big.NewRat(1, 100)}, "mm": {"m", big.NewRat(1, 1000)},
	"h": {"s", big.NewRat(3600, 1)}, "min": {"s", big.NewRat(60, 1)}, "s": {"s", big.NewRat(1, 1)}, "d": {"s", big.NewRat(86400, 1)}, "wk": {"s", big.NewRat(604800, 1)}, "a": {"s", big.NewRat(31557600, 1)}, "mo": {"s", big.NewRat(2629800, 1)},
	"mg/dL": {"g/m3", big.NewRat(10, 1)}, "ng/mL": {"g/m3", big.NewRat(1, 1000)}, "pg/mL": {"g/m3", big.NewRat(1, 1_000_000)}, "g/L": {"g/m3", big.NewRat(1000, 1)}, "g/dL": {"g/m3", big.NewRat(10_000, 1)},
	"%": {"1", big.NewRat(1, 100)}, "mg/g": {"1", big.NewRat(1, 1000)}, "{score}": {"1", big.NewRat(1, 1)}, "{T-score}": {"1", big.NewRat(1, 1)},
	"{nominal}": {"1", big.NewRat(1, 1)}, "{count}": {"1", big.NewRat(1, 1)}, "{dose}": {"1", big.NewRat(1, 1)},
	"mL/min": {"mL/min", big.NewRat(1, 1)}, "mL/min/{1.73_m2}": {"mL/min", big.NewRat(1, 1)},
	"U/L": {"U/L", big.NewRat(1, 1)}, "kU/L": {"U/L", big.NewRat(1000, 1)},
	"10*3/uL": {"/uL", big.NewRat(1000, 1)}, "10*6/uL": {"/uL", big.NewRat(1_000_000, 1)},
}

const unitsOfMeasure = "http://unitsofmeasure.org"

// asked is a number of a query, with its unit.
type asked struct {
	prefix, number string
	system, code   string // code "" asks for no unit
}

// matches compares a range with what is asked for. Only eq, ne and ap look at the
// precision of what is asked.
//
// See https://hl7.org/fhir/R4/search.html#prefix and
// https://hl7.org/fhir/R4/search.html#quantity.
func (n numberValue) matches(q asked, normalise bool) bool {
	at, ok := new(big.Rat).SetString(q.number)
	if !ok {
		return false
	}
	lo, hi := n.lo, n.hi
	width := precision(q.number)
	if q.prefix == "ap" {
		width = new(big.Rat).Abs(new(big.Rat).Quo(at, big.NewRat(10, 1)))
	}
	if q.code != "" {
		have, haveOK := ucum[n.code]
		want, wantOK := ucum[q.code]
		switch {
		case q.system == "" && (n.code == q.code || n.unit == q.code):
		case q.system != "" && n.system == q.system && n.code == q.code:
		case normalise && q.system == unitsOfMeasure && n.system == q.system && haveOK && wantOK && have.kind == want.kind:
			scale := new(big.Rat).Quo(have.factor, want.factor)
			lo, hi = times(lo, scale), times(hi, scale)
		default:
			return false
		}
	}
	return compare(lo, hi, at, width, q.prefix)
}

func times(n, factor *big.Rat) *big.Rat {
	if n == nil {
		return nil
	}
	return new(big.Rat).Mul(n, factor)
}

// compare compares the range from lo to hi, of which a nil end is open.
func compare(lo, hi, at, width *big.Rat, prefix string) bool {
	low, high := new(big.Rat).Sub(at, width), new(big.Rat).Add(at, width)
	above := func(n *big.Rat) bool { return hi == nil || hi.Cmp(n) > 0 }
	below := func(n *big.Rat) bool { return lo == nil || lo.Cmp(n) < 0 }
	within := !below(low) && hi != nil && hi.Cmp(high) < 0
	switch prefix {
	case "", "eq":
		return within
	case "ne":
		return !within
	case "gt":
		return above(at)
	case "lt":
		return below(at)
	case "ge":
		return above(at) || hi.Cmp(at) == 0
	case "le":
		return below(at) || lo.Cmp(at) == 0
	case "sa":
		return lo != nil && lo.Cmp(at) > 0
	case "eb":
		return hi != nil && hi.Cmp(at) < 0
	case "ap":
		return (above(low) || hi.Cmp(low) == 0) && (below(high) || lo.Cmp(high) == 0)
	}
	return false
}
