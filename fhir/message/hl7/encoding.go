package hl7

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encoding is the characters that part a message, from MSH-1 and MSH-2.
type Encoding struct {
	Field, Component, Repetition, Escape, Sub byte // Escape and Sub are 0 where a message has none
}

// Usual is the encoding that HL7 recommends.
var Usual = Encoding{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Sub: '&'}

// encodingOf reads the encoding of a message, whose first segment is MSH, FHS or BHS.
func encodingOf(text string) (Encoding, *Error) {
	bad := func(why string) (Encoding, *Error) {
		return Encoding{}, &Error{Code: SegmentSequence, Segment: "MSH", Sequence: 1, Text: why}
	}
	if len(text) < 6 {
		return bad("the message ends before its encoding characters")
	}
	e := Encoding{Field: text[3], Component: text[4]}
	rest := text[4:]
	end := strings.IndexAny(rest, string([]byte{e.Field})+"\r")
	if end < 0 || end < 2 || end > 5 {
		return bad("MSH-2 must hold 2 to 5 encoding characters")
	}
	chars := rest[:end]
	e.Repetition = chars[1]
	if end > 2 {
		e.Escape = chars[2]
	}
	if end > 3 {
		e.Sub = chars[3]
	}
	seen := string([]byte{e.Field}) + chars
	for i := range len(seen) {
		c := seen[i]
		if c <= ' ' || c > '~' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(seen[:i], c) >= 0 {
			return bad("encoding characters must be different ones, and no letters, digits or spaces")
		}
	}
	return e, nil
}

// Unescape returns the text that s stands for. Highlighting is left out, line breaks
// become "\n", and what is no escape sequence stays as it is.
//
// See section 2.7 of chapter 2.
func (e *Encoding) Unescape(s string) string {
	if e.Escape == 0 || strings.IndexByte(s, e.Escape) < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for len(s) > 0 {
		start := strings.IndexByte(s, e.Escape)
		if start < 0 {
			break
		}
		end := strings.IndexByte(s[start+1:], e.Escape)
		if end < 0 {
			break
		}
		b = append(b, s[:start]...)
		sequence := s[start+1 : start+1+end]
		text, ok := e.sequence(sequence)
		if !ok { // the next escape character may begin one
			b = append(b, s[start:start+1+end]...)
			s = s[start+1+end:]
			if isPrivate(sequence) { // it is over
				b = append(b, e.Escape)
				s = s[1:]
			}
			continue
		}
		b = append(b, text...)
		s = s[start+end+2:]
	}
	return string(append(b, s...))
}

// isPrivate reports whether a sequence is one whose meaning only its sender knows.
func isPrivate(s string) bool {
	return s != "" && strings.IndexByte("CMZ", s[0]) >= 0 && !strings.ContainsAny(s, " ")
}

// sequence returns what stands for one escape sequence, without its escape characters.
func (e *Encoding) sequence(s string) (string, bool) {
	switch s {
	case "F":
		return string(rune(e.Field)), true
	case "S":
		return string(rune(e.Component)), true
	case "R":
		return string(rune(e.Repetition)), true
	case "E":
		return string(rune(e.Escape)), true
	case "T":
		return string(rune(e.Sub)), e.Sub != 0
	case "H", "N":
		return "", true
	case ".br", ".ce":
		return "\n", true
	case ".fi", ".nf":
		return "", true
	}
	switch {
	case strings.HasPrefix(s, ".sp"):
		n, err := strconv.Atoi(strings.TrimLeft(s[3:], "+"))
		if s == ".sp" {
			n, err = 1, nil
		}
		if err != nil || n < 1 || n > 100 {
			return "", false
		}
		return strings.Repeat("\n", n), true
	case strings.HasPrefix(s, ".in"), strings.HasPrefix(s, ".ti"), strings.HasPrefix(s, ".sk"):
		return "", true
	case strings.HasPrefix(s, "X"):
		raw, err := hex.DecodeString(s[1:])
		if err != nil || len(raw) == 0 {
			return "", false
		}
		if utf8.Valid(raw) {
			return string(raw), true
		}
		return fromLatin(raw), true
	}
	return "", false
}

// Escaped returns text as it is written within a field.
func (e *Encoding) Escaped(text string) string { return string(e.AppendEscaped(nil, text)) }

// AppendEscaped appends text as it is written within a field. Without an escape
// character, what cannot be written becomes a space.
func (e *Encoding) AppendEscaped(b []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		name := ""
		switch {
		case c == e.Field:
			name = "F"
		case c == e.Component:
			name = "S"
		case c == e.Repetition:
			name = "R"
		case c == e.Sub && c != 0:
			name = "T"
		case c == e.Escape && c != 0:
			name = "E"
		case c == '\n':
			name = ".br"
		case c < ' ' && c != '\t':
			name = "X" + strings.ToUpper(hex.EncodeToString([]byte{c}))
		default:
			b = append(b, c)
			continue
		}
		if e.Escape == 0 {
			b = append(b, ' ')
			continue
		}
		b = append(append(append(b, e.Escape), name...), e.Escape)
	}
	return b
}
