package ucum

import (
	"math/big"
	"strconv"
	"strings"
)

// baseUnits are the base units of UCUM, in the order of Dimension.
var baseUnits = [...]string{"m", "s", "g", "rad", "K", "C", "cd"}

// Dimension is what a unit measures: the exponent of each base unit. Values of it
// can be compared with == and used as keys.
type Dimension struct {
	base  [len(baseUnits)]int8
	other string // arbitrary units with their exponents, sorted: "[iU]1 [PFU]-1 "
}

// None is the dimension of plain numbers.
var None Dimension

// String returns the dimension as a product of base units, "1" for None: "g.m-1.s-2".
func (d Dimension) String() string {
	var parts []string
	for _, i := range [...]int{5, 4, 6, 2, 0, 3, 1} { // alphabetical
		if e := d.base[i]; e != 0 {
			parts = append(parts, power(baseUnits[i], int(e)))
		}
	}
	for _, o := range d.others() {
		if a := units().atoms[o.code]; o.exponent == 1 && a != nil && a.function != nil {
			// An exponent, even 1, takes a unit off its scale; without one it would be read back on it.
			parts = append(parts, o.code+"1")
			continue
		}
		parts = append(parts, power(o.code, o.exponent))
	}
	if len(parts) == 0 {
		return "1"
	}
	return strings.Join(parts, ".")
}

func power(code string, e int) string {
	if e == 1 {
		return code
	}
	return code + strconv.Itoa(e)
}

// arbitrary is an arbitrary unit with its exponent.
type arbitrary struct {
	code     string
	exponent int
}

func (d Dimension) others() []arbitrary {
	var out []arbitrary
	for _, f := range strings.Fields(d.other) {
		at := strings.LastIndexByte(f, ']') + 1
		if at == 0 { // a special unit without brackets, such as B
			at = strings.IndexAny(f, "-0123456789")
		}
		e, err := strconv.Atoi(f[at:])
		if err == nil {
			out = append(out, arbitrary{f[:at], e})
		}
	}
	return out
}

// scale adds n times o to d; ok is false when an exponent leaves its range.
func (d Dimension) scale(o Dimension, n int) (sum Dimension, ok bool) {
	for i := range d.base {
		e := int(d.base[i]) + n*int(o.base[i])
		if e < -maxExponent || e > maxExponent {
			return d, false
		}
		d.base[i] = int8(e)
	}
	if o.other == "" {
		return d, true
	}
	mine := d.others()
	for _, a := range o.others() {
		mine = merge(mine, a.code, n*a.exponent)
	}
	var b strings.Builder
	for _, a := range mine {
		if a.exponent < -maxExponent || a.exponent > maxExponent {
			return d, false
		}
		if a.exponent != 0 {
			b.WriteString(a.code + strconv.Itoa(a.exponent) + " ")
		}
	}
	d.other = b.String()
	return d, b.Len() <= maxCode/2
}

// merge adds an arbitrary unit to a sorted list.
func merge(list []arbitrary, code string, e int) []arbitrary {
	at := 0
	for at < len(list) && list[at].code < code {
		at++
	}
	if at < len(list) && list[at].code == code {
		list[at].exponent += e
		return list
	}
	return append(list[:at], append([]arbitrary{{code, e}}, list[at:]...)...)
}

// Unit is a parsed unit. It does not change, and can be used by many goroutines.
type Unit struct {
	code    string
	display string
	dim     Dimension
	factor  *big.Rat // what 1 of the unit is in base units; for a special unit, of its reference
	approx  float64  // factor
	special *scale   // nil for most
	before  *big.Rat // of a special unit: what multiplies a value before the scale applies
}

// String returns the code that was parsed.
func (u *Unit) String() string { return u.code }

// Display returns the unit in words: "(meter) / (second ^ 2)".
func (u *Unit) Display() string { return u.display }

// Dimension returns what u measures.
func (u *Unit) Dimension() Dimension { return u.dim }

// Special reports whether u lies on a scale with an offset or a logarithm, so that
// its values cannot be multiplied.
func (u *Unit) Special() bool { return u.special != nil }

// Comparable reports whether values in u and o measure the same.
func (u *Unit) Comparable(o *Unit) bool { return u.dim == o.dim }

// Base returns v of u in base units. The result is exact, except on logarithmic and
// trigonometric scales; ok is false where it has no value.
func (u *Unit) Base(v *big.Rat) (base *big.Rat, ok bool) {
	out := new(big.Rat)
	if u.special != nil {
		if out, ok = u.special.toReference(out.Mul(v, u.before)); !ok {
			return nil, false
		}
		return out.Mul(out, u.factor), true
	}
	return out.Mul(v, u.factor), true
}

// Float returns v of u in base units, to the precision of a float64. It does not
// allocate where u is not special.
func (u *Unit) Float(v float64) float64 {
	if u.special == nil {
		return v * u.approx
	}
	r := new(big.Rat)
	if r.SetFloat64(v) == nil {
		return v
	}
	base, ok := u.Base(r)
	if !ok {
		return v
	}
	f, _ := base.Float64()
	return f
}

// Convert returns v of from in the unit to; ok is false when they do not measure
// the same, or v has no place on the scale of to.
func Convert(v *big.Rat, from, to *Unit) (out *big.Rat, ok bool) {
	if from.dim != to.dim {
		return nil, false
	}
	base, ok := from.Base(v)
	if !ok {
		return nil, false
	}
	base.Quo(base, to.factor)
	if to.special != nil {
		if base, ok = to.special.fromReference(base); !ok {
			return nil, false
		}
		base.Quo(base, to.before)
	}
	return base, true
}

// Compare compares v of u with w of o; ok is false when they do not measure the same.
func Compare(v *big.Rat, u *Unit, w *big.Rat, o *Unit) (cmp int, ok bool) {
	if u.dim != o.dim {
		return 0, false
	}
	if u == o && u.special == nil {
		return v.Cmp(w), true
	}
	a, ok := u.Base(v)
	b, both := o.Base(w)
	if !ok || !both {
		return 0, false
	}
	return a.Cmp(b), true
}

// Product returns the unit and factor of u times o to the power n, with n 1 or -1:
// v of u times w of o is v·w·factor of the unit, which is in base units. ok is false
// for special units and beyond the limits.
func Product(u, o *Unit, n int) (product *Unit, factor *big.Rat, ok bool) {
	if u.special != nil || o.special != nil {
		return nil, nil, false
	}
	dim, ok := u.dim.scale(o.dim, n)
	if !ok {
		return nil, nil, false
	}
	product, err := Parse(dim.String())
	if err != nil {
		return nil, nil, false
	}
	factor = new(big.Rat)
	if n < 0 {
		factor.Quo(u.factor, o.factor)
	} else {
		factor.Mul(u.factor, o.factor)
	}
	return product, factor.Quo(factor, product.factor), factor.Num().BitLen()+factor.Denom().BitLen() <= maxBits
}

// Display returns code in words, "(unity)" for an empty one, and code itself when it
// is no unit.
func Display(code string) string {
	if code == "" {
		return "(unity)"
	}
	u, err := Parse(code)
	if err != nil {
		return code
	}
	return u.display
}
