package table

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// read is the number that 16 bytes of two's complement are.
func read(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return n
}

// A DECIMAL is the number that was written, but for what is behind its last place.
func TestUnscaled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9])?`).Draw(t, "number")
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)))
		b, ok := unscaled(s)
		if !ok {
			if want.Num().CmpAbs(new(big.Int).Mul(most, want.Denom())) < 0 {
				t.Fatalf("%q fits, and is refused", s)
			}
			return
		}
		off := new(big.Rat).Sub(want, new(big.Rat).SetInt(read(b)))
		if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
			t.Fatalf("%q is %v", s, read(b))
		}
	})
	for s, want := range map[string]string{"0": "0", "-0.0": "0", "1e-999999": "0", "0e999999": "0", "0.0000000000005": "1", "-0.0000000000005": "-1", "0.00000000000049": "0",
		"1e25": "1" + fmt.Sprintf("%037d", 0)} {
		if b, ok := unscaled(s); !ok || read(b).String() != want {
			t.Errorf("%q is %v %v, want %s", s, b, ok, want)
		}
	}
}
