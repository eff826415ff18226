package match

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// particles of surnames, which come and go between records: DE LA CRUZ and CRUZ.
var particles = words("DA DAS DE DEL DER DI DIE DD EL LA LOS LAS LE LES MAC MC VAN VON Y DOS DO")

// nobody are words that stand in the place of a name without being one.
var nobody = words("X XX XXX NN SN NO NA NINGUNO NINGUNA DESCONOCIDO DESCONOCIDA ESPECIFICADO ESPECIFICADA IDENTIFICADO IDENTIFICADA SE IGNORA RN " +
	"RECIEN NACIDO NACIDA BEBE BABY BOY GIRL MENOR HIJO HIJA FEMENINO MASCULINO UNKNOWN NONE TEST PRUEBA NULL")

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// Fold returns s in the capital letters A to Z and digits, in words parted by single
// blanks: without accents, Ñ as N, and every other sign as the end of a word.
func Fold(s string) string {
	b := make([]byte, 0, len(s))
	gap := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r >= 0x300 && r < 0x370, r == '\'', r == '’', r == '.':
			continue // an accent, O'HARA, MA.
		case r == 'ß':
			r = 'S'
		case r == 'ø' || r == 'Ø':
			r = 'O'
		case r == 'æ' || r == 'Æ':
			r = 'A'
		default:
			gap = len(b) > 0
			continue
		}
		if gap {
			b, gap = append(b, ' '), false
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// Names returns the words of a given name as they are compared: folded, short forms
// written out, and without particles. What stands for no name gives none.
func Names(s string) []string {
	all := strings.Fields(Fold(s))
	kept := all[:0]
	named := false
	for _, w := range all {
		switch w {
		case "MA", "M":
			if len(all) > 1 && len(kept) == 0 {
				w = "MARIA"
			}
		case "J":
			if len(all) > 1 && len(kept) == 0 {
				w = "JOSE"
			}
		}
		if particles[w] && len(all) > 1 {
			continue
		}
		named = named || !nobody[w]
		kept = append(kept, w)
	}
	if !named {
		return nil
	}
	return kept
}

// Surnames returns the surnames of a family name in order, each one word: particles
// fall away, and so do the later words of a compound one only when it is given alone.
func Surnames(s string) []string {
	all := strings.Fields(Fold(s))
	kept := all[:0]
	for i, w := range all {
		if particles[w] && (i+1 < len(all) || len(kept) > 0) {
			continue
		}
		if !nobody[w] {
			kept = append(kept, w)
		}
	}
	return kept
}

// digits returns the digits of s.
func digits(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Telephone returns the last ten digits of a number, which is what a Mexican number
// has without the codes of country and mobile; "" when there are fewer than seven, or
// they are all the same.
func Telephone(s string) string {
	d := digits(s)
	if len(d) > 10 {
		d = d[len(d)-10:]
	}
	if len(d) < 7 || strings.Count(d, d[:1]) == len(d) {
		return ""
	}
	return d
}
