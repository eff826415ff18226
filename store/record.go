package store

import (
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// Records builds the answer to a search.PatientQuery from the rows that an engine reads.
type Records struct {
	query *search.PatientQuery
	found []search.PatientRecord
	at    map[int64]int // by row key of the Patient
}

// NewRecords returns the answer to q without anything in it.
func NewRecords(q *search.PatientQuery) *Records {
	return &Records{query: q, at: map[int64]int{}}
}

// Patient adds a Patient, in the order of row keys.
func (r *Records) Patient(f *Found) error {
	resource, err := f.Expand()
	if err != nil {
		return err
	}
	r.at[f.Key] = len(r.found)
	r.found = append(r.found, search.PatientRecord{Key: f.Key, Patient: resource})
	return nil
}

// Postings returns the postings of what belongs to the Patients by a link.
func (r *Records) Postings(link *search.PatientLink) []int64 {
	all := make([]int64, len(r.found))
	for i := range r.found {
		all[i] = index.Link(link.Param.ID, r.found[i].Key)
	}
	return all
}

// Among returns the postings of which a resource must have one, nil for no matter.
func Among(link *search.PatientLink) []int64 {
	if link.Among == nil {
		return nil
	}
	all := make([]int64, len(link.Among))
	for i, hash := range link.Among {
		all[i] = index.Token(hash)
	}
	return all
}

// Resource adds what has a posting of Postings.
func (r *Records) Resource(posting int64, f *Found) error {
	i, ok := r.at[index.LinkTarget(posting)]
	if !ok {
		return nil
	}
	resource, err := f.Expand()
	if err == nil {
		r.found[i].Resources = append(r.found[i].Resources, resource)
	}
	return err
}

// Found returns the answer.
func (r *Records) Found() []search.PatientRecord { return r.found }

// Some reports whether there is any Patient.
func (r *Records) Some() bool { return len(r.found) > 0 }
