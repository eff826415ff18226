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
	Lo, Hi float64
	Units  [3]int64 // hashes under which the unit can be asked for, ascending; 0 where there are fewer
	Mark   int16
}

func (n Number) compare(m Number) int {
	return cmp.Or(n.compareAmount(m), slices.Compare(n.Units[:], m.Units[:]), cmp.Compare(n.Mark, m.Mark))
}

func (n Number) compareAmount(m Number) int {
	return cmp.Or(cmp.Compare(n.Param, m.Param), cmp.Compare(n.Value, m.Value), cmp.Compare(n.Lo, m.Lo), cmp.Compare(n.Hi, m.Hi))
}

func numbers(amounts []search.Amount) []Number {
	if len(amounts) == 0 {
		return nil
	}
	rows := make([]Number, len(amounts))
	for i, a := range amounts {
		rows[i] = Number{Param: a.Param, Value: a.Value, Lo: a.Lo, Hi: a.Hi, Units: [3]int64{a.Unit}}
	}
	slices.SortFunc(rows, Number.compare)
	rows = mergeUnits(rows)
	slices.SortFunc(rows, Number.compare)
	plain := slices.IndexFunc(rows, func(n Number) bool { return n.Mark&MarkPlain != 0 })
	if plain >= 0 {
		markPlain(rows)
	}
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

// numberValue appends how a number compares with that of a row x. Only eq, ne
// and ap take the precision into account that the query's number was written with.
//
// See https://hl7.org/fhir/R4/search.html#number.
func (c *Condition) numberValue(_ *search.Match, v *search.Value) error {
	n := v.Num
	switch v.Prefix {
	case "eq", "", "ap":
		c.Add("x.value >= ").Arg(n.Lo).Add(" AND x.value < ").Arg(n.Hi)
	case "ne":
		c.Add("NOT (x.value >= ").Arg(n.Lo).Add(" AND x.value < ").Arg(n.Hi).Add(")")
	case "gt", "sa":
		c.Add("x.value > ").Arg(n.Value)
	case "lt", "eb":
		c.Add("x.value < ").Arg(n.Value)
	case "ge":
		c.Add("x.value >= ").Arg(n.Value)
	case "le":
		c.Add("x.value <= ").Arg(n.Value)
	default:
		return badPrefix(v)
	}
	if v.Unit == 0 {
		c.Add(" AND x.mark >= 4")
	} else {
		c.Add(" AND ").Int(v.Unit).Add(" IN (x.unit1, x.unit2, x.unit3)")
	}
	return nil
}
