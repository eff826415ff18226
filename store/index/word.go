package index

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/search"
)

// maxWord is how much of a text the dictionary keeps, in bytes.
const maxWord = 1000

// WordText returns the text of a word as it is stored.
func WordText(text string) string {
	text = storable(text)
	if len(text) <= maxWord {
		return text
	}
	n := maxWord
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Words returns the words of x as the dictionary holds them. Their postings are
// those of the table.
func Words(x *search.Index) []search.Word {
	if len(x.Words) == 0 {
		return nil
	}
	words := slices.Clone(x.Words)
	for i := range words {
		words[i].Text = WordText(words[i].Text)
		words[i].Posting = Token(words[i].Posting)
	}
	return words
}

// CompareWords orders words as the key of the dictionary does.
func CompareWords(a, b search.Word) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Text, b.Text), cmp.Compare(a.Posting, b.Posting))
}

// words appends FROM and WHERE of the words w, in the dictionary, that m asks for:
// with :text, displays that have a word beginning with the value's text; with
// :below, what begins with the uri.
//
// See https://hl7.org/fhir/R4/search.html#modifiers.
func (c *Condition) words(m *search.Match) error {
	kind := search.DisplayWord
	if m.Modifier == "below" {
		kind = search.CodeWord
	}
	c.Add(" FROM word w WHERE w.param = ").Param(m.Param.ID).Add(" AND w.kind = ").Int(int64(kind)).Add(" AND (")
	err := c.anyOf(len(m.Values), func(i int) error {
		text := WordText(m.Values[i].Text)
		if m.Modifier == "below" {
			c.below(text)
		} else {
			c.beginsWord(text)
		}
		return nil
	})
	c.Add(")")
	return err
}

func (c *Condition) below(uri string) {
	c.Add("w.text >= ").Arg(uri).Add(" AND w.text < ").Arg(uri + afterLast)
}

func (c *Condition) beginsWord(text string) {
	c.Add("w.text >= ").Arg(text).Add(" AND w.text < ").Arg(text + afterLast).Add(" OR ")
	if c.Dialect == SQLite {
		c.Add("instr(w.text, ").Arg(" " + text).Add(") > 0")
	} else {
		c.Add("strpos(w.text, ").Arg(" " + text).Add(") > 0")
	}
}
