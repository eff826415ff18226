package table

import (
	"math/big"
	"strconv"
	"strings"
)

// most is what a DECIMAL of that many digits is below.
var most = new(big.Int).Exp(big.NewInt(10), big.NewInt(precision), nil)

// unscaled returns a decimal, as JSON writes it, times ten to the power of scale, rounded half
// away from zero, in 16 bytes of two's complement, the greatest first. It is false for
// what is no number or has too many digits.
//
// See https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#decimal.
func unscaled(s string) ([]byte, bool) {
	n, ok := shifted(s)
	if !ok || n.CmpAbs(most) >= 0 {
		return nil, false
	}
	b := make([]byte, 16)
	if n.Sign() < 0 {
		// Two's complement of -n is all bits of n-1 turned.
		n.Not(n).FillBytes(b)
		for i := range b {
			b[i] = ^b[i]
		}
		return b, true
	}
	n.FillBytes(b)
	return b, true
}

// shifted returns s times ten to the power of scale, rounded.
func shifted(s string) (*big.Int, bool) {
	digits, exponent, _ := strings.Cut(strings.Replace(s, "E", "e", 1), "e")
	power := scale
	if exponent != "" {
		e, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return nil, false
		}
		power += int(e)
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = whole + fraction
	power -= len(fraction)
	up := false
	switch {
	case strings.Trim(digits, "+-0") == "":
		power = 0
	case power > 2*precision: // it would not fit, however few digits there are
		return nil, false
	case power > 0:
		digits += strings.Repeat("0", power)
		power = 0
	}
	if power < 0 {
		sign := len(whole) - len(strings.TrimLeft(whole, "+-"))
		keep := max(len(digits)+power, sign-1)
		up = keep >= sign && digits[keep] >= '5'
		digits = digits[:max(keep, sign)]
		if len(digits) == sign {
			digits += "0"
		}
	}
	// No number that fits has as many digits, and turning them into one takes long.
	if len(digits) > 200 {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	switch {
	case ok && up && strings.HasPrefix(s, "-"):
		n.Sub(n, big.NewInt(1))
	case ok && up:
		n.Add(n, big.NewInt(1))
	}
	return n, ok
}
