package hl7

import (
	"strings"
)

// Limits bounds what a message may hold; 0 stands for the default.
type Limits struct {
	Size        int // bytes; 16 MiB
	Segments    int // 10,000
	Fields      int // of a segment; 256
	Repetitions int // of a field; 1,000
}

func (l *Limits) fill() {
	for _, of := range []struct {
		limit *int
		usual int
	}{{&l.Size, 16 << 20}, {&l.Segments, 10_000}, {&l.Fields, 256}, {&l.Repetitions, 1000}} {
		if *of.limit == 0 {
			*of.limit = of.usual
		}
	}
}

// Message is a message taken apart into segments and fields. What is within a field
// is taken apart when it is asked for. It does not change.
type Message struct {
	Encoding Encoding
	Segments []Segment
}

// Segment is one line of a message.
type Segment struct {
	Name     string
	Sequence int      // of segments of this name, from 1
	fields   []string // from field 1 on, as they were sent
	in       *Encoding
}

// Parse takes a message apart. Segments end with CR; LF and CRLF are taken as well.
// Errors: *Error.
func Parse(text string, limits Limits) (*Message, error) {
	limits.fill()
	if len(text) > limits.Size {
		return nil, &Error{Code: Internal, Text: "the message is larger than what is taken"}
	}
	if strings.IndexByte(text, '\n') >= 0 {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\r"), "\n", "\r")
	}
	text = strings.TrimLeft(text, "\r ")
	if !strings.HasPrefix(text, "MSH") {
		return nil, &Error{Code: SegmentSequence, Segment: "MSH", Sequence: 1, Text: "a message begins with the segment MSH"}
	}
	encoding, bad := encodingOf(text)
	if bad != nil {
		return nil, bad
	}
	m := &Message{Encoding: encoding}
	lines := strings.Count(text, "\r") + 1
	if lines > limits.Segments+1 {
		return nil, &Error{Code: Internal, Text: "the message has more segments than are taken"}
	}
	m.Segments = make([]Segment, 0, lines)
	arena := make([]string, 0, strings.Count(text, string(rune(encoding.Field)))+2)
	for line := range strings.SplitSeq(text, "\r") {
		if line == "" {
			continue
		}
		var s Segment
		if s, arena, bad = m.segment(line, arena, &limits); bad != nil {
			return nil, bad
		}
		m.Segments = append(m.Segments, s)
	}
	return m, nil
}

// segment takes one line apart. Its fields go into arena.
func (m *Message) segment(line string, arena []string, limits *Limits) (Segment, []string, *Error) {
	e := &m.Encoding
	name, rest, more := strings.Cut(line, string(rune(e.Field)))
	s := Segment{Name: name, Sequence: 1, in: e}
	if !segmentName(name) {
		return s, arena, &Error{Code: SegmentSequence, Text: "a segment begins with a name of three letters or digits", Quoted: name}
	}
	for i := len(m.Segments) - 1; i >= 0; i-- {
		if m.Segments[i].Name == name {
			s.Sequence = m.Segments[i].Sequence + 1
			break
		}
	}
	if name == "MSH" && len(m.Segments) > 0 {
		return s, arena, &Error{Code: SegmentSequence, Segment: name, Sequence: s.Sequence, Text: "a message has one segment MSH; several messages go in a batch, or one after another"}
	}
	start := len(arena)
	if name == "MSH" {
		arena = append(arena, line[3:4])
	}
	for more {
		if len(arena)-start >= limits.Fields {
			return s, arena, &Error{Code: Internal, Segment: name, Sequence: s.Sequence, Text: "the segment has more fields than are taken"}
		}
		var field string
		field, rest, more = strings.Cut(rest, string(rune(e.Field)))
		if len(field) > limits.Repetitions && strings.Count(field, string(rune(e.Repetition))) >= limits.Repetitions {
			return s, arena, &Error{Code: Internal, Segment: name, Sequence: s.Sequence, Field: len(arena) - start + 1, Text: "the field has more repetitions than are taken"}
		}
		arena = append(arena, field)
	}
	s.fields = arena[start:len(arena):len(arena)]
	return s, arena, nil
}

func segmentName(s string) bool {
	if len(s) != 3 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// First returns the first segment called name, nil when there is none.
func (m *Message) First(name string) *Segment {
	for i := range m.Segments {
		if m.Segments[i].Name == name {
			return &m.Segments[i]
		}
	}
	return nil
}

// Field returns field n, from 1; empty when there is none. A nil segment has none.
func (s *Segment) Field(n int) Field {
	if s == nil || n < 1 || n > len(s.fields) {
		return Field{in: &Usual}
	}
	return Field{Raw: s.fields[n-1], in: s.in}
}

// Size is how many fields s has.
func (s *Segment) Size() int { return len(s.fields) }

// At returns an error about field n of s.
func (s *Segment) At(code Code, n int, text string) *Error {
	return &Error{Code: code, Segment: s.Name, Sequence: s.Sequence, Field: n, Text: text, Quoted: s.Field(n).Raw}
}

// Field is a field, one repetition of it, or a component: text that can be taken apart
// further. Raw is as it was sent.
type Field struct {
	Raw string
	in  *Encoding
}

// Null reports whether the sender says that there is no value, so that an older one is
// to go: two quotation marks.
func (f Field) Null() bool { return f.Raw == `""` }

// Empty reports whether the sender says nothing, or that there is no value.
func (f Field) Empty() bool { return f.Raw == "" || f.Raw == `""` }

// Repetitions returns every repetition, none for an empty field.
func (f Field) Repetitions() []Field {
	if f.Raw == "" {
		return nil
	}
	n := strings.Count(f.Raw, string(rune(f.in.Repetition))) + 1
	all := make([]Field, 0, n)
	for part := range strings.SplitSeq(f.Raw, string(rune(f.in.Repetition))) {
		all = append(all, Field{Raw: part, in: f.in})
	}
	return all
}

// nth returns part n of text, from 1.
func nth(text string, by byte, n int) string {
	for ; n > 1; n-- {
		at := strings.IndexByte(text, by)
		if at < 0 {
			return ""
		}
		text = text[at+1:]
	}
	if at := strings.IndexByte(text, by); at >= 0 {
		text = text[:at]
	}
	return text
}

// Repetition returns repetition n, from 1.
func (f Field) Repetition(n int) Field { return Field{Raw: nth(f.Raw, f.in.Repetition, n), in: f.in} }

// Component returns component n of the first repetition, from 1.
func (f Field) Component(n int) Field {
	return Field{Raw: nth(nth(f.Raw, f.in.Repetition, 1), f.in.Component, n), in: f.in}
}

// Sub returns subcomponent n of a component, from 1.
func (f Field) Sub(n int) Field {
	if f.in.Sub == 0 {
		if n == 1 {
			return f
		}
		return Field{in: f.in}
	}
	return Field{Raw: nth(f.Raw, f.in.Sub, n), in: f.in}
}

// Text returns the text of component n, with its escapes resolved: the first
// subcomponent of it. "" for a null.
func (f Field) Text(n int) string {
	c := f.Component(n)
	if c.Null() {
		return ""
	}
	return strings.TrimSpace(f.in.Unescape(c.Sub(1).Raw))
}

// Whole returns the text of all of f, with its escapes resolved: for what has no
// components, such as a note.
func (f Field) Whole() string {
	if f.Null() {
		return ""
	}
	return f.in.Unescape(f.Raw)
}
