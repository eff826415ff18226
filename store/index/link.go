package index

import "strconv"

// Functions that the SQLite engine gives to SQL, since postings are packed there.
const (
	SpanFunction    = "postings_json"   // a packed list as a JSON array
	HasFunction     = "posting_in"      // whether a packed list has a posting
	TargetsFunction = "posting_targets" // the row keys of targets of those from the first bound on and below the second, likewise
)

// mask takes the row key out of a reference's posting, in SQL.
var mask = strconv.FormatInt(MaxKey, 10)

// linked appends the condition that a resource has some reference under param.
func (c *Condition) linked(param uint16) {
	from, to := LinkSpan(param)
	c.Add("EXISTS (SELECT 1 FROM ")
	c.targets(c.Row, from, to)
	c.Fence().Add(")")
}

// Targets appends the row keys l.rkey of what the resource refers to by param.
func (c *Condition) Targets(param uint16) {
	from, to := LinkSpan(param)
	c.targets(c.Row, from, to)
}

// TargetsOfAny appends the row keys l.rkey of what the resource refers to by any of
// the parameters.
func (c *Condition) TargetsOfAny(params []int64) {
	bits := strconv.Itoa(keyBits)
	if c.Dialect == Postgres {
		c.Add("(SELECT u.posting & ", mask, " AS rkey FROM unnest(", c.Row, ".postings) u (posting) WHERE ")
		c.AnyInt("u.posting >> "+bits, params).Add(" OFFSET 0) l")
		return
	}
	c.Add("(SELECT u.value & ", mask, " AS rkey FROM json_each(", SpanFunction, "(", c.Row, ".postings)) u WHERE ")
	c.AnyInt("u.value >> "+bits, params).Add(") l")
}

// TargetsThrough appends the row keys l.rkey of what the resource refers to by any of
// params, and of what those refer to by any of next that it refers to by any of via.
func (c *Condition) TargetsThrough(params, via, next []int64) {
	bits := strconv.Itoa(keyBits)
	c.Add("(SELECT l.rkey FROM ")
	c.TargetsOfAny(params)
	if c.Dialect == Postgres {
		c.Add(" UNION ALL SELECT u.posting & ", mask, " AS rkey FROM (SELECT l.rkey FROM ")
	} else {
		c.Add(" UNION ALL SELECT u.value & ", mask, " AS rkey FROM (SELECT l.rkey FROM ")
	}
	c.TargetsOfAny(via)
	c.Fence().Add(") k")
	c.Resource("v", "k.rkey")
	if c.Dialect == Postgres {
		c.Add(" CROSS JOIN LATERAL unnest(v.postings) u (posting) WHERE ")
		c.AnyInt("u.posting >> "+bits, next).Add(") l")
		return
	}
	c.Add(" CROSS JOIN json_each(", SpanFunction, "(v.postings)) u WHERE ")
	c.AnyInt("u.value >> "+bits, next).Add(") l")
}

// targets appends the row keys l.rkey of what the resource in row refers to by the
// postings from the first bound on and below the second.
func (c *Condition) targets(row string, from, to int64) {
	if c.Dialect == Postgres {
		c.Add("(SELECT u.posting & ", mask, " AS rkey FROM unnest(", row, ".postings) u (posting) WHERE u.posting >= ").Int(from)
		c.Add(" AND u.posting < ").Int(to).Add(" OFFSET 0) l")
		return
	}
	c.Add("(SELECT u.value AS rkey FROM json_each(", TargetsFunction, "(", row, ".postings, ").Int(from).Add(", ").Int(to).Add(")) u) l")
}

// Refers appends a check that the resource refers, by param, to a resource t for
// which the conditions written by where hold.
//
// See https://hl7.org/fhir/R4/search.html#chaining.
func (c *Condition) Refers(param uint16, t string, where func() error) error {
	from, to := LinkSpan(param)
	c.Add("EXISTS (SELECT 1 FROM ")
	c.targets(c.Row, from, to)
	c.Resource(t, "l.rkey")
	c.Add(" WHERE ")
	err := where()
	c.Fence().Add(")")
	return err
}

// RefersSet appends a SELECT of the row keys of all resources that refer, by param,
// to one of those whose row keys set selects.
func (c *Condition) RefersSet(param uint16, set func() error) error {
	from, _ := LinkSpan(param)
	c.Add("SELECT x.rkey FROM (")
	err := set()
	c.Fence().Add(") t")
	c.Join("x.rkey", "posting", "x", func() { c.Add("x.posting = ").Int(from).Add(" + t.rkey") })
	return err
}

// Referred appends a check that a resource s, for which the conditions written by
// where hold, refers to the resource by param. key names the row key of s.
//
// See https://hl7.org/fhir/R4/search.html#has.
func (c *Condition) Referred(param uint16, s, key string, where func() error) error {
	from, _ := LinkSpan(param)
	c.Add("EXISTS (SELECT 1 FROM (SELECT x.rkey FROM posting x WHERE x.posting = ").Int(from).Add(" + ", c.Key).Fence().Add(") ", key)
	c.Resource(s, key+".rkey")
	c.Add(" WHERE ")
	err := where()
	c.Fence().Add(")")
	return err
}

// ReferredSet appends a SELECT of the row keys of all resources that one of those,
// whose postings set selects, refers to by param.
func (c *Condition) ReferredSet(param uint16, set func() error) error {
	from, to := LinkSpan(param)
	if c.Dialect == SQLite {
		c.Add("SELECT l.value AS rkey FROM (")
		err := set()
		c.Add(") s CROSS JOIN json_each(", TargetsFunction, "(s.postings, ").Int(from).Add(", ").Int(to).Add(")) l")
		return err
	}
	c.Add("SELECT l.rkey FROM (")
	err := set()
	c.Fence().Add(") s CROSS JOIN LATERAL ")
	c.targets("s", from, to)
	return err
}
