package xml

import (
	"bytes"
	"html"
	"strconv"
	"unicode/utf8"
)

// checkReferences makes sure that every & in raw, which stands at an offset,
// begins a reference that XML knows without any declaration.
//
// See https://www.w3.org/TR/xml/#sec-references.
func checkReferences(raw []byte, at int) *fault {
	for i := 0; ; {
		k := bytes.IndexByte(raw[i:], '&')
		if k < 0 {
			return nil
		}
		i += k
		_, n := reference(raw[i:])
		if n == 0 {
			return wrong(badReference, at+i, hint(raw[i:]))
		}
		i += n
	}
}

// maxReference is how long a reference may be.
const maxReference = 32

// hint says how to write an entity of HTML in XML.
func hint(raw []byte) string {
	end := bytes.IndexByte(raw[:min(len(raw), maxReference)], ';')
	if end < 0 {
		return "a bare & must be written as &amp;"
	}
	name := string(raw[:end+1])
	if text, ok := entity(name); ok {
		return name + " is of HTML, not of XML: write " + text
	}
	return quote(raw[:end+1])
}

// entity returns the character references that an entity of HTML such as &nbsp;
// stands for.
func entity(name string) (string, bool) {
	text := html.UnescapeString(name)
	if text == name || len(name) < 4 || name[1] == '#' {
		return "", false
	}
	out := ""
	for _, c := range text {
		if c == ';' || c == '&' { // only a part of the name was known
			return "", false
		}
		out += "&#" + strconv.Itoa(int(c)) + ";"
	}
	return out, true
}

// reference reads the reference that raw begins with, and returns its character
// and its length, 0 when it is none.
func reference(raw []byte) (rune, int) {
	end := bytes.IndexByte(raw[:min(len(raw), maxReference)], ';')
	if end < 2 {
		return 0, 0
	}
	name := raw[1:end]
	if name[0] != '#' {
		switch string(name) {
		case "lt":
			return '<', end + 1
		case "gt":
			return '>', end + 1
		case "amp":
			return '&', end + 1
		case "quot":
			return '"', end + 1
		case "apos":
			return '\'', end + 1
		}
		return 0, 0
	}
	digits, base := name[1:], 10
	if len(digits) > 0 && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	for _, c := range digits {
		if !(c >= '0' && c <= '9' || base == 16 && c|0x20 >= 'a' && c|0x20 <= 'f') {
			return 0, 0 // ParseUint would take an underscore or a sign
		}
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || n > utf8.MaxRune || !isCharacter(rune(n)) {
		return 0, 0
	}
	return rune(n), end + 1
}

// isCharacter reports whether XML may hold c.
func isCharacter(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c < 0xd800 || c >= 0xe000 && c < 0xfffe || c > 0xffff && c <= utf8.MaxRune
}

// decode appends the value that raw, the inside of a good attribute, stands for.
// A line end is one line feed. It is not made a space, though XML 1.0 says so in
// section 3.3.3: the published examples in XML and JSON agree that it counts, and
// much markdown would be lost.
func decode(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case '&':
			p, n := reference(raw[i:])
			dst = utf8.AppendRune(dst, p)
			i += n
		case '\r':
			dst = append(dst, '\n')
			if i++; i < len(raw) && raw[i] == '\n' {
				i++
			}
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// simple reports whether raw stands for itself.
func simple(raw []byte) bool { return !bytes.ContainsAny(raw, "&\r") }

// appendValue appends text as the inside of an attribute in double quotes. It
// reports whether XML can hold every character.
func appendValue(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '"':
			dst = append(dst, "&quot;"...)
		case c < ' ':
			if !isSpace(c) {
				return dst, false
			}
			dst = append(dst, "&#"...)
			dst = strconv.AppendInt(dst, int64(c), 10)
			dst = append(dst, ';')
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			p, n := utf8.DecodeRune(text[i:])
			if !isCharacter(p) || p == utf8.RuneError && n == 1 {
				return dst, false
			}
			dst = append(dst, text[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	return dst, true
}
