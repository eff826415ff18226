package opendata

import (
	"math"
	"slices"
)

// system is the sums as equations over the hidden cells.
type system struct {
	names  []string
	index  map[string]int
	matrix [][]float64 // the last column is the right side
	least  []float64   // what a cell counts at least; the equations are of what it counts beyond
}

func (a *attacker) system() *system {
	hidden := func(name string) bool { v, ok := a.cells[name]; return ok && (v < 0 || a.kept[name]) }
	s := &system{index: map[string]int{}}
	for name := range a.cells {
		if hidden(name) {
			s.names = append(s.names, name)
		}
	}
	slices.Sort(s.names)
	for i, name := range s.names {
		s.index[name] = i
		s.least = append(s.least, 0)
		if a.listed[name] && !a.kept[name] {
			s.least[i] = 1
		}
	}
	for _, sum := range a.sums() {
		line, any := make([]float64, len(s.names)+1), false
		for i, name := range sum {
			sign := 1.0
			if i == 0 {
				sign = -1
			}
			if at, ok := s.index[name]; ok {
				line[at] += sign
				line[len(s.names)] -= sign * s.least[at]
				any = true
			} else {
				line[len(s.names)] -= sign * a.cells[name]
			}
		}
		if any {
			s.matrix = append(s.matrix, line)
		}
	}
	return s
}

// solve finds hidden cells that the sums determine, by elimination.
func (s *system) solve() map[string]float64 {
	m := make([][]float64, len(s.matrix))
	for i := range m {
		m[i] = slices.Clone(s.matrix[i])
	}
	n, rank := len(s.names), 0
	for col := 0; col < n && rank < len(m); col++ {
		best := rank
		for r := rank; r < len(m); r++ {
			if math.Abs(m[r][col]) > math.Abs(m[best][col]) {
				best = r
			}
		}
		if math.Abs(m[best][col]) < 1e-9 {
			continue
		}
		m[rank], m[best] = m[best], m[rank]
		for c := n; c >= col; c-- {
			m[rank][c] /= m[rank][col]
		}
		for r := range m {
			if r != rank && math.Abs(m[r][col]) > 1e-9 {
				f := m[r][col]
				for c := col; c <= n; c++ {
					m[r][c] -= f * m[rank][c]
				}
			}
		}
		rank++
	}
	found := map[string]float64{}
	for r := range rank {
		at, many := -1, false
		for c := range n {
			if math.Abs(m[r][c]) > 1e-9 {
				many = at >= 0
				at = c
				if many {
					break
				}
			}
		}
		if at >= 0 && !many {
			found[s.names[at]] = m[r][n] + s.least[at]
		}
	}
	return found
}

// bounded adds what is known of cells that are as published before: that they changed by
// less than k.
func (s *system) bounded(a *attacker, k float64) *system {
	out := &system{names: s.names, index: s.index, least: s.least}
	var kept []int
	for i, name := range s.names {
		if a.kept[name] {
			kept = append(kept, i)
		}
	}
	n, wide := len(s.names), len(s.names)+2*len(kept)
	for _, line := range s.matrix {
		more := make([]float64, wide+1)
		copy(more, line[:n])
		more[wide] = line[n]
		out.matrix = append(out.matrix, more)
	}
	for i, at := range kept { // each end with the room that is left to it
		least, most := make([]float64, wide+1), make([]float64, wide+1)
		least[at], least[n+2*i], least[wide] = 1, -1, max(0, a.cells[s.names[at]]-k+1)
		most[at], most[n+2*i+1], most[wide] = 1, 1, a.cells[s.names[at]]+k-1
		out.matrix = append(out.matrix, least, most)
	}
	return out
}

// extreme returns the greatest value (sign 1) or the least (-1) that a hidden cell may
// have, by the simplex method: none of them is less than zero.
func (s *system) extreme(name string, sign float64) float64 {
	if len(s.matrix) == 0 {
		return math.Inf(1) * max(0, sign)
	}
	n, m := len(s.matrix[0])-1, len(s.matrix)
	t := make([][]float64, m+1)
	basis := make([]int, m)
	for i, line := range s.matrix {
		t[i] = make([]float64, n+m+1)
		f := 1.0
		if line[n] < 0 {
			f = -1
		}
		for c := range n {
			t[i][c] = f * line[c]
		}
		t[i][n+i], t[i][n+m], basis[i] = 1, f*line[n], n+i
	}
	// First the sum of what is not met becomes nothing, then the cell extreme.
	t[m] = make([]float64, n+m+1)
	for i := range m {
		for c := range n {
			t[m][c] -= t[i][c]
		}
		t[m][n+m] -= t[i][n+m]
	}
	pivotAll(t, basis, n+m, n)
	for i, b := range basis { // an equation that says nothing new
		if b < n {
			continue
		}
		for c := range n {
			if math.Abs(t[i][c]) > 1e-7 {
				pivot(t, basis, i, c)
				break
			}
		}
	}
	goal := s.index[name]
	for c := range t[m] {
		t[m][c] = 0
	}
	t[m][goal] = -sign
	for i, b := range basis {
		if b == goal {
			for c := range t[m] {
				t[m][c] += sign * t[i][c]
			}
		}
	}
	if !pivotAll(t, basis, n+m, n) {
		return math.Inf(int(sign))
	}
	return sign*t[m][n+m] + s.least[goal]
}

// pivotAll goes on until the last line has nothing negative; it is false without bound.
func pivotAll(t [][]float64, basis []int, width, columns int) bool {
	m := len(t) - 1
	for range 20_000 {
		enter := -1
		for c := range columns {
			if t[m][c] < -1e-7 {
				enter = c
				break
			}
		}
		if enter < 0 {
			return true
		}
		leave, least := -1, math.Inf(1)
		for i := range m {
			if t[i][enter] > 1e-7 {
				if r := t[i][width] / t[i][enter]; r < least-1e-9 || r < least+1e-9 && (leave < 0 || basis[i] < basis[leave]) {
					leave, least = i, r
				}
			}
		}
		if leave < 0 {
			return false
		}
		pivot(t, basis, leave, enter)
	}
	panic("the simplex method does not end")
}

func pivot(t [][]float64, basis []int, row, column int) {
	f := t[row][column]
	for c := range t[row] {
		t[row][c] /= f
	}
	for i := range t {
		if f := t[i][column]; i != row && math.Abs(f) > 1e-12 {
			for c := range t[i] {
				t[i][c] -= f * t[row][c]
			}
		}
	}
	basis[row] = column
}
