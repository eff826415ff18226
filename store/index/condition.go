package index

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Condition writes the conditions of a search on one table of resources.
type Condition struct {
	*SQL
	Row  string                   // alias of the resource table
	Keys func(ref fhir.Ref) int64 // row key of a reference's target, 0 when it is not stored

	// Drive has SQLite start from the index of this condition, rather than
	// check it on rows that another one found. PostgreSQL decides for itself.
	Drive bool
}

// Match appends the condition that m states.
// Errors: fhir.NotSupported for a search type or modifier that is not stored.
func (c *Condition) Match(m *search.Match) error {
	if m.Modifier == "missing" {
		return c.missing(m)
	}
	switch m.Param.Type {
	case spec.Token, spec.URI, spec.Reference:
		c.posting(m)
		return nil
	case spec.Date:
		return c.ranged(m, "date_value", (*Condition).dateValue)
	case spec.Number, spec.Quantity:
		return c.ranged(m, "number_value", (*Condition).numberValue)
	case spec.String:
		return c.ranged(m, "string_value", (*Condition).stringValue)
	}
	return fhir.Errorf(fhir.NotSupported, "search by a %s parameter is not supported", m.Param.Type)
}

// Narrow reports whether a condition on param can only hold for one resource type.
func Narrow(param *spec.SearchParam) bool {
	return param.Base != "Resource" && param.Base != "DomainResource"
}

// ranged appends a condition on one of the tables of values that compare by size.
func (c *Condition) ranged(m *search.Match, table string, value func(*Condition, *search.Match, *search.Value) error) error {
	if m.Modifier == "not" {
		c.Add("NOT ")
	}
	c.in(table).Add("x.param = ").Param(m.Param.ID).Add(" AND (")
	for i := range m.Values {
		if i > 0 {
			c.Add(" OR ")
		}
		c.Add("(")
		if err := value(c, m, &m.Values[i]); err != nil {
			return err
		}
		c.Add(")")
	}
	if len(m.Values) == 0 {
		c.Add("FALSE")
	}
	c.Add("))")
	return nil
}

// in opens a subquery over the rows x of table that belong to the resource. The
// caller appends conditions on x and a closing bracket.
func (c *Condition) in(table string) *Condition {
	if c.Dialect == Postgres || c.Drive {
		c.Add(c.Row, ".rkey IN (SELECT x.rkey FROM ", table, " x WHERE ")
	} else {
		c.Add("EXISTS (SELECT 1 FROM ", table, " x WHERE x.rkey = ", c.Row, ".rkey AND ")
	}
	return c
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
	switch m.Param.Type {
	case spec.Token, spec.URI:
		c.Postings([]int64{Token(search.PresenceHash(m.Param.ID))})
		return nil
	case spec.Reference:
		c.Add("(")
		c.Postings([]int64{Token(search.PresenceHash(m.Param.ID))})
		c.Add(" OR ")
		c.linked(m.Param.ID)
		c.Add(")")
		return nil
	case spec.Date:
		c.in("date_value")
	case spec.Number, spec.Quantity:
		c.in("number_value")
	case spec.String:
		c.in("string_value")
	default:
		return fhir.Errorf(fhir.NotSupported, ":missing on a %s parameter is not supported", m.Param.Type)
	}
	c.Add("x.param = ").Param(m.Param.ID).Add(")")
	return nil
}

// linked appends the condition that a resource has some reference under param.
func (c *Condition) linked(param uint16) {
	from, to := LinkSpan(param)
	if c.Dialect == Postgres {
		c.Add("EXISTS (SELECT 1 FROM unnest(", c.Row, ".postings) l WHERE l >= ").Int(from).Add(" AND l < ").Int(to).Add(")")
		return
	}
	c.Add(SpanFunction, "(", c.Row, ".postings, ").Int(from).Add(", ").Int(to).Add(")")
}

// SpanFunction is the function that the SQLite engine gives to SQL: whether a
// packed list of postings has one that is at least the first bound and below the second.
const SpanFunction = "posting_between"

// posting appends a condition on tokens and references.
func (c *Condition) posting(m *search.Match) {
	if m.Modifier == "not" {
		c.Add("NOT ")
	}
	c.Postings(c.PostingsOf(m))
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
	default:
		c.in("posting").AnyInt("x.posting", any).Add(")")
	}
}
