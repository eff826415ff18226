package naive

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fold makes two texts alike that differ in case, accents, punctuation or white
// space only. Dashes and low lines part words.
//
// See https://hl7.org/fhir/R4/search.html#string.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.Is(unicode.Pd, r), unicode.Is(unicode.Pc, r), unicode.IsSpace(r), unicode.IsControl(r):
			b.WriteByte(' ')
		case unicode.IsPunct(r):
		case r == 'ß':
			b.WriteString("ss")
		case r == 'ø' || r == 'Ø':
			b.WriteByte('o')
		case r == 'æ' || r == 'Æ':
			b.WriteString("ae")
		case r == 'ł' || r == 'Ł':
			b.WriteByte('l')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	if out := strings.Join(strings.Fields(b.String()), " "); out != "" {
		return out
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// stringValue is a text. In a name, later words begin it as well.
type stringValue struct {
	text string
	name bool
}

func readString(datatype string, v any) []value {
	var all []value
	add := func(name bool, paths ...string) {
		for _, path := range paths {
			for _, s := range texts(v, path) {
				all = append(all, stringValue{s, name})
			}
		}
	}
	switch datatype {
	case "string":
		add(false, "")
	case "name":
		add(true, "")
	case "HumanName":
		add(true, "family", "given", "text")
		add(false, "prefix", "suffix")
	case "Address":
		add(false, "text", "line", "city", "district", "state", "postalCode", "country")
	}
	return all
}

func (s stringValue) matches(modifier, text string) bool {
	switch modifier {
	case "exact":
		return s.text == text
	case "contains":
		return strings.Contains(fold(s.text), fold(text))
	}
	have, want := fold(s.text), fold(text)
	if !s.name {
		return strings.HasPrefix(have, want)
	}
	return strings.HasPrefix(have, want) || strings.Contains(have, " "+want)
}
