package opendata

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// Reason says why a cell is not shown as it is.
type Reason uint8

// The reasons.
const (
	Shown         Reason = iota
	Small                // fewer than K
	FewOthers            // too few contributors
	Dominated            // one of them has nearly all of a sum
	Changed              // by less than K since it was published, so that what was published stays
	HiddenBefore         // and not much changed since
	Complementary        // what is hidden elsewhere would follow from it
)

// Protection says what of a Cube is shown.
type Protection struct {
	reason []Reason        // by cell
	kept   map[int32]int64 // of Changed: what was published
	least  []int64         // by cell: how many there are at least where it is hidden, as everybody can tell
	proofs []proof

	// Withdrawn are tables that could not be protected in all their detail: "table: dimension".
	Withdrawn []string
}

// proof shows that a cell that is not shown may have other counts, as far as anybody can tell.
type proof struct {
	cell     int32
	up, down int64           // by how much it must be possible that it is larger and smaller
	larger   map[int32]int64 // by how much the cells differ in a table where it is up larger
	smaller  map[int32]int64 // likewise, smaller
}

// far is more than any count.
const far = int64(1) << 50

// ErrTooFew says that there are fewer people than any cell must count.
var ErrTooFew = fhir.Errorf(fhir.Unprocessable, "there are too few people in the period to publish anything of them")

// ErrStands says that a period cannot be published anew without telling of the few who
// were added since, so that the earlier release stands.
var ErrStands = fhir.Errorf(fhir.Unprocessable, "the period was published, and since then so little changed that a new release would tell of few people: the earlier one stands")

// Protect decides what of c is shown, beside what earlier releases of its period told: by
// the Coordinates of cells. Of a table that cannot be protected it takes detail out of c.
// Errors: ErrTooFew, ErrStands.
func Protect(ctx context.Context, c *Cube, past map[string]Past) (*Protection, error) {
	return protectWithin(ctx, c, past, mostEffort)
}

// mostEffort bounds how many cells are looked at in a search for proofs: some minutes.
// A million births in all municipalities of Mexico take a fifteenth of it.
const mostEffort = 500_000_000

// protectWithin is Protect, with how many cells may be looked at before the table with the
// most cells is left out.
func protectWithin(ctx context.Context, c *Cube, past map[string]Past, effort int64) (*Protection, error) {
	var withdrawn []string
	if c.Rows == 0 && len(past) == 0 {
		return nil, ErrTooFew
	}
	told := c.told(past)
	if len(past) > 0 {
		withdrawn = c.withoutNew(told)
	}
	for {
		p := newProtector(c, past)
		p.trial.effort = effort
		failed, err := p.run(ctx)
		if err != nil {
			return nil, err
		}
		if failed < 0 {
			p.Withdrawn = withdrawn
			return p.Protection, nil
		}
		levels := c.levelsOf(c.cells[failed].key)
		if p.trial.effort < 0 {
			levels = c.largest()
		}
		if told[fmt.Sprint(levels)] {
			return nil, ErrStands
		}
		what, ok := c.coarsen(levels)
		if !ok {
			return nil, ErrTooFew
		}
		withdrawn = append(withdrawn, what)
	}
}

// protector looks for what has to be hidden.
type protector struct {
	*Cube
	*Protection
	lo, hi []int64            // what others may hold to be possible of a hidden cell
	before map[int32][2]int64 // of HiddenBefore: its least and greatest count when it was hidden
	delta  map[int32]int64
	trial  trial
}

func newProtector(c *Cube, past map[string]Past) *protector {
	c.addHidden(past)
	c.order()
	n := len(c.cells)
	p := &protector{Cube: c, Protection: &Protection{reason: make([]Reason, n), kept: map[int32]int64{}, least: make([]int64, n)}, lo: make([]int64, n), hi: make([]int64, n), before: map[int32][2]int64{}}
	for i := range c.cells {
		p.hi[i] = far
		p.reason[i] = c.primary(&c.cells[i])
		if c.cells[i].count > 0 {
			p.least[i] = 1 // or it would not be listed
		}
		if len(past) > 0 {
			p.told(int32(i), past)
		}
		p.lo[i] = max(p.lo[i], p.least[i])
	}
	return p
}

// told takes into account what was told of a cell.
func (p *protector) told(i int32, past map[string]Past) {
	one, k := &p.cells[i], int64(p.Family.K)
	if one.count == 0 {
		p.hi[i] = 0 // unless it is hidden, everybody knows that there is nobody
	}
	before, ok := past[p.Coordinates(one.key)]
	if !ok {
		return
	}
	if before.few(k) {
		p.least[i] = 0
	}
	published, near := before.nearest(one.count, k)
	ends, hidden := before.around(one.count, k)
	switch {
	case near && published != one.count:
		p.reason[i], p.kept[i] = Changed, published
		p.lo[i], p.hi[i] = max(0, published-k+1), published+k-1
	case hidden:
		p.reason[i], p.hi[i], p.before[i] = HiddenBefore, far, ends
	case near:
		p.lo[i], p.hi[i] = one.count, one.count // everybody knows it
	}
}

// addHidden adds cells that count nothing now, and were hidden when they counted few: that
// there is nobody any more would tell of them.
func (c *Cube) addHidden(past map[string]Past) {
	for text, before := range past {
		if !before.few(int64(c.Family.K)) {
			continue
		}
		key, ok := c.keyOf(text)
		if !ok {
			continue
		}
		c.addEmpty(key)
	}
}

// addEmpty adds a cell that counts nothing, and what it is part of.
func (c *Cube) addEmpty(key uint64) {
	if _, there := c.at[key]; there {
		return
	}
	c.at[key] = int32(len(c.cells))
	c.cells = append(c.cells, cell{key: key, sums: make([]sum, len(c.columns))})
	for _, a := range c.axes {
		if n := a.of(key); n != 0 {
			c.addEmpty(a.with(key, a.parent[n]))
		}
	}
}

// primary says why a cell must not be shown, whatever the others say.
func (c *Cube) primary(one *cell) Reason {
	f := c.Family
	if one.count > 0 && one.count < int64(f.K) {
		return Small
	}
	if f.Person != "" && one.count > 0 && len(one.people) < f.K {
		return Small
	}
	if f.Contributor != "" && one.count > 0 && len(one.givers) < f.Contributors {
		return FewOthers
	}
	for i, at := range c.columns {
		s, m := &one.sums[i], &f.Measures[at]
		share := m.Share
		if share == 0 {
			share = 0.8
		}
		if m.Kind == Sum && s.n > 0 && (s.negative || s.most > share*s.total) { // of some below 0 no part can be told
			return Dominated
		}
		if s.n > 0 && s.n < int64(f.K) {
			return Small
		}
	}
	return Shown
}

// Coordinates names a cell by its values: "14|2025-03|total".
func (c *Cube) Coordinates(key uint64) string {
	parts := make([]string, len(c.axes))
	for i, a := range c.axes {
		parts[i] = a.codes[a.of(key)]
	}
	return strings.Join(parts, "|")
}

// keyOf is the reverse of Coordinates. It is false when a value is not one of c.
func (c *Cube) keyOf(coordinates string) (uint64, bool) {
	parts := strings.Split(coordinates, "|")
	if len(parts) != len(c.axes) {
		return 0, false
	}
	key := uint64(0)
	for i, a := range c.axes {
		n, ok := a.byCode[parts[i]]
		if !ok {
			return 0, false
		}
		key |= uint64(n) << a.shift
	}
	levels := c.levelsOf(key)
	return key, slices.ContainsFunc(c.shapes, func(s shape) bool { return slices.Equal(s.levels, levels) })
}

// needs returns by how much others must be able to hold a cell to be larger and smaller.
func (p *protector) needs(i int32) (up, down int64) {
	v, k, margin := p.cells[i].count, int64(p.Family.K), int64(p.Family.Margin)
	switch p.reason[i] {
	case Changed:
		before := p.kept[i]
		if v > before {
			return min(margin, p.hi[i]-v), v - before
		}
		return before - v, min(1, v-p.lo[i])
	case HiddenBefore:
		if v < k {
			return max(k-v, margin), min(1, v-p.lo[i])
		}
		ends := p.before[i] // as many as before must be possible
		return max(0, ends[1]-v), max(0, v-ends[0])
	case Small, FewOthers, Dominated:
		return max(k-v, margin), min(1, v-p.lo[i])
	}
	return 0, 0
}

// prove finds the proof of a cell. It is false where there is none.
func (p *protector) prove(i int32) (one proof, ok bool) {
	one.cell = i
	one.up, one.down = p.needs(i)
	if one.up == 0 && one.down == 0 && p.reason[i] == HiddenBefore {
		// Enough not to be exact, so that what it hid before stays hidden.
		if one.larger, ok = p.shift(i, 1, 1); ok {
			one.up = 1
			return one, true
		}
		one.down = 1
	}
	if one.larger, ok = p.shift(i, one.up, 1); !ok {
		return one, false
	}
	if one.smaller, ok = p.shift(i, one.down, -1); !ok && one.down == 1 && p.reason[i] != Changed && p.cells[i].count < int64(p.Family.K) {
		// As many rows below it are listed: it is no fewer, and may be more.
		one.down, one.smaller, ok = 0, nil, true
	}
	return one, ok
}

// run protects all cells that need it, coarse ones first. failed is one that it cannot
// protect, -1 for none.
func (p *protector) run(ctx context.Context) (failed int32, err error) {
	var todo []int32
	for i := range p.cells {
		if p.reason[i] != Shown {
			todo = append(todo, int32(i))
		}
	}
	depth := func(i int32) (sum int) {
		for _, l := range p.levelsOf(p.cells[i].key) {
			sum += int(l)
		}
		return sum
	}
	depths := map[int32]int{}
	for _, i := range todo {
		depths[i] = depth(i)
	}
	slices.SortStableFunc(todo, func(x, y int32) int {
		if d := depths[x] - depths[y]; d != 0 {
			return d
		}
		return int(p.cells[y].count - p.cells[x].count)
	})
	for n, i := range todo {
		if n&63 == 0 && ctx.Err() != nil {
			return -1, ctx.Err()
		}
		if p.trial.effort < 0 {
			return i, nil
		}
		one, ok := p.prove(i)
		if !ok {
			return i, nil
		}
		p.proofs = append(p.proofs, one)
	}
	p.showUnused()
	return -1, nil
}

// showUnused shows again what was hidden for a proof that in the end does not need it.
func (p *protector) showUnused() {
	used := make([]bool, len(p.cells))
	for i := range p.proofs {
		for _, differs := range []map[int32]int64{p.proofs[i].larger, p.proofs[i].smaller} {
			for at, by := range differs {
				used[at] = used[at] || by != 0
			}
		}
	}
	for i, r := range p.reason {
		if r == Complementary && !used[i] {
			p.reason[i] = Shown
		}
	}
}

// shift finds another table in which a cell is by so much larger, or smaller where sign is
// -1, and hides what is not the same in it. It is false where there is none.
func (p *protector) shift(i int32, by, sign int64) (map[int32]int64, bool) {
	p.delta = map[int32]int64{}
	for by > 0 {
		p.trial.neighboursMost, p.trial.triedMost = mostNeighbours, mostTried
		m, ok := p.search(i, sign, by)
		if !ok {
			p.trial.neighboursMost, p.trial.triedMost = 50*mostNeighbours, 25*mostTried
			m, ok = p.search(i, sign, by)
		}
		if !ok {
			return nil, false
		}
		amount := min(by, m.amount)
		p.apply(&m, sign*amount)
		by -= amount
	}
	return p.delta, true
}
