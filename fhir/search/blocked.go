package search

import "github.com/amate-health/amate/fhir/spec"

// Unblocked holds for a live resource of which no patient whom it is about carries a
// label. One label on a Patient so reaches the whole record: what is there, what is
// written later, and none of it has to be written again.
type Unblocked struct {
	Params  []*spec.SearchParam // references that lead to the patients
	Through []*spec.SearchParam // references to other resources: what they carry counts, and what the patients of whom those tell do
	Label   int64               // token of the label
}

func (Unblocked) expr() {}

// String returns a name, since the rest is a hash.
func (Unblocked) String() string { return "patient:is-not-blocked" }

// OfRecords returns the references by which resources of type typ belong to the records
// that a block reaches; nil when it does not. Those of Patient itself are not among
// them, as the label stands there. A Group belongs to whoever keeps it: that one of its
// members had their record blocked does not take it away from them. The trail of who
// looked at a record is no part of it.
func OfRecords(typ string) []*spec.SearchParam {
	if typ == "Patient" || typ == "Group" || typ == "AuditEvent" {
		return nil
	}
	return BoundParams(typ)
}
