package rest

import (
	"slices"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// subsetTag marks a resource of which parts were left out.
//
// See https://hl7.org/fhir/R4/search.html#summary.
const subsetTag = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// subset appends the resource in src to dst, without the parts that form leaves out.
func subset(dst, src []byte, form *Form) ([]byte, error) {
	if !form.mask.Empty() {
		if form.Summary == "" && form.Elements == nil {
			return form.mask.appendTo(dst, src)
		}
		var err error
		if src, err = form.mask.appendTo(nil, src); err != nil {
			return dst, err
		}
	}
	doc, err := element.Parse(src)
	if err != nil {
		return dst, err
	}
	t := spec.TypeOf(doc.Text(doc.Get(0, "resourceType")))
	e := doc.Edit(0)
	if t != nil {
		for n := doc.First(0); n != element.None; n = doc.Next(0, n) {
			trim(doc, e, t, n, form)
		}
	}
	tagSubset(doc, e, doc.Get(0, "meta"))
	return e.AppendTo(dst), nil
}

// trim drops member n of a resource of type t, or parts of it.
func trim(doc *element.Doc, e *element.Edit, t *spec.Type, n element.Node, form *Form) {
	name := doc.Name(n)
	if len(name) > 0 && name[0] == '_' {
		name = name[1:]
	}
	switch string(name) {
	case "resourceType", "id", "meta", "implicitRules":
		return
	}
	el := t.Element(name)
	if el == nil || !keep(el, string(name), form) {
		e.Drop(n)
		return
	}
	if form.Summary == "true" && el.Type != nil && el.Type.Kind == spec.Backbone {
		trimBackbone(doc, e, el.Type, n)
	}
}

// keep reports whether form lets a top-level element through.
func keep(el *spec.Element, name string, form *Form) bool {
	switch form.Summary {
	case "true":
		return el.Summary || form.Elements != nil && named(form.Elements, el, name)
	case "text":
		return name == "text" || el.Min > 0
	case "data":
		return name != "text" && (form.Elements == nil || named(form.Elements, el, name))
	}
	return el.Min > 0 || el.Modifier || named(form.Elements, el, name)
}

// named reports whether _elements asks for el, by its name or, for a choice, by
// the name without the type.
func named(elements []string, el *spec.Element, name string) bool {
	return slices.Contains(elements, name) || el.Choice != "" && slices.Contains(elements, el.Choice)
}

// trimBackbone drops from a backbone element what is not in the summary.
func trimBackbone(doc *element.Doc, e *element.Edit, t *spec.Type, n element.Node) {
	if doc.Kind(n) == element.Array {
		for item := doc.First(n); item != element.None; item = doc.Next(n, item) {
			trimBackbone(doc, e, t, item)
		}
		return
	}
	if doc.Kind(n) != element.Object {
		return
	}
	for c := doc.First(n); c != element.None; c = doc.Next(n, c) {
		name := doc.Name(c)
		if len(name) > 0 && name[0] == '_' {
			name = name[1:]
		}
		el := t.Element(name)
		switch {
		case el == nil || string(name) == "id":
		case !el.Summary && el.Min == 0:
			e.Drop(c)
		case el.Type != nil && el.Type.Kind == spec.Backbone:
			trimBackbone(doc, e, el.Type, c)
		}
	}
}

// tagSubset adds the tag to meta, unless it is there.
func tagSubset(doc *element.Doc, e *element.Edit, meta element.Node) {
	if meta == element.None {
		return
	}
	tag := doc.Get(meta, "tag")
	if tag == element.None || doc.Kind(tag) != element.Array {
		e.Append(meta, `"tag":[`+subsetTag+`]`)
		return
	}
	for t := doc.First(tag); t != element.None; t = doc.Next(tag, t) {
		if c := doc.Get(t, "code"); c != element.None && doc.Text(c) == "SUBSETTED" {
			return
		}
	}
	e.Append(tag, subsetTag)
}
