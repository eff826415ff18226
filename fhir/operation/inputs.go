package operation

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Inputs are the parameters of a call: from the query string, from a Parameters
// resource, or from a body that is itself the one resource that the operation takes.
//
// See https://hl7.org/fhir/R4/operations.html#request.
type Inputs struct {
	query []search.Param
	doc   *element.Doc // nil when there is no body
	bare  bool         // the body is a resource, not a Parameters
}

// NewInputs returns the inputs of a call. doc is the parsed body, or nil.
func NewInputs(query []search.Param, doc *element.Doc) *Inputs {
	in := &Inputs{query: query, doc: doc}
	if doc != nil {
		t := doc.Get(0, "resourceType")
		in.bare = t == element.None || doc.Text(t) != "Parameters"
	}
	return in
}

// Value is the value of one parameter. Node is the parameter itself within Doc,
// or element.None when the value came from the query string.
type Value struct {
	Doc  *element.Doc
	Node element.Node
	Text string // a primitive as text; "" for anything else
}

// Resource returns the resource that v carries.
func (v Value) Resource() (element.Node, bool) {
	if v.Doc == nil {
		return element.None, false
	}
	n := v.Doc.Get(v.Node, "resource")
	return n, n != element.None
}

// Typed returns the value[x] of v: its node and the name of the property, such as "valueCoding".
func (v Value) Typed() (n element.Node, property string) {
	if v.Doc == nil {
		return element.None, ""
	}
	for c := v.Doc.First(v.Node); c != element.None; c = v.Doc.Next(v.Node, c) {
		if name := string(v.Doc.Name(c)); strings.HasPrefix(name, "value") {
			return c, name
		}
	}
	return element.None, ""
}

// Parts returns the parts of v that are called name.
func (v Value) Parts(name string) []Value {
	if v.Doc == nil {
		return nil
	}
	return named(v.Doc, v.Doc.Get(v.Node, "part"), name)
}

// All returns the values of the parameter called name, in order.
func (in *Inputs) All(name string) []Value {
	var all []Value
	for _, p := range in.query {
		if p.Name == name {
			all = append(all, Value{Node: element.None, Text: p.Value})
		}
	}
	if in.doc != nil && !in.bare {
		all = append(all, named(in.doc, in.doc.Get(0, "parameter"), name)...)
	}
	return all
}

// Names lists the parameters that are given, in order, each name once.
func (in *Inputs) Names() []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, p := range in.query {
		add(p.Name)
	}
	if in.doc == nil || in.bare {
		return names
	}
	list := in.doc.Get(0, "parameter")
	if list == element.None || in.doc.Kind(list) != element.Array {
		return names
	}
	for c := in.doc.First(list); c != element.None; c = in.doc.Next(list, c) {
		if n := in.doc.Get(c, "name"); n != element.None {
			add(in.doc.Text(n))
		}
	}
	return names
}

// One returns the only value of the parameter called name, and whether there is
// one. Errors: fhir.Invalid when there are several.
func (in *Inputs) One(name string) (Value, bool, error) {
	all := in.All(name)
	switch len(all) {
	case 0:
		return Value{Node: element.None}, false, nil
	case 1:
		return all[0], true, nil
	}
	return Value{}, false, fhir.Errorf(fhir.Invalid, "the parameter %s may be given once", name)
}

// Text returns the parameter called name as text, "" when it is absent.
func (in *Inputs) Text(name string) (string, error) {
	v, _, err := in.One(name)
	return v.Text, err
}

// Body returns the resource that is the body itself, when it is no Parameters.
func (in *Inputs) Body() (*element.Doc, bool) { return in.doc, in.doc != nil && in.bare }

// Document returns the whole body as it was sent, or nil.
func (in *Inputs) Document() *element.Doc { return in.doc }

// named returns the items of a list of parameters that are called name.
func named(d *element.Doc, list element.Node, name string) []Value {
	var all []Value
	if list == element.None || d.Kind(list) != element.Array {
		return nil
	}
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		n := d.Get(c, "name")
		if n == element.None || d.Text(n) != name {
			continue
		}
		v := Value{Doc: d, Node: c}
		if value, _ := v.Typed(); value != element.None && d.Kind(value) != element.Object {
			v.Text = d.Text(value)
		}
		all = append(all, v)
	}
	return all
}
