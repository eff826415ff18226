package search

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// PatientQuery asks for Patients together with resources that refer to them, in the order
// of row keys, so that all that is stored can be gone through in one pass. It is not for
// what a caller is shown: nothing restricts it.
type PatientQuery struct {
	Patients []string // ids; nil for all
	After    int64    // row key: Patients after it
	Limit    int      // Patients at most
	Links    []PatientLink
}

// PatientLink is a type of resources that belong to the record of a Patient.
type PatientLink struct {
	Type  string
	Param *spec.SearchParam // the reference to the Patient
	// Among are hashes of tokens, one of which the resource must have; nil for all.
	Among []int64
}

// PatientRecord is a Patient with what refers to them: in the order of PatientQuery.Links, of one
// link in the order of row keys.
type PatientRecord struct {
	Key       int64
	Patient   fhir.Resource
	Resources []fhir.Resource
}
