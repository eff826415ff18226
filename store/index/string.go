package index

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// maxFolded is how many characters of a string are in the b-tree; the rest is
// compared row by row.
const maxFolded = 120

// String is a row of string_value.
type String struct {
	Param  uint16
	Folded string // at most maxFolded characters
	Whole  string // all of the folded text where it is longer; else ""
	Exact  string // as written, where that differs from the folded text; else ""
	Mark   int16
}

func (s String) compare(t String) int {
	return cmp.Or(cmp.Compare(s.Param, t.Param), cmp.Compare(s.Folded, t.Folded), cmp.Compare(s.Whole, t.Whole),
		cmp.Compare(s.Exact, t.Exact), cmp.Compare(s.Mark, t.Mark))
}

func texts(all []search.Text) []String {
	if len(all) == 0 {
		return nil
	}
	rows := make([]String, len(all))
	for i, t := range all {
		t.Folded, t.Exact = withoutNUL(t.Folded), withoutNUL(t.Exact)
		rows[i] = String{Param: t.Param, Folded: cut(t.Folded)}
		if len(rows[i].Folded) < len(t.Folded) {
			rows[i].Whole = t.Folded
		}
		if t.Exact != t.Folded {
			rows[i].Exact = t.Exact
		}
	}
	rows = sortedSet(rows, String.compare)
	mark(rows, func(s *String) uint16 { return s.Param }, func(s *String, m int16) { s.Mark |= m })
	return rows
}

// withoutNUL drops the one character that PostgreSQL cannot hold in a text.
func withoutNUL(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// cut returns the first maxFolded characters of s.
func cut(s string) string {
	if len(s) <= maxFolded {
		return s
	}
	end := 0
	for range maxFolded {
		if end == len(s) {
			break
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end]
}

// afterLast sorts after every character that a text may hold, in binary order of UTF-8.
const afterLast = "\U0010FFFF"

// stringValue appends how a text compares with that of a row x: it begins with
// the query's, or with :contains has it anywhere, or with :exact equals it.
//
// See https://hl7.org/fhir/R4/search.html#string.
func (c *Condition) stringValue(m *search.Match, v *search.Value) error {
	text := withoutNUL(v.Text)
	switch m.Modifier {
	case "", "not":
		c.prefix(text)
	case "contains":
		position := "strpos"
		if c.Dialect == SQLite {
			position = "instr"
		}
		c.Add(position, "(coalesce(x.whole, x.folded), ").Arg(text).Add(") > 0")
	case "exact":
		c.Add("coalesce(x.exact, x.whole, x.folded) = ").Arg(text)
	default:
		return fhir.Errorf(fhir.NotSupported, "modifier :%s on a string parameter is not supported", m.Modifier)
	}
	return nil
}

func (c *Condition) prefix(text string) {
	head := cut(text)
	if head == text {
		c.Add("x.folded >= ").Arg(text).Add(" AND x.folded < ").Arg(text + afterLast)
		return
	}
	length := int64(utf8.RuneCountInString(text))
	c.Add("x.folded = ").Arg(head).Add(" AND substr(x.whole, 1, ").Int(length)
	if c.Dialect == Postgres {
		c.Add("::integer")
	}
	c.Add(") = ").Arg(text)
}
