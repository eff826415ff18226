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
		if i.Doc == nil || i.Node == element.None || t != nil && t.fhir == nil {
			continue
		}
		of := ""
		if t != nil {
			of = t.fhir.Name
		}
		if key := referenceKey(i.Doc.TextAt(i.Node, "reference"), of); key != "" {
			out = append(out, Computed(String(key)))
		}
	}
	return out, nil
}

// referenceKey returns the key of what a reference is to, "" where that is no resource of
// the type of; "" is any.
func referenceKey(text, of string) string {
	// An absolute reference ends with the type and the id, if it is to a server.
	if at := strings.LastIndex(text, "://"); at >= 0 {
		parts := strings.Split(strings.SplitN(text[at+3:], "/_history/", 2)[0], "/")
		if len(parts) < 3 {
			return ""
		}
		text = strings.Join(parts[len(parts)-2:], "/")
	}
	ref, ok := fhir.ParseRef(text)
	switch {
	case !ok || of != "" && ref.Type != of:
		return ""
	case len(text) == len(ref.Type)+1+len(ref.ID):
		return text
	}
	return ref.Type + "/" + ref.ID
}
