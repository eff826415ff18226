package search

import (
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Bundles and Binaries have no search parameter that says whom they are about. These
// are indexed for them beside those of R4; nobody can name them in a search.
var (
	// bundleSubject is the one patient to whose record a Bundle belongs: see bundle.
	bundleSubject = &spec.SearchParam{ID: 19994, Base: "Bundle", Code: "of-patient", Type: spec.Reference, Targets: []string{"Patient"}}
	// bundlePatients are all patients of whom a Bundle tells anything.
	bundlePatients = &spec.SearchParam{ID: 19995, Base: "Bundle", Code: "of-patients", Type: spec.Reference, Targets: []string{"Patient"}}
	// binaryContext is Binary.securityContext.
	binaryContext = &spec.SearchParam{ID: 19996, Base: "Binary", Code: "security-context", Type: spec.Reference, Targets: []string{"Resource"}}
)

// SubjectParams returns the references by which resources of type typ are about
// patients: those that put them into their compartments, or, where the definition
// lists none, those called patient or subject. Only those by which somebody is the
// subject count where there are any: who performed or wrote it is not whom it is about.
// A Binary is about the patient of its security context, which may be one step away.
func SubjectParams(typ string) []*spec.SearchParam {
	switch typ {
	case "Bundle":
		return []*spec.SearchParam{bundleSubject}
	case "Binary":
		return []*spec.SearchParam{binaryContext}
	}
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

// ConcernParams returns the references by which resources of type typ tell of
// patients, whose refusals then bind: those of SubjectParams, but of a Bundle everybody
// of whom there is something within it.
func ConcernParams(typ string) []*spec.SearchParam {
	if typ == "Bundle" {
		return []*spec.SearchParam{bundlePatients}
	}
	return SubjectParams(typ)
}

// ThroughParams returns the references of type typ to resources whose patients are its
// own: a Provenance tells of those of whom its targets do.
func ThroughParams(typ string) []*spec.SearchParam {
	if typ != "Provenance" {
		return nil
	}
	return []*spec.SearchParam{spec.Param("Provenance", "target")}
}

// ConcernIDs returns the IDs of the BoundParams of all types, sorted.
var ConcernIDs = sync.OnceValue(func() []int64 {
	var ids []int64
	for _, typ := range spec.Resources() {
		for _, p := range BoundParams(typ) {
			ids = append(ids, int64(p.ID))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
})

// ContextTypes are the types, beside Patient, by which a Binary can belong to a record.
var ContextTypes = []string{"Communication", "Composition", "Consent", "DiagnosticReport", "DocumentManifest", "DocumentReference", "Media", "QuestionnaireResponse"}

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
	any := referring(SubjectParams(typ), refs)
	if len(any) == 0 {
		return nil
	}
	if typ == "Binary" {
		any = append(any, InContext(refs))
	}
	return any
}

// InContext returns the condition that the security context of a Binary is a resource
// about one of the patients.
func InContext(patients []fhir.Ref) Expr {
	var params []*spec.SearchParam
	for _, typ := range ContextTypes {
		for _, p := range SubjectParams(typ) {
			if !slices.Contains(params, p) {
				params = append(params, p)
			}
		}
	}
	return Chain{Param: binaryContext, Types: ContextTypes, Next: referring(params, patients)}
}

// referring returns the condition of referring to one of refs by one of params.
func referring(params []*spec.SearchParam, refs []fhir.Ref) Or {
	var any Or
	for _, p := range params {
		m := Match{Param: p, Compared: p.Type}
		for _, ref := range refs {
			m.Values = append(m.Values, Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
		}
		any = append(any, m)
	}
	return any
}

// Record returns the condition that a resource, of whatever type, is in the record of
// one of owners: in their compartment, or a Bundle or Binary of theirs.
func Record(owners []fhir.Ref) Expr {
	whole := WholeCompartment(owners)
	if len(owners) == 0 || owners[0].Type != "Patient" {
		return whole
	}
	any := whole.(Or)
	return append(Or{append(slices.Clip(any[0].(Or)), referring([]*spec.SearchParam{bundleSubject, binaryContext}, owners)...)}, any[1:]...)
}

// Proxied holds for a live resource that refers to nothing by Param, or to something
// that the restriction of the query shows. The security context of a Binary is such a
// reference: it is shown to who is shown that.
//
// See https://hl7.org/fhir/R4/binary-definitions.html#Binary.securityContext.
type Proxied struct{ Param *spec.SearchParam }

func (Proxied) expr() {}

// String returns the condition in words.
func (p Proxied) String() string { return p.Param.Code + ":is-shown" }

// ByContext is the condition on Binaries that what stands for them is shown.
var ByContext = Proxied{binaryContext}
