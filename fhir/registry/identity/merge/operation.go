package merge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/members"
	"github.com/amate-health/amate/fhir/search"
)

// canonical is what the canonical URLs of this project's definitions begin with.
const canonical = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

// Operations returns $merge and $unmerge.
func Operations(s *Service) []operation.Operation {
	return []operation.Operation{
		{
			Name: "merge", URL: "http://hl7.org/fhir/OperationDefinition/Patient-merge", Scope: operation.OnType, Types: []string{"Patient"},
			Changes: true, Run: s.merge,
		},
		{
			Name: "unmerge", URL: canonical + "unmerge", Scope: operation.OnInstance, Types: []string{"Patient"}, Changes: true, Run: s.unmerge,
		},
	}
}

// merge is Patient/$merge, with the parameters of the draft for later versions of FHIR.
//
// See http://hl7.org/fhir/OperationDefinition/Patient-merge.
func (s *Service) merge(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "source-patient", "source-patient-identifier", "target-patient", "target-patient-identifier", "result-patient", "preview", "reason"); err != nil {
		return nil, err
	}
	r := &Request{By: by(call)}
	var err error
	if r.Source, err = s.named(ctx, call, "source-patient"); err != nil {
		return nil, err
	}
	if r.Target, err = s.named(ctx, call, "target-patient"); err != nil {
		return nil, err
	}
	if r.Reason, err = call.In.Text("reason"); err != nil {
		return nil, err
	}
	result, given, err := call.In.One("result-patient")
	if err != nil {
		return nil, err
	}
	if given {
		n, ok := result.Resource()
		if !ok {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter result-patient is a resource")
		}
		r.Result = result.Doc.AppendCompact(nil, n)
	}
	preview, err := call.In.Text("preview")
	if err != nil {
		return nil, err
	}
	switch preview {
	case "true":
		p, err := s.Preview(ctx, r)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("nothing was written; %d resources refer to the source, its links to others left out", p.Count)
		return answer(call, 200, text, p.Target, ""), nil
	case "", "false":
	default:
		return nil, fhir.Errorf(fhir.Invalid, "the parameter preview is true or false")
	}
	rec, err := s.Merge(ctx, r)
	if err != nil {
		return nil, err
	}
	target, err := s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: rec.Target})
	if err != nil {
		return nil, err
	}
	if rec.Stage == Moving {
		return answer(call, 202, "the Patients are one; what refers to the source is moved now, in the background", target.JSON, rec.ID), nil
	}
	return answer(call, 200, "the Patients are one", target.JSON, rec.ID), nil
}

// unmerge is Patient/[source]/$unmerge.
func (s *Service) unmerge(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "reason", "reassign"); err != nil {
		return nil, err
	}
	if _, err := s.seen(ctx, call, call.Ref()); err != nil {
		return nil, err
	}
	p := &Parting{Source: call.ID, By: by(call)}
	var err error
	if p.Reason, err = call.In.Text("reason"); err != nil {
		return nil, err
	}
	for _, v := range call.In.All("reassign") {
		ref, ok := referred(call, v)
		if !ok {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter reassign refers to a resource of this server, as Observation/1")
		}
		if _, err := s.seen(ctx, call, ref.Current()); err != nil {
			return nil, err
		}
		p.Reassign = append(p.Reassign, ref)
	}
	if rec, err := s.Of(ctx, call.ID); err == nil { // the caller is to see both
		if _, err := s.seen(ctx, call, fhir.Ref{Type: "Patient", ID: rec.Target}); err != nil {
			return nil, err
		}
	}
	rec, err := s.Unmerge(ctx, p)
	if err != nil {
		return nil, err
	}
	source, err := s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: rec.Source})
	if err != nil {
		return nil, err
	}
	if rec.Stage == Undoing {
		return answer(call, 202, "the Patients are two again; what was moved is given back now, in the background", source.JSON, rec.ID), nil
	}
	return answer(call, 200, "the Patients are two again", source.JSON, rec.ID), nil
}

// answer is what both operations return.
func answer(call *operation.Call, status int, text string, result []byte, id string) *operation.Answer {
	b := []byte(`{"resourceType":"Parameters","parameter":[`)
	if d := call.In.Document(); d != nil && len(call.In.Names()) > 0 {
		b = append(append(append(b, `{"name":"input","resource":`...), d.AppendCompact(nil, 0)...), "},"...)
	}
	b = append(b, `{"name":"outcome","resource":`...)
	b = operation.AppendOutcome(b, []fhir.Issue{{Severity: "information", Type: "informational", Details: text}})
	b = append(append(append(b, `},{"name":"result","resource":`...), result...), '}')
	if id != "" {
		b = append(append(append(b, `,{"name":"merge","valueId":`...), quote(id)...), '}')
	}
	return &operation.Answer{Status: status, JSON: append(b, "]}"...)}
}

// named returns the id of the Patient that the parameters called name say: by a reference,
// or by identifiers that all are theirs. The caller must be allowed to see them.
func (s *Service) named(ctx context.Context, call *operation.Call, name string) (string, error) {
	v, given, err := call.In.One(name)
	if err != nil {
		return "", err
	}
	ids := call.In.All(name + "-identifier")
	if !given && len(ids) == 0 {
		return "", fhir.Errorf(fhir.Invalid, "the parameter %s or %s-identifier must be given", name, name)
	}
	q := &search.Query{Type: "Patient", Count: 2, Restriction: call.Restriction}
	if given {
		ref, ok := referred(call, v)
		if !ok || ref.Type != "Patient" {
			return "", fhir.Errorf(fhir.Invalid, "the parameter %s refers to a Patient of this server, as Patient/1", name)
		}
		q.Where = append(q.Where, search.IDs{Any: []string{ref.ID}})
	}
	for _, id := range ids {
		e, err := identified(id, name+"-identifier")
		if err != nil {
			return "", err
		}
		q.Where = append(q.Where, e...)
	}
	found, err := s.Store.Search(ctx, q)
	switch {
	case err != nil:
		return "", err
	case len(found.Matches) == 0:
		return "", fhir.Errorf(fhir.Unprocessable, "%s: there is no such Patient", name)
	case len(found.Matches) > 1:
		return "", fhir.Errorf(fhir.MultipleMatches, "%s-identifier: several Patients have it", name)
	}
	return found.Matches[0].Ref.ID, nil
}

// identified is the condition of having the identifier that a parameter says.
func identified(v operation.Value, name string) ([]search.Expr, error) {
	n, property := v.Typed()
	if property != "valueIdentifier" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is an Identifier", name)
	}
	o := members.At(v.Doc, n)
	if o.Text("value") == "" || o.Text("system") == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s has a system and a value", name)
	}
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)
	q, err := search.Parse("Patient", []search.Param{{Name: "identifier", Value: escape.Replace(o.Text("system")) + "|" + escape.Replace(o.Text("value"))}}, search.Options{MaxCount: 2})
	if err != nil {
		return nil, err
	}
	return q.Where, nil
}

// seen returns a resource that the caller may see. Errors: fhir.NotFound.
func (s *Service) seen(ctx context.Context, call *operation.Call, ref fhir.Ref) (*fhir.Resource, error) {
	found, err := s.Store.Search(ctx, &search.Query{
		Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such resource").With("%s is not known", ref)
	}
	return &found.Matches[0], nil
}

// referred reads a parameter that is a reference to a resource of this server.
func referred(call *operation.Call, v operation.Value) (fhir.Ref, bool) {
	text := v.Text
	if n, property := v.Typed(); property == "valueReference" {
		if r := v.Doc.Get(n, "reference"); r != element.None {
			text = v.Doc.Text(r)
		}
	}
	return fhir.ParseRef(strings.TrimPrefix(text, call.Base+"/"))
}

// by says who calls.
func by(call *operation.Call) string {
	switch {
	case call.Caller.User.ID != "":
		return call.Caller.User.Current().String()
	case call.Caller.Principal != "":
		return call.Caller.Principal
	}
	return "amate"
}

// known refuses parameters that an operation does not take.
func known(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}
