package ucum

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Limits of a code. The longest in common use has some 40 characters.
const (
	maxCode     = 256  // bytes
	maxDepth    = 20   // parentheses inside one another
	maxExponent = 99   // of a unit, and of a base unit in the whole
	maxBits     = 4096 // of a factor's numerator and denominator together
	maxCached   = 4096 // parsed codes that are kept
)

// SyntaxError says why a text is no unit.
type SyntaxError struct {
	Code    string
	Offset  int // in bytes
	Message string
}

// Error returns the message with its place. It quotes the code.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("UCUM: %q at offset %d: %s", e.Code, e.Offset, e.Message)
}

// cache holds what Parse returned, by code.
var (
	cache  sync.Map
	cached atomic.Int32
)

// Parse reads a case sensitive unit. The error is a *SyntaxError.
//
// An annotation may follow a number or a closing parenthesis as well, which the
// grammar leaves out and which changes no meaning.
func Parse(code string) (*Unit, error) {
	if u, ok := cache.Load(code); ok {
		return u.(*Unit), nil
	}
	p := parser{src: code, words: true}
	u, err := p.parse()
	if err != nil {
		return nil, err
	}
	u.code = strings.Clone(code)
	u.approx, _ = u.factor.Float64()
	if cached.Add(1) > maxCached {
		cached.Store(0)
		cache.Clear()
	}
	cache.Store(u.code, u)
	return u, nil
}

// parser reads a code by recursive descent.
//
// See https://ucum.org/ucum#section-Grammar-of-Units-and-Unit-Terms.
type parser struct {
	src   string
	i     int
	depth int
	words bool // make the display as well
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.src, p.i, fmt.Sprintf(format, args...)}
}

func (p *parser) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

func (p *parser) parse() (*Unit, error) {
	if p.src == "" || len(p.src) > maxCode {
		return nil, p.fail("a code has 1 to %d characters", maxCode)
	}
	for i := range len(p.src) {
		if p.src[i] <= ' ' || p.src[i] > '~' {
			p.i = i
			return nil, p.fail("a code has printable ASCII characters only")
		}
	}
	u := &Unit{factor: big.NewRat(1, 1)}
	var err error
	if p.peek() == '/' {
		p.i++
		if u, err = p.component(); err != nil {
			return nil, err
		}
		v := &Unit{factor: big.NewRat(1, 1)}
		if err = p.multiply(v, u, -1); err != nil {
			return nil, err
		}
		v.display = " / " + u.display
		u, err = p.rest(v)
	} else {
		u, err = p.term()
	}
	if err == nil && p.i < len(p.src) {
		err = p.fail("expected / or . before %q", p.src[p.i:])
	}
	return u, err
}

// term reads components joined by points and slashes, from left to right.
func (p *parser) term() (*Unit, error) {
	u, err := p.component()
	if err != nil {
		return nil, err
	}
	return p.rest(u)
}

func (p *parser) rest(u *Unit) (*Unit, error) {
	for p.peek() == '.' || p.peek() == '/' {
		n, sign := 1, " * "
		if p.peek() == '/' {
			n, sign = -1, " / "
		}
		p.i++
		o, err := p.component()
		if err != nil {
			return nil, err
		}
		if err := p.multiply(u, o, n); err != nil {
			return nil, err
		}
		if p.words {
			u.display += sign + o.display
		}
	}
	return u, nil
}

// multiply makes u times o to the power n of u.
func (p *parser) multiply(u, o *Unit, n int) error {
	if o.special != nil && n == 1 && u.special == nil && u.dim == None {
		// A number times a special unit: the number applies before the scale.
		u.special, u.before = o.special, new(big.Rat).Mul(u.factor, o.before)
		u.code, u.dim, u.factor = o.code, o.dim, o.factor
		return nil
	}
	if u.special != nil && o.special == nil && o.dim == None {
		factor := new(big.Rat).Set(o.factor)
		if n < 0 {
			factor.Inv(factor)
		}
		u.before = new(big.Rat).Mul(u.before, factor)
		return nil
	}
	u.flatten()
	if o.special != nil {
		flat := *o
		o = &flat
		o.flatten()
	}
	dim, ok := u.dim.scale(o.dim, n)
	if !ok {
		return p.fail("exponent out of range")
	}
	factor := new(big.Rat)
	if n < 0 {
		factor.Quo(u.factor, o.factor)
	} else {
		factor.Mul(u.factor, o.factor)
	}
	if factor.Num().BitLen()+factor.Denom().BitLen() > maxBits {
		return p.fail("factor out of range")
	}
	u.dim, u.factor = dim, factor
	return nil
}

// flatten makes a special unit one that can be multiplied: a degree becomes the
// difference of a degree, any other scale a dimension of its own.
func (u *Unit) flatten() {
	if u.special == nil {
		return
	}
	if u.special.offset == nil {
		u.dim, u.factor = Dimension{other: u.code + "1 "}, big.NewRat(1, 1)
	}
	u.factor = new(big.Rat).Mul(u.factor, u.before)
	u.special, u.before = nil, nil
}

// component reads a unit, a number, an annotation or a term in parentheses.
func (p *parser) component() (*Unit, error) {
	switch c := p.peek(); {
	case c == '(':
		if p.depth++; p.depth > maxDepth {
			return nil, p.fail("nested too deeply")
		}
		p.i++
		u, err := p.term()
		if err != nil {
			return nil, err
		}
		if p.peek() != ')' {
			return nil, p.fail("expected )")
		}
		p.i++
		p.depth--
		u.display = "(" + u.display + ")"
		return u, p.annotation()
	case c == '{':
		u := &Unit{factor: big.NewRat(1, 1), display: "1"}
		return u, p.annotation()
	case digit(c) && !p.powerOfTen():
		return p.number()
	}
	u, err := p.symbol()
	if err != nil {
		return nil, err
	}
	return u, p.annotation()
}

// powerOfTen reports whether 10* or 10^ is ahead, which are units.
func (p *parser) powerOfTen() bool {
	rest := p.src[p.i:]
	return strings.HasPrefix(rest, "10*") || strings.HasPrefix(rest, "10^")
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// annotation passes over {text}, when it is there.
func (p *parser) annotation() error {
	if p.peek() != '{' {
		return nil
	}
	n := strings.IndexAny(p.src[p.i+1:], "{}")
	if n < 0 || p.src[p.i+1+n] != '}' {
		return p.fail("annotation without an end")
	}
	p.i += n + 2
	if c := p.peek(); c != 0 && c != '.' && c != '/' && c != ')' {
		return p.fail("expected / or . after an annotation")
	}
	return nil
}

func (p *parser) number() (*Unit, error) {
	start := p.i
	for digit(p.peek()) {
		p.i++
	}
	text := p.src[start:p.i]
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n == 0 {
		return nil, p.fail("%s is no factor", text)
	}
	if c := p.peek(); c != 0 && c != '.' && c != '/' && c != ')' && c != '{' {
		return nil, p.fail("expected / or . after a number")
	}
	return &Unit{factor: big.NewRat(n, 1), display: text}, p.annotation()
}

// symbol reads a unit symbol and its exponent.
func (p *parser) symbol() (*Unit, error) {
	start := p.i
	end := p.symbolEnd()
	if end == start {
		return nil, p.fail("expected a unit")
	}
	at, pre, ok := find(p.src[start:end])
	if !ok {
		return nil, p.fail("%q is no unit", p.src[start:end])
	}
	p.i = end
	e, explicit, err := p.exponent()
	if err != nil {
		return nil, err
	}
	base := at.resolve()
	if base == nil {
		return nil, p.fail("%q is not defined", p.src[start:end])
	}
	u := *base
	if pre.factor != nil {
		if u.special != nil {
			u.before = pre.factor
		} else {
			u.factor = new(big.Rat).Mul(u.factor, pre.factor)
		}
	}
	if explicit {
		if err := p.raise(&u, e); err != nil {
			return nil, err
		}
	}
	if p.words {
		u.display = "(" + pre.name + at.name + ")"
		if explicit {
			u.display = "(" + pre.name + at.name + " ^ " + strconv.Itoa(e) + ")"
		}
	}
	return &u, nil
}

// symbolEnd returns where the symbol ahead ends. Digits belong to it except at its
// end; within brackets anything does.
func (p *parser) symbolEnd() int {
	i := p.i
	if p.powerOfTen() {
		return i + 3
	}
	open := false
	for ; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '[':
			open = true
		case c == ']':
			open = false
		case open:
		case strings.IndexByte(`"()+-./={}`, c) >= 0:
			return p.digitsOff(i)
		}
	}
	return p.digitsOff(i)
}

func (p *parser) digitsOff(end int) int {
	for end > p.i && digit(p.src[end-1]) {
		end--
	}
	return end
}

// find looks a symbol up, as it is or after a prefix.
func find(symbol string) (*atom, prefix, bool) {
	t := units()
	if a := t.atoms[symbol]; a != nil {
		return a, prefix{}, true
	}
	for n := 1; n <= 2 && n < len(symbol); n++ {
		pre, ok := t.prefixes[symbol[:n]]
		if a := t.atoms[symbol[n:]]; ok && a != nil && a.metric {
			return a, pre, true
		}
	}
	return nil, prefix{}, false
}

// exponent reads digits with an optional sign; explicit is false when there are none.
func (p *parser) exponent() (e int, explicit bool, err error) {
	start := p.i
	if c := p.peek(); c == '+' || c == '-' {
		p.i++
	}
	for digit(p.peek()) {
		p.i++
	}
	if p.i == start {
		return 1, false, nil
	}
	e, err = strconv.Atoi(p.src[start:p.i])
	if err != nil || e == 0 || e > maxExponent || e < -maxExponent {
		return 0, false, p.fail("%q is no exponent", p.src[start:p.i])
	}
	return e, true, nil
}

// raise makes u to the power e of u.
func (p *parser) raise(u *Unit, e int) error {
	u.flatten()
	dim, ok := Dimension{}.scale(u.dim, e)
	num, den := u.factor.Num(), u.factor.Denom()
	n := max(e, -e)
	if !ok || n*(num.BitLen()+den.BitLen()) > maxBits {
		return p.fail("exponent out of range")
	}
	up := new(big.Int).Exp(num, big.NewInt(int64(n)), nil)
	down := new(big.Int).Exp(den, big.NewInt(int64(n)), nil)
	if e < 0 {
		up, down = down, up
	}
	u.dim, u.factor = dim, new(big.Rat).SetFrac(up, down)
	return nil
}
