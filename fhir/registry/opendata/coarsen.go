package opendata

import (
	"fmt"
	"slices"
	"strings"
)

// withoutNew takes out what no earlier release of the period told: beside numbers that are
// as published before it would tell what has changed since.
func (c *Cube) withoutNew(told map[string]bool) (withdrawn []string) {
	for {
		i := slices.IndexFunc(c.shapes, func(s shape) bool { return !told[fmt.Sprint(s.levels)] })
		if i < 0 {
			return withdrawn
		}
		what, ok := c.coarsen(c.shapes[i].levels)
		if !ok {
			return withdrawn // of an earlier release that had another form
		}
		withdrawn = append(withdrawn, what)
	}
}

// told returns the shapes that earlier releases have anything of, by their levels.
func (c *Cube) told(past map[string]Past) map[string]bool {
	all := map[string]bool{}
	last := ""
	for text := range past {
		if key, ok := c.keyOf(text); ok {
			if name := fmt.Sprint(c.levelsOf(key)); name != last {
				all[name], last = true, name
			}
		}
	}
	return all
}

// largest returns the levels of the shape that has the most cells.
func (c *Cube) largest() (levels []int8) {
	most := 0
	n := map[string]int{}
	for i := range c.cells {
		of := c.levelsOf(c.cells[i].key)
		name := fmt.Sprint(of)
		if n[name]++; n[name] > most {
			levels, most = of, n[name]
		}
	}
	return levels
}

// coarsen takes a shape and all that is finer out of a cube. It is false for the total,
// without which there is nothing.
func (c *Cube) coarsen(levels []int8) (string, bool) {
	if !slices.ContainsFunc(levels, func(l int8) bool { return l > 0 }) {
		return "", false
	}
	if whole := levels[:len(c.Family.Dimensions)]; slices.ContainsFunc(whole, func(l int8) bool { return l > 0 }) {
		// Without the rate alone, who is not there would still tell of it.
		levels = slices.Concat(whole, make([]int8, len(levels)-len(whole)))
	}
	finer := func(other []int8) bool {
		for i := range levels {
			if other[i] < levels[i] {
				return false
			}
		}
		return true
	}
	c.shapes = slices.DeleteFunc(c.shapes, func(s shape) bool { return finer(s.levels) })
	c.cells = slices.DeleteFunc(c.cells, func(one cell) bool { return finer(c.levelsOf(one.key)) })
	clear(c.at)
	for i := range c.cells {
		c.at[c.cells[i].key] = int32(i)
	}
	var names []string
	for i, l := range levels {
		if l > 0 {
			name := c.axes[i].name
			if d := c.axes[i].def; d != nil && d.Kind == Place {
				name += "@" + d.levelNames()[l-1]
			}
			names = append(names, name)
		}
	}
	return strings.Join(names, " × "), true
}
