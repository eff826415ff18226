package opendata

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What follows knows the published files and nothing else: it shares no code with what
// protects them.

// disk holds files in memory.
type disk map[string]*bytes.Buffer

type memoryFile struct{ *bytes.Buffer }

func (memoryFile) Close() error { return nil }

func (d disk) create(name string) (io.WriteCloser, error) {
	d[name] = new(bytes.Buffer)
	return memoryFile{d[name]}, nil
}

// attacker has put together what the files say: a number for each cell, -1 where it is
// hidden. A cell is named by its codes, dimension by dimension.
type attacker struct {
	dims   []string
	cells  map[string]float64
	kept   map[string]bool
	listed map[string]bool // hidden ones that count somebody, for rows of nobody are left out
}

// read takes all tables of a release. Dimensions that a table does not have are total.
func read(t testing.TB, files disk, dims, rates []string) *attacker {
	t.Helper()
	a := &attacker{dims: slices.Concat(dims, rates), cells: map[string]float64{}, kept: map[string]bool{}, listed: map[string]bool{}}
	for name, content := range files {
		if !strings.HasSuffix(name, ".csv") || strings.Contains(name, "diccionario") {
			continue
		}
		rows, err := csv.NewReader(bytes.NewReader(content.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			at := func(column string) (string, bool) {
				i := slices.Index(rows[0], column)
				if i < 0 {
					return "", false
				}
				return row[i], true
			}
			where := make([]string, len(a.dims))
			for i, d := range a.dims {
				if where[i] = "total"; i < len(dims) {
					if code, ok := at(d); ok {
						where[i] = code
					}
				}
			}
			value := func(column string) float64 {
				text, _ := at(column)
				if text == "" {
					return -1
				}
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			whole := value("casos")
			note, _ := at("nota")
			kept := strings.HasPrefix(note, "A")
			a.put(t, where, whole, kept)
			for i, rate := range rates {
				if _, ok := at(rate); !ok {
					continue
				}
				one := slices.Clone(where)
				one[len(dims)+i] = "1"
				part := value(rate)
				a.put(t, one, part, false)
				one[len(dims)+i] = "0"
				if whole >= 0 && part >= 0 { // as old as the whole, where that is of before
					a.put(t, one, whole-part, kept)
				} else {
					a.put(t, one, -1, false)
					a.listed[strings.Join(one, "|")] = whole >= 0 // of few it may be that all count in it
				}
			}
		}
	}
	return a
}

func (a *attacker) put(t testing.TB, where []string, v float64, kept bool) {
	name := strings.Join(where, "|")
	if old, ok := a.cells[name]; ok && old != v {
		t.Errorf("%s is %v in one table and %v in another", name, old, v)
	}
	a.cells[name] = v
	a.kept[name] = kept
	a.listed[name] = v < 0
}

// after forgets that somebody is in cells that an earlier release hid: they stay listed.
func (a *attacker) after(earlier ...*attacker) *attacker {
	for _, e := range earlier {
		for name, v := range e.cells {
			if v < 0 {
				a.listed[name] = false
			}
		}
	}
	return a
}

// above returns the code that a code of a dimension, the first of which is of places, is part of.
func above(dim int, code string) string {
	if dim == 0 && len(code) == 5 && code != "total" {
		return code[:2]
	}
	return "total"
}

// sums returns the sums that the cells make: names, the first of which is the whole.
func (a *attacker) sums() [][]string {
	group := map[string][]string{}
	for name := range a.cells {
		where := strings.Split(name, "|")
		for i, code := range where {
			if code == "total" {
				continue
			}
			whole := slices.Clone(where)
			whole[i] = above(i, code)
			key := strings.Join(whole, "|")
			group[fmt.Sprint(key, "#", i)] = append(group[fmt.Sprint(key, "#", i)], name)
		}
	}
	var all [][]string
	for key, parts := range group {
		slices.Sort(parts)
		all = append(all, append([]string{key[:strings.LastIndex(key, "#")]}, parts...))
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

// small finds cells that count one to k-1.
func (a *attacker) small(k float64) (found []string) {
	for name, v := range a.cells {
		if v > 0 && v < k {
			found = append(found, fmt.Sprintf("%s = %v", name, v))
		}
	}
	return found
}

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

// differences finds cells that two releases show, and that few people make different.
func differences(before, after *attacker, k float64) (found []string) {
	for name, v := range before.cells {
		w, ok := after.cells[name]
		if !ok {
			w = 0
		}
		if v < 0 || w < 0 {
			continue
		}
		if d := math.Abs(v - w); d > 0 && d < k {
			found = append(found, fmt.Sprintf("%s: %v, then %v", name, v, w))
		}
	}
	return found
}

// combined is what somebody knows who has two releases, and holds that a cell counts the
// same people in both where it is hidden in one of them.
func combined(before, after *attacker) *attacker {
	all := &attacker{dims: after.dims, cells: map[string]float64{}, kept: map[string]bool{}, listed: map[string]bool{}}
	for name, v := range after.cells {
		if v < 0 {
			if w, ok := before.cells[name]; ok && w >= 0 {
				v = w
			}
		}
		all.cells[name], all.kept[name] = v, after.kept[name]
	}
	return all
}

// between finds cells of which two releases tell, by what they leave possible of each, that
// some people were added or taken away, but fewer than k. truth is how many there are.
func between(before, after *attacker, k float64, truth func(name string) (was, is float64, ok bool)) (found []string) {
	first, second := before.system().bounded(before, k), after.system().bounded(after, k)
	ends := func(a *attacker, s *system, name string) (low, high float64) {
		if _, open := s.index[name]; open {
			return s.extreme(name, -1), s.extreme(name, 1)
		}
		return a.cells[name], a.cells[name]
	}
	names := maps.Clone(before.cells)
	maps.Copy(names, after.cells)
	for name := range names {
		was, is, ok := truth(name)
		if d := math.Abs(is - was); !ok || d == 0 || d >= k {
			continue
		}
		low1, high1 := ends(before, first, name)
		low2, high2 := ends(after, second, name)
		least, most := low2-high1, high2-low1
		if least > 1e-6 && most < k-1e-6 || most < -1e-6 && least > 1e-6-k {
			found = append(found, fmt.Sprintf("%s: %v to %v, then %v to %v", name, low1, high1, low2, high2))
		}
	}
	return found
}

var anyCURP = regexp.MustCompile(`(?i)[a-z]{4}\d{2}(0\d|1[0-2])[0-3]\d[hmx][a-z]{5}[a-z0-9]\d`)

// identities finds whatever looks like a CURP in any file.
func (d disk) identities() (found []string) {
	for name, content := range d {
		if anyCURP.Match(content.Bytes()) {
			found = append(found, name)
		}
	}
	return found
}
