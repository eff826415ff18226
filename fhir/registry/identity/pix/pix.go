// Package pix answers which identifiers a patient has elsewhere: the cross-reference of
// IHE PIXm. A Patient who was merged into another is found under their identifiers, as the
// one who stands for them has those.
//
// See https://profiles.ihe.net/ITI/PIXm/ITI-83.html.
package pix

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// Searcher finds Patients.
type Searcher interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// most is how many Patients may have one identifier: they are duplicates of each other.
const most = 100

// Operation returns $ihe-pix.
func Operation(s Searcher) operation.Operation {
	return operation.Operation{
		Name: "ihe-pix", URL: "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix", Scope: operation.OnType, Types: []string{"Patient"},
		Run: func(ctx context.Context, call *operation.Call) (*operation.Answer, error) { return cross(ctx, s, call) },
	}
}

// known are the systems that exist whether or not somebody has a number of them here.
var known = []string{identity.SystemCURP, identity.SystemRFC, identity.SystemNSS}

func cross(ctx context.Context, s Searcher, call *operation.Call) (*operation.Answer, error) {
	source, err := call.In.Text("sourceIdentifier")
	if err != nil {
		return nil, err
	}
	system, value, ok := strings.Cut(source, "|")
	if !ok || system == "" || value == "" {
		return nil, fault(fhir.Invalid, "required", "sourceIdentifier must be given, as system|value")
	}
	var targets []string
	for _, v := range call.In.All("targetSystem") {
		if v.Text == "" {
			return nil, fault(fhir.Invalid, "required", "targetSystem is the URI of an assigning authority")
		}
		targets = append(targets, v.Text)
	}
	for _, name := range call.In.Names() {
		if name != "sourceIdentifier" && name != "targetSystem" && name != "_format" && !call.Lenient {
			return nil, fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").With("it takes sourceIdentifier, targetSystem and _format, not %.100q", name)
		}
	}
	found, err := find(ctx, s, call, escape.Replace(system)+"|"+escape.Replace(value), most)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		ok, err := assigned(ctx, s, call, system)
		if err == nil && !ok {
			err = fault(fhir.Invalid, "code-invalid", "sourceIdentifier Assigning Authority not found")
		}
		if err == nil {
			err = fault(fhir.NotFound, "not-found", "sourceIdentifier Patient Identifier not found")
		}
		return nil, err
	}
	for _, t := range targets {
		ok, err := assigned(ctx, s, call, t)
		if err == nil && !ok {
			err = fault(fhir.Forbidden, "code-invalid", "targetSystem not found")
		}
		if err != nil {
			return nil, err
		}
	}
	return answer(found, system, value, targets)
}

var escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// find returns the Patients with an identifier that the caller may see. One who is not in
// use any more stands back for those who are.
func find(ctx context.Context, s Searcher, call *operation.Call, token string, limit int) ([]fhir.Resource, error) {
	q, err := search.Parse("Patient", []search.Param{{Name: "identifier", Value: token}}, search.Options{MaxCount: limit})
	if err != nil {
		return nil, err
	}
	q.Restriction, q.Count = call.Restriction, limit
	found, err := s.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// assigned reports whether a system is one that anybody has a number of.
func assigned(ctx context.Context, s Searcher, call *operation.Call, system string) (bool, error) {
	if slices.Contains(known, system) {
		return true, nil
	}
	found, err := find(ctx, s, call, escape.Replace(system)+"|", 1)
	return len(found) > 0, err
}

// fault is an error with the code and text that the profile gives it.
func fault(code fhir.Code, typ, text string) error {
	return &fhir.Error{Code: code, Issues: []fhir.Issue{{Severity: "error", Type: typ, Details: text}}}
}

// answer writes the identifiers of those who were found, save the one that was asked for
// and those that are old, and where the Patients are.
func answer(found []fhir.Resource, system, value string, targets []string) (*operation.Answer, error) {
	b := []byte(`{"resourceType":"Parameters"`)
	next := `,"parameter":[`
	add := func(name, property string, raw []byte) {
		b = append(b, next+`{"name":"`+name+`","`+property+`":`...)
		b = append(append(b, raw...), '}')
		next = ","
	}
	var seen []string
	var ids [][]byte
	for i := range found {
		d, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, err
		}
		if found[i].Ref.Type == "Patient" {
			ids = append(ids, []byte(`{"reference":"`+found[i].Ref.Current().String()+`"}`))
		}
		list := d.Get(0, "identifier")
		if list == element.None || d.Kind(list) != element.Array {
			continue
		}
		for n := d.First(list); n != element.None; n = d.Next(list, n) {
			sys, val := d.TextAt(n, "system"), d.TextAt(n, "value")
			same := sys == system && val == value || slices.Contains(seen, sys+"|"+val)
			if same || sys == "" || val == "" || d.TextAt(n, "use") == "old" || len(targets) > 0 && !slices.Contains(targets, sys) {
				continue
			}
			seen = append(seen, sys+"|"+val)
			add("targetIdentifier", "valueIdentifier", d.AppendCompact(nil, n))
		}
	}
	for _, id := range ids {
		add("targetId", "valueReference", id)
	}
	if next == "," {
		b = append(b, ']')
	}
	return &operation.Answer{JSON: append(b, '}')}, nil
}
