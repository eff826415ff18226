package rest

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// Convert returns $convert: it answers with the resource that it is sent, in the
// format that the client accepts. It reads XML whose elements are out of order.
//
// See https://hl7.org/fhir/R4/resource-operation-convert.html.
func Convert() operation.Operation {
	return operation.Operation{
		Name:     "convert",
		URL:      "http://hl7.org/fhir/OperationDefinition/Resource-convert",
		Scope:    operation.OnSystem | operation.OnType,
		AnyOrder: true,
		Run: func(_ context.Context, call *operation.Call) (*operation.Answer, error) {
			d, n, err := converted(call)
			if err != nil {
				return nil, err
			}
			return &operation.Answer{JSON: d.AppendCompact(nil, n)}, nil
		},
	}
}

// converted returns the resource to convert: the body, or what is in its parameter
// input when it is a Parameters that has one.
func converted(call *operation.Call) (*element.Doc, element.Node, error) {
	d, n := call.In.Document(), element.Node(0)
	if d == nil {
		return nil, 0, fhir.Errorf(fhir.Invalid, "there is no resource to convert")
	}
	if call.Type != "Parameters" {
		input, there, err := call.In.One("input")
		if err != nil {
			return nil, 0, err
		}
		if inner, ok := input.Resource(); there && ok {
			n = inner
		}
	}
	typ := ""
	if t := d.Get(n, "resourceType"); t != element.None && d.Kind(t) == element.String {
		typ = d.Text(t)
	}
	switch {
	case !spec.IsResource(typ):
		return nil, 0, fhir.Errorf(fhir.Invalid, "resourceType names no resource type of FHIR R4").With("resourceType is %.100q", typ)
	case call.Type != "" && call.Type != typ:
		return nil, 0, fhir.Errorf(fhir.Invalid, "the resource is of another type than it was sent to").With("%s instead of %s", typ, call.Type)
	}
	return d, n, nil
}
