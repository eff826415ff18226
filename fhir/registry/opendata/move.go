package opendata

import (
	"math/bits"
	"slices"
)

// move is a change of the people who are counted that keeps most margins: some of those
// with the values x have others, y, in the dimensions of q, and as many as makes up for it
// have x in their place, in all combinations with alternating signs. A margin that does
// not tell x from y in some dimension of q does not notice.
type move struct {
	q      uint64 // bits of axes
	x, y   []int32
	common []int8 // of each axis in q: depth of the value that has both x and y
	amount int64  // how many people at most
	cost   int64  // what has to be hidden for it
}

// trial is where moves are tried: what is reused from one to the next.
type trial struct {
	neighbours [][]neighbour
	shapes     []int
	best       move
	found      bool

	neighboursMost, triedMost int

	others bool // whether a cell that has enough people by itself is needed

	effort int64 // cells that may still be looked at
}

// neighbour is a value that some people may have in place of that of a cell.
type neighbour struct {
	node   int32
	common int8
	hidden bool
	free   int64 // by how much its cell may become smaller
	count  int64
}

// Bounds of a search: neighbours of a value, and combinations of them. Where it finds
// nothing, it is made once more with much wider ones.
const (
	mostNeighbours = 16
	mostTried      = 160
	mostBelow      = 6 // values below one that are looked at
)

// search finds the move that makes a cell larger (sign 1) or smaller (-1) by some of want
// and costs least.
func (p *protector) search(i int32, sign, want int64) (move, bool) {
	t := &p.trial
	key := p.cells[i].key
	t.others = (p.Family.Person != "" || p.Family.Contributor != "") && p.primary(&p.cells[i]) != Shown
	var dims []int
	t.neighbours = t.neighbours[:0]
	for d, a := range p.axes {
		t.neighbours = append(t.neighbours, nil)
		if a.of(key) != 0 {
			dims = append(dims, d)
			t.neighbours[d] = p.near(key, d, sign, want)
		}
	}
	t.found = false
	subsets := 1<<len(dims) - 1
	for size := len(dims); size > 0; size-- {
		for s := subsets; s > 0; s-- {
			if bits.OnesCount(uint(s)) != size {
				continue
			}
			q := uint64(0)
			for b, d := range dims {
				if s>>b&1 == 1 {
					q |= 1 << d
				}
			}
			if p.combine(key, q, sign, want); t.found && t.best.cost == 0 {
				return t.best, true
			}
		}
	}
	p.alone(key, sign)
	return t.best, t.found
}

// mostAlone bounds the values that are tried for a move of nobody else.
const mostAlone = 2000

// alone finds the move that adds people, or takes them away, of whom everybody knows that
// they may be there: every cell that counts them is hidden, or as published before. Who
// was registered late is such a one.
func (p *protector) alone(key uint64, sign int64) {
	if len(p.before)+len(p.kept) == 0 {
		return // of a first release everybody knows the total
	}
	m := move{x: make([]int32, len(p.axes)), y: make([]int32, len(p.axes)), common: make([]int8, len(p.axes))}
	deepest := make([]int8, len(p.axes))
	shapes := p.touched(nil, 0, m.common)
	for d, a := range p.axes {
		m.x[d] = a.of(key)
		for _, s := range shapes {
			deepest[d] = max(deepest[d], p.shapes[s].levels[d])
		}
	}
	tried := 0
	var down func(d int) bool
	down = func(d int) bool {
		amount, cost, ok := p.price(&m, shapes, sign)
		if tried++; !ok || cost > 0 || tried > mostAlone {
			return false
		}
		for d < len(p.axes) && p.axes[d].depth[m.x[d]] >= deepest[d] {
			d++
		}
		if d == len(p.axes) {
			m.amount = amount
			return amount > 0
		}
		x := m.x[d]
		for _, n := range p.axes[d].kids[x] {
			if m.x[d] = n; down(d) {
				return true
			}
		}
		m.x[d] = x
		return false
	}
	if t := &p.trial; down(0) {
		t.best, t.found = m, true
	}
}

// near returns the values that a cell may share its people with in a dimension, the most
// promising first: those with the same parent, then those with the same grandparent.
func (p *protector) near(key uint64, d int, sign, want int64) []neighbour {
	a := p.axes[d]
	var all []neighbour
	for below := a.of(key); below != 0; below = a.parent[below] {
		from := len(all)
		for _, n := range a.kids[a.parent[below]] {
			at, there := p.at[a.with(key, n)]
			if n == below || !there || p.lo[at] == p.hi[at] {
				continue
			}
			if p.trial.others && p.primary(&p.cells[at]) != Shown {
				continue // of both together too few people would be told
			}
			v := p.cells[at].count + p.delta[at]
			free := v - p.lo[at]
			if sign < 0 {
				free = p.hi[at] - v
			}
			all = append(all, neighbour{n, a.depth[n] - 1, p.reason[at] != Shown, free, p.cells[at].count})
		}
		group := all[from:]
		slices.SortFunc(group, func(x, y neighbour) int {
			switch {
			case x.hidden != y.hidden:
				return order(x.hidden, y.hidden)
			case (x.free >= want) != (y.free >= want):
				return order(x.free >= want, y.free >= want)
			case x.hidden || x.free < want:
				return int(y.free - x.free)
			}
			return int(x.count - y.count)
		})
		all = all[:from+min(len(group), p.trial.neighboursMost)]
	}
	return all
}

func order(first, second bool) int {
	if first && !second {
		return -1
	}
	return 1
}

// combine tries moves in the dimensions of q.
func (p *protector) combine(key, q uint64, sign, want int64) {
	t := &p.trial
	m := move{q: q, x: make([]int32, len(p.axes)), y: make([]int32, len(p.axes)), common: make([]int8, len(p.axes))}
	var dims []int
	for d := range p.axes {
		if q>>d&1 == 1 {
			if len(t.neighbours[d]) == 0 {
				return
			}
			dims = append(dims, d)
		}
	}
	chosen := make([]int, len(dims))
	last := make([]int8, len(p.axes))
	for tried := 0; tried < t.triedMost; tried++ {
		for d, a := range p.axes {
			m.x[d] = a.of(key)
		}
		same := tried > 0
		for b, d := range dims {
			n := t.neighbours[d][chosen[b]]
			m.y[d], m.common[d] = n.node, n.common
			same = same && last[d] == n.common
			last[d] = n.common
		}
		if !same {
			t.shapes = p.touched(t.shapes[:0], q, m.common)
		}
		if p.complete(&m, t.shapes, sign, want) && (!t.found || score(&m, want) < score(&t.best, want)) {
			t.found = true
			t.best = move{q, slices.Clone(m.x), slices.Clone(m.y), slices.Clone(m.common), m.amount, m.cost}
			if m.cost == 0 {
				return
			}
		}
		if !advance(chosen, dims, t.neighbours) {
			return
		}
	}
}

// advance counts through the combinations, the first ones of all dimensions first.
func advance(chosen, dims []int, of [][]neighbour) bool {
	for b := range chosen {
		if chosen[b]++; chosen[b] < len(of[dims[b]]) {
			return true
		}
		chosen[b] = 0
	}
	return false
}

// score is what a move costs when it has to be made until want is reached.
func score(m *move, want int64) int64 { return m.cost * max(1, (want+m.amount-1)/m.amount) }

// touched returns the shapes whose cells tell x from y in all dimensions of q.
func (p *protector) touched(into []int, q uint64, common []int8) []int {
next:
	for s := range p.shapes {
		for d, l := range p.shapes[s].levels {
			if q>>d&1 == 1 && l <= common[d] {
				continue next
			}
		}
		into = append(into, s)
	}
	return into
}

// price returns how many people m can move at most, and what has to be hidden for it: as
// far as its values are chosen. It is false where a cell that would change is known.
func (p *protector) price(m *move, shapes []int, sign int64) (amount, cost int64, ok bool) {
	amount = far
	ok = p.corners(m, shapes, func(key uint64, net int64) bool {
		p.trial.effort--
		at, there := p.at[key]
		if !there || p.lo[at] == p.hi[at] {
			return false
		}
		v := p.cells[at].count + p.delta[at]
		if net*sign > 0 {
			amount = min(amount, p.hi[at]-v)
		} else {
			amount = min(amount, v-p.lo[at])
		}
		if p.reason[at] == Shown {
			cost += p.cells[at].count + int64(p.Family.K)
		}
		return amount > 0
	})
	return amount, cost, ok
}

// corners calls each with every cell that m changes, and with how its count does for each
// person moved: until that is false.
func (p *protector) corners(m *move, shapes []int, each func(key uint64, net int64) bool) bool {
	var dims [64]int
	n := 0
	for d := range p.axes {
		if m.q>>d&1 == 1 {
			dims[n] = d
			n++
		}
	}
next:
	for _, s := range shapes {
		fixed := uint64(0)
		levels := p.shapes[s].levels
		for d, a := range p.axes {
			if a.depth[m.x[d]] < levels[d] || m.q>>d&1 == 1 && a.depth[m.y[d]] < levels[d] {
				continue next // not chosen yet
			}
			if m.q>>d&1 == 0 {
				fixed |= uint64(a.at(m.x[d], levels[d])) << a.shift
			}
		}
		for side := range 1 << n {
			key, net := fixed, int64(1)
			for b := range n {
				d := dims[b]
				a := p.axes[d]
				node := m.x[d]
				if side>>b&1 == 1 {
					node, net = m.y[d], -net
				}
				key |= uint64(a.at(node, levels[d])) << a.shift
			}
			if !each(key, net) {
				return false
			}
		}
	}
	return true
}

// apply makes a move by so many people, and hides the cells that it changes.
func (p *protector) apply(m *move, by int64) {
	p.trial.shapes = p.touched(p.trial.shapes[:0], m.q, m.common)
	p.corners(m, p.trial.shapes, func(key uint64, net int64) bool {
		at := p.at[key]
		p.delta[at] += net * by
		if p.reason[at] == Shown {
			p.reason[at] = Complementary
		}
		return true
	})
}
