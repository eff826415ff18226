package search

import (
	"math"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/cockroachdb/apd/v3"
)

// See https://hl7.org/fhir/R4/search.html#number.

// float reads the number at n; ok is false when there is none that a float64 can hold.
func (x *extractor) float(n element.Node) (f float64, ok bool) {
	if n == element.None || x.d.Kind(n) != element.Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(x.d.Bytes(n)), 64)
	return f, err == nil
}

func emitNumber(x *extractor, l *leaf, n element.Node) {
	if f, ok := x.float(n); ok {
		x.amount(l, 0, f, f, f)
	}
}

// amount adds a row.
func (x *extractor) amount(l *leaf, unit int64, value, lo, hi float64) {
	x.ix.Numbers = append(x.ix.Numbers, Amount{Param: l.param, Unit: unit, Value: value, Lo: lo, Hi: hi, Pair: x.pairing})
}

// parseNumber reads one value of a number parameter, still escaped.
func parseNumber(p *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw}
	var err error
	if v.Num, v.Prefix, err = parsePrefixed(p, raw, unescape(raw)); err != nil {
		return v, err
	}
	return v, nil
}

// parsePrefixed reads a number that may have a prefix.
func parsePrefixed(p *spec.SearchParam, raw, text string) (Decimal, string, error) {
	prefix, text := cutPrefix(text)
	d, ok := parseDecimal(text, prefix == "ap")
	if !ok {
		return d, prefix, badValue(p, raw, "a number is written like 5, 5.40 or 5.4e-3, perhaps after "+prefixList)
	}
	return d, prefix, nil
}

// decimalContext computes the ends of an implicit precision exactly.
var decimalContext = apd.Context{Precision: 600, MaxExponent: 1000, MinExponent: -1000, Rounding: apd.RoundHalfEven}

// parseDecimal reads a number and works out the range that its digits imply: half
// a unit of the last one either way. 100 is [99.5, 100.5), 100.00 is [99.995, 100.005).
// The specification gives 1e2 as [95, 105), so a single digit before an exponent
// counts as two. For approximate, the range is a tenth either way.
func parseDecimal(text string, approximate bool) (Decimal, bool) {
	if !decimalForm(text) {
		return Decimal{}, false
	}
	d, _, err := apd.NewFromString(text)
	if err != nil || d.Exponent > 350 || d.Exponent < -350 {
		return Decimal{}, false
	}
	last := d.Exponent
	if strings.ContainsAny(text, "eE") && d.NumDigits() == 1 && !strings.Contains(text, ".") {
		last--
	}
	half := apd.New(5, last-1)
	if approximate {
		half.Abs(d)
		half.Exponent--
	}
	value, ok := toFloat(d)
	lo, hi := new(apd.Decimal), new(apd.Decimal)
	if _, err := decimalContext.Sub(lo, d, half); err != nil {
		return Decimal{}, false
	}
	if _, err := decimalContext.Add(hi, d, half); err != nil {
		return Decimal{}, false
	}
	low, okLo := toFloat(lo)
	high, okHi := toFloat(hi)
	return Decimal{Value: value, Lo: low, Hi: high}, ok && okLo && okHi
}

func toFloat(d *apd.Decimal) (float64, bool) {
	f, err := d.Float64()
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// decimalForm reports whether text is a number as the search syntax has it; a sign
// of either kind is allowed, words such as Infinity are not.
func decimalForm(text string) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	if len(text) > 100 {
		return false
	}
	mantissa, exponent, exponential := text, "", false
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		mantissa, exponent, exponential = text[:at], text[at+1:], true
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if !digits(whole) || point && !digits(fraction) {
		return false
	}
	return !exponential || digits(strings.TrimPrefix(strings.TrimPrefix(exponent, "-"), "+"))
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// holds compares the stored range a with v by the prefix. For all but eq, ne and
// ap, the implicit precision of v is ignored.
func (a Amount) holds(v *Value) bool {
	q := v.Num
	switch v.Prefix {
	case "gt":
		return a.Hi > q.Value
	case "lt":
		return a.Lo < q.Value
	case "ge":
		return a.Hi >= q.Value
	case "le":
		return a.Lo <= q.Value
	case "sa":
		return a.Lo > q.Value
	case "eb":
		return a.Hi < q.Value
	case "ap":
		return a.Lo <= q.Hi && a.Hi >= q.Lo
	case "ne":
		return !(a.Lo >= q.Lo && a.Hi < q.Hi)
	}
	return a.Lo >= q.Lo && a.Hi < q.Hi
}
