package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
	"golang.org/x/text/unicode/norm"
)

// A string is found by its beginning, without regard to case, accents, punctuation
// and the width of white space.
//
// See https://hl7.org/fhir/R4/search.html#string.

// maxString is how much of a text is indexed and compared, in bytes: what fits an
// index entry of any engine with room to spare.
const maxString = 500

// unaccented are letters with a stroke or of two parts, which Unicode does not
// take apart, by how people type them without the key.
var unaccented = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ł': "l", 'þ': "th", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ς': "σ",
}

// Fold returns s as strings are compared: lower case, without accents and
// punctuation, with single spaces. Dashes and underscores part words as spaces do:
// "García-Núñez" becomes "garcia nunez". A text of nothing but punctuation keeps it.
// Fold(Fold(s)) is Fold(s).
func Fold(s string) string {
	if out, ok := foldASCII(s); ok {
		return out
	}
	if out := foldRunes(s, true); out != "" {
		return out
	}
	return foldRunes(s, false)
}

// foldASCII is Fold for plain ASCII text. When s is folded already, it is returned as it is.
func foldASCII(s string) (string, bool) {
	plain := len(s) > 0 && s[0] != ' ' && s[len(s)-1] != ' '
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return "", false
		}
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == ' ' && i > 0 && s[i-1] != ' ') {
			plain = false
		}
	}
	if plain {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', strings.IndexByte("$+<=>^`|~", c) >= 0:
			b = append(b, c)
		case c <= ' ' || c == '-' || c == '_' || c == 0x7f:
			if len(b) > 0 && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
		}
	}
	out := strings.TrimSuffix(string(b), " ")
	return out, out != ""
}

// foldRunes is Fold for any text; without punctuation when strip is set.
func foldRunes(s string, strip bool) string {
	var b strings.Builder
	space := false
	add := func(r rune) {
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, "\ufffd")) {
		r = unicode.ToLower(unicode.ToUpper(r))
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = true
		case strip && unicode.In(r, unicode.Pd, unicode.Pc):
			space = true
		case strip && unicode.IsPunct(r):
		case unaccented[r] != "":
			for _, plain := range unaccented[r] {
				add(plain)
			}
		default:
			for _, part := range norm.NFKD.String(string(unicode.ToLower(r))) {
				if !unicode.Is(unicode.Mn, part) {
					add(part)
				}
			}
		}
	}
	return b.String()
}

// cut returns at most the first maxString bytes of s, whole characters only.
func cut(s string) string {
	if len(s) <= maxString {
		return s
	}
	n := maxString
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// stringEmit returns how a string of type t is indexed; nil when t is no string.
func stringEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t.Is("HumanName"):
		return emitName
	case t.Is("Address"):
		return emitAddress
	case t.Is("string"):
		return emitString
	}
	return nil
}

func emitString(x *extractor, l *leaf, n element.Node) {
	if n == element.None || x.d.Kind(n) != element.String {
		return
	}
	x.text(l, x.d.Bytes(n), l.tails)
}

// maxWords bounds the rows of one name.
const maxWords = 12

// text adds a text, and with tails what is left of it from each later word on.
func (x *extractor) text(l *leaf, b []byte, tails bool) {
	exact := string(b[:min(len(b), 4*maxString)])
	folded := cut(Fold(exact))
	if folded == "" {
		return
	}
	exact = cut(exact)
	if folded == exact {
		folded = exact // one copy in memory
	}
	x.ix.Strings = append(x.ix.Strings, Text{l.param, folded, exact})
	if !tails {
		return
	}
	for range maxWords {
		_, rest, more := strings.Cut(folded, " ")
		if !more {
			return
		}
		folded = rest
		x.ix.Strings = append(x.ix.Strings, Text{Param: l.param, Folded: folded})
	}
}

// parts adds the texts under the members called names.
func (x *extractor) parts(l *leaf, n element.Node, tails bool, names ...string) {
	for _, name := range names {
		x.each(n, name, func(c element.Node) {
			if x.d.Kind(c) == element.String {
				x.text(l, x.d.Bytes(c), tails)
			}
		})
	}
}

func emitName(x *extractor, l *leaf, n element.Node) {
	x.parts(l, n, true, "family", "given", "text")
	x.parts(l, n, false, "prefix", "suffix")
}

func emitAddress(x *extractor, l *leaf, n element.Node) {
	x.parts(l, n, false, "text", "line", "city", "district", "state", "postalCode", "country")
}

// parseString reads one value of a string parameter, still escaped.
func parseString(modifier, raw string) Value {
	v := Value{Raw: raw, Text: unescape(raw)}
	if modifier != "exact" {
		v.Text = Fold(v.Text)
	}
	v.Text = cut(v.Text)
	return v
}

// holds compares the stored t with v.
func (t Text) holds(modifier string, v *Value) bool {
	switch modifier {
	case "exact":
		return t.Exact == v.Text
	case "contains":
		return strings.Contains(t.Folded, v.Text)
	}
	return strings.HasPrefix(t.Folded, v.Text)
}
