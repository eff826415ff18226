package index

import (
	"cmp"

	"github.com/amate-health/amate/fhir/search"
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
