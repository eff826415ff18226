package page

import (
	"fmt"
	"math"
)

// metrics are the measures of a sheet in points: US Letter, which Mexico uses.
type metrics struct {
	width, height            float64
	side, above, below, foot float64 // margins; the foot stands in the lower one
}

func (m *metrics) inner() float64 { return m.width - 2*m.side }
func (m *metrics) tall() float64  { return m.height - m.above - m.below }

// drawing puts rows on sheets.
type drawing struct {
	setter
	metrics
	subsets  [faces]*subset
	sheets   []*sheet
	y        float64 // where the next row begins, from the lower edge of the sheet
	headings []*headed
	links    []*link
	codes    map[string][][]bool
}

// sheet is the content of one page: drawing operators and how many pieces of it belong
// to the structure.
type sheet struct {
	ops   []byte
	marks int
	links []*link
}

// link is a part of a sheet that leads somewhere (12.5.6.5).
type link struct {
	rect       [4]float64
	to, alt    string
	id, parent int // its object, and that of its element
	index      int // among the links of the document
}

func (d *drawing) sheet() *sheet { return d.sheets[len(d.sheets)-1] }

func (d *drawing) left() float64 { return d.y - d.below }

// fresh reports that nothing stands on the sheet yet.
func (d *drawing) fresh() bool { return d.y == d.height-d.above }

func (d *drawing) begin() {
	d.sheets = append(d.sheets, &sheet{})
	d.y = d.height - d.above
}

// draw puts rows on sheets.
func (d *drawing) draw(rows []*row) {
	d.begin()
	for i, r := range rows {
		if r.sheet && !d.fresh() {
			d.begin()
		}
		if need := needed(rows[i:], d.tall()); !d.fresh() && need > d.left() && i > 0 && !rows[i-1].keep {
			d.begin()
		}
		d.place(r)
	}
}

// needed returns how much room the first row needs on its sheet: with those that it
// must stay with, and of one that can be parted its first two lines.
func needed(rows []*row, tall float64) float64 {
	need := 0.0
	for i, r := range rows {
		need += r.gap
		if r.keep && i+1 < len(rows) {
			need += r.height()
			continue
		}
		if h := r.height(); !r.split && h <= tall {
			return need + h
		}
		first, _ := r.part(2)
		return need + min(first.height(), tall)
	}
	return need
}

// place puts a row on the sheet, and what does not fit on further ones.
func (d *drawing) place(r *row) {
	if d.fresh() {
		d.repeat(r)
	} else {
		d.y -= r.gap
	}
	for r.height() > d.left() {
		whole := d.tall()
		if r.head != nil {
			whole -= r.head.height()
		}
		if !r.split && r.height() <= whole || r.code != nil {
			d.begin()
			d.repeat(r)
			if r.code == nil || r.height() <= d.left() {
				break
			}
		}
		n := r.fitting(d.left())
		if n == 0 && !d.empty(r) {
			d.begin()
			d.repeat(r)
			continue
		}
		var now *row
		now, r = r.part(max(n, 1))
		d.put(now)
		d.begin()
		d.repeat(r)
	}
	d.put(r)
}

// empty reports that the sheet has nothing but what is repeated above the row.
func (d *drawing) empty(r *row) bool {
	top := d.height - d.above
	if r.head != nil {
		top -= r.head.height()
	}
	return d.y >= top-.01
}

func (d *drawing) repeat(r *row) {
	if r.head != nil {
		d.put(r.head)
	}
}

// fitting returns how many lines of each cell fit into a height.
func (r *row) fitting(height float64) int {
	n := math.MaxInt
	most := 0
	for _, c := range r.cells {
		h, k := 2*c.pad, 0
		for k < len(c.lines) && h+c.lines[k].style.leading <= height+.01 {
			h += c.lines[k].style.leading
			k++
		}
		if k < len(c.lines) {
			n = min(n, k)
		}
		most = max(most, len(c.lines))
	}
	n = min(n, most)
	if r.split && most-n == 1 && n > 2 {
		n-- // no single line on the next sheet
	}
	return n
}

// part parts a row after so many lines of each cell.
func (r *row) part(n int) (first, rest *row) {
	a, b := *r, *r
	a.cells, b.cells = nil, nil
	a.keep, b.code, b.heading = false, nil, nil
	for _, c := range r.cells {
		k := min(n, len(c.lines))
		top, bottom := c, c
		top.lines, bottom.lines = c.lines[:k], c.lines[k:]
		a.cells, b.cells = append(a.cells, top), append(b.cells, bottom)
	}
	a.least, b.least = min(r.least, a.height()), 0
	if r.code != nil {
		a.least = r.least
	}
	return &a, &b
}

// put draws a row where the pen is.
func (d *drawing) put(r *row) {
	h := r.height()
	if r.heading != nil {
		r.heading.sheet, r.heading.y = len(d.sheets)-1, d.y
		d.headings = append(d.headings, r.heading)
	}
	if r.rule {
		d.sheet().ops = fmt.Appendf(d.sheet().ops, "/Artifact BMC\n.5 G .7 w %s %s m %s %s l S\nEMC\n",
			number(d.side), number(d.y-h/2), number(d.width-d.side), number(d.y-h/2))
	}
	if r.code != nil {
		d.code(r.code)
	}
	for i := range r.cells {
		c := &r.cells[i]
		if c.box {
			d.box(c, h)
		}
		d.lines(c)
	}
	d.y -= h
}

// box draws the frame of a cell.
func (d *drawing) box(c *cell, height float64) {
	fill, paint := "", "S"
	if c.shaded {
		fill, paint = ".93 g ", "B"
	}
	s := d.sheet()
	s.ops = fmt.Appendf(s.ops, "/Artifact BMC\n%s.6 G .5 w %s %s %s %s re %s\nEMC\n", fill,
		number(d.side+c.x), number(d.y-height), number(c.width), number(height), paint)
}

// lines draws the text of a cell: one piece of content for each run of lines of one
// element.
func (d *drawing) lines(c *cell) {
	s, y := d.sheet(), d.y-c.pad
	for i := 0; i < len(c.lines); {
		e := c.lines[i].of
		d.mark(s, e)
		s.ops = append(s.ops, "BT\n"...)
		for ; i < len(c.lines) && c.lines[i].of == e; i++ {
			l := &c.lines[i].line
			base := y - (l.style.leading-l.style.size)/2 - .8*l.style.size
			d.line(s, l, d.side+c.x+c.pad, base)
			y -= l.style.leading
		}
		s.ops = append(s.ops, "ET\nEMC\n"...)
	}
}

// mark opens content of an element, or of none.
func (d *drawing) mark(s *sheet, e *element) {
	if e == nil {
		s.ops = append(s.ops, "/Artifact BMC\n"...)
		return
	}
	s.ops = fmt.Appendf(s.ops, "/%s <</MCID %d>> BDC\n", e.tag, s.marks)
	e.kids = append(e.kids, kid{sheet: len(d.sheets) - 1, mark: s.marks})
	s.marks++
}

// line draws one line of text.
func (d *drawing) line(s *sheet, l *line, x, y float64) {
	g := "0 g"
	if l.style.grey {
		g = number(grey) + " g"
	}
	s.ops = fmt.Appendf(s.ops, "%s 1 0 0 1 %s %s Tm\n", g, number(x), number(y))
	for i := 0; i < len(l.chars); {
		f := l.chars[i].f
		s.ops = fmt.Appendf(s.ops, "/F%d %s Tf <", f, number(l.style.size))
		for ; i < len(l.chars) && l.chars[i].f == f; i++ {
			s.ops = fmt.Appendf(s.ops, "%04X", d.subsets[f].id(l.chars[i].r))
		}
		s.ops = append(s.ops, "> Tj\n"...)
	}
}

// code draws a QR code with its frame, at the left margin.
func (d *drawing) code(c *code) {
	s, unit := d.sheet(), c.side/float64(len(c.modules)+2*quiet)
	x0, y0 := d.side+quiet*unit, d.y-quiet*unit
	c.figure.attrs = fmt.Sprintf("<</O /Layout /Placement /Block /BBox [%s %s %s %s]>>",
		number(d.side), number(d.y-c.side), number(d.side+c.side), number(d.y))
	d.mark(s, c.figure)
	s.ops = append(s.ops, "0 g\n"...)
	bars(c.modules, func(x, y, length int) {
		s.ops = fmt.Appendf(s.ops, "%.3f %.3f %.3f %.3f re\n",
			x0+float64(x)*unit, y0-float64(y+1)*unit, float64(length)*unit, unit)
	})
	s.ops = append(s.ops, "f\nEMC\n"...)
	if c.around != nil {
		l := &link{rect: [4]float64{d.side, d.y - c.side, d.side + c.side, d.y}, to: c.link, alt: c.alt, index: len(d.links)}
		d.links, s.links = append(d.links, l), append(s.links, l)
		c.around.kids = append(c.around.kids, kid{sheet: len(d.sheets) - 1, link: l})
	}
}
