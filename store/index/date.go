package index

import (
	"cmp"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Date is a row of date_value: the resource has, under Param, a value that
// covers Lo <= t < Hi, in microseconds since 1970 UTC.
type Date struct {
	Param  uint16
	Lo, Hi int64
	Mark   int16
}

func (d Date) compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Param, e.Param), cmp.Compare(d.Lo, e.Lo), cmp.Compare(d.Hi, e.Hi), cmp.Compare(d.Mark, e.Mark))
}

func dates(ranges []search.Range) []Date {
	if len(ranges) == 0 {
		return nil
	}
	rows := make([]Date, len(ranges))
	for i, r := range ranges {
		rows[i] = Date{Param: r.Param, Lo: r.Lo, Hi: r.Hi}
	}
	rows = sortedSet(rows, Date.compare)
	mark(rows, func(d *Date) uint16 { return d.Param }, func(d *Date, m int16) { d.Mark |= m })
	return rows
}

// dateValue appends how a date range compares with that of a row x.
//
// See https://hl7.org/fhir/R4/search.html#prefix.
func (c *Condition) dateValue(_ *search.Match, v *search.Value) error {
	switch v.Prefix {
	case "eq", "":
		c.Add("x.lo >= ").Int(v.Lo).Add(" AND x.lo < ").Int(v.Hi).Add(" AND x.hi <= ").Int(v.Hi)
	case "ne":
		c.Add("NOT (x.lo >= ").Int(v.Lo).Add(" AND x.hi <= ").Int(v.Hi).Add(")")
	case "gt":
		c.Add("x.hi > ").Int(v.Hi)
	case "lt":
		c.Add("x.lo < ").Int(v.Lo)
	case "ge": // the first comparison says nothing new; it is where an index can start
		c.Add("x.hi > ").Int(v.Lo).Add(" AND (x.hi > ").Int(v.Hi).Add(" OR x.lo >= ").Int(v.Lo).Add(")")
	case "le":
		c.Add("x.lo < ").Int(v.Hi).Add(" AND (x.lo < ").Int(v.Lo).Add(" OR x.hi <= ").Int(v.Hi).Add(")")
	case "sa":
		c.Add("x.lo >= ").Int(v.Hi)
	case "eb":
		c.Add("x.hi <= ").Int(v.Lo)
	case "ap":
		c.Add("x.lo < ").Int(v.Hi).Add(" AND x.hi > ").Int(v.Lo)
	default:
		return badPrefix(v)
	}
	return nil
}

func badPrefix(v *search.Value) error {
	return fhir.Errorf(fhir.Invalid, "unknown comparison prefix").With("the prefix is %q", v.Prefix)
}
