package search

import (
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// What names no patient as its subject may be of one all the same: an Observation with
// nothing but an Encounter, a Task with a focus, a DocumentReference whose content is
// somebody's. Whatever it refers to is kept as TiedTo and Named, and a store works out
// from that, and keeps up when what is between changes, whose it is: Owner where that is
// one patient, Sharers where they are several. Nobody can name these in a search.
var (
	// Sharers are the patients of whom a resource tells without being about any one of them.
	Sharers = &spec.SearchParam{ID: 19987, Code: "sharers", Type: spec.Reference, Targets: []string{"Patient"}}
	// Named are the patients to whom a resource without a subject refers.
	Named = &spec.SearchParam{ID: 19988, Code: "named", Type: spec.Reference, Targets: []string{"Patient"}}
	// TiedTo is what else it refers to that may be of a patient.
	TiedTo = &spec.SearchParam{ID: 19989, Code: "tied-to", Type: spec.Reference, Targets: []string{"Resource"}}
	// Owner is the one patient to whom it so belongs.
	Owner = &spec.SearchParam{ID: 19990, Code: "owner", Type: spec.Reference, Targets: []string{"Patient"}}
)

// Tied reports whether a resource of type typ that names no patient can belong to one
// through what it refers to. A Group belongs to whoever keeps it, a Person is of who it
// is, and a Provenance and a Binary follow ThroughParams and ByContext. That a Slot is
// taken tells nothing.
func Tied(typ string) bool {
	switch typ {
	case "Patient", "Group", "Person", "RelatedPerson", "AuditEvent", "Provenance", "Binary", "Schedule":
		return false
	case "MessageHeader", "PaymentNotice", "PaymentReconciliation", "EnrollmentResponse", "Linkage", "VerificationResult", "DeviceMetric":
		return true
	}
	return len(SubjectParams(typ)) > 0
}

// Ties reports whether what refers to a resource of type typ can belong to its patient.
func Ties(typ string) bool { return Tied(typ) || typ == "Binary" }

// BoundParams returns the references by which resources of type typ are bound to what
// their patients refuse, or to a block: the ConcernParams, and Owner.
func BoundParams(typ string) []*spec.SearchParam {
	params := ConcernParams(typ)
	if !Tied(typ) {
		return params
	}
	return append(slices.Clip(params), Owner)
}

// ties adds what the resource at n, of type typ, refers to, where it names no patient as
// the one whom it is about.
func (x *extractor) ties(typ string, n element.Node) {
	if !Tied(typ) || x.aboutPatient(typ) {
		return
	}
	x.objects(n, func(at element.Node) {
		x.tie(x.child(at, "reference"))
		x.tie(x.child(at, "url")) // of an attachment
	})
}

// aboutPatient reports whether the values found so far name a patient.
func (x *extractor) aboutPatient(typ string) bool {
	params := ConcernParams(typ)
	return slices.ContainsFunc(x.ix.Links, func(l Link) bool {
		return l.Target.Type == "Patient" && slices.ContainsFunc(params, func(p *spec.SearchParam) bool { return p.ID == l.Param })
	})
}

func (x *extractor) tie(text []byte) {
	if len(text) == 0 {
		return
	}
	ref, ok := localRef(text, x.base)
	switch {
	case !ok:
	case ref.Type == "Patient":
		x.ix.Links = append(x.ix.Links, Link{Named.ID, ref})
	case Ties(ref.Type):
		x.ix.Links = append(x.ix.Links, Link{TiedTo.ID, ref})
	}
}

// IsTied reports whether whose the resource is depends on what it refers to.
func (ix *Index) IsTied() bool {
	return slices.ContainsFunc(ix.Links, func(l Link) bool { return l.Param == TiedTo.ID || l.Param == Named.ID })
}

// OwnedBy returns the condition that a resource that names none of the patients as its
// subject belongs to one of them.
func OwnedBy(ids []string) Expr { return referring([]*spec.SearchParam{Owner}, patientRefs(ids)) }

// ContextOf returns the condition that the security context of a Binary is one of refs.
func ContextOf(refs []fhir.Ref) Expr { return referring([]*spec.SearchParam{binaryContext}, refs) }

// Mentioning returns the condition that a resource, of whatever type, refers to one of the
// patients by any parameter there is, or tells of them among others.
func Mentioning(ids []string) Expr { return referring(mentions(), patientRefs(ids)) }

// MentionParams returns the references by which resources of some types lead to patients,
// whether they are about them or only name them; of all types, where none or "" is given.
func MentionParams(types ...string) []*spec.SearchParam {
	if len(types) == 0 || slices.Contains(types, "") {
		return mentions()
	}
	return mentionsOf(types)
}

// mentions are all references that can lead to patients.
var mentions = sync.OnceValue(func() []*spec.SearchParam { return mentionsOf(spec.Resources()) })

func mentionsOf(types []string) []*spec.SearchParam {
	all := []*spec.SearchParam{Sharers, Named, Owner, bundleSubject, bundlePatients, binaryContext}
	seen := map[uint16]bool{}
	for _, typ := range types {
		for _, p := range spec.Params(typ) {
			leads := len(p.Targets) == 0 || slices.Contains(p.Targets, "Patient") || slices.Contains(p.Targets, "Resource")
			if p.Type == spec.Reference && leads && !seen[p.ID] {
				seen[p.ID] = true
				all = append(all, p)
			}
		}
	}
	return all
}

func patientRefs(ids []string) []fhir.Ref {
	refs := make([]fhir.Ref, len(ids))
	for i, id := range ids {
		refs[i] = fhir.Ref{Type: "Patient", ID: id}
	}
	return refs
}
