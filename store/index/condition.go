package index

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Condition writes the conditions of a search, in two forms: a check of one
// resource, and a SELECT of the row keys of all for which it holds. What is written
// has one shape whatever the values are, so that an engine has nothing to plan.
type Condition struct {
	*SQL
	Row  string                   // alias of the resource table
	Key  string                   // the resource's row key, wherever it is at hand first: "a.rkey"
	Keys func(ref fhir.Ref) int64 // row key of a reference's target, 0 when it is not stored
}

// Match appends a check that m holds.
// Errors: fhir.NotSupported for a search type or modifier that is not stored.
func (c *Condition) Match(m *search.Match) error {
	switch {
	case m.Modifier == "missing":
		return c.missing(m)
	case InDictionary(m):
		c.Add("EXISTS (SELECT 1")
		err := c.words(m)
		c.Add(" AND w.posting ")
		c.AmongPostings()
		c.Fence().Add(")")
		return err
	case IsPosting(m):
		c.Postings(c.PostingsOf(m))
		return nil
	}
	c.Add("EXISTS (SELECT 1")
	err := c.rows(m, func() { c.Add("x.rkey = ", c.Key, " AND ", c.unindexed(m)) }, func(i int) error { return c.value(m, i) })
	c.Fence().Add(")")
	return err
}

// unindexed keeps an engine from looking up the parameter that follows it in an index
// of the values of all resources: to check one resource it would go through whatever
// matches. SQLite takes a parameter to be as rare as a row key; PostgreSQL, which plans
// once for all values, takes a range of them to be narrow. Where pairs are compared, a
// condition as a whole follows, which only SQLite can put a plus before.
//
// See https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_.
func (c *Condition) unindexed(m *search.Match) string {
	if c.Dialect == Postgres && IsPair(m) {
		return ""
	}
	return "+"
}

// Set appends a SELECT of the row keys of all resources for which m holds, perhaps
// some several times. m has no modifier :missing.
func (c *Condition) Set(m *search.Match) error {
	switch {
	case InDictionary(m):
		c.Add("SELECT x.rkey FROM (SELECT w.posting")
		err := c.words(m)
		c.Fence().Add(") w")
		c.Join("x.rkey", "posting", "x", func() { c.Add("x.posting = w.posting") })
		return err
	case IsPosting(m):
		c.PostingSet(c.PostingsOf(m))
		return nil
	case m.Compared == spec.Date && m.Modifier == "" && !IsPair(m):
		return c.dateSet(m)
	case len(m.Values) == 0:
		c.Add("SELECT x.rkey FROM resource x WHERE FALSE")
		return nil
	case len(m.Values) > manyParts:
		c.Add("SELECT x.rkey")
		return c.rows(m, func() {}, func(i int) error { return c.value(m, i) })
	}
	for i := range m.Values {
		if i > 0 {
			c.Add(" UNION ALL ")
		}
		if err := c.setOf(m, i); err != nil {
			return err
		}
	}
	return nil
}

// setOf appends the SELECT of Set for one value, in parts that an index can start from.
func (c *Condition) setOf(m *search.Match, i int) error {
	one := *m
	one.Values = m.Values[i : i+1]
	if t := m.Compared; t != spec.Number && t != spec.Quantity {
		c.Add("SELECT x.rkey")
		return c.rows(&one, func() {}, func(int) error { return c.value(m, i) })
	}
	for j, ranged := range []bool{false, true} {
		if j > 0 {
			c.Add(" UNION ALL ")
		}
		c.Add("SELECT x.rkey")
		if err := c.rows(&one, func() {}, func(int) error { return c.numberHalf(&m.Values[i], ranged) }); err != nil {
			return err
		}
	}
	return nil
}

// IsPosting reports whether the values that m compares are stored as postings.
func IsPosting(m *search.Match) bool {
	return m.Compared == spec.Token || m.Compared == spec.URI || m.Compared == spec.Reference
}

// InDictionary reports whether m looks at what tokens say in words.
func InDictionary(m *search.Match) bool { return m.Modifier == "text" || m.Modifier == "below" }

// IsPair reports whether the values that m compares stand for pairs.
func IsPair(m *search.Match) bool { return m.Param.Type == spec.Composite }

// rows appends FROM and WHERE of the rows x, in a table of values, that match any
// of m's values. which comes first in the WHERE.
func (c *Condition) rows(m *search.Match, which func(), value func(i int) error) error {
	table := tableOf(m.Compared)
	if table == "" {
		return fhir.Errorf(fhir.NotSupported, "search by a %s parameter is not supported", m.Param.Type)
	}
	c.Add(" FROM ", table, " x WHERE ")
	which()
	if !IsPair(m) {
		c.Add("x.param = ").Param(m.Param.ID).Add(" AND ")
	}
	c.Add("(")
	err := c.anyOf(len(m.Values), func(i int) error {
		if IsPair(m) {
			c.paired(&m.Values[i])
			c.Add(" AND ")
		}
		return value(i)
	})
	c.Add(")")
	return err
}

// value appends how value i of m compares with that of a row x.
func (c *Condition) value(m *search.Match, i int) error {
	v := &m.Values[i]
	switch m.Compared {
	case spec.Date:
		return c.dateValue(v)
	case spec.Number, spec.Quantity:
		return c.numberValue(v)
	case spec.Special:
		return c.placeValue(v)
	}
	return c.stringValue(m, v)
}

// tableOf returns the table of the values of a search type, "" when it has none.
func tableOf(t spec.SearchType) string {
	switch t {
	case spec.Date:
		return "date_value"
	case spec.Number, spec.Quantity:
		return "number_value"
	case spec.String:
		return "string_value"
	case spec.Special:
		return "place_value"
	}
	return ""
}

// missing appends the condition that a resource has no value (or some value,
// with false) for a parameter.
//
// See https://hl7.org/fhir/R4/search.html#missing.
func (c *Condition) missing(m *search.Match) error {
	if len(m.Values) == 0 {
		return fhir.Errorf(fhir.Invalid, ":missing needs true or false")
	}
	v := &m.Values[0]
	if v.Bool {
		c.Add("NOT ")
	}
	table := tableOf(m.Compared)
	switch {
	case IsPosting(m) || IsPair(m) && len(v.Tokens) > 0:
		presence := []int64{Token(search.PresenceHash(m.Param.ID))}
		for _, hash := range v.Tokens {
			presence = append(presence, Token(hash))
		}
		slices.Sort(presence)
		c.Add("(")
		c.present(slices.Compact(presence))
		if m.Param.Type == spec.Reference {
			c.Add(" OR ")
			c.linked(m.Param.ID)
		}
		c.Add(")")
	case table == "":
		return fhir.Errorf(fhir.NotSupported, ":missing on a %s parameter is not supported", m.Param.Type)
	default:
		c.Add("EXISTS (SELECT 1 FROM ", table, " x WHERE x.rkey = ", c.Key, " AND +x.param = ").Param(m.Param.ID).Fence().Add(")")
	}
	return nil
}

// present appends that the resource has one of the postings, which need not be Sought.
func (c *Condition) present(any []int64) {
	if c.Dialect == SQLite {
		c.Add("(")
		for i, p := range any {
			if i > 0 {
				c.Add(" OR ")
			}
			c.Add(HasFunction, "(", c.Row, ".postings, ").Arg(p).Add(")")
		}
		c.Add(")")
		return
	}
	c.Add(c.Row, ".postings && ").Arg(any)
}

// OnlyRow reports whether a check of m looks at the row of the resource, and not at its
// row key alone.
func (c *Condition) OnlyRow(m *search.Match) bool {
	switch {
	case InDictionary(m):
		return true
	case m.Modifier == "missing":
		return c.Dialect == Postgres || IsPosting(m) || IsPair(m)
	}
	return IsPosting(m) && OnRow(c.PostingsOf(m))
}
