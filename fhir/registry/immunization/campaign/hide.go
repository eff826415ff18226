package campaign

import (
	"cmp"
	"slices"
)

// Figure is a share of a part of a population.
type Figure struct {
	Measure     string // what of: coverage, timely, dropout, zero-dose
	Vaccine     string
	Dose        int
	Registered  int
	Denominator int
	Numerator   int
	Hidden      bool // it would tell of few people
	Unknown     bool // there is no denominator
}

// Percent is the share in percent, and whether there is one.
func (f *Figure) Percent() (float64, bool) {
	if f.Hidden || f.Unknown || f.Denominator <= 0 {
		return 0, false
	}
	return 100 * float64(f.Numerator) / float64(f.Denominator), true
}

// Measures.
const (
	coverage = "coverage"  // had the dose, of those who should
	timely   = "timely"    // had it before it was overdue, of those who should
	dropout  = "dropout"   // had dose 1 and not this one, of those who should have both and had the first
	zeroDose = "zero-dose" // had no dose against pertussis, of those who should
)

// figures are those of a cell, in the order of the targets.
func (r *Report) figures(c *Cell) (all []Figure) {
	for i := range r.targets {
		t := &r.targets[i]
		for _, f := range r.exact(c, i) {
			f.Vaccine, f.Dose = t.vaccine.Name, t.number
			if h := r.hidden[c]; h != nil && h[i] {
				f.Hidden, f.Registered, f.Denominator, f.Numerator = true, 0, 0, 0
			}
			if r.Statistic {
				for _, n := range [...]*int{&f.Registered, &f.Denominator, &f.Numerator} {
					*n = r.rounded(*n)
				}
				f.Numerator = min(f.Numerator, max(f.Denominator, 0))
			}
			all = append(all, f)
		}
	}
	return all
}

// exact are the figures of a target, as they are.
func (r *Report) exact(c *Cell, target int) []Figure {
	t, v := &r.targets[target], c.tallies[target]
	if r.Population {
		return []Figure{{Measure: coverage, Registered: c.Registered, Denominator: max(0, c.Population), Numerator: v.all, Unknown: c.Population < 0}}
	}
	all := []Figure{
		{Measure: coverage, Registered: c.Registered, Denominator: v.expected, Numerator: v.given},
		{Measure: timely, Registered: c.Registered, Denominator: v.expected, Numerator: v.timely},
	}
	if t.number > 1 {
		all = append(all, Figure{Measure: dropout, Registered: c.Registered, Denominator: v.started, Numerator: max(0, v.started-v.given)})
	}
	if t.zero {
		all = append(all, Figure{Measure: zeroDose, Registered: c.Registered, Denominator: v.expected, Numerator: v.expected - v.given})
	}
	return all
}

// few reports whether a number is of so few people that it tells of them.
func (r *Report) few(n int) bool { return n > 0 && n < r.smallest }

// rounded rounds to a multiple of the largest number of people that is hidden, so that two
// answers that differ by a few people are mostly the same and never tell by how many.
func (r *Report) rounded(n int) int {
	unit := max(1, r.smallest-1)
	return (n + unit/2) / unit * unit
}

// parts are the numbers of people that the figures of a target split a cell into.
func (r *Report) parts(c *Cell, target int) (all []int) {
	for _, f := range r.exact(c, target) {
		whole := f.Denominator
		if r.Population {
			whole = f.Registered // how many more live there, everybody may know
		}
		all = append(all, whole, f.Numerator, whole-f.Numerator)
	}
	return append(all, c.Registered)
}

// hide decides what is not shown. A target is hidden in a cell where one of its figures is
// of few people, and in more cells until what is hidden cannot be worked out from the
// total: at least two cells, that have enough people together in each number.
func (r *Report) hide() {
	if !r.Statistic {
		return
	}
	r.hidden = map[*Cell][]bool{r.Total: make([]bool, len(r.targets))}
	for _, c := range r.Cells {
		r.hidden[c] = make([]bool, len(r.targets))
	}
	for i := range r.targets {
		if slices.ContainsFunc(r.parts(r.Total, i), r.few) {
			r.hidden[r.Total][i] = true
		}
		var shown, hidden []*Cell
		for _, c := range r.Cells {
			if slices.ContainsFunc(r.parts(c, i), r.few) {
				hidden = append(hidden, c)
			} else {
				shown = append(shown, c)
			}
		}
		slices.SortStableFunc(shown, func(x, y *Cell) int { return cmp.Compare(x.Registered, y.Registered) })
		for len(hidden) > 0 && len(shown) > 0 && !r.safe(hidden, i) {
			hidden, shown = append(hidden, shown[0]), shown[1:]
		}
		for _, c := range hidden {
			r.hidden[c][i] = true
		}
		if len(hidden) > 0 && !r.safe(hidden, i) {
			r.hidden[r.Total][i] = true
		}
	}
}

// safe reports whether what cells hide of a target tells of nobody when its sum is known.
func (r *Report) safe(cells []*Cell, target int) bool {
	if len(cells) < 2 {
		return false
	}
	var sum []int
	for _, c := range cells {
		for k, n := range r.parts(c, target) {
			if k == len(sum) {
				sum = append(sum, 0)
			}
			sum[k] += n
		}
	}
	return !slices.ContainsFunc(sum, r.few)
}
