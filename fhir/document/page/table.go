package page

import "math"

const (
	columnScope = "<</O /Table /Scope /Column>>"
	rowScope    = "<</O /Table /Scope /Row>>"
)

// table sets a table. Rows with fewer values than there are columns are filled up.
func (c *composer) table(root *element, t Table) {
	n, e := t.columns(), root.add("Table")
	if t.Caption != "" {
		c.add(&row{gap: c.size * .6, keep: true, cells: []cell{{width: c.width,
			lines: c.set(e.add("Caption"), []Span{{Text: t.Caption}}, c.style(.92, boldItalic, false), c.width)}}})
	}
	widths := c.columnWidths(t, n)
	var head *row
	if len(t.Head) > 0 {
		tr := e.add("THead").add("TR")
		head = c.tableRow(tr, t.Head, widths, func(int) bool { return true }, columnScope)
		head.keep, head.gap = true, c.size*.3
		c.add(head)
		if head.height() > c.tall/3 {
			head = nil // too much to say again on each sheet
		} else {
			head = again(head)
		}
	}
	if len(t.Rows) == 0 {
		return
	}
	body := e.add("TBody")
	for _, values := range t.Rows {
		r := c.tableRow(body.add("TR"), values, widths, func(i int) bool { return t.RowHeads && i == 0 }, rowScope)
		r.head = head
		c.add(r)
	}
}

// columns returns how many columns a table has.
func (t *Table) columns() int {
	n := len(t.Head)
	for _, r := range t.Rows {
		n = max(n, len(r))
	}
	return n
}

func (c *composer) tableRow(tr *element, values []string, widths []float64, isHead func(int) bool, scope string) *row {
	r, x, pad := &row{}, 0.0, c.size*.3
	for i, width := range widths {
		value, st := "", c.style(.92, regular, false)
		if i < len(values) {
			value = values[i]
		}
		e := &element{tag: "TD"}
		if isHead(i) {
			e.tag, e.attrs, st.face = "TH", scope, bold
		}
		tr.kids = append(tr.kids, kid{element: e})
		r.cells = append(r.cells, cell{x: x, width: width, pad: pad, box: true, shaded: scope == columnScope,
			lines: c.set(e, []Span{{Text: value}}, st, width-2*pad)})
		x += width
	}
	return r
}

// again returns a row as it is repeated: seen, and no part of the structure.
func again(r *row) *row {
	out := &row{}
	for _, c := range r.cells {
		lines := make([]ownLine, len(c.lines))
		for i, l := range c.lines {
			lines[i] = ownLine{line: l.line}
		}
		c.lines = lines
		out.cells = append(out.cells, c)
	}
	return out
}

// columnWidths returns the widths of the columns in points: as the table says, or so
// that the longest words fit and the rest goes to those with the longest texts.
func (c *composer) columnWidths(t Table, n int) []float64 {
	shares := t.shares(n)
	if shares == nil {
		shares = c.natures(t, n)
	}
	out, sum := make([]float64, n), 0.0
	for _, s := range shares {
		sum += s
	}
	for i, s := range shares {
		out[i] = c.width * s / sum
	}
	return out
}

// shares returns the widths that a table asks for; nil when it asks for none that
// make sense.
func (t *Table) shares(n int) []float64 {
	if len(t.Widths) != n {
		return nil
	}
	for _, w := range t.Widths {
		if !(w > 1e-6) || w > 1e6 {
			return nil
		}
	}
	return t.Widths
}

// natures returns how wide the columns want to be, in points, together no less than
// there is.
func (c *composer) natures(t Table, n int) []float64 {
	size, pad := c.style(.92, regular, false).size, c.size*.6
	least, most := make([]float64, n), make([]float64, n)
	look := func(values []string, heads int) {
		for i, v := range values {
			f := regular
			if i < heads {
				f = bold
			}
			whole, word := c.natural(v, f)
			least[i] = max(least[i], min(word*size, c.width/3)+pad)
			most[i] = max(most[i], min(whole*size, c.width)+pad)
		}
	}
	look(t.Head, n)
	for _, r := range t.Rows {
		look(r, 1)
	}
	leasts, mosts := 0.0, 0.0
	for i := range n {
		least[i], most[i] = max(least[i], pad+size), max(most[i], pad+size)
		leasts, mosts = leasts+least[i], mosts+most[i]
	}
	if leasts >= c.width || mosts <= leasts {
		return least
	}
	share := math.Min(1, (c.width-leasts)/(mosts-leasts))
	for i := range n {
		least[i] += (most[i] - least[i]) * share
	}
	return least
}
