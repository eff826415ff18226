package authz

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// writes reports whether permissions are for changing something.
func writes(need scope.Perms) bool { return need&(scope.Create|scope.Update|scope.Delete) != 0 }

// about returns the condition that a resource is about one of these patients, and
// whether it can hold.
func about(typ string, patients []string, write bool) (search.Expr, bool) {
	if len(patients) == 0 {
		return nil, false
	}
	in := concerning(patients, typ, write)
	return in, in != nil
}

// concerning returns the condition that a resource of type typ is in the record of
// one of the patients; nil when none ever is. A resource is also in the compartment
// of who performed, wrote or sent it: they may see it. To write it is another matter:
// else everybody could put a result into the record of somebody else by naming
// themselves as its performer. What is written must be about the patient, and about
// nobody else.
func concerning(patients []string, typ string, write bool) search.Expr {
	params := search.SubjectParams(typ)
	if !write || typ != "Patient" && len(params) == 0 {
		return search.Patients(patients, typ)
	}
	if typ == "Patient" { // one that says that it is linked to them is still another one
		return search.IDs{Any: patients}
	}
	refs := make([]fhir.Ref, len(patients))
	for i, id := range patients {
		refs[i] = fhir.Ref{Type: "Patient", ID: id}
	}
	var any search.Or
	var others search.And
	if typ == "Binary" {
		any = append(any, search.InContext(refs))
	}
	for _, p := range params {
		any = append(any, refers(p, refs...))
	}
	tells := search.ConcernParams(typ)
	for _, p := range tells {
		if len(tells) > 1 || typ == "Bundle" || repeats(typ, p) {
			others = append(others, search.Not{X: search.Chain{Param: p, Types: []string{"Patient"}, Next: search.Not{X: search.IDs{Any: patients}}}})
		}
	}
	if len(others) == 0 {
		return anyOf(any)
	}
	return append(search.And{anyOf(any)}, others...)
}

// keepRefusals keeps those whom a Consent refuses something from changing it: they
// could lift the refusal. An emergency is no reason to: it ends, and the change would
// not.
func (f *profile) keepRefusals(ask *question, d *rest.Decision) {
	seen, ok := d.Restriction.Of("Consent")
	if !ok || !f.bound || ask.typ != "Consent" || strings.HasPrefix(ask.act, "$") && !ask.changes {
		return
	}
	p := search.DenialParam
	refuses := search.Match{Param: p, Compared: p.Type, Values: []search.Value{{Raw: "this caller", Tokens: search.Denials(f.facts)}}}
	d.Restriction.Types["Consent"] = append(slices.Clip(seen), search.Not{X: refuses})
}

// repeats reports whether a resource of type typ can have several references of p.
func repeats(typ string, p *spec.SearchParam) bool {
	steps := strings.Split(p.Expression, ".")
	for _, step := range steps[min(1, len(steps)):] {
		t := spec.TypeOf(typ)
		if t == nil {
			return false
		}
		el := t.Element([]byte(step))
		if el == nil {
			return false
		}
		if el.Many {
			return true
		}
		if el.Type == nil {
			return false
		}
		typ = el.Type.Name
	}
	return false
}
