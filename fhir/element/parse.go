package element

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Limits bounds what Parse accepts. A zero field stands for its default.
type Limits struct {
	Depth  int // objects and arrays inside one another; default 100
	Number int // characters of a number; default 256
	Name   int // bytes of a member name as written; default 256, at most 65,535
	Nodes  int // values in all, since each takes 28 bytes of memory; default 8 million
}

// maxSize is the largest text that the 32-bit offsets of a node can address safely.
const maxSize = 1<<31 - 1

func (l *Limits) fill() {
	for _, f := range [...]struct {
		field    *int
		standard int
	}{{&l.Depth, 100}, {&l.Number, 256}, {&l.Name, 256}, {&l.Nodes, 8_000_000}} {
		if *f.field <= 0 {
			*f.field = f.standard
		}
	}
	l.Name = min(l.Name, 1<<16-1)
}

// Parse reads one JSON text into a new Doc, within the default Limits.
func Parse(src []byte) (*Doc, error) {
	d := new(Doc)
	if err := d.Parse(src, Limits{}); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse reads one JSON text into d, replacing what d held and reusing its
// memory. The text must keep to RFC 8259 to the letter; beyond that, a member
// name may stand only once in an object, a lone surrogate is refused, and a byte
// order mark before the text is skipped. The error is a *SyntaxError, after
// which d is empty.
func (d *Doc) Parse(src []byte, lim Limits) error {
	lim.fill()
	d.src, d.nodes, d.stack, d.spaced = src, d.nodes[:0], d.stack[:0], false
	d.ruler.Store(nil)
	p := parser{src: src, doc: d, lim: lim}
	err := p.text()
	if err == nil {
		return nil
	}
	err.Line, err.Col = position(src, err.Offset)
	d.src, d.nodes = nil, d.nodes[:0]
	return err
}

// frame is an object or array that is still open.
type frame struct {
	node  Node
	names uint64 // one bit for each small hash of a member name seen so far
}

// parser is the state of one pass. It keeps its own stack, so that depth costs
// no goroutine stack.
type parser struct {
	src []byte
	doc *Doc
	i   int // the next byte to read
	lim Limits
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func (p *parser) text() *SyntaxError {
	if len(p.src) > maxSize {
		return p.fail(RuleSize, 0, "the JSON text is longer than 2 GiB")
	}
	if cap(p.doc.nodes) == 0 {
		p.doc.nodes = make([]node, 0, min(len(p.src)/16+8, p.lim.Nodes))
	}
	if cap(p.doc.stack) == 0 {
		p.doc.stack = make([]frame, 0, 16)
	}
	if bytes.HasPrefix(p.src, byteOrderMark) {
		p.i = len(byteOrderMark)
	}
	if err := p.value(node{}); err != nil {
		return err
	}
	for len(p.doc.stack) > 0 {
		if err := p.step(); err != nil {
			return err
		}
	}
	p.space()
	if p.i < len(p.src) {
		return p.fail(RuleSyntax, p.i, "there is more after the end of the JSON value")
	}
	return nil
}

// step reads the next member or item of the innermost open container, or closes it.
func (p *parser) step() *SyntaxError {
	top := &p.doc.stack[len(p.doc.stack)-1]
	open := &p.doc.nodes[top.node]
	p.space()
	if p.i >= len(p.src) {
		return p.fail(RuleSyntax, p.i, "the JSON text ends too early")
	}
	c := p.src[p.i]
	if c == '}' && open.kind == Object || c == ']' && open.kind == Array {
		p.i++
		return p.close(open)
	}
	if open.size > 0 {
		if c != ',' {
			return p.fail(RuleSyntax, p.i, "a comma or a closing bracket is expected here")
		}
		p.i++
		p.space()
	}
	open.size++
	if open.kind == Array {
		return p.value(node{})
	}
	v, err := p.name(top)
	if err != nil {
		return err
	}
	p.space()
	if p.i >= len(p.src) || p.src[p.i] != ':' {
		return p.fail(RuleSyntax, p.i, "a colon is expected here")
	}
	p.i++
	return p.value(v)
}

// close ends the innermost container.
func (p *parser) close(open *node) *SyntaxError {
	top := p.doc.stack[len(p.doc.stack)-1].node
	p.doc.stack = p.doc.stack[:len(p.doc.stack)-1]
	open.end = uint32(p.i)
	open.next = Node(len(p.doc.nodes))
	if open.kind == Object && open.size > fewMembers {
		if twice := p.doc.duplicate(top); twice != None {
			return p.duplicate(twice)
		}
	}
	return nil
}

// value reads one value into v, which holds its member name already. A container
// is only opened: step reads what is in it.
func (p *parser) value(v node) *SyntaxError {
	p.space()
	if p.i >= len(p.src) {
		return p.fail(RuleSyntax, p.i, "the JSON text ends too early")
	}
	if len(p.doc.nodes) >= p.lim.Nodes {
		return p.fail(RuleNodes, p.i, "the JSON text holds more values than are allowed")
	}
	self := Node(len(p.doc.nodes))
	v.start, v.next = uint32(p.i), self+1
	var err *SyntaxError
	switch c := p.src[p.i]; c {
	case '"':
		v.kind = String
		v.start++
		v.textEsc, err = p.str()
		v.end = uint32(p.i) - 1
	case '{', '[':
		v.kind = Object
		if c == '[' {
			v.kind = Array
		}
		if len(p.doc.stack) >= p.lim.Depth {
			return p.fail(RuleDepth, p.i, "objects and arrays are nested deeper than is allowed")
		}
		p.doc.stack = append(p.doc.stack, frame{node: self})
		p.i++
	case 't':
		v.kind, err = True, p.word("true")
		v.end = uint32(p.i)
	case 'f':
		v.kind, err = False, p.word("false")
		v.end = uint32(p.i)
	case 'n':
		v.kind, err = Null, p.word("null")
		v.end = uint32(p.i)
	default:
		v.kind, err = Number, p.number()
		v.end = uint32(p.i)
	}
	p.doc.nodes = append(p.doc.nodes, v)
	return err
}

// name reads a member name, and refuses one that the object has already.
func (p *parser) name(top *frame) (v node, err *SyntaxError) {
	at := p.i
	if at >= len(p.src) || p.src[at] != '"' {
		return v, p.fail(RuleSyntax, at, "a member name in double quotes is expected here")
	}
	v.nameEsc, err = p.str()
	if err != nil {
		return v, err
	}
	length := p.i - at - 2
	if length > p.lim.Name {
		return v, p.fail(RuleName, at, "a member name is longer than is allowed")
	}
	v.nameAt, v.nameLen = uint32(at)+1, uint16(length)
	open := &p.doc.nodes[top.node]
	if open.size > fewMembers { // close looks at all of them
		return v, nil
	}
	name := p.doc.name(&v)
	bit := smallHash(name)
	if top.names&bit != 0 && p.doc.has(top.node, name) {
		return v, p.fail(RuleDuplicate, at, "a member name stands twice in one object").quote(name)
	}
	top.names |= bit
	return v, nil
}

func (p *parser) word(w string) *SyntaxError {
	if len(p.src)-p.i < len(w) || string(p.src[p.i:p.i+len(w)]) != w {
		return p.fail(RuleSyntax, p.i, "this is no JSON value")
	}
	p.i += len(w)
	return nil
}

// number reads a number by the grammar of RFC 8259, section 6.
func (p *parser) number() *SyntaxError {
	start := p.i
	if p.src[p.i] == '-' {
		p.i++
	}
	whole := p.digits()
	if whole == 0 {
		if p.i == start {
			return p.fail(RuleSyntax, start, "this is no JSON value")
		}
		return p.fail(RuleNumber, p.i, "a digit is expected here")
	}
	if whole > 1 && p.src[p.i-whole] == '0' {
		return p.fail(RuleNumber, start, "a number must not begin with a superfluous 0")
	}
	if p.i < len(p.src) && p.src[p.i] == '.' {
		p.i++
		if p.digits() == 0 {
			return p.fail(RuleNumber, p.i, "a digit is expected here")
		}
	}
	if p.i < len(p.src) && p.src[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.src) && (p.src[p.i] == '+' || p.src[p.i] == '-') {
			p.i++
		}
		if p.digits() == 0 {
			return p.fail(RuleNumber, p.i, "a digit is expected here")
		}
	}
	if p.i-start > p.lim.Number {
		return p.fail(RuleNumber, start, "a number is longer than is allowed")
	}
	return nil
}

func (p *parser) digits() int {
	start := p.i
	for p.i < len(p.src) && p.src[p.i]-'0' <= 9 {
		p.i++
	}
	return p.i - start
}

func (p *parser) space() {
	for p.i < len(p.src) {
		switch p.src[p.i] {
		case ' ', '\n', '\t', '\r':
			p.doc.spaced = true
			p.i++
		default:
			return
		}
	}
}

// Eight bytes at a time: every byte 0x01, every top bit.
const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// plain returns the position of the first byte from i on that is no plain
// character of a string: a quote, a backslash, a control character, or the start
// of a character beyond ASCII.
func plain(src []byte, i int) int {
	for i+8 <= len(src) {
		w := binary.LittleEndian.Uint64(src[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// A subtraction may borrow into a byte that is plain, but only above one
		// that is not, so the lowest mark is always true.
		marks := (w | (w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops
		if marks != 0 {
			return i + bits.TrailingZeros64(marks)>>3
		}
		i += 8
	}
	for i < len(src) {
		if c := src[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// str reads a string from its opening quote to past its closing one, and reports
// whether it holds an escape.
func (p *parser) str() (escaped bool, err *SyntaxError) {
	i := p.i + 1
	for {
		i = plain(p.src, i)
		if i >= len(p.src) {
			return escaped, p.fail(RuleSyntax, i, "the JSON text ends within a string")
		}
		switch c := p.src[i]; {
		case c == '"':
			p.i = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLen(p.src[i:])
			if n == 0 {
				return escaped, p.fail(RuleEscape, i, "this is no escape of a JSON string")
			}
			i += n
		case c < ' ':
			return escaped, p.fail(RuleControl, i, "a control character within a string must be escaped")
		default:
			r, n := utf8.DecodeRune(p.src[i:])
			if r == utf8.RuneError && n == 1 {
				return escaped, p.fail(RuleUTF8, i, "the JSON text is not valid UTF-8")
			}
			i += n
		}
	}
}
