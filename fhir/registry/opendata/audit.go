package opendata

import (
	"context"
	"fmt"

	"github.com/amate-health/amate/fhir"
)

// Audit looks at what is about to be published as somebody would who has all of it: from
// the published cells, each of which is the sum of others, it bounds the hidden ones, and
// compares the bounds with those that the proofs promise. Then it checks the proofs. It
// shares no code with what made them. Errors: fhir.Unprocessable, naming a cell that is
// not hidden well enough.
func Audit(ctx context.Context, c *Cube, p *Protection) error {
	a := newAuditor(c, p)
	if err := a.small(); err != nil {
		return err
	}
	if err := a.together(); err != nil {
		return err
	}
	if err := a.propagate(ctx); err != nil {
		return err
	}
	for i := range p.proofs {
		one := &p.proofs[i]
		v := c.cells[one.cell].count
		if a.low[one.cell] > v-one.down || a.high[one.cell] < v+one.up {
			return a.fault(one.cell, "follows too closely from what is published")
		}
		if err := a.proved(one, one.larger, one.up); err != nil {
			return err
		}
		if err := a.proved(one, one.smaller, -one.down); err != nil {
			return err
		}
	}
	return nil
}

// auditor knows the sums that the published cells make.
type auditor struct {
	c         *Cube
	p         *Protection
	sums      []equation
	of        [][]int32 // by cell: the sums it is part of
	low, high []int64
}

// equation says that a cell is the sum of others.
type equation struct {
	whole int32
	parts []int32
}

func newAuditor(c *Cube, p *Protection) *auditor {
	a := &auditor{c: c, p: p, of: make([][]int32, len(c.cells)), low: make([]int64, len(c.cells)), high: make([]int64, len(c.cells))}
	index := map[[2]uint64]int32{} // of the equation of a cell in a dimension
	for i := range c.cells {
		key := c.cells[i].key
		for d, axis := range c.axes {
			n := axis.of(key)
			if n == 0 {
				continue
			}
			whole := axis.with(key, axis.parent[n])
			name := [2]uint64{whole, uint64(d)}
			e, ok := index[name]
			if !ok {
				e = int32(len(a.sums))
				index[name] = e
				at := c.at[whole]
				a.sums = append(a.sums, equation{whole: at})
				a.of[at] = append(a.of[at], e)
			}
			a.sums[e].parts = append(a.sums[e].parts, int32(i))
			a.of[i] = append(a.of[i], e)
		}
	}
	return a
}

// small refuses a cell that is shown and must not be, and a hidden one without a proof.
func (a *auditor) small() error {
	proved := map[int32]bool{}
	for i := range a.p.proofs {
		proved[a.p.proofs[i].cell] = true
	}
	for i := range a.c.cells {
		one := &a.c.cells[i]
		a.low[i] = a.p.least[i]
		switch a.p.reason[i] {
		case Shown:
			if a.c.primary(one) != Shown {
				return a.fault(int32(i), "is shown, and counts too few")
			}
			a.low[i], a.high[i] = one.count, one.count
		case Complementary:
			a.high[i] = far
		default:
			if !proved[int32(i)] {
				return a.fault(int32(i), "is hidden without a proof")
			}
			a.high[i] = far
		}
	}
	return nil
}

// together refuses hidden cells of which what is shown tells the sum, where too few people
// or contributors are in it: many rows may be of few.
func (a *auditor) together() error {
	f := a.c.Family
	if f.Person == "" && f.Contributor == "" {
		return nil // a sum of K rows is of K people
	}
	for e := range a.sums {
		var all cell
		for _, i := range a.sums[e].parts {
			switch a.p.reason[i] {
			case Small, FewOthers, Dominated, Complementary:
				all.add(&a.c.cells[i], f)
			}
		}
		if a.p.reason[a.sums[e].whole] == Shown && all.count > 0 && (f.Person != "" && len(all.people) < f.K || len(all.givers) < f.Contributors) {
			return a.fault(a.sums[e].whole, "tells of too few people, less others")
		}
	}
	return nil
}

// propagate narrows the bounds of the hidden cells until nothing follows any more, or it
// would take too long: bounds that are too wide hide nothing from the proofs.
func (a *auditor) propagate(ctx context.Context) error {
	queue := make([]int32, len(a.sums))
	waiting := make([]bool, len(a.sums))
	for e := range a.sums {
		queue[e], waiting[e] = int32(e), true
	}
	most := 200 * len(a.sums)
	for n := 0; len(queue) > 0 && n < most; n++ {
		if n&4095 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := queue[0]
		queue, waiting[e] = queue[1:], false
		for _, changed := range a.narrow(&a.sums[e]) {
			for _, other := range a.of[changed] {
				if !waiting[other] {
					queue, waiting[other] = append(queue, other), true
				}
			}
		}
	}
	return nil
}

// narrow applies one sum, and returns the cells whose bounds it changed.
func (a *auditor) narrow(e *equation) (changed []int32) {
	low, high, open := int64(0), int64(0), 0
	for _, i := range e.parts {
		low += a.low[i]
		if a.high[i] >= far {
			open++
		} else {
			high += a.high[i]
		}
	}
	wholeLow, wholeHigh := a.low[e.whole], a.high[e.whole]
	// All bounds of the parts are worked out from those of before.
	for _, i := range e.parts {
		wasLow, wasHigh := a.low[i], a.high[i]
		if wholeHigh < far {
			if h := wholeHigh - (low - wasLow); h < wasHigh {
				a.high[i] = h
			}
		}
		others, bounded := high, open == 0
		if wasHigh >= far {
			bounded = open == 1
		} else {
			others -= wasHigh
		}
		if l := wholeLow - others; bounded && l > wasLow {
			a.low[i] = l
		}
		if a.low[i] != wasLow || a.high[i] != wasHigh {
			changed = append(changed, i)
		}
	}
	if low > wholeLow || open == 0 && high < wholeHigh {
		a.low[e.whole] = max(low, wholeLow)
		if open == 0 {
			a.high[e.whole] = min(high, wholeHigh)
		}
		changed = append(changed, e.whole)
	}
	return changed
}

// proved checks that a table that differs by these numbers has the published cells, and
// that no cell in it counts less than nobody.
func (a *auditor) proved(one *proof, differs map[int32]int64, by int64) error {
	if by == 0 && len(differs) == 0 {
		return nil
	}
	if differs[one.cell] != by {
		return a.fault(one.cell, "has a proof of something else")
	}
	for i, d := range differs {
		if d != 0 && a.p.reason[i] == Shown {
			return a.fault(i, "is shown, and a proof has it otherwise")
		}
		if a.c.cells[i].count+d < a.p.least[i] {
			return a.fault(i, "counts nobody in a proof, where it would not be listed")
		}
		for _, e := range a.of[i] {
			sum := int64(0)
			for _, part := range a.sums[e].parts {
				sum += differs[part]
			}
			if sum != differs[a.sums[e].whole] {
				return a.fault(i, "is not the sum of its parts in a proof")
			}
		}
	}
	return nil
}

func (a *auditor) fault(i int32, what string) error {
	return fhir.Errorf(fhir.Unprocessable, "the datasets are not published: a cell %s", what).With("%s", fmt.Sprintf("%s of %s", a.c.Coordinates(a.c.cells[i].key), a.c.Family.Name))
}
