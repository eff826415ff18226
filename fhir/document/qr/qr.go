package qr

import (
	"errors"
	"fmt"
)

// Level is how much of a code may be lost before it cannot be read.
type Level uint8

// The levels in use here: about 7 % and 15 %.
const (
	L Level = iota
	M
)

// Segment is a part of what a code holds.
type Segment struct {
	Text    string
	Numeric bool // Text is digits only, and is kept as such
}

// Code is a QR code without its blank frame.
type Code struct {
	Version int // 1 to 40
	Size    int // modules of a side: 17 + 4 × Version
	dark    []bool
	fixed   []bool // of a function pattern, which no mask changes
}

// ErrTooLong is returned for what no code holds.
var ErrTooLong = errors.New("qr: more than a code holds")

// Dark reports whether the module in a column and row is dark, both from 0.
func (c *Code) Dark(x, y int) bool { return c.dark[y*c.Size+x] }

// Encode draws the smallest code that holds the segments. Errors: ErrTooLong, and a
// numeric segment that has other characters.
func Encode(level Level, segments ...Segment) (*Code, error) {
	for version := 1; version <= 40; version++ {
		need, err := bitsOf(version, segments)
		if err != nil {
			return nil, err
		}
		if need <= 8*dataWords(version, level) {
			return draw(version, level, words(version, level, segments)), nil
		}
	}
	return nil, ErrTooLong
}

// group is which of three ranges of versions one is in: the length of counts depends on it.
func group(version int) int {
	switch {
	case version < 10:
		return 0
	case version < 27:
		return 1
	}
	return 2
}

var (
	numericCount = [3]int{10, 12, 14} // bits of the count of a segment, by group (table 3)
	byteCount    = [3]int{8, 16, 16}
)

// bitsOf returns how many bits segments take.
func bitsOf(version int, segments []Segment) (int, error) {
	total := 0
	for _, s := range segments {
		count := byteCount[group(version)]
		size := 8 * len(s.Text)
		if s.Numeric {
			count = numericCount[group(version)]
			size = len(s.Text)/3*10 + []int{0, 4, 7}[len(s.Text)%3]
			for _, c := range []byte(s.Text) {
				if c < '0' || c > '9' {
					return 0, fmt.Errorf("qr: %q in a segment of digits", c)
				}
			}
		}
		if len(s.Text) >= 1<<count {
			return 1 << 30, nil
		}
		total += 4 + count + size
	}
	return total, nil
}

// stream gathers bits.
type stream struct {
	bytes []byte
	bits  int
}

func (s *stream) add(value, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if s.bits%8 == 0 {
			s.bytes = append(s.bytes, 0)
		}
		if value>>i&1 == 1 {
			s.bytes[s.bits/8] |= 0x80 >> (s.bits % 8)
		}
		s.bits++
	}
}

// words returns the codewords of data, padded, then those of error correction, each
// interleaved by block.
func words(version int, level Level, segments []Segment) []byte {
	s := &stream{}
	for _, one := range segments {
		if !one.Numeric {
			s.add(4, 4)
			s.add(len(one.Text), byteCount[group(version)])
			for _, c := range []byte(one.Text) {
				s.add(int(c), 8)
			}
			continue
		}
		s.add(1, 4)
		s.add(len(one.Text), numericCount[group(version)])
		for i := 0; i < len(one.Text); i += 3 {
			value, n := 0, 0
			for ; n < 3 && i+n < len(one.Text); n++ {
				value = value*10 + int(one.Text[i+n]-'0')
			}
			s.add(value, []int{0, 4, 7, 10}[n])
		}
	}
	room := 8 * dataWords(version, level)
	s.add(0, min(4, room-s.bits)) // the end
	s.add(0, (8-s.bits%8)%8)
	for pad := 0xEC; s.bits < room; pad ^= 0xEC ^ 0x11 {
		s.add(pad, 8)
	}
	return interleave(version, level, s.bytes)
}

// interleave parts data into blocks, and adds their error correction.
func interleave(version int, level Level, data []byte) []byte {
	blocks, ecc := int(blockCount[level][version-1]), int(eccWords[level][version-1])
	total := allWords(version)
	short := total/blocks - ecc // words of data in a short block
	shorts := blocks - total%blocks
	divisor := generator(ecc)
	var parts, checks [][]byte
	for i, at := 0, 0; i < blocks; i++ {
		n := short
		if i >= shorts {
			n++
		}
		parts = append(parts, data[at:at+n])
		checks = append(checks, remainder(data[at:at+n], divisor))
		at += n
	}
	out := make([]byte, 0, total)
	for i := range short + 1 {
		for _, p := range parts {
			if i < len(p) {
				out = append(out, p[i])
			}
		}
	}
	for i := range ecc {
		for _, c := range checks {
			out = append(out, c[i])
		}
	}
	return out
}

// multiply is that of GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
func multiply(a, b byte) byte {
	product := 0
	for i := 7; i >= 0; i-- {
		product = product<<1 ^ (product>>7)*0x11D
		product ^= int(b>>i&1) * int(a)
	}
	return byte(product)
}

// generator returns the polynomial of Reed and Solomon of a degree, without its first
// coefficient, which is 1.
func generator(degree int) []byte {
	g := make([]byte, degree)
	g[degree-1] = 1
	root := byte(1)
	for range degree {
		for j := range g {
			g[j] = multiply(g[j], root)
			if j+1 < degree {
				g[j] ^= g[j+1]
			}
		}
		root = multiply(root, 2)
	}
	return g
}

// remainder returns data modulo the generator.
func remainder(data, divisor []byte) []byte {
	r := make([]byte, len(divisor))
	for _, b := range data {
		factor := b ^ r[0]
		copy(r, r[1:])
		r[len(r)-1] = 0
		if factor != 0 {
			for i, d := range divisor {
				r[i] ^= multiply(d, factor)
			}
		}
	}
	return r
}

// The shape of each version: words of error correction in a block, and blocks (ISO/IEC
// 18004:2015, table 9), by level.
var (
	eccWords = [2][40]uint8{
		{7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
		{10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28},
	}
	blockCount = [2][40]uint8{
		{1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25},
		{1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49},
	}
)

// allWords returns how many codewords a version has.
func allWords(version int) int {
	modules := (16*version+128)*version + 64
	if version >= 2 {
		align := version/7 + 2
		modules -= (25*align-10)*align - 55
		if version >= 7 {
			modules -= 36
		}
	}
	return modules / 8
}

func dataWords(version int, level Level) int {
	return allWords(version) - int(eccWords[level][version-1])*int(blockCount[level][version-1])
}
