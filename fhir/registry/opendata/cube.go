package opendata

import (
	"context"
	"hash/maphash"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

// Rows calls each with every row of a source, in any order. A row is valid until each
// returns. It ends with the first error of each.
type Rows func(ctx context.Context, each func(row []table.Cell) error) error

// Source is where the rows of a family come from.
type Source struct {
	Columns []string // names of the cells of a row
	Rows    func(s Span) Rows
}

// Cube is what was counted: a cell for each combination of values of each table, and for
// all of their margins. Cells that count nothing are not there.
type Cube struct {
	Family *Family
	Span   Span
	Rows   int64 // that belong to the period
	Others int64 // that do not

	axes    []*axis
	shapes  []shape // of all cells that are published
	cells   []cell
	at      map[uint64]int32 // by key
	columns []int            // of sums: index of Family.Measures
}

// shape is a set of cells: how deep they go in each dimension.
type shape struct {
	levels []int8
	owner  int // table out of which they are counted
}

// cell is one.
type cell struct {
	key    uint64
	count  int64
	sums   []sum
	people set // who is counted, where rows are not all of somebody else
	givers set // who contributed them, where that is told
}

// set holds some members of a group, by their hashes, and no more of them than matter.
type set []uint64

func (s set) with(most int, members ...uint64) set {
	for _, m := range members {
		if len(s) >= most {
			break
		}
		if !slices.Contains(s, m) {
			s = append(s, m)
		}
	}
	return s
}

// sum is of one measure in one cell.
type sum struct {
	n        int64   // rows that have a value
	total    float64 //
	most     float64 // the greatest value
	negative bool    // a value is below 0
}

func (s *sum) add(o *sum) {
	s.n, s.total, s.most, s.negative = s.n+o.n, s.total+o.total, max(s.most, o.most), s.negative || o.negative
}

// counting is an aggregation under way.
type counting struct {
	*Cube
	tables      [][]int8 // levels of each table
	found       []map[uint64]int32
	accounts    [][]cell
	column      []int // of each axis
	sums        []int // columns of sums
	period      int
	person      int // -1 where each row is of somebody else
	contributor int // -1 where it does not matter
	seed        maphash.Seed
}

// Aggregate counts the rows of a period. It takes memory for the cells, and none for rows.
// Errors: those of the rows; fhir.Invalid for columns that the source lacks.
func Aggregate(ctx context.Context, f *Family, s Source, span Span) (*Cube, error) {
	c := &counting{Cube: &Cube{Family: f, Span: span, at: map[uint64]int32{}}, person: -1, contributor: -1, seed: maphash.MakeSeed()}
	if err := c.prepare(&s); err != nil {
		return nil, err
	}
	if err := s.Rows(span)(ctx, c.row); err != nil {
		return nil, err
	}
	c.roll()
	return c.Cube, nil
}

func (c *counting) prepare(s *Source) error {
	var missing string
	find := func(name string) int {
		i := slices.Index(s.Columns, name)
		if i < 0 {
			missing = name
		}
		return i
	}
	f := c.Family
	c.period = find(f.Period)
	if f.Person != "" {
		c.person = find(f.Person)
	}
	if f.Contributor != "" {
		c.contributor = find(f.Contributor)
	}
	for i := range f.Dimensions {
		c.axes = append(c.axes, newAxis(f.Dimensions[i].Name, &f.Dimensions[i]))
		c.column = append(c.column, find(f.Dimensions[i].Column))
	}
	for i, m := range f.Measures {
		if m.Kind == Rate {
			c.axes = append(c.axes, newAxis(m.Name, nil))
			c.column = append(c.column, find(m.Column))
			continue
		}
		c.columns = append(c.columns, i)
		c.sums = append(c.sums, find(m.Column))
	}
	if missing != "" {
		return fhir.Errorf(fhir.Invalid, "a family of datasets counts by a column that its source lacks").With("%s: %.60q is none of %v", f.Name, missing, s.Columns)
	}
	shift := uint(0)
	for _, a := range c.axes {
		a.shift = shift
		shift += a.width
	}
	if shift > 64 {
		return fhir.Errorf(fhir.Invalid, "a family of datasets has too many dimensions and rates").With("%s", f.Name)
	}
	c.tables = f.allTables(len(c.axes))
	c.found, c.accounts = make([]map[uint64]int32, len(c.tables)), make([][]cell, len(c.tables))
	for i := range c.found {
		c.found[i] = map[uint64]int32{}
	}
	c.shapes = shapesOf(c.tables)
	return nil
}

// allTables returns the levels of the tables of a family: each as it is defined, and once
// more for each of its rates, divided by whether a row counts in it.
func (f *Family) allTables(axes int) [][]int8 {
	var all [][]int8
	for i := range f.Datasets {
		d := &f.Datasets[i]
		for j := range d.Tables {
			given, _ := f.levels(&d.Tables[j])
			levels := make([]int8, axes)
			for k, l := range given {
				levels[k] = int8(l)
			}
			all = append(all, levels)
			for _, name := range d.Measures {
				if at := f.flag(name); at >= 0 {
					more := slices.Clone(levels)
					more[at] = 1
					all = append(all, more)
				}
			}
		}
	}
	slices.SortStableFunc(all, slices.Compare)
	return slices.CompactFunc(all, slices.Equal)
}

// flag returns the axis of a rate, -1 when the measure is none.
func (f *Family) flag(name string) int {
	at := len(f.Dimensions)
	for _, m := range f.Measures {
		switch {
		case m.Name == name && m.Kind == Rate:
			return at
		case m.Kind == Rate:
			at++
		}
	}
	return -1
}

// shapesOf returns the shapes of all cells of the tables, each once.
func shapesOf(tables [][]int8) []shape {
	var all []shape
	seen := map[string]bool{}
	for t, deepest := range tables {
		levels := make([]int8, len(deepest))
		for more := true; more; more = next(levels, deepest) {
			name := make([]byte, len(levels))
			for i, l := range levels {
				name[i] = byte(l)
			}
			if !seen[string(name)] {
				seen[string(name)] = true
				all = append(all, shape{slices.Clone(levels), t})
			}
		}
	}
	return all
}

// next counts levels up to most, the last one first.
func next(levels, most []int8) bool {
	for i := len(levels) - 1; i >= 0; i-- {
		if levels[i] < most[i] {
			levels[i]++
			return true
		}
		levels[i] = 0
	}
	return false
}

// row counts one.
func (c *counting) row(row []table.Cell) error {
	if !c.Span.contains(row[c.period].Text) {
		c.Others++
		return nil
	}
	c.Rows++
	var leaves [64]int32
	for i, a := range c.axes {
		n, err := a.leaf(row[c.column[i]].Text)
		if err != nil {
			return err
		}
		leaves[i] = n
	}
	one := cell{count: 1}
	if c.person >= 0 {
		one.people = set{maphash.String(c.seed, row[c.person].Text)}
	}
	if c.contributor >= 0 {
		one.givers = set{maphash.String(c.seed, row[c.contributor].Text)}
	}
	for _, column := range c.sums {
		var s sum
		if v, err := strconv.ParseFloat(row[column].Text, 64); err == nil {
			s = sum{1, v, v, v < 0}
		}
		one.sums = append(one.sums, s)
	}
	for t, levels := range c.tables {
		key := uint64(0)
		for i, a := range c.axes {
			key |= uint64(a.at(leaves[i], levels[i])) << a.shift
		}
		at, ok := c.found[t][key]
		if !ok {
			at = int32(len(c.accounts[t]))
			c.found[t][key] = at
			c.accounts[t] = append(c.accounts[t], cell{key: key})
		}
		c.accounts[t][at].add(&one, c.Family)
	}
	return nil
}

func (c *cell) add(o *cell, f *Family) {
	c.count += o.count
	if c.sums == nil && len(o.sums) > 0 {
		c.sums = make([]sum, len(o.sums))
	}
	for i := range o.sums {
		c.sums[i].add(&o.sums[i])
	}
	c.people = c.people.with(f.K, o.people...)
	c.givers = c.givers.with(f.Contributors, o.givers...)
}

// roll adds the margins.
func (c *counting) roll() {
	for _, s := range c.shapes {
		for i := range c.accounts[s.owner] {
			one := &c.accounts[s.owner][i]
			key := uint64(0)
			for d, a := range c.axes {
				key |= uint64(a.at(a.of(one.key), s.levels[d])) << a.shift
			}
			at, ok := c.at[key]
			if !ok {
				at = int32(len(c.cells))
				c.at[key] = at
				c.cells = append(c.cells, cell{key: key})
			}
			c.cells[at].add(one, c.Family)
		}
	}
}

// levelsOf returns the levels of a cell.
func (c *Cube) levelsOf(key uint64) []int8 {
	levels := make([]int8, len(c.axes))
	for i, a := range c.axes {
		levels[i] = a.depth[a.of(key)]
	}
	return levels
}

// Cells is how many there are.
func (c *Cube) Cells() int { return len(c.cells) }

// order sorts cells by their values, so that files of the same data are the same.
func (c *Cube) order() {
	rank := make([][]int32, len(c.axes))
	for i, a := range c.axes {
		rank[i] = make([]int32, len(a.codes))
		for r, n := range a.sorted() {
			rank[i][n] = int32(r)
		}
	}
	slices.SortFunc(c.cells, func(x, y cell) int {
		for i, a := range c.axes {
			if d := rank[i][a.of(x.key)] - rank[i][a.of(y.key)]; d != 0 {
				return int(d)
			}
		}
		return 0
	})
	for i := range c.cells {
		c.at[c.cells[i].key] = int32(i)
	}
}

// sorted returns all nodes in their order.
func (a *axis) sorted() []int32 {
	all := make([]int32, len(a.codes))
	for i := range all {
		all[i] = int32(i)
	}
	slices.SortFunc(all, a.compare)
	return all
}

// compare orders nodes: the total, then defined ones as they were defined, then by code.
func (a *axis) compare(x, y int32) int {
	defined := a.def == nil || a.def.Kind == Band || a.def.Kind == Code
	switch {
	case x == 0 || y == 0 || defined:
		return int(x - y)
	case a.codes[x] < a.codes[y]:
		return -1
	}
	return 1
}
