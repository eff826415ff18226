package fhirpath

import (
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

// Value is a computed value of one of the System types.
//
// See https://hl7.org/fhirpath/N1/#literals.
type Value interface {
	// System returns the name of the type: "String".
	System() string
	// String returns the value as toString() gives it.
	String() string
}

type (
	// Boolean is System.Boolean.
	Boolean bool
	// Integer is System.Integer.
	Integer int64
	// String is System.String.
	String string
	// Decimal is System.Decimal. It keeps the digits it was written with, trailing zeros included.
	Decimal struct{ *apd.Decimal }
	// Quantity is System.Quantity.
	Quantity struct {
		Value    Decimal
		Unit     string // UCUM code, or "year", "month", ... when Calendar
		Calendar bool   // the unit is a calendar duration
		code     string // the UCUM code of a FHIR Quantity that is taken for a calendar duration: "a" or "mo"
	}
	// TypeInfo is what type() returns.
	TypeInfo struct{ Namespace, Name string }
)

// System returns "Boolean".
func (Boolean) System() string { return "Boolean" }

// System returns "Integer".
func (Integer) System() string { return "Integer" }

// System returns "String".
func (String) System() string { return "String" }

// System returns "Decimal".
func (Decimal) System() string { return "Decimal" }

// System returns "Quantity".
func (Quantity) System() string { return "Quantity" }

// System returns "TypeInfo".
func (TypeInfo) System() string { return "TypeInfo" }

// String returns "true" or "false".
func (b Boolean) String() string { return strconv.FormatBool(bool(b)) }

// String returns the decimal digits.
func (i Integer) String() string { return strconv.FormatInt(int64(i), 10) }

// String returns s itself.
func (s String) String() string { return string(s) }

// String returns the number without an exponent.
func (d Decimal) String() string { return d.Text('f') }

// String returns the literal form: "4 days", "4.5 'mg'".
func (q Quantity) String() string {
	if !q.Calendar {
		return q.Value.String() + " " + quote(q.Unit, '\'')
	}
	if q.Value.Cmp(apd.New(1, 0)) == 0 {
		return q.Value.String() + " " + q.Unit
	}
	return q.Value.String() + " " + q.Unit + "s"
}

// String returns the qualified name.
func (t TypeInfo) String() string { return t.Namespace + "." + t.Name }

// maxExponent bounds the magnitude of decimals, so that none can be written out to
// a text much longer than its source.
const maxExponent = 400

// arithmetic is exact to 34 digits, well past the 28 that FHIRPath asks for.
var arithmetic = apd.Context{Precision: 34, MaxExponent: maxExponent, MinExponent: -maxExponent, Rounding: apd.RoundHalfUp}

// parseDecimal reads a number as JSON or FHIRPath writes it.
func parseDecimal(text string) (Decimal, bool) {
	if len(text) > 256 {
		return Decimal{}, false
	}
	d, _, err := apd.NewFromString(text)
	if err != nil || d.Form != apd.Finite {
		return Decimal{}, false
	}
	if d.Exponent > maxExponent || d.Exponent < -maxExponent {
		return Decimal{}, false
	}
	return Decimal{d}, true
}

// parseNumber reads a number literal: an Integer, or a Decimal when it has a point.
func parseNumber(text string) (Value, bool) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Integer(i), true
	}
	d, ok := parseDecimal(text)
	return d, ok
}

// decimalOf returns a number as a Decimal.
func decimalOf(v Value) Decimal {
	if i, ok := v.(Integer); ok {
		return Decimal{apd.New(int64(i), 0)}
	}
	return v.(Decimal)
}

// number reports whether v is an Integer or Decimal.
func number(v Value) bool {
	switch v.(type) {
	case Integer, Decimal:
		return true
	}
	return false
}
