package validate

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// place is one element of a resource with the way that leads to it. The places of
// a resource form a tree, made as far as somebody looks at it.
type place struct {
	up    *place
	elem  *spec.Element // what defines it; nil for the root
	index int           // in its array; -1 where it is in none
	item  fhirpath.Item

	children []*place
	opened   bool
	page     *reading // of a narrative's div, once it was read
}

// rootPlace returns the place of the resource at n.
func rootPlace(d *element.Doc, n element.Node) *place {
	return &place{index: -1, item: fhirpath.Root(d, n)}
}

// kids returns the elements below p, in the order of the text; items of an array
// one by one, and a _name together with the primitive that it belongs to.
func (p *place) kids() []*place {
	if p.opened {
		return p.children
	}
	p.opened = true
	d, n, typ := p.item.Doc, p.item.Node, p.item.Type
	if p.primitive() {
		n, typ = p.item.Side, spec.TypeOf("Element")
	}
	if typ == nil || n == element.None || d.Kind(n) != element.Object {
		return nil
	}
	for m := d.First(n); m != element.None; m = d.Next(n, m) {
		name := d.Name(m)
		if e := typ.Element(name); e != nil {
			side := element.None
			if e.Type != nil && e.Type.Kind == spec.Primitive {
				side = d.Get(n, "_"+e.Name)
			}
			p.add(e, m, side)
			continue
		}
		if len(name) < 2 || name[0] != '_' {
			continue
		}
		if e := typ.Element(name[1:]); e != nil && d.Get(n, e.Name) == element.None {
			p.add(e, element.None, m)
		}
	}
	return p.children
}

// add appends the places of one member.
func (p *place) add(e *spec.Element, m, side element.Node) {
	d := p.item.Doc
	if !isArray(d, m) && !isArray(d, side) {
		p.append(e, -1, m, side)
		return
	}
	v, s := first(d, m), first(d, side)
	for i := 0; v != element.None || s != element.None; i++ {
		value, extra := v, s
		if value != element.None && d.Kind(value) == element.Null {
			value = element.None
		}
		if extra != element.None && d.Kind(extra) == element.Null {
			extra = element.None
		}
		if value != element.None || extra != element.None {
			p.append(e, i, value, extra)
		}
		v, s = after(d, m, v), after(d, side, s)
	}
}

func (p *place) append(e *spec.Element, index int, v, side element.Node) {
	kid := &place{up: p, elem: e, index: index}
	kid.item = fhirpath.Item{Type: e.Type, Doc: p.item.Doc, Node: v, Side: side}
	if e.Resource && v != element.None {
		kid.item = fhirpath.Root(p.item.Doc, v)
	}
	p.children = append(p.children, kid)
}

func isArray(d *element.Doc, n element.Node) bool {
	return n != element.None && d.Kind(n) == element.Array
}

func first(d *element.Doc, n element.Node) element.Node {
	if !isArray(d, n) {
		return element.None
	}
	return d.First(n)
}

func after(d *element.Doc, list, n element.Node) element.Node {
	if n == element.None {
		return n
	}
	return d.Next(list, n)
}

// primitive reports whether p is of a primitive type.
func (p *place) primitive() bool {
	return p.item.Type != nil && p.item.Type.Kind == spec.Primitive
}

// isResource reports whether p is a whole resource.
func (p *place) isResource() bool {
	return p.item.Type != nil && p.item.Type.Kind == spec.ResourceKind
}

// name is the element's name as FHIRPath and profiles have it: "value" for a choice.
func (p *place) name() string {
	switch {
	case p.elem == nil:
		return ""
	case p.elem.Choice != "":
		return p.elem.Choice
	}
	return p.elem.Name
}

// path returns the FHIRPath of p, which begins with the type of the root.
func (p *place) path() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p *place) write(b *strings.Builder) {
	if p.up == nil {
		if p.item.Type == nil {
			b.WriteString("Resource")
			return
		}
		b.WriteString(p.item.Type.Name)
		return
	}
	p.up.write(b)
	b.WriteByte('.')
	if p.elem.Choice != "" {
		b.WriteString(p.elem.Choice + ".ofType(" + p.elem.Type.Name + ")")
	} else {
		b.WriteString(p.elem.Name)
	}
	if p.index >= 0 {
		b.WriteString("[" + strconv.Itoa(p.index) + "]")
	}
}

// offset is where p stands in the source.
func (p *place) offset() int {
	n := p.item.Node
	if n == element.None {
		n = p.item.Side
	}
	if n == element.None {
		return 0
	}
	start, _ := p.item.Doc.Span(n)
	return start
}

// all returns the kids called name.
func (p *place) all(name string) []*place {
	var out []*place
	for _, k := range p.kids() {
		if k.name() == name {
			out = append(out, k)
		}
	}
	return out
}

// get returns the first kid called name, or nil. A nil p has none.
func (p *place) get(name string) *place {
	if p == nil {
		return nil
	}
	for _, k := range p.kids() {
		if k.name() == name {
			return k
		}
	}
	return nil
}

// text returns the text of the kid called name, "" when there is none.
func (p *place) text(name string) string { return p.get(name).value() }

// value returns the text of a primitive, "" when p is nil or has none.
func (p *place) value() string {
	if p == nil || p.item.Node == element.None || p.item.Doc.Kind(p.item.Node) == element.Object {
		return ""
	}
	return p.item.Doc.Text(p.item.Node)
}

// id returns the id of a resource or an element.
func (p *place) id() string { return p.text("id") }
