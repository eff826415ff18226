package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// SubjectParams returns the references by which resources of type typ are about
// patients: those that put them into their compartments, or, where the definition
// lists none, those called patient or subject. Only those by which somebody is the
// subject count where there are any: who performed or wrote it is not whom it is about.
func SubjectParams(typ string) []*spec.SearchParam {
	codes := spec.Compartment("Patient", typ)
	for _, code := range []string{"patient", "subject"} {
		if p := spec.Param(typ, code); p != nil && p.Type == spec.Reference && (len(p.Targets) == 0 || slices.Contains(p.Targets, "Patient")) {
			return []*spec.SearchParam{p}
		}
	}
	var all []*spec.SearchParam
	for _, code := range codes {
		if p := spec.Param(typ, code); p != nil && p.Type == spec.Reference && !strings.HasPrefix(code, "{") {
			all = append(all, p)
		}
	}
	return all
}

// Patients returns the condition that a resource of type typ is about one of the
// patients; nil when no such resource ever is.
func Patients(ids []string, typ string) Expr {
	refs := make([]fhir.Ref, len(ids))
	for i, id := range ids {
		refs[i] = fhir.Ref{Type: "Patient", ID: id}
	}
	if InCompartment("Patient", typ) {
		return Compartment(refs, typ)
	}
	var any Or
	for _, p := range SubjectParams(typ) {
		m := Match{Param: p, Compared: p.Type}
		for _, ref := range refs {
			m.Values = append(m.Values, Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
		}
		any = append(any, m)
	}
	if len(any) == 0 {
		return nil
	}
	return any
}
