package index

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Condition writes the conditions of a search on one row of resources.
type Condition struct {
	*SQL
	Row  string                   // alias of the resource table
	Keys func(ref fhir.Ref) int64 // row key of a reference's target, 0 when it is not stored

	// Drive has SQLite start from the index of this condition, rather than
	// check it on rows that another one found. PostgreSQL decides for itself.
	Drive bool
}

// starts reports whether conditions are written as a set of row keys, that the
// engine may start from, and not as a check of one row.
func (c *Condition) starts() bool { return c.Dialect == Postgres || c.Drive }

// Match appends the condition that m states.
// Errors: fhir.NotSupported for a search type or modifier that is not stored.
func (c *Condition) Match(m *search.Match) error {
	if m.Modifier == "missing" {
		return c.missing(m)
	}
	if IsPosting(m.Param) {
		c.Postings(c.PostingsOf(m))
		return nil
	}
	if c.starts() {
		c.Add(c.Row, ".rkey IN (SELECT x.rkey")
	} else {
		c.Add("EXISTS (SELECT 1")
	}
	err := c.rows(m)
	if !c.starts() {
		c.Add(" AND x.rkey = ", c.Row, ".rkey")
	}
	c.Add(")")
	return err
}

// Set appends a SELECT of the row keys of all resources for which m holds. m has
// no modifier :missing.
func (c *Condition) Set(m *search.Match) error {
	if !IsPosting(m.Param) {
		c.Add("SELECT x.rkey")
		return c.rows(m)
	}
	c.PostingSet(c.PostingsOf(m))
	return nil
}

// IsPosting reports whether the values of param are stored as postings.
func IsPosting(param *spec.SearchParam) bool {
	return param.Type == spec.Token || param.Type == spec.URI || param.Type == spec.Reference
}

// rows appends FROM and WHERE of the rows x, in a table of values, that m matches.
func (c *Condition) rows(m *search.Match) error {
	var value func(*Condition, *search.Match, *search.Value) error
	switch m.Param.Type {
	case spec.Date:
		value = (*Condition).dateValue
	case spec.Number, spec.Quantity:
		value = (*Condition).numberValue
	case spec.String:
		value = (*Condition).stringValue
	default:
		return fhir.Errorf(fhir.NotSupported, "search by a %s parameter is not supported", m.Param.Type)
	}
	c.Add(" FROM ", tableOf(m.Param.Type), " x WHERE x.param = ").Param(m.Param.ID).Add(" AND (")
	err := c.anyOf(len(m.Values), func(i int) error { return value(c, m, &m.Values[i]) })
	c.Add(")")
	return err
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
	if m.Values[0].Bool {
		c.Add("NOT ")
	}
	table := tableOf(m.Param.Type)
	switch {
	case IsPosting(m.Param):
		c.Add("(")
		c.Postings([]int64{Token(search.PresenceHash(m.Param.ID))})
		if m.Param.Type == spec.Reference {
			c.Add(" OR ")
			c.linked(m.Param.ID)
		}
		c.Add(")")
	case table == "":
		return fhir.Errorf(fhir.NotSupported, ":missing on a %s parameter is not supported", m.Param.Type)
	default:
		c.Add("EXISTS (SELECT 1 FROM ", table, " x WHERE x.rkey = ", c.Row, ".rkey AND x.param = ").Param(m.Param.ID).Add(")")
	}
	return nil
}

// PostingsOf returns the postings of which a resource must have one for m to hold, ascending.
func (c *Condition) PostingsOf(m *search.Match) []int64 {
	var any []int64
	for i := range m.Values {
		for _, hash := range m.Values[i].Tokens {
			any = append(any, Token(hash))
		}
		for _, ref := range m.Values[i].Refs {
			if key := c.Keys(ref.Current()); key != 0 {
				any = append(any, Link(m.Param.ID, key))
			}
		}
	}
	slices.Sort(any)
	return slices.Compact(any)
}

// Postings appends the condition that a resource has one of the postings.
func (c *Condition) Postings(any []int64) {
	switch {
	case len(any) == 0:
		c.Add("FALSE")
	case c.Dialect == Postgres:
		c.Add(c.Row, ".postings && ").Arg(any)
	case c.Drive:
		c.Add(c.Row, ".rkey IN (")
		c.PostingSet(any)
		c.Add(")")
	default:
		c.Add("EXISTS (SELECT 1 FROM posting x WHERE ").AnyInt("x.posting", any).Add(" AND x.rkey = ", c.Row, ".rkey)")
	}
}

// PostingSet appends a SELECT of the row keys of all resources that have one of the postings.
func (c *Condition) PostingSet(any []int64) {
	switch {
	case c.Dialect == Postgres && len(any) > 0:
		c.Add("SELECT x.rkey FROM resource x WHERE x.postings && ").Arg(any)
	case c.Dialect == Postgres:
		c.Add("SELECT x.rkey FROM resource x WHERE FALSE")
	default:
		c.Add("SELECT x.rkey FROM posting x WHERE ").AnyInt("x.posting", any)
	}
}
