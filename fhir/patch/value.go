package patch

import (
	"github.com/amate-health/amate/fhir/element"
)

// value is a JSON value that can be changed. It starts as a node of a Doc, and
// becomes members or items of its own only where a patch goes through it.
type value struct {
	doc  *element.Doc
	node element.Node

	open    bool // members or items hold what is in it; doc and node only say its kind
	members []member
	items   []*value
}

type member struct {
	name string
	v    *value
}

func (v *value) kind() element.Kind { return v.doc.Kind(v.node) }

// expand makes the members or items of v its own.
func (v *value) expand() {
	if v.open {
		return
	}
	v.open = true
	size := v.doc.Size(v.node)
	object := v.kind() == element.Object
	if object {
		v.members = make([]member, 0, size+1)
	} else {
		v.items = make([]*value, 0, size+1)
	}
	for c := v.doc.First(v.node); c != element.None; c = v.doc.Next(v.node, c) {
		child := &value{doc: v.doc, node: c}
		if object {
			v.members = append(v.members, member{string(v.doc.Name(c)), child})
		} else {
			v.items = append(v.items, child)
		}
	}
}

// member returns the position of the member called name, or -1.
func (v *value) member(name string) int {
	for i := range v.members {
		if v.members[i].name == name {
			return i
		}
	}
	return -1
}

// clone copies v, so that either can be changed without the other.
func (v *value) clone() *value {
	c := &value{doc: v.doc, node: v.node, open: v.open}
	for _, m := range v.members {
		c.members = append(c.members, member{m.name, m.v.clone()})
	}
	for _, i := range v.items {
		c.items = append(c.items, i.clone())
	}
	return c
}

// appendTo writes v as compact JSON.
func (v *value) appendTo(b []byte) []byte {
	switch {
	case !v.open:
		return v.doc.AppendCompact(b, v.node)
	case v.kind() == element.Object:
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(element.Quote(b, m.name), ':')
			b = m.v.appendTo(b)
		}
		return append(b, '}')
	}
	b = append(b, '[')
	for i, item := range v.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item.appendTo(b)
	}
	return append(b, ']')
}

// overhead is about what a value of its own costs in memory, in bytes.
const overhead = 64

// measure returns what v adds to a document, in bytes, and how deep its containers
// are nested. A value of its own counts for what it costs in memory.
func (v *value) measure() (size, depth int) {
	if !v.open {
		start, end := v.doc.Span(v.node)
		return end - start, depthOf(v.doc, v.node)
	}
	for _, m := range v.members {
		s, d := m.v.measure()
		size, depth = size+s+len(m.name)+overhead, max(depth, d)
	}
	for _, i := range v.items {
		s, d := i.measure()
		size, depth = size+s+overhead, max(depth, d)
	}
	return size + 2, depth + 1
}

// depthOf returns how deep containers are nested in n: 0 for a scalar.
func depthOf(d *element.Doc, n element.Node) int {
	if k := d.Kind(n); k != element.Object && k != element.Array {
		return 0
	}
	deepest := 0
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		deepest = max(deepest, depthOf(d, c))
	}
	return deepest + 1
}
