package bundle

import (
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// place says what kind of link a text is.
type place uint8

const (
	literal   place = iota // Reference.reference
	locator                // an element of type uri, url, oid or uuid
	narrative              // a div, whose href and src may point somewhere
)

// link is a text in a resource that may point to another one.
type link struct {
	node  element.Node
	place place
}

// links finds all places in a resource that may point to another: literal
// references, and elements of the types that a transaction rewrites as well.
//
// A Bundle that is stored as a resource is a whole of its own: its entries refer to one
// another, and a document may be signed. Nothing in it is rewritten but its meta.
//
// See https://hl7.org/fhir/R4/http.html#trules and
// https://hl7.org/fhir/R4/bundle.html#references.
func links(d *element.Doc, root element.Node, visit func(link)) {
	t := spec.TypeOf(d.Text(d.Get(root, "resourceType")))
	switch {
	case t == nil:
	case t.Name != "Bundle":
		linksIn(d, root, t, visit)
	default: // what is said of it here is of this server
		if meta := d.Get(root, "meta"); meta != element.None {
			linksIn(d, meta, spec.TypeOf("Meta"), visit)
		}
	}
}

// linksIn walks a value of type t. Depth is bounded by the parser.
func linksIn(d *element.Doc, n element.Node, t *spec.Type, visit func(link)) {
	switch d.Kind(n) {
	case element.Array:
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			linksIn(d, c, t, visit)
		}
	case element.Object:
		reference := t.Name == "Reference"
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			name := d.Name(c)
			el := t.Element(name)
			switch {
			case el == nil && len(name) > 1 && name[0] == '_': // extensions of a primitive
				linksIn(d, c, elementType, visit)
			case el == nil:
			case el.Resource:
				linksInResources(d, c, visit)
			case reference && el.Name == "reference":
				visit(link{c, literal})
			case el.Type.Kind != spec.Primitive:
				linksIn(d, c, el.Type, visit)
			case el.Type.Name == "xhtml":
				visit(link{c, narrative})
			case isLocator(el.Type.Name):
				linksInTexts(d, c, visit)
			}
		}
	}
}

func linksInTexts(d *element.Doc, n element.Node, visit func(link)) {
	if d.Kind(n) == element.String {
		visit(link{n, locator})
		return
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		visit(link{c, locator})
	}
}

// linksInResources walks contained resources.
func linksInResources(d *element.Doc, n element.Node, visit func(link)) {
	if d.Kind(n) == element.Object {
		links(d, n, visit)
		return
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		links(d, c, visit)
	}
}

var elementType = spec.TypeOf("Element")

// isLocator reports whether a transaction rewrites elements of a primitive type.
func isLocator(primitive string) bool {
	switch primitive {
	case "uri", "url", "oid", "uuid":
		return true
	}
	return false
}

// conditional splits a conditional reference: "Patient?identifier=system|value".
//
// See https://hl7.org/fhir/R4/http.html#trules.
func conditional(text string) (typ, query string, ok bool) {
	typ, query, ok = strings.Cut(text, "?")
	return typ, query, ok && spec.IsResource(typ)
}
