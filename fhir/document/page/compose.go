package page

import (
	"fmt"
	"strconv"
)

// row is a strip across the sheet, the only thing that sheets are made of: a
// paragraph, a row of a table, an item of a list.
type row struct {
	cells   []cell
	gap     float64 // in points, above it, unless it begins a sheet
	least   float64 // its height at least
	keep    bool    // it stays on one sheet with the next one
	split   bool    // it may be parted between lines
	sheet   bool    // it begins a new sheet
	rule    bool    // a line is drawn through its middle
	head    *row    // what is said again above it when it begins a sheet
	heading *headed
	code    *code
}

// cell is a part of a row.
type cell struct {
	x, width    float64 // of its box, in points from the left margin
	pad         float64 // between its box and its text
	lines       []ownLine
	box, shaded bool
}

// ownLine is a line of an element of the structure; nil where it is no part of it.
type ownLine struct {
	line
	of *element
}

func (c *cell) height() float64 {
	h := 2 * c.pad
	for _, l := range c.lines {
		h += l.style.leading
	}
	return h
}

func (r *row) height() float64 {
	h := r.least
	for i := range r.cells {
		h = max(h, r.cells[i].height())
	}
	return h
}

// composer turns blocks into rows.
type composer struct {
	setter
	size  float64 // of running text, in points; all else follows from it
	width float64 // between the margins, in points
	tight bool    // the document must fit on one sheet
	tall  float64 // of a sheet between the margins
	rows  []*row
	codes map[string][][]bool // modules of QR codes, which do not depend on the size
}

const (
	smallest = 6.0  // points: smaller type is none
	grey     = 0.33 // of secondary text, 7.6 : 1 on white
)

// style returns the style of text of a share of the size.
func (c *composer) style(share float64, f face, isGrey bool) style {
	size := max(smallest, c.size*share)
	lead := 1.32
	if c.tight {
		lead = 1.2
	}
	return style{size: size, leading: size * lead, face: f, grey: isGrey}
}

// set sets spans as lines of an element.
func (c *composer) set(e *element, spans []Span, st style, width float64) []ownLine {
	lines := c.lines(spans, st, max(width, st.size))
	out := make([]ownLine, len(lines))
	for i, l := range lines {
		out[i] = ownLine{l, e}
	}
	return out
}

func (c *composer) add(r *row) { c.rows = append(c.rows, r) }

// compose returns the rows of a document, and hangs their elements below the root.
func (c *composer) compose(p *Page, root *element) error {
	for _, b := range p.content() {
		switch b := b.(type) {
		case Heading:
			c.head(root, b)
		case Paragraph:
			st := c.style(1, regular, false)
			c.add(&row{gap: c.size * .45, split: true, cells: []cell{{width: c.width, lines: c.set(root.add("P"), b.Spans, st, c.width)}}})
		case List:
			c.list(root, b)
		case Facts:
			c.facts(root, b)
		case Table:
			c.table(root, b)
		case Code:
			if err := c.code(root, b); err != nil {
				return err
			}
		case Notice:
			c.notice(root, b.Spans)
		case Rule:
			c.add(&row{rule: true, least: c.size})
		case Break:
			c.add(&row{sheet: !c.tight})
		default:
			return fmt.Errorf("page: a block of type %T", b)
		}
	}
	return nil
}

var headingShares = [...]float64{1.7, 1.3, 1.12, 1}

func (c *composer) head(root *element, h Heading) {
	st := c.style(headingShares[h.Level-1], bold, false)
	st.leading = st.size * 1.2
	lines := c.set(root.add("H"+strconv.Itoa(h.Level)), []Span{{Text: h.Text}}, st, c.width)
	gap := st.size * .8
	if c.tight {
		gap = st.size * .45
	}
	c.add(&row{gap: gap, keep: true, cells: []cell{{width: c.width, lines: lines}}, heading: &headed{level: h.Level, text: h.Text}})
}

func (c *composer) notice(root *element, spans []Span) {
	pad := c.size * .7
	lines := c.set(root.add("P"), spans, c.style(1, bold, false), c.width-2*pad)
	c.add(&row{gap: c.size * .7, cells: []cell{{width: c.width, pad: pad, lines: lines, box: true, shaded: true}}})
}

func (c *composer) list(root *element, l List) {
	if len(l.Items) == 0 {
		return
	}
	st, list := c.style(1, regular, false), root.add("L")
	numbering, widest := "Disc", "•"
	if l.Ordered {
		numbering, widest = "Decimal", strconv.Itoa(len(l.Items))+"."
	}
	list.attrs = "<</O /List /ListNumbering /" + numbering + ">>"
	whole, _ := c.natural(widest, regular)
	indent, label := c.size*.8, (whole+.5)*st.size
	for i, spans := range l.Items {
		item, text := list.add("LI"), "•"
		if l.Ordered {
			text = strconv.Itoa(i+1) + "."
		}
		width := c.width - indent - label
		c.add(&row{gap: c.size * .25, split: true, cells: []cell{
			{x: indent, width: label, lines: c.set(item.add("Lbl"), []Span{{Text: text}}, st, c.width)},
			{x: indent + label, width: width, lines: c.set(item.add("LBody"), spans, st, width)},
		}})
	}
}

// facts sets labelled values in boxes: to a screen reader they are a list.
func (c *composer) facts(root *element, f Facts) {
	columns := f.columns()
	if len(f.Items) == 0 {
		return
	}
	list := root.add("L")
	list.attrs = "<</O /List /ListNumbering /None>>"
	one, pad := c.width/float64(columns), c.size*.3
	label, value := c.style(.78, regular, true), c.style(1, regular, false)
	current, used := &row{gap: c.size * .5}, 0
	for _, item := range f.Items {
		wide := item.wide(columns)
		if used+wide > columns {
			c.add(current)
			current, used = &row{}, 0
		}
		e, width := list.add("LI"), one*float64(wide)
		box := cell{x: one * float64(used), width: width, pad: pad, box: true}
		if item.Label != "" {
			box.lines = c.set(e.add("Lbl"), []Span{{Text: item.Label}}, label, width-2*pad)
		}
		box.lines = append(box.lines, c.set(e.add("LBody"), []Span{{Text: item.Value}}, value, width-2*pad)...)
		current.cells = append(current.cells, box)
		used += wide
	}
	c.add(current)
}

// code is a QR code on its way to the sheet.
type code struct {
	modules [][]bool
	side    float64 // in points, with the blank frame that it needs
	figure  *element
	link    string
	around  *element // the link around the figure; nil for none
	alt     string
}

func (c *composer) code(root *element, q Code) error {
	modules, ok := c.codes[q.Text]
	if !ok || clean(q.Alt) == "" {
		var err error
		if modules, err = q.modules(); err != nil {
			return err
		}
		c.codes[q.Text] = modules
	}
	drawn := &code{modules: modules, side: min(q.side()*72/25.4, c.width, c.tall/2), alt: q.Alt}
	parent := root
	if link, ok := q.target(); ok {
		drawn.link, drawn.around = link, root.add("Link")
		parent = drawn.around
	}
	drawn.figure = parent.add("Figure")
	drawn.figure.alt = q.Alt
	r := &row{gap: c.size * .5, least: drawn.side, code: drawn}
	if x := drawn.side + c.size*.5; len(q.Beside) > 0 && c.width-x > 6*c.size {
		lines := c.set(root.add("P"), q.Beside, c.style(.92, regular, false), c.width-x)
		r.cells = []cell{{x: x, width: c.width - x, pad: c.size * .4, lines: lines}}
		c.add(r)
	} else {
		c.add(r)
		lines := c.set(root.add("P"), q.Beside, c.style(.92, regular, false), c.width)
		c.add(&row{split: true, cells: []cell{{width: c.width, lines: lines}}})
	}
	return nil
}
