package index

import (
	"cmp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// String is a row of string_value.
type String struct {
	Param  uint16
	Folded string
	Exact  string // as written, where that differs from the folded text; else ""
	Mark   int16  // with MarkTail: Folded is not the whole text
	Pair   search.Pair
}

func (s String) compare(t String) int {
	return cmp.Or(cmp.Compare(s.Param, t.Param), cmp.Compare(s.Mark&MarkTail, t.Mark&MarkTail),
		cmp.Compare(s.Folded, t.Folded), cmp.Compare(s.Exact, t.Exact), comparePairs(s.Pair, t.Pair), cmp.Compare(s.Mark, t.Mark))
}

func texts(all []search.Text) []String {
	if len(all) == 0 {
		return nil
	}
	rows := make([]String, len(all))
	for i, t := range all {
		rows[i] = String{Param: t.Param, Folded: storable(t.Folded), Pair: t.Pair}
		switch t.Exact {
		case "":
			rows[i].Mark = MarkTail
		case t.Folded:
		default:
			rows[i].Exact = storable(t.Exact)
		}
	}
	rows = sortedSet(rows, String.compare)
	for i := 0; i < len(rows); {
		// Tails come last within a parameter, and do not count when sorting.
		end := i + 1
		for end < len(rows) && rows[end].Param == rows[i].Param {
			end++
		}
		whole := slices.IndexFunc(rows[i:end], func(s String) bool { return s.Mark&MarkTail != 0 })
		if whole < 0 {
			whole = end - i
		}
		markRun(rows[i:i+whole], func(s *String, m int16) { s.Mark |= m })
		i = end
	}
	slices.SortFunc(rows, String.compare)
	return rows
}

// storable drops what PostgreSQL cannot hold in a text: NUL, and what is no UTF-8.
func storable(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }

// afterLast sorts after every character that a text may hold, in binary order of UTF-8.
const afterLast = "\U0010FFFF"

// likeEscaper takes the meaning from the characters that have one in a LIKE pattern.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// longText is from where on, in bytes, a text may have been cut when it was
// indexed, so that its folded form need not be that of the query.
const longText = 400

// stringValue appends how a text compares with that of a row x: it begins with
// the query's, or with :contains has it anywhere, or with :exact equals it. _filter
// also asks for a folded text as a whole ("equal") and for its end ("ends").
//
// See https://hl7.org/fhir/R4/search.html#string.
func (c *Condition) stringValue(m *search.Match, v *search.Value) error {
	text := storable(v.Text)
	switch m.Modifier {
	case "":
		c.Add("x.folded >= ").Arg(text).Add(" AND x.folded < ").Arg(text + afterLast)
	case "contains":
		if c.Dialect == SQLite {
			c.Add("instr(x.folded, ").Arg(text).Add(") > 0")
		} else { // the planner can guess how often a pattern matches
			c.Add("x.folded LIKE ").Arg("%" + likeEscaper.Replace(text) + "%")
		}
	case "exact":
		if folded := search.Fold(text); max(len(text), len(folded)) < longText {
			c.Add("x.folded = ").Arg(folded).Add(" AND ")
		}
		c.Add("(x.exact = ").Arg(text).Add(" OR x.exact IS NULL AND x.mark < 8 AND x.folded = ").Arg(text).Add(")")
	case "equal":
		c.Add("x.mark < 8 AND x.folded = ").Arg(text)
	case "ends":
		c.Add("x.mark < 8 AND ")
		if c.Dialect == SQLite {
			c.Add("substr(x.folded, -length(").Arg(text).Add(")) = ").Arg(text)
		} else {
			c.Add("x.folded LIKE ").Arg("%" + likeEscaper.Replace(text))
		}
	default:
		return fhir.Errorf(fhir.NotSupported, "modifier :%s on a string parameter is not supported", m.Modifier)
	}
	return nil
}
