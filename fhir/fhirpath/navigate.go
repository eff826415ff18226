package fhirpath

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// member appends the children of i called name to out: value finds
// valueQuantity and its like, and the id and extension of a primitive are found
// under its _name.
func (r *run) member(out Collection, i Item, name string) (Collection, error) {
	if i.Doc == nil {
		return appendInfo(out, i, name), nil
	}
	if i.Type != nil && i.Type.Kind == spec.Primitive {
		return r.members(out, i.Doc, i.Type, i.Side, name)
	}
	if i.Type == nil && i.Node != element.None && i.Doc.Kind(i.Node) != element.Object {
		return r.members(out, i.Doc, nil, i.Side, name)
	}
	return r.members(out, i.Doc, i.Type, i.Node, name)
}

// untyped stands for the elements of objects of no known type, such as the rows of
// other standards: any property may be there, and holds what JSON says.
var untyped spec.Element

// appendInfo gives the parts of computed values: of what type() returned, and of quantities.
func appendInfo(out Collection, i Item, name string) Collection {
	if q, ok := i.value.(Quantity); ok {
		switch name {
		case "value":
			return append(out, Computed(q.Value))
		case "unit":
			return append(out, Computed(String(q.Unit)))
		}
	}
	info, ok := i.value.(TypeInfo)
	switch {
	case ok && name == "name":
		return append(out, Computed(String(info.Name)))
	case ok && name == "namespace":
		return append(out, Computed(String(info.Namespace)))
	case ok && name == "baseType":
		return append(out, Computed(String(info.base())))
	}
	return out
}

func (r *run) members(out Collection, d *element.Doc, t *spec.Type, n element.Node, name string) (Collection, error) {
	if n == element.None || d.Kind(n) != element.Object {
		return out, nil
	}
	if err := r.step(d.Size(n)); err != nil {
		return nil, err
	}
	add := func(i Item) { out = append(out, i) }
	if t == nil {
		each(d, &untyped, d.Get(n, name), beside(d, n, name), add)
		return out, r.step(len(out))
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		key := d.Name(c)
		if !stands(key, name) {
			continue
		}
		if key[0] == '_' { // without a value beside it; else it came with the value
			if e := t.Element(key[1:]); e != nil && named(e, name) && d.Get(n, e.Name) == element.None {
				each(d, e, element.None, c, add)
			}
			continue
		}
		e := t.Element(key)
		if e == nil || !named(e, name) {
			continue
		}
		side := element.None
		if e.Type != nil && e.Type.Kind == spec.Primitive {
			side = beside(d, n, e.Name)
		}
		each(d, e, c, side, add)
	}
	return out, r.step(len(out))
}

// beside returns the member of object n called _name, or None.
func beside(d *element.Doc, n element.Node, name string) element.Node {
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		if key := d.Name(c); len(key) > 0 && key[0] == '_' && string(key[1:]) == name {
			return c
		}
	}
	return element.None
}

// stands reports whether the JSON property key can stand for the element called
// name: name, nameQuantity, or one of them after an underscore.
func stands(key []byte, name string) bool {
	if len(key) > 0 && key[0] == '_' {
		key = key[1:]
	}
	return len(key) >= len(name) && string(key[:len(name)]) == name
}

// named reports whether name is what FHIRPath calls e.
func named(e *spec.Element, name string) bool {
	if e.Choice != "" {
		return e.Choice == name
	}
	return e.Name == name
}

// children appends all child elements of i to out, in the order of the document.
func (r *run) children(out Collection, i Item) (Collection, error) {
	if i.Doc == nil {
		return out, nil
	}
	d, n := i.Doc, i.Node
	if i.Type == nil {
		return r.untypedChildren(out, i)
	}
	if i.Type.Kind == spec.Primitive {
		n = i.Side
	}
	if n == element.None || d.Kind(n) != element.Object {
		return out, nil
	}
	before := len(out)
	add := func(c Item) { out = append(out, c) }
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		key := d.Name(c)
		if len(key) > 1 && key[0] == '_' {
			if e := i.Type.Element(key[1:]); e != nil && d.Get(n, e.Name) == element.None {
				each(d, e, element.None, c, add)
			}
			continue
		}
		if e := i.Type.Element(key); e != nil {
			side := element.None
			if e.Type != nil && e.Type.Kind == spec.Primitive {
				side = beside(d, n, e.Name)
			}
			each(d, e, c, side, add)
		}
	}
	return out, r.step(1 + len(out) - before)
}

func (r *run) untypedChildren(out Collection, i Item) (Collection, error) {
	d, n := i.Doc, i.Node
	if n == element.None || d.Kind(n) != element.Object {
		n = i.Side
	}
	if n == element.None || d.Kind(n) != element.Object {
		return out, nil
	}
	before := len(out)
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		switch key := string(d.Name(c)); {
		case key == "resourceType":
		case len(key) > 1 && key[0] == '_' && d.Get(n, key[1:]) != element.None: // came with the value
		case len(key) > 1 && key[0] == '_':
			each(d, &untyped, element.None, c, func(c Item) { out = append(out, c) })
		default:
			each(d, &untyped, c, beside(d, n, key), func(c Item) { out = append(out, c) })
		}
	}
	return out, r.step(1 + len(out) - before)
}
