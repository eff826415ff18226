package prescription

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Group is how a medicine is prescribed and sold: the fractions of article 226 of the Ley
// General de Salud.
//
// See https://www.diputados.gob.mx/LeyesBiblio/pdf/LGS.pdf.
type Group struct {
	Fraction   string // "I" to "IV"; "" where the table does not have it
	Antibiotic bool   // its prescription is kept by the pharmacy
}

// Controlled reports whether a prescription of this group needs a special form, or a
// pharmacy that is licensed for it.
func (g Group) Controlled() bool {
	return g.Fraction == "I" || g.Fraction == "II" || g.Fraction == "III"
}

// Groups are the medicines whose group is known.
type Groups []groupRow

type groupRow struct {
	atc  string // what codes of ATC begin with
	word string // of generic names, folded
	of   Group
}

//go:embed group.tsv
var groupText string

// DefaultGroups is a table of what is prescribed most. It is no list of the authority: who
// runs a server replaces it by that of COFEPRIS.
var DefaultGroups = sync.OnceValue(func() Groups {
	g, err := ParseGroups(groupText)
	if err != nil {
		panic(err) // it is part of the program
	}
	return g
})

// ParseGroups reads a table: on each line, parted by tabs, what the ATC code begins with,
// a word of the generic name, the fraction, and "antibiotic" or nothing.
func ParseGroups(text string) (Groups, error) {
	var all Groups
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		for len(f) < 4 {
			f = append(f, "")
		}
		row := groupRow{atc: strings.TrimSpace(f[0]), word: fold(f[1]), of: Group{strings.TrimSpace(f[2]), strings.TrimSpace(f[3]) == "antibiotic"}}
		switch row.of.Fraction {
		case "I", "II", "III", "IV", "V", "VI":
		default:
			return nil, fmt.Errorf("line %d: the group is a fraction of article 226, I to VI, not %.20q", i+1, row.of.Fraction)
		}
		if len(f) > 4 || row.atc == "" && row.word == "" || f[3] != "" && !row.of.Antibiotic {
			return nil, fmt.Errorf("line %d: it has an ATC code, a name, a fraction, and antibiotic or nothing", i+1)
		}
		all = append(all, row)
	}
	return all, nil
}

// Of returns the strictest group of what is prescribed.
func (g Groups) Of(ingredients []Ingredient) Group {
	var is Group
	for i := range ingredients {
		words := strings.Fields(fold(ingredients[i].Name))
		for _, row := range g {
			if !row.fits(words, ingredients[i].codes[atc]) {
				continue
			}
			if is.Fraction == "" || rank(row.of.Fraction) < rank(is.Fraction) {
				is.Fraction = row.of.Fraction
			}
			is.Antibiotic = is.Antibiotic || row.of.Antibiotic
		}
	}
	return is
}

func rank(fraction string) int {
	for i, f := range []string{"I", "II", "III", "IV", "V", "VI"} {
		if f == fraction {
			return i
		}
	}
	return 9
}

func (r *groupRow) fits(words []string, codes []string) bool {
	for _, w := range words {
		if r.word != "" && (w == r.word || len(r.word) > 5 && strings.HasPrefix(w, r.word)) {
			return true
		}
	}
	for _, c := range codes {
		if r.atc != "" && strings.HasPrefix(c, r.atc) {
			return true
		}
	}
	return false
}

// fold makes names comparable: small letters without accents, parted by single blanks.
func fold(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.IsMark(r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if blank && b.Len() > 0 {
				b.WriteByte(' ')
			}
			blank = false
			b.WriteRune(unicode.ToLower(r))
		default:
			blank = true
		}
	}
	return b.String()
}
