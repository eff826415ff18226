package search

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/amate-health/amate/fhir/ucum"
)

// A quantity in a unit of UCUM is stored, and asked for, in the base units of what
// it measures, so that 5.4 mg finds 0.0054 g. Other units are compared by their code.
//
// See https://hl7.org/fhir/R4/search.html#quantity.

const unitsOfMeasure = "http://unitsofmeasure.org"

// scale takes values of a unit to base units: value·factor + offset.
type scale struct {
	unit           int64 // UnitHash of the dimension
	shift          int   // the factor is this power of ten, where there is no offset
	power          bool  // shift says all
	factor, offset *big.Rat
}

// scales remembers the scale of every unit seen, nil for what is no unit of UCUM.
var (
	scales    sync.Map // code -> *scale
	scaleRoom atomic.Int64
)

// maxScales bounds what is remembered, since anyone can make up units.
const maxScales = 4096

// scaleOf returns the scale of a UCUM code, or nil when it has none: it is no unit,
// or lies on a scale that is not a straight line (pH, dB).
func scaleOf(code []byte) *scale {
	if found, ok := scales.Load(string(code)); ok {
		return found.(*scale)
	}
	var s *scale
	if len(code) > 0 && len(code) <= 60 {
		if u, err := ucum.Parse(string(code)); err == nil {
			s = newScale(u)
		}
	}
	if scaleRoom.Add(1) <= maxScales {
		scales.Store(string(code), s)
	}
	return s
}

func newScale(u *ucum.Unit) *scale {
	zero, ok0 := u.Base(new(big.Rat))
	one, ok1 := u.Base(big.NewRat(1, 1))
	two, ok2 := u.Base(big.NewRat(2, 1))
	if !ok0 || !ok1 || !ok2 {
		return nil
	}
	step := new(big.Rat).Sub(one, zero)
	if new(big.Rat).Sub(two, one).Cmp(step) != 0 || step.Sign() <= 0 {
		return nil
	}
	s := &scale{unit: UnitHash(unitsOfMeasure, "\x00"+u.Dimension().String()), factor: step, offset: zero}
	s.shift, s.power = powerOfTen(step)
	s.power = s.power && zero.Sign() == 0
	return s
}

// powerOfTen returns n where f is 10 to the n.
func powerOfTen(f *big.Rat) (n int, ok bool) {
	const most = 60
	ten := big.NewRat(10, 1)
	p := big.NewRat(1, 1)
	for n = 0; n <= most; n++ {
		if p.Cmp(f) == 0 {
			return n, true
		}
		if new(big.Rat).Inv(p).Cmp(f) == 0 {
			return -n, true
		}
		p.Mul(p, ten)
	}
	return 0, false
}

// convert returns v in base units, rounded once, from the shortest decimal that reads
// as v; ok is false when it is beyond what a float64 holds. It keeps order.
func (s *scale) convert(v float64) (float64, bool) {
	if math.IsInf(v, 0) || v == 0 && s.power {
		return v, true
	}
	var buf [40]byte
	b := strconv.AppendFloat(buf[:0], v, 'e', -1, 64)
	if s.power {
		at := bytes.IndexByte(b, 'e')
		exponent, err := strconv.Atoi(string(b[at+1:]))
		if err != nil {
			return 0, false
		}
		f, err := strconv.ParseFloat(string(strconv.AppendInt(b[:at+1], int64(exponent+s.shift), 10)), 64)
		return f, err == nil
	}
	r, ok := new(big.Rat).SetString(string(b))
	if !ok {
		return 0, false
	}
	f, _ := r.Add(r.Mul(r, s.factor), s.offset).Float64()
	return f, !math.IsInf(f, 0)
}

// convertAll is convert for a value with its ends.
func (s *scale) convertAll(value, lo, hi float64) (v, l, h float64, ok bool) {
	v, okV := s.convert(value)
	l, h = v, v
	okL, okH := true, true
	if lo != value {
		l, okL = s.convert(lo)
	}
	if hi != value {
		h, okH = s.convert(hi)
	}
	return v, l, h, okV && okL && okH
}
