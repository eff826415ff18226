package ucum

import (
	"math"
	"math/big"
)

// scale is how values of a special unit relate to its reference unit. Where f
// applies, the value is f(reference) and inverse(value) the reference; otherwise
// the value is the reference less an offset.
//
// See https://ucum.org/ucum#section-Special-Units-on-non-ratio-Scales.
type scale struct {
	offset     *big.Rat
	f, inverse func(float64) float64
}

func offset(n, d int64) *scale { return &scale{offset: big.NewRat(n, d)} }

func curve(f, inverse func(float64) float64) *scale { return &scale{f: f, inverse: inverse} }

// potency is the homeopathic scale: the negative logarithm of a dilution.
func potency(base float64) *scale {
	return curve(func(x float64) float64 { return -math.Log(x) / math.Log(base) }, func(y float64) float64 { return math.Pow(base, -y) })
}

var percentSlope = curve(
	func(x float64) float64 { return 100 * math.Tan(x) },
	func(y float64) float64 { return math.Atan(y / 100) },
)

// scales are the functions that the table names. The offset of a Fahrenheit degree
// is in its own size: 459.67 of 5/9 K; that of Réaumur 273.15 K in 5/4 K.
var scales = map[string]*scale{
	"Cel":         offset(27315, 100),
	"degF":        offset(45967, 100),
	"degRe":       offset(21852, 100),
	"ln":          curve(math.Log, math.Exp),
	"lg":          curve(math.Log10, func(y float64) float64 { return math.Pow(10, y) }),
	"lgTimes2":    curve(func(x float64) float64 { return 2 * math.Log10(x) }, func(y float64) float64 { return math.Pow(10, y/2) }),
	"ld":          curve(math.Log2, math.Exp2),
	"pH":          curve(func(x float64) float64 { return -math.Log10(x) }, func(y float64) float64 { return math.Pow(10, -y) }),
	"sqrt":        curve(math.Sqrt, func(y float64) float64 { return y * y }),
	"tanTimes100": percentSlope,
	"100tan":      slopeInDegrees,
	"hpX":         potency(10),
	"hpC":         potency(100),
	"hpM":         potency(1000),
	"hpQ":         potency(50000),
}

// slopeInDegrees is percentSlope for a reference in degrees.
var slopeInDegrees = curve(
	func(x float64) float64 { return 100 * math.Tan(x*math.Pi/180) },
	func(y float64) float64 { return math.Atan(y/100) * 180 / math.Pi },
)

// toReference returns what the value v is of the reference unit.
func (s *scale) toReference(v *big.Rat) (*big.Rat, bool) {
	if s.offset != nil {
		return new(big.Rat).Add(v, s.offset), true
	}
	return through(s.inverse, v)
}

func (s *scale) fromReference(v *big.Rat) (*big.Rat, bool) {
	if s.offset != nil {
		return new(big.Rat).Sub(v, s.offset), true
	}
	return through(s.f, v)
}

// through applies f; ok is false where the result is no number.
func through(f func(float64) float64, v *big.Rat) (*big.Rat, bool) {
	x, _ := v.Float64()
	y := f(x)
	if math.IsNaN(y) || math.IsInf(y, 0) {
		return nil, false
	}
	return new(big.Rat).SetFloat64(y), true
}
