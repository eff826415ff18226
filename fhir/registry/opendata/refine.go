package opendata

import "slices"

// complete chooses the values of m below those that it has, down to where the finest
// table goes that notices it, and says what it costs. It is false when m cannot be made.
func (p *protector) complete(m *move, shapes []int, sign, want int64) bool {
	if _, _, ok := p.price(m, shapes, sign); !ok {
		return false
	}
	for d, a := range p.axes {
		deepest := int8(0)
		for _, s := range shapes {
			deepest = max(deepest, p.shapes[s].levels[d])
		}
		for a.depth[m.x[d]] < deepest || m.q>>d&1 == 1 && a.depth[m.y[d]] < deepest {
			if !p.refine(m, shapes, d, sign, want) {
				return false
			}
		}
	}
	var ok bool
	m.amount, m.cost, ok = p.price(m, shapes, sign)
	return ok && m.amount > 0
}

// refine takes m a level down in a dimension.
func (p *protector) refine(m *move, shapes []int, d int, sign, want int64) bool {
	a := p.axes[d]
	moved := m.q>>d&1 == 1
	xs, ys := []int32{m.x[d]}, []int32{m.y[d]}
	if !moved || a.depth[m.x[d]] <= a.depth[m.y[d]] {
		xs = p.below(m, shapes, d, m.x, moved)
	}
	if moved && a.depth[m.y[d]] <= a.depth[xs0(xs, m.x[d])]-1 {
		ys = p.below(m, shapes, d, m.y, moved)
	}
	x, y := m.x[d], m.y[d]
	found := false
	var best, bestX, bestY = int64(0), x, y
	for _, m.x[d] = range xs {
		for _, m.y[d] = range ys {
			amount, cost, ok := p.price(m, shapes, sign)
			if !ok || amount == 0 {
				continue
			}
			if s := score(&move{amount: amount, cost: cost}, want); !found || s < best {
				found, best, bestX, bestY = true, s, m.x[d], m.y[d]
			}
		}
	}
	m.x[d], m.y[d] = bestX, bestY
	return found
}

// xs0 returns the first of xs, or other where there is none.
func xs0(xs []int32, other int32) int32 {
	if len(xs) == 0 {
		return other
	}
	return xs[0]
}

// below returns the values below that of m in a dimension: of many those of the largest
// cells, where the others are chosen as well.
func (p *protector) below(m *move, shapes []int, d int, side []int32, few bool) []int32 {
	a := p.axes[d]
	kids := a.kids[side[d]]
	if !few {
		return kids
	}
	type counted struct {
		node  int32
		count int64
	}
	var bases []uint64 // of the cells that tell kids apart, but for the kid
	for _, at := range shapes {
		if base, ok := p.beside(m, &p.shapes[at], d, a.depth[side[d]]+1); ok {
			bases = append(bases, base)
		}
	}
	p.trial.effort -= int64(len(kids) * len(bases))
	all := make([]counted, 0, len(kids))
	for _, n := range kids {
		c := counted{node: n}
		for _, base := range bases {
			at, there := p.at[base|uint64(n)<<a.shift]
			if !there || p.lo[at] == p.hi[at] { // no move is made of it
				c.count = 0
				break
			}
			c.count = max(c.count, p.cells[at].count)
		}
		if c.count > 0 {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(x, y counted) int { return int(y.count - x.count) })
	out := make([]int32, 0, mostBelow)
	for _, c := range all[:min(len(all), mostBelow)] {
		out = append(out, c.node)
	}
	return out
}

// beside returns the key of the cell of a shape that has the values x of m, without that in
// d, where the shape goes to a level. It is false when they are not chosen yet.
func (p *protector) beside(m *move, s *shape, d int, level int8) (key uint64, ok bool) {
	if s.levels[d] != level {
		return 0, false
	}
	for e, l := range s.levels {
		switch a := p.axes[e]; {
		case e == d:
		case a.depth[m.x[e]] < l:
			return 0, false
		default:
			key |= uint64(a.at(m.x[e], l)) << a.shift
		}
	}
	return key, true
}
