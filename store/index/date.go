package index

import (
	"cmp"
	"math"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Date is a row of date_value: the resource has, under Param, a value that
// covers Lo <= t < Hi, in microseconds since 1970 UTC.
type Date struct {
	Param  uint16
	Lo, Hi int64
	Mark   int16
	Pair   search.Pair
}

func (d Date) compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Param, e.Param), cmp.Compare(d.Lo, e.Lo), cmp.Compare(d.Hi, e.Hi),
		comparePairs(d.Pair, e.Pair), cmp.Compare(d.Mark, e.Mark))
}

func dates(ranges []search.Range) []Date {
	if len(ranges) == 0 {
		return nil
	}
	rows := make([]Date, len(ranges))
	for i, r := range ranges {
		rows[i] = Date{Param: r.Param, Lo: r.Lo, Hi: r.Hi, Pair: r.Pair}
	}
	rows = sortedSet(rows, Date.compare)
	mark(rows, func(d *Date) uint16 { return d.Param }, func(d *Date, m int16) { d.Mark |= m })
	return rows
}

// Dates appends a check that a resource has, under one of the parameters, a date that
// v fits; any date when v is nil.
func (c *Condition) Dates(params []uint16, v *search.Value) error {
	ids := make([]int64, len(params))
	for i, p := range params {
		ids[i] = int64(int16(p))
	}
	c.Add("EXISTS (SELECT 1 FROM date_value x WHERE x.rkey = ", c.Key, " AND ").AnyInt("+x.param", ids)
	if v != nil {
		c.Add(" AND ")
		if err := c.dateValue(v); err != nil {
			return err
		}
	}
	c.Fence().Add(")")
	return nil
}

// dateValue appends how a date range compares with that of a row x.
//
// See https://hl7.org/fhir/R4/search.html#prefix.
func (c *Condition) dateValue(v *search.Value) error {
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

// day is the longest that most values cover, in microseconds.
const day = 86_400_000_000

// window is where the rows lie that can match a value: their lo from loFrom on and
// below loTo, their hi above hiFrom. Ends that say nothing are at infinity.
type window struct{ loFrom, loTo, hiFrom int64 }

// window returns that of v, and whether it has any end.
func dateWindow(v *search.Value) (w window, ok bool) {
	w = window{math.MinInt64, math.MaxInt64, math.MinInt64}
	switch v.Prefix {
	case "eq", "":
		w.loFrom, w.loTo = v.Lo, v.Hi
	case "gt":
		w.hiFrom = v.Hi
	case "lt", "eb":
		w.loTo = v.Lo
	case "ge":
		w.hiFrom = v.Lo
	case "le":
		w.loTo = v.Hi
	case "sa":
		w.loFrom = v.Hi
	case "ap":
		w.loTo, w.hiFrom = v.Hi, v.Lo
	default:
		return w, false
	}
	return w, true
}

func (w window) and(x window) window {
	return window{max(w.loFrom, x.loFrom), min(w.loTo, x.loTo), max(w.hiFrom, x.hiFrom)}
}

// dateSet appends the SELECT of Set for dates.
func (c *Condition) dateSet(m *search.Match) error {
	if len(m.Values) == 0 || len(m.Values) > manyParts {
		c.Add("SELECT x.rkey")
		return c.rows(m, func() {}, func(i int) error { return c.value(m, i) })
	}
	for i := range m.Values {
		if i > 0 {
			c.Add(" UNION ALL ")
		}
		if err := c.DateSpan(m.Param.ID, &m.Values[i]); err != nil {
			return err
		}
	}
	return nil
}

// DateSpan appends a SELECT of the row keys of all resources that have, for param,
// dates for which all of values hold, each for one of them. It begins where the
// window of values says: rows that begin in it, or at most a day before; the few that
// are longer; and the resources that have several dates.
func (c *Condition) DateSpan(param uint16, values ...*search.Value) error {
	w, _ := dateWindow(&search.Value{Prefix: "none"})
	bounded := true
	for _, v := range values {
		x, ok := dateWindow(v)
		w, bounded = w.and(x), bounded && ok
	}
	// Where a row is long, it may begin long before the window.
	early := bounded && w.hiFrom > w.loFrom && w.hiFrom > math.MinInt64+day
	from := w.loFrom
	if early {
		from = w.hiFrom - day
	}
	if err := c.spanPart(param, values, func() {
		if bounded && from > math.MinInt64 {
			c.Add(" AND x.lo >= ").Int(from)
		}
		if bounded && w.loTo < math.MaxInt64 {
			c.Add(" AND x.lo < ").Int(w.loTo)
		}
	}); err != nil {
		return err
	}
	if early {
		c.Add(" UNION ALL ")
		err := c.spanPart(param, values, func() {
			c.Add(" AND x.hi > x.lo + 86400000000 AND x.hi > ").Int(w.hiFrom).Add(" AND x.lo < ").Int(from)
		})
		if err != nil {
			return err
		}
	}
	if len(values) > 1 {
		return c.several(param, values)
	}
	return nil
}

// spanPart appends a SELECT of the rows that meet all values, as far as where says;
// only what that asks for can be started from.
func (c *Condition) spanPart(param uint16, values []*search.Value, where func()) error {
	c.Add("SELECT x.rkey FROM date_value x WHERE x.param = ").Param(param)
	where()
	for _, v := range values {
		c.Add(" AND CASE WHEN ")
		if err := c.dateValue(v); err != nil {
			return err
		}
		c.Add(" THEN TRUE END")
	}
	return nil
}

// several appends the resources that have several dates, of which one may meet one
// value and one another. The first value selects, the others are checked again.
func (c *Condition) several(param uint16, values []*search.Value) error {
	c.Add(" UNION ALL ")
	return c.spanPart(param, values[:1], func() { c.Add(" AND x.mark & 3 <> 3") })
}
