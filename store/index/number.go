package index

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir/search"
)

// Number is a row of number_value. Amounts that differ in their unit only share one.
type Number struct {
	Param  uint16
	Value  float64
	Lo, Hi float64  // equal to Value for a plain value
	Units  [3]int64 // hashes under which the unit can be asked for, ascending; 0 where there are fewer
	Mark   int16
	Pair   search.Pair
}

// Plain reports whether n is a single value, not a range.
func (n *Number) Plain() bool { return n.Lo == n.Value && n.Hi == n.Value }

func (n Number) compare(m Number) int {
	return cmp.Or(n.compareAmount(m), slices.Compare(n.Units[:], m.Units[:]), cmp.Compare(n.Mark, m.Mark))
}

func (n Number) compareAmount(m Number) int {
	return cmp.Or(cmp.Compare(n.Param, m.Param), cmp.Compare(n.Value, m.Value), cmp.Compare(n.Lo, m.Lo), cmp.Compare(n.Hi, m.Hi),
		comparePairs(n.Pair, m.Pair))
}

func numbers(amounts []search.Amount) []Number {
	if len(amounts) == 0 {
		return nil
	}
	rows := make([]Number, len(amounts))
	for i, a := range amounts {
		rows[i] = Number{Param: a.Param, Value: a.Value, Lo: a.Lo, Hi: a.Hi, Units: [3]int64{a.Unit}, Pair: a.Pair}
	}
	slices.SortFunc(rows, Number.compare)
	rows = mergeUnits(rows)
	markPlain(rows)
	slices.SortFunc(rows, Number.compare)
	return rows
}

// mergeUnits joins rows that share an amount, up to three units each. A unit of
// 0 becomes MarkPlain.
func mergeUnits(rows []Number) []Number {
	var merged []Number
	used := 0 // units of the last merged row
	for _, row := range rows {
		unit := row.Units[0]
		if n := len(merged); n == 0 || merged[n-1].compareAmount(row) != 0 || used == len(row.Units) && unit != 0 {
			row.Units = [3]int64{}
			merged, used = append(merged, row), 0
		}
		last := &merged[len(merged)-1]
		switch {
		case unit == 0:
			last.Mark |= MarkPlain
		case used == 0 || last.Units[used-1] != unit:
			last.Units[used] = unit
			used++
		}
	}
	return merged
}

// markPlain marks the first and last of the rows that match without a unit, per parameter.
func markPlain(rows []Number) {
	var plain []*Number
	for i := range rows {
		if rows[i].Mark&MarkPlain != 0 {
			plain = append(plain, &rows[i])
		}
	}
	mark(plain, func(n **Number) uint16 { return (*n).Param }, func(n **Number, m int16) { (*n).Mark |= m })
}

// comparisons says, by prefix, how a plain value and how a range compares with
// the query's number ($v, or $lo to $hi by its precision). Only eq, ne and ap
// take that precision into account.
//
// See https://hl7.org/fhir/R4/search.html#number.
var comparisons = map[string]struct{ plain, ranged []string }{
	"eq": {[]string{"x.value >= ", "lo", " AND x.value < ", "hi"}, []string{"x.lo >= ", "lo", " AND x.hi < ", "hi"}},
	"ne": {[]string{"NOT (x.value >= ", "lo", " AND x.value < ", "hi", ")"}, []string{"NOT (x.lo >= ", "lo", " AND x.hi < ", "hi", ")"}},
	"ap": {[]string{"x.value >= ", "lo", " AND x.value <= ", "hi"}, []string{"x.hi >= ", "lo", " AND x.lo <= ", "hi"}},
	"gt": {[]string{"x.value > ", "v"}, []string{"x.hi > ", "v"}},
	"lt": {[]string{"x.value < ", "v"}, []string{"x.lo < ", "v"}},
	"ge": {[]string{"x.value >= ", "v"}, []string{"x.hi >= ", "v"}},
	"le": {[]string{"x.value <= ", "v"}, []string{"x.lo <= ", "v"}},
	"sa": {[]string{"x.value > ", "v"}, []string{"x.lo > ", "v"}},
	"eb": {[]string{"x.value < ", "v"}, []string{"x.hi < ", "v"}},
}

// numberValue appends how a number compares with that of a row x.
func (c *Condition) numberValue(v *search.Value) error {
	c.Add("(")
	if err := c.numberHalf(v, false); err != nil {
		return err
	}
	c.Add(" OR ")
	err := c.numberHalf(v, true)
	c.Add(")")
	return err
}

// numberHalf is numberValue for the rows that are ranges, or for those that are not.
func (c *Condition) numberHalf(v *search.Value, ranged bool) error {
	compare, ok := comparisons[cmp.Or(v.Prefix, "eq")]
	if !ok {
		return badPrefix(v)
	}
	if ranged {
		c.Add("x.lo IS NOT NULL AND ")
		c.comparison(compare.ranged, v.Num)
	} else {
		c.Add("x.lo IS NULL AND ")
		c.comparison(compare.plain, v.Num)
	}
	if v.Unit == 0 {
		c.Add(" AND x.mark >= 4")
	} else {
		c.Add(" AND ").Int(v.Unit).Add(" IN (x.unit1, x.unit2, x.unit3)")
	}
	return nil
}

func (c *Condition) comparison(parts []string, n search.Decimal) {
	for _, part := range parts {
		switch part {
		case "v":
			c.Arg(n.Value)
		case "lo":
			c.Arg(n.Lo)
		case "hi":
			c.Arg(n.Hi)
		default:
			c.Add(part)
		}
	}
}
