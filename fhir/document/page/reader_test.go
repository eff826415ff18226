package page

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// This is a reader of PDF files that knows nothing of the writer: it follows
// ISO 32000-1 from startxref on, as far as the tests need.

type (
	name string
	ref  int
	dict map[name]any
)

type reader struct {
	t       testing.TB
	raw     []byte
	objects map[int]any
	streams map[int][]byte
	root    dict
	trailer dict
}

func read(t testing.TB, raw []byte) *reader {
	t.Helper()
	r := &reader{t: t, raw: raw, objects: map[int]any{}, streams: map[int][]byte{}}
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(raw)
	if m == nil {
		t.Fatal("no startxref at the end")
	}
	at, _ := strconv.Atoi(string(m[1]))
	var table []byte
	r.trailer, table = r.streamAt(at)
	size := int(r.trailer["Size"].(float64))
	if len(table) != 7*size {
		t.Fatalf("cross-reference stream of %d bytes for %d objects", len(table), size)
	}
	type inside struct{ id, in, index int }
	var later []inside
	for id := range size {
		row := table[7*id:]
		a, b := int(binary.BigEndian.Uint32(row[1:])), int(binary.BigEndian.Uint16(row[5:]))
		switch row[0] {
		case 1:
			if !bytes.HasPrefix(raw[a:], fmt.Appendf(nil, "%d 0 obj\n", id)) {
				t.Fatalf("object %d is not where the table says", id)
			}
			d, s := r.streamAt(a)
			r.objects[id], r.streams[id] = d, s
		case 2:
			later = append(later, inside{id, a, b})
		}
	}
	for _, l := range later {
		d := r.objects[l.in].(dict)
		head := strings.Fields(string(r.streams[l.in][:int(d["First"].(float64))]))
		if head[2*l.index] != strconv.Itoa(l.id) {
			t.Fatalf("object %d is not where the table says", l.id)
		}
		offset, _ := strconv.Atoi(head[2*l.index+1])
		p := &parser{t: t, b: r.streams[l.in][int(d["First"].(float64))+offset:]}
		r.objects[l.id] = p.value()
	}
	r.root = r.dict(r.trailer["Root"])
	return r
}

// streamAt reads the stream object at an offset.
func (r *reader) streamAt(at int) (dict, []byte) {
	b := r.raw[at:]
	p := &parser{t: r.t, b: b[bytes.Index(b, []byte("obj\n"))+4:]}
	d := p.value().(dict)
	rest, ok := bytes.CutPrefix(p.b, []byte("\nstream\n"))
	if !ok {
		r.t.Fatal("no stream")
	}
	n := int(d["Length"].(float64))
	data := rest[:n]
	if !bytes.HasPrefix(rest[n:], []byte("\nendstream\nendobj\n")) {
		r.t.Fatal("a stream of another length than it says")
	}
	if d["Filter"] == name("FlateDecode") {
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			r.t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			r.t.Fatal(err)
		}
	}
	return d, data
}

func (r *reader) get(v any) any {
	if id, ok := v.(ref); ok {
		o, ok := r.objects[int(id)]
		if !ok {
			r.t.Fatalf("a reference to object %d, which is none", id)
		}
		return o
	}
	return v
}

func (r *reader) dict(v any) dict {
	d, ok := r.get(v).(dict)
	if !ok {
		r.t.Fatalf("%v is no dictionary", v)
	}
	return d
}

func (r *reader) array(v any) []any { a, _ := r.get(v).([]any); return a }

// parser parses objects.
type parser struct {
	t testing.TB
	b []byte
}

func (p *parser) space() { p.b = bytes.TrimLeft(p.b, " \n") }

var reference = regexp.MustCompile(`^(\d+) 0 R\b`)

func (p *parser) value() any {
	p.space()
	if m := reference.FindSubmatch(p.b); m != nil {
		p.b = p.b[len(m[0]):]
		n, _ := strconv.Atoi(string(m[1]))
		return ref(n)
	}
	switch {
	case bytes.HasPrefix(p.b, []byte("<<")):
		p.b = p.b[2:]
		d := dict{}
		for p.space(); !bytes.HasPrefix(p.b, []byte(">>")); p.space() {
			k := p.value().(name)
			if _, twice := d[k]; twice {
				p.t.Fatalf("a dictionary with two %s", k)
			}
			d[k] = p.value()
		}
		p.b = p.b[2:]
		return d
	case p.b[0] == '[':
		p.b = p.b[1:]
		a := []any{}
		for p.space(); p.b[0] != ']'; p.space() {
			a = append(a, p.value())
		}
		p.b = p.b[1:]
		return a
	case p.b[0] == '<':
		end := bytes.IndexByte(p.b, '>')
		s, err := hex.DecodeString(string(p.b[1:end]))
		if err != nil {
			p.t.Fatal(err)
		}
		p.b = p.b[end+1:]
		return string(s)
	case p.b[0] == '(':
		return p.literal()
	}
	word := p.b[:1+strings.IndexAny(string(p.b[1:])+" ", " \n/[]<>()")]
	p.b = p.b[len(word):]
	if word[0] == '/' {
		return name(word[1:])
	}
	if n, err := strconv.ParseFloat(string(word), 64); err == nil {
		return n
	}
	return op(word)
}

// op is an operator of a content stream, or true, false or null.
type op string

func (p *parser) literal() string {
	var out []byte
	for i := 1; ; i++ {
		switch p.b[i] {
		case '\\':
			i++
		case ')':
			p.b = p.b[i+1:]
			return string(out)
		}
		out = append(out, p.b[i])
	}
}

func utf16Text(s string) string {
	var u []uint16
	for i := 0; i+1 < len(s); i += 2 {
		u = append(u, binary.BigEndian.Uint16([]byte(s[i:])))
	}
	return string(utf16.Decode(u))
}

// piece is content of a sheet.
type piece struct {
	mark     int // -1 for what is no part of the structure
	tag      name
	text     string
	y        float64
	drawn    bool
	artifact dict
}

// pieces reads the content of a sheet.
func (r *reader) pieces(page, resources dict) []piece {
	fonts := map[name]map[string]string{}
	for k, v := range r.dict(resources["Font"]) {
		fonts[k] = r.toUnicode(r.dict(v))
	}
	p := &parser{t: r.t, b: r.streams[int(page["Contents"].(ref))]}
	var out []piece
	var stack []any
	var font map[string]string
	current := (*piece)(nil)
	for p.space(); len(p.b) > 0; p.space() {
		v := p.value()
		o, ok := v.(op)
		if !ok {
			stack = append(stack, v)
			continue
		}
		switch o {
		case "BDC", "BMC":
			if current != nil {
				r.t.Fatal("marked content within marked content")
			}
			current = r.marked(stack)
		case "EMC":
			out = append(out, *current)
			current = nil
		case "Tf":
			if font = fonts[stack[len(stack)-2].(name)]; font == nil {
				r.t.Fatalf("no font %v", stack)
			}
		default:
			if current == nil {
				r.t.Fatalf("%s outside of marked content", o)
			}
			r.paint(current, o, stack, font)
		}
		stack = stack[:0]
	}
	if current != nil {
		r.t.Fatal("marked content without an end")
	}
	return out
}

// marked opens a piece, of the operands of BMC or BDC.
func (r *reader) marked(operands []any) *piece {
	p := &piece{mark: -1, tag: operands[0].(name)}
	if len(operands) > 1 {
		d := operands[1].(dict)
		if n, ok := d["MCID"]; ok {
			p.mark = int(n.(float64))
		} else {
			p.artifact = d
		}
	}
	if (p.tag == "Artifact") != (p.mark < 0) {
		r.t.Fatalf("content %v is neither of the structure nor an artifact", p)
	}
	return p
}

// paint adds to a piece what an operator shows.
func (r *reader) paint(p *piece, o op, operands []any, font map[string]string) {
	switch o {
	case "Tm":
		p.y = operands[len(operands)-1].(float64)
	case "Tj":
		s := operands[0].(string)
		for i := 0; i < len(s); i += 2 {
			c, ok := font[s[i:i+2]]
			if !ok {
				r.t.Fatalf("%x stands for no character", s[i:i+2])
			}
			p.text += c
		}
	case "f", "S", "B":
		p.drawn = true
	}
}

var bfchar = regexp.MustCompile(`<([0-9A-F]{4})> <([0-9A-F]+)>`)

func (r *reader) toUnicode(font dict) map[string]string {
	out := map[string]string{}
	for _, m := range bfchar.FindAllSubmatch(r.streams[int(font["ToUnicode"].(ref))], -1) {
		if string(m[1]) == "0000" {
			continue
		}
		k, _ := hex.DecodeString(string(m[1]))
		v, _ := hex.DecodeString(string(m[2]))
		out[string(k)] = utf16Text(string(v))
	}
	return out
}
