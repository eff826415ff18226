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
	if folded(s) {
		return s
	}
	if out := foldLatin(s); out != "" {
		return out
	}
	if out := foldRunes(s, true); out != "" {
		return out
	}
	return foldRunes(s, false)
}

// folded reports whether s is plain text that Fold leaves as it is.
func folded(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ':
		default:
			return false
		}
	}
	return true
}

// latin holds what becomes of each letter of the Latin blocks, since nearly all
// names here are made of them. A space parts words, "" is dropped.
var latin = func() (table [0x180]string) {
	for r := range table {
		table[r] = foldRunes(string(rune(r)), true)
		if table[r] == "" && foldRunes("a"+string(rune(r))+"a", true) == "a a" {
			table[r] = " "
		}
	}
	return table
}()

// foldLatin is Fold for text in the Latin blocks; "" for any other, and for text of
// nothing but punctuation.
func foldLatin(s string) string {
	b := make([]byte, 0, len(s)+8)
	space := false
	for _, r := range s {
		if r >= rune(len(latin)) {
			return ""
		}
		switch out := latin[r]; out {
		case "":
		case " ":
			space = true
		default:
			if space && len(b) > 0 {
				b = append(b, ' ')
			}
			space = false
			b = append(b, out...)
		}
	}
	return string(b)
}

// foldRunes is Fold for any text; without punctuation when strip is set.
func foldRunes(s string, strip bool) string {
	// Lower case can bring up letters that come apart once more.
	for range 3 {
		out := foldOnce(norm.NFKD.String(s), strip)
		if out == s {
			break
		}
		s = out
		if ascii(s) {
			break
		}
	}
	return s
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldOnce folds a text whose letters and accents stand apart already. What is no
// valid UTF-8 becomes the replacement character.
func foldOnce(s string, strip bool) string {
	b := make([]byte, 0, len(s))
	space := false
	for _, r := range s {
		r = unicode.ToLower(unicode.ToUpper(r))
		switch {
		case unicode.Is(unicode.Mn, r), strip && unicode.IsPunct(r) && !unicode.In(r, unicode.Pd, unicode.Pc):
			continue
		case unicode.IsSpace(r), unicode.IsControl(r), strip && unicode.In(r, unicode.Pd, unicode.Pc):
			space = true
			continue
		}
		if space && len(b) > 0 {
			b = append(b, ' ')
		}
		space = false
		if plain, ok := unaccented[r]; ok {
			b = append(b, plain...)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
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
	x.ix.Strings = append(x.ix.Strings, Text{Param: l.param, Folded: folded, Exact: exact, Pair: x.pairing})
	if !tails {
		return
	}
	for range maxWords {
		_, rest, more := strings.Cut(folded, " ")
		if !more {
			return
		}
		folded = rest
		x.ix.Strings = append(x.ix.Strings, Text{Param: l.param, Folded: folded, Pair: x.pairing})
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
	case "equal":
		return t.Exact != "" && t.Folded == v.Text
	case "ends":
		return t.Exact != "" && strings.HasSuffix(t.Folded, v.Text)
	}
	return strings.HasPrefix(t.Folded, v.Text)
}
