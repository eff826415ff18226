package opendata

import "slices"

// Past is what earlier releases of a period told of a cell.
type Past struct {
	Shown  int64 // what was published last, -1 for nothing
	Hidden int64 // its count when it was hidden last, -1 for never

	// What it was before that, in earlier releases still.
	ShownEarlier  []int64 `json:",omitempty"`
	HiddenEarlier []int64 `json:",omitempty"`
}

// shown returns all that was published of it.
func (p *Past) shown() []int64 { return told(p.Shown, p.ShownEarlier) }

// hidden returns all that it counted when it was hidden.
func (p *Past) hidden() []int64 { return told(p.Hidden, p.HiddenEarlier) }

func told(last int64, earlier []int64) []int64 {
	if last < 0 {
		return nil
	}
	return append([]int64{last}, earlier...)
}

// nearest returns what was published of a cell that is nearest to a count, and closer than
// k. It is false where nothing is. That nobody was there is not kept: few who are hide.
func (p *Past) nearest(count, k int64) (published int64, ok bool) {
	for _, v := range p.shown() {
		if apart := abs(v - count); v > 0 && apart < k && (!ok || apart < abs(published-count)) {
			published, ok = v, true
		}
	}
	return published, ok
}

// around returns the least and the greatest count that a cell had when it was hidden, of
// those that are closer to its count than k. It is false where none is.
func (p *Past) around(count, k int64) (ends [2]int64, ok bool) {
	for _, v := range p.hidden() {
		if abs(v-count) < k {
			if !ok {
				ends = [2]int64{v, v}
			}
			ends, ok = [2]int64{min(ends[0], v), max(ends[1], v)}, true
		}
	}
	return ends, ok
}

// few reports whether it counted fewer than k when it was hidden, so that it stays listed
// when it counts nobody.
func (p *Past) few(k int64) bool {
	return slices.ContainsFunc(p.hidden(), func(v int64) bool { return v < k })
}

// show remembers what was published now.
func (p *Past) show(v int64) { p.Shown, p.ShownEarlier = v, remembered(v, p.shown()) }

// hide remembers what it counts now that it is hidden.
func (p *Past) hide(v int64) { p.Hidden, p.HiddenEarlier = v, remembered(v, p.hidden()) }

func remembered(now int64, before []int64) []int64 {
	return slices.DeleteFunc(before, func(v int64) bool { return v == now })
}

func abs(v int64) int64 { return max(v, -v) }

// Remember returns what releases have told of the cells of a period, this one included.
func Remember(c *Cube, p *Protection, past map[string]Past) map[string]Past {
	all := make(map[string]Past, len(c.cells))
	for text, before := range past {
		if before.Shown > 0 {
			before.show(0) // unless it is there
		}
		all[text] = before
	}
	for i := range c.cells {
		text := c.Coordinates(c.cells[i].key)
		now, ok := past[text]
		if !ok {
			now = Past{Shown: -1, Hidden: -1}
		}
		switch p.reason[i] {
		case Shown:
			now.show(c.cells[i].count)
		case Changed:
		default:
			now.hide(c.cells[i].count)
		}
		all[text] = now
	}
	return all
}
