package fhirpath

import (
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// tabular are the functions that SQL on FHIR 2.0 adds, or understands in its own way. Rows are
// joined by the key of a resource and that of what a Reference refers to, which are equal
// for the same resource: here both are the id behind its type, "Patient/1".
//
// See https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ViewDefinition.html#required-additional-functions.
var tabular = table(map[string]function{
	"getResourceKey": plain(resourceKey),
	"getReferenceKey": {typed: func(_ *run, in Collection, t *typeSpec) (Collection, error) {
		return referenceKeys(in, t)
	}, bare: true},
	"join": {max: 1, eval: func(r *run, s scope, in Collection, args []node) (Collection, error) {
		if len(in) == 0 {
			return values(String("")), nil
		}
		return joinTexts(r, s, in, args)
	}},
})

func resourceKey(_ *run, in Collection) (Collection, error) {
	var out Collection
	for _, i := range in {
		if i.Doc == nil || i.Node == element.None {
			continue
		}
		typ, id := i.Doc.TextAt(i.Node, "resourceType"), i.Doc.TextAt(i.Node, "id")
		if typ != "" && id != "" {
			out = append(out, Computed(String(typ+"/"+id)))
		}
	}
	return out, nil
}

// referenceKeys returns what References refer to: of all types, or of one.
func referenceKeys(in Collection, t *typeSpec) (Collection, error) {
	var out Collection
	for _, i := range in {
		if i.Doc == nil || i.Node == element.None {
			continue
		}
		text := i.Doc.TextAt(i.Node, "reference")
		// An absolute reference ends with the type and the id, if it is to a server.
		if at := strings.LastIndex(text, "://"); at >= 0 {
			parts := strings.Split(strings.SplitN(text[at+3:], "/_history/", 2)[0], "/")
			if len(parts) < 3 {
				continue
			}
			text = strings.Join(parts[len(parts)-2:], "/")
		}
		ref, ok := fhir.ParseRef(text)
		if !ok || t != nil && (t.fhir == nil || ref.Type != t.fhir.Name) {
			continue
		}
		out = append(out, Computed(String(ref.Type+"/"+ref.ID)))
	}
	return out, nil
}
