package search

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Extract returns the index values of the resource at root. base is the server's
// base URL, without a slash at the end: references below it count as relative.
// What it returns holds no memory of d.
//
// Values that cannot be read as their type asks are passed over, since finding
// those is the business of validation.
func Extract(d *element.Doc, root element.Node, base string) (Index, error) {
	typ := d.Get(root, "resourceType")
	if typ == element.None || !spec.IsResource(d.Text(typ)) {
		return Index{}, fhir.Errorf(fhir.Invalid, "not a resource")
	}
	return Index{}, nil
}
