package page

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// clean returns text as it is printed: composed (NFC), with line breaks as \n and
// other white space as blanks. What has no meaning on paper is left out when it is
// invisible, and shows as missing when it could make a reader see another text than
// the one that is there (control characters, changes of direction).
func clean(text string) string {
	if plain(text) {
		return text
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, string(missing)), "\r\n", "\n")
	return strings.Map(printed, norm.NFC.String(text))
}

// plain reports that text is what clean would return: nearly all is.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' || c == 0x7F {
			return false
		}
	}
	return true
}

// printed returns what stands for a character, and -1 for nothing.
func printed(r rune) rune {
	switch {
	case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\u0085' || r == '\r':
		return '\n'
	case r == '\u00AD' || r == '\u200B' || r == '\uFEFF': // where a word may be parted
		return -1
	case r == '\u00A0' || r == '\u202F':
		return '\u00A0'
	case r == '\u200C' || r == '\u200D': // they join what a reader of the text may need
		return r
	case unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cs), r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
		return missing
	}
	return r
}

// char is a character in its face.
type char struct {
	r rune
	f face
}

// style is how a text is set.
type style struct {
	size    float64 // in points
	leading float64 // from line to line, in points
	face    face    // of what is not marked otherwise
	grey    bool    // less in the foreground
}

// line is one line of set text.
type line struct {
	chars []char // with the blank it ends in, which does not print
	style style
}

// setter sets text.
type setter struct{ fonts [faces]*font }

// lines breaks spans into lines of a width. A word that is wider is parted.
func (s *setter) lines(spans []Span, st style, width float64) []line {
	chars := characters(spans, st.face)
	var out []line
	for len(chars) > 0 {
		n := s.fit(chars, width/st.size)
		l := line{chars: chars[:n:n], style: st}
		if chars[n-1].r == '\n' {
			l.chars = append(l.chars[:n-1:n-1], char{' ', chars[n-1].f})
		}
		out = append(out, l)
		chars = chars[n:]
	}
	return out
}

// characters returns the characters of spans.
func characters(spans []Span, base face) []char {
	var out []char
	for _, span := range spans {
		f := base | faceOf(span.Bold, span.Italic)
		for _, r := range clean(span.Text) {
			out = append(out, char{r, f})
		}
	}
	return out
}

// slack is how much wider than it may be a line can come out by adding widths up in
// another order, in ems.
const slack = 1e-3

// fit returns how many of the characters make the first line, at least one. The
// width is in ems. Blanks at its end may stick out.
func (s *setter) fit(chars []char, width float64) int {
	at, last := 0.0, 0
	for i, c := range chars {
		if c.r == '\n' {
			return i + 1
		}
		if c.r == ' ' {
			last = i + 1
			at += s.fonts[c.f].width(c.r)
			continue
		}
		at += s.fonts[c.f].width(c.r)
		if at > width+slack && i > 0 {
			if last > 0 {
				return last
			}
			return i
		}
		if breaksAfter(chars, i) {
			last = i + 1
		}
	}
	return len(chars)
}

// breaksAfter reports whether a line may end after the character at i, though no
// blank follows: after a hyphen between letters and after a dash.
func breaksAfter(chars []char, i int) bool {
	switch chars[i].r {
	case '–', '—':
		return true
	case '-':
		return i > 0 && unicode.IsLetter(chars[i-1].r) && i+1 < len(chars) && unicode.IsLetter(chars[i+1].r)
	}
	return false
}

// measure returns how wide characters are at one point of size.
func (s *setter) measure(chars []char) float64 {
	w := 0.0
	for _, c := range chars {
		w += s.fonts[c.f].width(c.r)
	}
	return w
}

// natural returns the width of text whose lines end only where it says so, and that
// of its longest word, at one point of size.
func (s *setter) natural(text string, f face) (whole, word float64) {
	at, in := 0.0, 0.0
	for _, r := range clean(text) {
		switch w := s.fonts[f].width(r); r {
		case '\n':
			at, in = 0, 0
		case ' ':
			at, in = at+w, 0
		default:
			at, in = at+w, in+w
		}
		whole, word = max(whole, at), max(word, in)
	}
	return whole, word
}
