package page

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
)

// PDF returns the document as a PDF 1.7 file that is tagged as PDF/UA-1 (ISO 14289-1)
// asks. Equal documents give equal bytes. It fails when the document has no title,
// when a code holds nothing or too much, and when what must fit on one sheet does not.
func (p *Page) PDF() ([]byte, error) {
	if strings.TrimSpace(clean(p.Title)) == "" {
		return nil, errTitle
	}
	fonts, err := fonts()
	if err != nil {
		return nil, err
	}
	d := &drawing{setter: setter{fonts}, metrics: p.metrics(setter{fonts}), codes: map[string][][]bool{}}
	compose := p.rows
	if p.Single {
		compose = p.shrink
	}
	root, rows, err := compose(d, ordinary)
	if err != nil {
		return nil, err
	}
	for i, f := range fonts {
		d.subsets[i] = &subset{font: f, ids: map[rune]uint16{}}
	}
	d.draw(rows)
	for i := range d.sheets {
		p.frame(d, i)
	}
	return p.file(d, root), nil
}

var (
	errTitle = errors.New("page: a document without a title")
	errSheet = errors.New("page: the document does not fit on one sheet in type of 6 points")
)

const (
	ordinary  = 10.0 // points, of running text
	footSize  = 7.5
	footRise  = 26.0 // points from the lower edge to the last line of the foot
	footLines = 5    // at most
)

// metrics returns the measures of the sheets.
func (p *Page) metrics(s setter) metrics {
	m := metrics{width: 612, height: 792, side: 54, above: 54}
	if p.Single {
		m.side, m.above = 36, 34
	}
	m.foot = footRise
	m.below = footRise + 10 + 9*float64(max(1, len(p.footLines(s, m.inner()))))
	return m
}

func (p *Page) footLines(s setter, width float64) []line {
	lines := s.lines([]Span{{Text: p.Foot}}, style{size: footSize, leading: 9, grey: true}, width-90)
	return lines[:min(len(lines), footLines)]
}

// rows composes the document in type of a size, and returns its structure too.
func (p *Page) rows(d *drawing, size float64) (*element, []*row, error) {
	root := &element{tag: "Document"}
	c := &composer{setter: d.setter, size: size, width: d.inner(), tall: d.tall(), tight: p.Single, codes: d.codes}
	err := c.compose(p, root)
	return root, c.rows, err
}

// shrink composes the document in the largest type, from a size downwards, in which
// it fits on one sheet.
func (p *Page) shrink(d *drawing, size float64) (*element, []*row, error) {
	for ; size >= smallest; size -= .25 {
		root, rows, err := p.rows(d, size)
		if err != nil {
			return nil, nil, err
		}
		used := 0.0
		for i, r := range rows {
			if i > 0 {
				used += r.gap
			}
			used += r.height()
		}
		if used <= d.tall() {
			return root, rows, nil
		}
	}
	return nil, nil, errSheet
}

// frame draws what stands on each sheet and is no part of what the document says.
func (p *Page) frame(d *drawing, i int) {
	s, lines := d.sheets[i], p.footLines(d.setter, d.inner())
	words := fmt.Sprintf("Página %d de %d", i+1, len(d.sheets))
	if p.english() {
		words = fmt.Sprintf("Page %d of %d", i+1, len(d.sheets))
	}
	s.ops = append(s.ops, "/Artifact <</Type /Pagination /Subtype /Footer>> BDC\nBT\n"...)
	for n := range lines {
		d.line(s, &lines[n], d.side, d.foot+9*float64(len(lines)-1-n))
	}
	number := line{chars: characters([]Span{{Text: words}}, regular), style: style{size: footSize, grey: true}}
	d.line(s, &number, d.width-d.side-d.measure(number.chars)*footSize, d.foot)
	s.ops = append(s.ops, "ET\nEMC\n"...)
	if p.Mark != "" {
		p.mark(d, s)
	}
}

// mark draws the mark from corner to corner.
func (p *Page) mark(d *drawing, s *sheet) {
	chars := characters([]Span{{Text: strings.ReplaceAll(clean(p.Mark), "\n", " ")}}, bold)
	width := d.measure(chars)
	if width == 0 {
		return
	}
	diagonal := math.Hypot(d.width, d.height)
	size := min(130, .78*diagonal/width)
	sin, cos := d.height/diagonal, d.width/diagonal
	along, across := width*size/2, .35*size
	x, y := d.width/2-along*cos+across*sin, d.height/2-along*sin-across*cos
	s.ops = append(s.ops, "/Artifact <</Type /Pagination /Subtype /Watermark>> BDC\nq /G0 gs .75 .1 .1 rg BT\n"...)
	s.ops = fmt.Appendf(s.ops, "%.4f %.4f %.4f %.4f %.2f %.2f Tm /F%d %s Tf <", cos, sin, -sin, cos, x, y, bold, number(size))
	for _, c := range chars {
		s.ops = fmt.Appendf(s.ops, "%04X", d.subsets[bold].id(c.r))
	}
	s.ops = append(s.ops, "> Tj ET Q\nEMC\n"...)
}

// file writes the document down.
func (p *Page) file(d *drawing, root *element) []byte {
	f := &file{}
	pages := f.next()
	resources := fmt.Sprintf("<</Font <<%s>> /ExtGState <</G0 <</Type /ExtGState /ca .16>>>>>>", d.fontObjects(f))
	sheets := make([]int, len(d.sheets))
	for i := range sheets {
		sheets[i] = f.next()
	}
	for _, l := range d.links {
		l.id = f.next()
	}
	for i, s := range d.sheets {
		annots := ""
		for _, l := range s.links {
			annots += fmt.Sprintf("%d 0 R ", l.id)
			f.set(l.id, fmt.Sprintf("<</Type /Annot /Subtype /Link /Rect [%s %s %s %s] /Border [0 0 0] /F 4 /StructParent %d /Contents %s /A <</S /URI /URI %s>>>>",
				number(l.rect[0]), number(l.rect[1]), number(l.rect[2]), number(l.rect[3]), len(sheets)+l.index, textString(l.alt), ascii(l.to)))
		}
		if annots != "" {
			annots = " /Annots [" + strings.TrimSpace(annots) + "]"
		}
		content := f.stream("", s.ops)
		f.set(sheets[i], fmt.Sprintf("<</Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Contents %d 0 R /StructParents %d /Tabs /S%s>>",
			pages, number(d.width), number(d.height), content, i, annots))
	}
	f.set(pages, fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /Resources %s>>", len(sheets), references(sheets), resources))
	tree, outline, meta := d.structure(f, root, sheets), d.outline(f, sheets), p.metadata(f)
	outlines := ""
	if outline != 0 {
		outlines = fmt.Sprintf(" /Outlines %d 0 R", outline)
	}
	catalog := f.add(fmt.Sprintf("<</Type /Catalog /Pages %d 0 R /Lang %s /MarkInfo <</Marked true>> /StructTreeRoot %d 0 R /Metadata %d 0 R%s /ViewerPreferences <</DisplayDocTitle true>>>>",
		pages, ascii(p.lang()), tree, meta, outlines))
	info := p.info(f)
	h := sha256.New()
	for _, o := range f.objects {
		fmt.Fprintf(h, "%d %s %d ", len(o.dict), o.dict, len(o.stream))
		h.Write(o.stream)
	}
	return f.bytes(catalog, info, h.Sum(nil)[:16])
}
