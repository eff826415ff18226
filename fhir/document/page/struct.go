package page

import (
	"fmt"
	"strings"
)

// element is a part of the logical structure of a document (ISO 32000-1, 14.7.2): what
// a screen reader reads.
type element struct {
	tag   string // a standard structure type, 14.8.4
	alt   string // what it shows, for a figure
	attrs string // attribute objects (14.8.5), as PDF
	kids  []kid
}

// kid is a part of an element: another one, content on a sheet, or a link on it.
type kid struct {
	element *element
	sheet   int // of content and links
	mark    int // number of the content on its sheet (MCID)
	link    *link
}

// add appends a new part.
func (e *element) add(tag string) *element {
	part := &element{tag: tag}
	e.kids = append(e.kids, kid{element: part})
	return part
}

// structure writes the structure tree, and returns the number of its root. The
// sheets have theirs already.
func (d *drawing) structure(f *file, root *element, sheets []int) int {
	tree, parents := f.next(), make([][]int, len(d.sheets))
	for i, s := range d.sheets {
		parents[i] = make([]int, s.marks)
	}
	top := d.element(f, root, tree, sheets, parents)
	var nums strings.Builder
	for i, list := range parents {
		fmt.Fprintf(&nums, "%d [%s] ", i, references(list))
	}
	for i, l := range d.links {
		fmt.Fprintf(&nums, "%d %d 0 R ", len(parents)+i, l.parent)
	}
	n := f.add("<</Nums [" + strings.TrimSpace(nums.String()) + "]>>")
	f.set(tree, fmt.Sprintf("<</Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d>>",
		top, n, len(parents)+len(d.links)))
	return tree
}

// element writes an element and its parts, and notes whose the marks of the sheets are.
func (d *drawing) element(f *file, e *element, parent int, sheets []int, parents [][]int) int {
	id := f.next()
	var kids []string
	for _, k := range e.kids {
		switch {
		case k.element != nil:
			kids = append(kids, fmt.Sprintf("%d 0 R", d.element(f, k.element, id, sheets, parents)))
		case k.link != nil:
			k.link.parent = id
			kids = append(kids, fmt.Sprintf("<</Type /OBJR /Obj %d 0 R /Pg %d 0 R>>", k.link.id, sheets[k.sheet]))
		default:
			parents[k.sheet][k.mark] = id
			kids = append(kids, fmt.Sprintf("<</Type /MCR /Pg %d 0 R /MCID %d>>", sheets[k.sheet], k.mark))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<</Type /StructElem /S /%s /P %d 0 R", e.tag, parent)
	if len(kids) > 0 {
		b.WriteString(" /K [" + strings.Join(kids, " ") + "]")
	}
	if e.alt != "" {
		b.WriteString(" /Alt " + textString(e.alt))
	}
	if e.attrs != "" {
		b.WriteString(" /A " + e.attrs)
	}
	b.WriteString(">>")
	f.set(id, b.String())
	return id
}

// references returns references to objects.
func references(ids []int) string {
	var out []byte
	for i, id := range ids {
		if i > 0 {
			out = append(out, ' ')
		}
		out = fmt.Appendf(out, "%d 0 R", id)
	}
	return string(out)
}

// headed is a heading that was drawn, for the outline.
type headed struct {
	level int
	text  string
	sheet int
	y     float64
	id    int
	kids  []*headed
}

// outline writes the outline (12.3.3), in which a reader jumps from heading to
// heading, and returns its number; 0 when there are no headings.
func (d *drawing) outline(f *file, sheets []int) int {
	if len(d.headings) == 0 {
		return 0
	}
	top := &headed{id: f.next()}
	stack := []*headed{top}
	for _, h := range d.headings {
		for len(stack) > 1 && stack[len(stack)-1].level >= h.level {
			stack = stack[:len(stack)-1]
		}
		h.id = f.next()
		parent := stack[len(stack)-1]
		parent.kids = append(parent.kids, h)
		stack = append(stack, h)
	}
	f.set(top.id, fmt.Sprintf("<</Type /Outlines%s>>", outlineKids(top)))
	outlineItems(f, top, sheets)
	return top.id
}

// outlineItems writes the entries below one.
func outlineItems(f *file, parent *headed, sheets []int) {
	for i, h := range parent.kids {
		var b strings.Builder
		fmt.Fprintf(&b, "<</Title %s /Parent %d 0 R /Dest [%d 0 R /XYZ 0 %s 0]", textString(h.text), parent.id, sheets[h.sheet], number(h.y))
		if i > 0 {
			fmt.Fprintf(&b, " /Prev %d 0 R", parent.kids[i-1].id)
		}
		if i+1 < len(parent.kids) {
			fmt.Fprintf(&b, " /Next %d 0 R", parent.kids[i+1].id)
		}
		b.WriteString(outlineKids(h) + ">>")
		f.set(h.id, b.String())
		outlineItems(f, h, sheets)
	}
}

// outlineKids returns what an entry says of those below it, all of which are open.
func outlineKids(h *headed) string {
	if len(h.kids) == 0 {
		return ""
	}
	return fmt.Sprintf(" /First %d 0 R /Last %d 0 R /Count %d", h.kids[0].id, h.kids[len(h.kids)-1].id, descendants(h))
}

func descendants(h *headed) int {
	n := 0
	for _, k := range h.kids {
		n += 1 + descendants(k)
	}
	return n
}
