package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// parts are the parts of one operation, by name.
type parts struct {
	doc    *element.Doc
	byName map[string]element.Node
}

// partsOf reads the parts of a parameter, each of which may be given once.
func partsOf(doc *element.Doc, n element.Node) (parts, *fhir.Error) {
	p := parts{doc, map[string]element.Node{}}
	list := doc.Get(n, "part")
	if list == element.None || doc.Kind(list) != element.Array {
		return p, fhir.Errorf(fhir.Invalid, "an operation needs the parts type and path")
	}
	for c := doc.First(list); c != element.None; c = doc.Next(list, c) {
		name, _ := text(doc, c, "name")
		if _, twice := p.byName[name]; twice {
			return p, fhir.Errorf(fhir.Invalid, "a part of an operation is given twice").With("it is %.50q", name)
		}
		p.byName[name] = c
	}
	return p, nil
}

// only refuses parts that the operation does not have, so that nobody believes
// they had an effect.
func (p parts) only(names []string) *fhir.Error {
	for name := range p.byName {
		if name != "type" && name != "path" && !slices.Contains(names, name) {
			return fhir.Errorf(fhir.Invalid, "this type of operation has no such part").With("it is %.50q", name)
		}
	}
	return nil
}

// scalar returns the value of a part that is a string or a number.
func (p parts) scalar(name string, kind element.Kind) (string, bool) {
	n, ok := p.byName[name]
	if !ok {
		return "", false
	}
	v := readOperand(p.doc, n)
	if v.value == element.None || p.doc.Kind(v.value) != kind {
		return "", false
	}
	return p.doc.Text(v.value), true
}

func (p parts) text(name string) (string, *fhir.Error) {
	s, ok := p.scalar(name, element.String)
	if !ok {
		return "", fhir.Errorf(fhir.Invalid, "the part %s of the operation is missing or no string", name)
	}
	return s, nil
}

func (p parts) integer(name string) (int, *fhir.Error) {
	s, ok := p.scalar(name, element.Number)
	i, err := strconv.Atoi(s)
	if !ok || err != nil || i < 0 {
		return 0, fhir.Errorf(fhir.Invalid, "the part %s of the operation is missing or no index (0, 1, 2 ...)", name)
	}
	return i, nil
}

func (p parts) operand() (operand, *fhir.Error) {
	n, ok := p.byName["value"]
	if !ok {
		return operand{}, fhir.Errorf(fhir.Invalid, "the part value of the operation is missing")
	}
	o := readOperand(p.doc, n)
	if o.value == element.None && o.side == element.None {
		return o, fhir.Errorf(fhir.Invalid, "the part value of the operation has no value[x], no resource and no part")
	}
	return o, nil
}

// operand is a value as a part gives it: a value[x], a resource, or the parts of
// an element whose type is no datatype.
type operand struct {
	doc   *element.Doc
	value element.Node // the value, the resource or the list of parts; None when there is only side
	side  element.Node // id and extensions of a primitive value, or None
	typ   string       // of a value[x], as its property has it: "CodeableConcept", "Code"; else ""
	parts bool         // value is a list of parts
}

func readOperand(doc *element.Doc, n element.Node) operand {
	o := operand{doc: doc, value: element.None, side: element.None}
	for c := doc.First(n); c != element.None; c = doc.Next(n, c) {
		name := string(doc.Name(c))
		switch {
		case name == "resource":
			o.value = c
		case name == "part":
			o.value, o.parts = c, true
		case strings.HasPrefix(name, "_value"):
			o.side, o.typ = c, name[len("_value"):]
		case strings.HasPrefix(name, "value"):
			o.value, o.typ = c, name[len("value"):]
		}
	}
	return o
}

// of returns o as an occurrence of e, or why it cannot be one.
func (o *operand) of(e *spec.Element) (occurrence, *failure) {
	wrong := func() (occurrence, *failure) {
		return occurrence{}, fail("the value is of the wrong type", "at "+e.Name)
	}
	switch {
	case o.parts:
		if e.Resource || e.Type.Kind == spec.Primitive {
			return wrong()
		}
		v, err := o.assemble(e.Type)
		return occurrence{v: v}, err
	case e.Resource != (o.typ == ""):
		return wrong()
	case e.Resource:
		if o.doc.Kind(o.value) != element.Object {
			return wrong()
		}
	case !o.fits(e):
		return wrong()
	}
	var occ occurrence
	if o.value != element.None {
		occ.v = &value{doc: o.doc, node: o.value}
	}
	if o.side != element.None {
		occ.side = &value{doc: o.doc, node: o.side}
	}
	return occ, nil
}

// fits reports whether a value[x] of o's type may stand where e does. Primitives
// of one JSON kind stand for each other, as a string does for a code: whether the
// text is right is for the validation of the result to say.
func (o *operand) fits(e *spec.Element) bool {
	given := typeGiven(o.typ)
	if given == nil || given.Kind != spec.Primitive || e.Type.Kind != spec.Primitive {
		return given != nil && (given.Is(e.Type.Name) || e.Type.Is(given.Name) && e.Type.Kind == spec.Complex)
	}
	if e.Choice != "" {
		return given == e.Type
	}
	return jsonKind(given) == jsonKind(e.Type)
}

// typeGiven returns the type that the property value[x] names.
func typeGiven(suffix string) *spec.Type {
	if t := spec.TypeOf(suffix); t != nil {
		return t
	}
	if suffix == "" {
		return nil
	}
	return spec.TypeOf(strings.ToLower(suffix[:1]) + suffix[1:])
}

// jsonKind returns the JSON kind of a primitive's values.
func jsonKind(t *spec.Type) element.Kind {
	switch {
	case t.Is("boolean"):
		return element.True
	case t.Is("integer"), t.Is("decimal"):
		return element.Number
	}
	return element.String
}

// assemble makes an element of type t from a list of parts, each of which is one
// of its children.
func (o *operand) assemble(t *spec.Type) (*value, *failure) {
	if o.doc.Kind(o.value) != element.Array || o.doc.Size(o.value) == 0 {
		return nil, fail("a list of parts must have some", "")
	}
	made := newObject()
	for c := o.doc.First(o.value); c != element.None; c = o.doc.Next(o.value, c) {
		name, _ := text(o.doc, c, "name")
		part := readOperand(o.doc, c)
		if part.value == element.None && part.side == element.None {
			return nil, fail("a part has no value", "at "+name)
		}
		if err := attach(made, t, name, &part); err != nil {
			return nil, err
		}
	}
	return made, nil
}
