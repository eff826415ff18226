package r4

import (
	"bytes"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// missingValue is the extension that the library puts where a primitive has
// extensions but no value, and takes away again, whoever put it there.
const missingValue = "https://g.co/fhir/StructureDefinition/primitiveHasNoValue"

// unheld says what in a valid resource the messages cannot hold, "" when they can
// hold it all. It finds what would otherwise be refused without a reason that can
// be told, or lost without a word.
func unheld(d *element.Doc) (found string) {
	each(d, 0, nil, func(n element.Node, name []byte, t *spec.Type) {
		switch {
		case found != "":
		case d.Kind(n) == element.Null:
			found = "a null in an array"
		case string(name) == "_reference":
			found = "an id or extension of Reference.reference"
		case t == nil:
		case string(name) == "resource" && t.Name == "Parameters.parameter":
			found = "Parameters.parameter.resource"
		case d.Kind(n) != element.String:
		case t.Name == "uri" && string(d.Bytes(n)) == missingValue:
			found = "an extension that has a meaning of its own there"
		case t.Name == "dateTime" || t.Name == "instant" || t.Name == "time":
			if _, fraction, ok := bytes.Cut(d.Bytes(n), []byte(".")); ok && digits(fraction) > 6 {
				found = "a time to less than a microsecond"
			}
		}
	})
	return found
}

// each calls f with every value below n, the name of the member that it is or is an
// item of, and a type: that of a primitive value; of anything else, that of the
// object which has the member. t is the type of n; nil has it found by resourceType.
func each(d *element.Doc, n element.Node, t *spec.Type, f func(n element.Node, name []byte, t *spec.Type)) {
	if d.Kind(n) != element.Object {
		return
	}
	if t == nil {
		t = typeOf(d, n)
	}
	for m := d.First(n); m != element.None; m = d.Next(n, m) {
		name := d.Name(m)
		var e *spec.Element
		if t != nil {
			e = t.Element(bytes.TrimPrefix(name, []byte("_")))
		}
		visit := func(v element.Node) {
			if e == nil || e.Type == nil || e.Type.Kind != spec.Primitive || d.Kind(v) == element.Object {
				f(v, name, t)
			} else {
				f(v, name, e.Type)
			}
			if e != nil {
				each(d, v, e.Type, f)
			}
		}
		if d.Kind(m) != element.Array {
			visit(m)
			continue
		}
		for v := d.First(m); v != element.None; v = d.Next(m, v) {
			visit(v)
		}
	}
}

func typeOf(d *element.Doc, n element.Node) *spec.Type {
	if t := d.Get(n, "resourceType"); t != element.None {
		return spec.TypeOf(d.Text(t))
	}
	return nil
}

// digits returns how many digits text begins with.
func digits(text []byte) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

// inOrder returns the JSON of a valid resource with the members of every object in
// the order of their definitions.
func inOrder(d *element.Doc) []byte {
	start, end := d.Span(0)
	return appendOrdered(make([]byte, 0, end-start), d, 0, nil)
}

func appendOrdered(b []byte, d *element.Doc, n element.Node, t *spec.Type) []byte {
	switch d.Kind(n) {
	case element.Array:
		b = append(b, '[')
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = appendOrdered(b, d, c, t)
		}
		return append(b, ']')
	case element.Object:
	default:
		return d.AppendCompact(b, n)
	}
	b = append(b, '{')
	member := func(c element.Node, t *spec.Type) {
		if c == element.None {
			return
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(element.Quote(b, string(d.Name(c))), ':')
		b = appendOrdered(b, d, c, t)
	}
	if t == nil {
		t = typeOf(d, n)
		member(d.Get(n, "resourceType"), nil)
	}
	for i := range t.Elements {
		e := &t.Elements[i]
		member(d.Get(n, e.Name), e.Type)
		member(d.Get(n, "_"+e.Name), e.Type)
	}
	return append(b, '}')
}
