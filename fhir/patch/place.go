package patch

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// occurrence is one value of an element: of a primitive, its value and the object
// with its id and extensions, one of which may be nil; else the value alone.
type occurrence struct{ v, side *value }

// place is where an occurrence stands.
type place struct {
	in    *value     // the object that has the element
	typ   *spec.Type // of in
	elem  *spec.Element
	index int // among the occurrences; 0 where the element does not repeat
}

var scratch = func() *element.Doc {
	doc, err := element.Parse([]byte(`[{},[],null]`))
	if err != nil {
		panic(err)
	}
	return doc
}()

func newObject() *value { return &value{doc: scratch, node: 1, open: true} }
func newArray() *value  { return &value{doc: scratch, node: 2, open: true} }
func newNull() *value   { return &value{doc: scratch, node: 3} }

// locate finds node n of the document that root was opened on. It returns nil for
// the root, and for what the table does not know.
func locate(root *value, n element.Node) *place {
	in, typ := root, typeOf(root)
	for typ != nil {
		in.expand()
		m := holding(in, n)
		if m == nil {
			return nil
		}
		p := &place{in: in, typ: typ, elem: typ.Element([]byte(strings.TrimPrefix(m.name, "_")))}
		if p.elem == nil {
			return nil
		}
		at := m.v
		if at.kind() == element.Array {
			at.expand()
			p.index = slices.IndexFunc(at.items, func(i *value) bool { return i.holds(n) })
			if p.index < 0 {
				return nil
			}
			at = at.items[p.index]
		}
		if at.node == n {
			return p
		}
		if in, typ = at, p.elem.Type; p.elem.Resource {
			typ = typeOf(at)
		}
	}
	return nil
}

// holds reports whether n is v's node or within it.
func (v *value) holds(n element.Node) bool { return v.node <= n && n < v.doc.After(v.node) }

// holding returns the member of object in that node n is in.
func holding(in *value, n element.Node) *member {
	for i := range in.members {
		if in.members[i].v.holds(n) {
			return &in.members[i]
		}
	}
	return nil
}

// typeOf returns the type of a resource that has not been changed yet.
func typeOf(v *value) *spec.Type {
	name, _ := text(v.doc, v.node, "resourceType")
	return spec.TypeOf(name)
}

// isSide reports whether a member holds what goes with a primitive.
func isSide(name string) bool { return strings.HasPrefix(name, "_") }

// occurrences returns the values of element e of object in.
func occurrences(in *value, e *spec.Element) []occurrence {
	in.expand()
	var all []occurrence
	add := func(i int, v *value, side bool) {
		for len(all) <= i {
			all = append(all, occurrence{})
		}
		switch {
		case v.kind() == element.Null:
		case side:
			all[i].side = v
		default:
			all[i].v = v
		}
	}
	for _, name := range []string{e.Name, "_" + e.Name} {
		i := in.member(name)
		if i < 0 {
			continue
		}
		v := in.members[i].v
		if v.kind() != element.Array {
			add(0, v, isSide(name))
			continue
		}
		v.expand()
		for j, item := range v.items {
			add(j, item, isSide(name))
		}
	}
	return all
}

// set makes all the values of element e of object in. Members that are there
// already keep their place; at, when it is not negative, says where others go.
func set(in *value, e *spec.Element, all []occurrence, at int) {
	in.expand()
	plain := make([]*value, len(all))
	sides := make([]*value, len(all))
	for i, o := range all {
		plain[i], sides[i] = o.v, o.side
	}
	at = in.put(e.Name, e.Many, plain, at)
	in.put("_"+e.Name, e.Many, sides, at)
}

// put makes values the member called name, and returns the position behind it.
// Where there is none among values, the member goes.
func (v *value) put(name string, many bool, values []*value, at int) int {
	i := v.member(name)
	if !slices.ContainsFunc(values, func(v *value) bool { return v != nil }) {
		if i >= 0 {
			v.members = slices.Delete(v.members, i, i+1)
			return i
		}
		return at
	}
	content := values[0]
	if many {
		content = newArray()
		for _, item := range values {
			if item == nil {
				item = newNull()
			}
			content.items = append(content.items, item)
		}
	}
	if i < 0 {
		if i = at; i < 0 || i > len(v.members) {
			i = len(v.members)
		}
		v.members = slices.Insert(v.members, i, member{name: name})
	}
	v.members[i].v = content
	return i + 1
}

// prune takes out of v what is empty, and then what that leaves empty. It reports
// whether v itself is.
func prune(v *value) bool {
	switch v.kind() {
	case element.Object:
		v.expand()
		v.members = slices.DeleteFunc(v.members, func(m member) bool { return !isSide(m.name) && prune(m.v) })
		v.members = slices.DeleteFunc(v.members, func(m member) bool { return isSide(m.name) && pruneSide(m.v) })
		return len(v.members) == 0
	case element.Array:
		v.expand()
		v.items = slices.DeleteFunc(v.items, prune)
		return len(v.items) == 0
	}
	return false
}

// pruneSide is prune for what goes with a primitive. In a list its items belong to
// the values in the same places, so that what goes leaves a null.
func pruneSide(v *value) bool {
	if v.kind() != element.Array {
		return prune(v)
	}
	v.expand()
	empty := true
	for i, item := range v.items {
		if prune(item) {
			v.items[i] = newNull()
		}
		empty = empty && v.items[i].kind() == element.Null
	}
	return empty
}
