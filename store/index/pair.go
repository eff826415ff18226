package index

import (
	"cmp"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// A value that stands for a pair, the second half of a composite, is found by the
// hashes of the first half: pair_code that of its code, pair_both that of its
// system and code. They are null in the rows of plain values.

func comparePairs(a, b search.Pair) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Both, b.Both))
}

// paired appends that a row x stands for a pair whose first half is that of v.
func (c *Condition) paired(v *search.Value) {
	c.Add("x.pair_code = ").Int(v.Pair.Code)
	if v.Pair.Both != 0 {
		c.Add(" AND x.pair_both = ").Int(v.Pair.Both)
	}
}

// HasThread reports whether the pairs that m compares have an index in the order of
// row keys, which Thread follows.
func HasThread(m *search.Match) bool {
	return m.Compared == spec.Number || m.Compared == spec.Quantity
}

// Thread appends a SELECT of the row keys of the rows that m's one value matches, for
// an order by x.rkey to follow. The index gives those with the first half of the pair;
// the second is written so that no index can start from it.
func (c *Condition) Thread(m *search.Match, from func()) error {
	c.Add("SELECT x.rkey FROM number_value x WHERE ")
	c.paired(&m.Values[0])
	from()
	c.Add(" AND CASE WHEN ")
	err := c.numberValue(&m.Values[0])
	c.Add(" THEN TRUE END")
	return err
}
