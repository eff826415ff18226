package giis

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Name writes a name as the guide wants it: capitals without accents, Ñ kept, blanks
// single, and of other characters only those that it takes, none beside another. A
// character that it does not take becomes a blank.
func Name(s string) string {
	var b strings.Builder
	last := ' '
	for _, r := range norm.NFD.String(strings.ReplaceAll(strings.ToUpper(norm.NFC.String(s)), "Ñ", "\x00")) {
		switch {
		case r == 0:
			r = 'Ñ'
		case r >= 0x300 && r < 0x370: // accents, which NFD has parted from their letters
			continue
		case r == '’' || r == '´' || r == '`':
			r = '\''
		case r >= 'A' && r <= 'Z':
		case !strings.ContainsRune(specials, r):
			r = ' '
		}
		special := strings.ContainsRune(specials, r)
		if r == ' ' && last == ' ' || special && strings.ContainsRune(specials, last) {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	out := []rune(strings.TrimSpace(b.String()))
	if len(out) > 50 {
		out = out[:50]
	}
	return strings.TrimSpace(string(out))
}

// specials are the characters of names that are no letters.
const specials = "-,./'¨"

// Disease writes a code of the CIE-10 as the guide wants it: R30.0 is R300, and R69 is
// R69X. "" is one that has no such form.
func Disease(code string) string {
	c := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(code), ".", ""))
	if len(c) == 3 {
		c += "X"
	}
	if len(c) > 4 {
		c = c[:4]
	}
	if !diseaseForm.MatchString(c) {
		return ""
	}
	return c
}
