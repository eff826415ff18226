package validate

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Stored reads the current version of a resource, if the restriction lets it be seen.
// Errors: fhir.NotFound, fhir.Gone.
type Stored func(ctx context.Context, ref fhir.Ref, only *search.Restriction) (fhir.Resource, error)

// Held appends to what was found in a resource what else keeps it from being written, or
// is doubtful about it. It may be nil.
type Held func(found []fhir.Issue, d *element.Doc, root element.Node, typ string) []fhir.Issue

// Operation is $validate, run by v. It answers with 200 and an OperationOutcome
// whatever it finds.
//
// See https://hl7.org/fhir/R4/resource-operation-validate.html.
func (v *Validator) Operation(stored Stored, held Held) operation.Operation {
	return operation.Operation{
		Name:  "validate",
		URL:   "http://hl7.org/fhir/OperationDefinition/Resource-validate",
		Scope: operation.OnSystem | operation.OnType | operation.OnInstance,

		Quotes: true,
		Run: func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
			issues, err := v.answer(ctx, call, stored, held)
			if err != nil {
				return nil, err
			}
			if len(issues) == 0 {
				issues = []fhir.Issue{{Severity: "information", Type: "informational", Details: "no issues found"}}
			}
			return &operation.Answer{JSON: operation.AppendOutcome(nil, issues)}, nil
		},
	}
}

// modes are the values of the parameter mode.
//
// See https://hl7.org/fhir/R4/valueset-resource-validation-mode.html.
var modes = map[string]bool{"": true, "create": true, "update": true, "delete": true, "profile": true}

func (v *Validator) answer(ctx context.Context, call *operation.Call, stored Stored, held Held) ([]fhir.Issue, error) {
	mode, err := call.In.Text("mode")
	if err != nil {
		return nil, err
	}
	if !modes[mode] {
		return nil, fhir.Errorf(fhir.Invalid, "mode is create, update, delete or profile").With("it is %.40q", mode)
	}
	var profiles []string
	for _, p := range call.In.All("profile") {
		profiles = append(profiles, p.Text)
	}
	d, root, err := given(ctx, call, stored, mode)
	if err != nil || d == nil {
		return nil, err
	}
	issues := v.Validate(ctx, d, root, profiles...)
	if held != nil {
		issues = held(issues, d, root, d.TextAt(root, "resourceType"))
	}
	if d == call.In.Document() {
		call.Locate(issues)
	}
	if wrong := about(call, d, root, mode); wrong != nil {
		issues = append([]fhir.Issue{*wrong}, issues...)
	}
	return issues, nil
}

// given returns the resource to check: that of the call, or the stored one that it
// was called on. For mode=delete there may be none, and d is nil.
func given(ctx context.Context, call *operation.Call, stored Stored, mode string) (d *element.Doc, root element.Node, err error) {
	if d, ok := call.In.Body(); ok {
		return d, 0, nil
	}
	value, there, err := call.In.One("resource")
	if err != nil {
		return nil, 0, err
	}
	if there {
		root, ok := value.Resource()
		if !ok {
			return nil, 0, fhir.Errorf(fhir.Invalid, "the parameter resource holds no resource")
		}
		return value.Doc, root, nil
	}
	if whole := call.In.Document(); whole != nil && call.Type == "Parameters" {
		return whole, 0, nil // a Parameters that is no call but what is to be checked
	}
	if call.ID == "" {
		if mode == "delete" {
			return nil, 0, nil
		}
		return nil, 0, fhir.Errorf(fhir.Invalid, "there is no resource to validate")
	}
	res, err := stored(ctx, call.Ref(), call.Restriction)
	if err != nil || mode == "delete" {
		return nil, 0, err
	}
	d, err = element.Parse(res.JSON)
	return d, 0, err
}

// about says whether the resource is not the one that the call is about.
func about(call *operation.Call, d *element.Doc, root element.Node, mode string) *fhir.Issue {
	text := func(name string) string {
		if n := d.Get(root, name); n != element.None && d.Kind(n) == element.String {
			return d.Text(n)
		}
		return ""
	}
	typ, id := text("resourceType"), text("id")
	switch {
	case call.Type != "" && spec.IsResource(typ) && typ != call.Type:
		return &fhir.Issue{Severity: "error", Type: "invalid", Rule: resourceTypeOther.key,
			Details: "the resource is of another type than it was sent to", Diagnostics: typ + " instead of " + call.Type, Expression: typ}
	case mode == "update" && id == "" || mode == "update" && call.ID != "" && id != call.ID:
		return &fhir.Issue{Severity: "error", Type: "invalid", Rule: "update-id",
			Details: "an update needs the id of the resource that it replaces", Diagnostics: quote([]byte(id)), Expression: typ + ".id"}
	}
	return nil
}
