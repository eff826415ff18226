package hl7

import (
	"strconv"
	"strings"
)

// AppendTo appends the message as HL7 would have it written: each segment ended by CR,
// each text escaped in the usual way, in the message's own encoding.
func (m *Message) AppendTo(b []byte) []byte {
	for i := range m.Segments {
		b = m.Segments[i].appendTo(b)
		b = append(b, '\r')
	}
	return b
}

// AppendTo appends s as it is written in an encoding, ended by CR.
func (s *Segment) AppendTo(b []byte, in *Encoding) []byte {
	if *s.in == *in {
		return append(s.appendTo(b), '\r')
	}
	b = append(b, s.Name...)
	for _, f := range s.fields {
		b = s.in.translate(append(b, in.Field), f, 0, in)
	}
	return append(b, '\r')
}

// translate writes what a text holds in another encoding.
func (e *Encoding) translate(b []byte, text string, level int, in *Encoding) []byte {
	from, to := [...]byte{e.Repetition, e.Component, e.Sub}, [...]byte{in.Repetition, in.Component, in.Sub}
	for level < len(from) && (from[level] == 0 || strings.IndexByte(text, from[level]) < 0) {
		level++
	}
	if level == len(from) {
		return in.AppendEscaped(b, e.Unescape(text))
	}
	for i, part := range strings.Split(text, string(rune(from[level]))) {
		if i > 0 {
			b = append(b, to[level])
		}
		b = e.translate(b, part, level+1, in)
	}
	return b
}

func (s *Segment) appendTo(b []byte) []byte {
	b = append(b, s.Name...)
	fields := s.fields
	if s.Name == "MSH" && len(fields) > 1 {
		b = append(append(b, fields[0]...), fields[1]...)
		fields = fields[2:]
	}
	for _, f := range fields {
		b = s.in.appendParts(append(b, s.in.Field), f, 0)
	}
	return b
}

// appendParts writes what a text holds, parted by the separators from level on.
func (e *Encoding) appendParts(b []byte, text string, level int) []byte {
	separators := [...]byte{e.Repetition, e.Component, e.Sub}
	for level < len(separators) && (separators[level] == 0 || strings.IndexByte(text, separators[level]) < 0) {
		level++
	}
	if level == len(separators) {
		return e.AppendEscaped(b, e.Unescape(text))
	}
	for i := 0; ; i++ {
		part, rest, more := strings.Cut(text, string(rune(separators[level])))
		if i > 0 {
			b = append(b, separators[level])
		}
		b = e.appendParts(b, part, level+1)
		if !more {
			return b
		}
		text = rest
	}
}

// Writer writes a message in the usual encoding. Its zero value is ready for use.
type Writer struct{ b []byte }

// Segment appends a segment. The fields are written as they are: what holds text of
// somebody's own must be escaped. Empty ones at the end are left out.
func (w *Writer) Segment(name string, fields ...string) {
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	w.b = append(w.b, name...)
	if name == "MSH" {
		w.b = append(w.b, `|^~\&`...)
	}
	for _, f := range fields {
		w.b = append(append(w.b, '|'), f...)
	}
	w.b = append(w.b, '\r')
}

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Header writes the header of a batch that answers another: its time, and the id of the
// one that it answers.
func (w *Writer) Header(name, at, control string) {
	w.b = append(append(w.b, name...), `|^~\&|||||`...)
	w.b = append(append(append(w.b, at...), "|||||"...), control...)
	w.b = append(w.b, '\r')
}

// Trailer writes the end of a batch of n messages.
func (w *Writer) Trailer(n int) { w.Segment("BTS", strconv.Itoa(n)) }

// Append appends what was written elsewhere.
func (w *Writer) Append(message []byte) { w.b = append(w.b, message...) }
