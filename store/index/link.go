package index

import "strconv"

// Functions that the SQLite engine gives to SQL, since postings are packed there:
// whether a list of postings has one from the first bound on and below the
// second, and the row keys of the targets of those, as a JSON array.
const (
	SpanFunction    = "posting_between"
	TargetsFunction = "posting_targets"
)

// mask takes the row key out of a reference's posting, in SQL.
var mask = strconv.FormatInt(MaxKey, 10)

// linked appends the condition that a resource has some reference under param.
func (c *Condition) linked(param uint16) {
	from, to := LinkSpan(param)
	if c.Dialect == Postgres {
		c.Add("EXISTS (SELECT 1 FROM unnest(", c.Row, ".postings) l WHERE l >= ").Int(from).Add(" AND l < ").Int(to).Add(")")
		return
	}
	c.Add(SpanFunction, "(", c.Row, ".postings, ").Int(from).Add(", ").Int(to).Add(")")
}

// Refers appends the condition that a resource refers, by param, to one of those
// resources t that the conditions written by where select.
//
// See https://hl7.org/fhir/R4/search.html#chaining.
func (c *Condition) Refers(param uint16, t string, where func() error) error {
	switch {
	case c.Dialect == Postgres:
		c.Add(c.Row, ".postings && ARRAY(")
	case c.Drive:
		c.Add(c.Row, ".rkey IN (SELECT x.rkey FROM posting x WHERE x.posting IN (")
	default:
		c.Add("EXISTS (SELECT 1 FROM posting x WHERE x.rkey = ", c.Row, ".rkey AND x.posting IN (")
	}
	err := c.links(param, t, where)
	if c.Dialect == SQLite {
		c.Add(")")
	}
	c.Add(")")
	return err
}

// RefersSet appends a SELECT of the row keys for which Refers holds.
func (c *Condition) RefersSet(param uint16, t string, where func() error) error {
	if c.Dialect == Postgres {
		c.Add("SELECT x.rkey FROM resource x WHERE x.postings && ARRAY(")
	} else {
		c.Add("SELECT x.rkey FROM posting x WHERE x.posting IN (")
	}
	err := c.links(param, t, where)
	c.Add(")")
	return err
}

// links appends a SELECT of the postings of references to resources t.
func (c *Condition) links(param uint16, t string, where func() error) error {
	from, _ := LinkSpan(param)
	c.Add("SELECT ").Int(from).Add(" | ", t, ".rkey FROM resource ", t, " WHERE ")
	return where()
}

// Referred appends the condition that one of those resources s that the
// conditions written by where select refers to this one by param.
//
// See https://hl7.org/fhir/R4/search.html#has.
func (c *Condition) Referred(param uint16, s string, where func() error) error {
	if c.starts() {
		c.Add(c.Row, ".rkey IN (")
		err := c.ReferredSet(param, s, where)
		c.Add(")")
		return err
	}
	from, _ := LinkSpan(param)
	c.Add("EXISTS (SELECT 1 FROM posting x JOIN resource ", s, " ON ", s, ".rkey = x.rkey WHERE x.posting = ").Int(from)
	c.Add(" | ", c.Row, ".rkey AND ")
	err := where()
	c.Add(")")
	return err
}

// ReferredSet appends a SELECT of the row keys for which Referred holds.
func (c *Condition) ReferredSet(param uint16, s string, where func() error) error {
	from, to := LinkSpan(param)
	if c.Dialect == Postgres {
		c.Add("SELECT l & ", mask, " FROM resource ", s, " CROSS JOIN LATERAL unnest(", s, ".postings) l WHERE l >= ").Int(from)
		c.Add(" AND l < ").Int(to).Add(" AND ")
		return where()
	}
	c.Add("SELECT j.value FROM resource ", s, ", json_each(", TargetsFunction, "(", s, ".postings, ").Int(from)
	c.Add(", ").Int(to).Add(")) j WHERE ")
	return where()
}
