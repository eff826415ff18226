package main

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/job"
)

// recallJob is the kind of the jobs that go on with the recall of a lot.
const recallJob = "recall-lot"

// recallPayload says of which: the id of its Medication.
type recallPayload struct {
	Lot string `json:"lot"`
}

// doseService records doses: one for all, since it keeps those of a Patient in turn.
func (o *opened) doseService() *dose.Service {
	if o.doses != nil {
		return o.doses
	}
	o.doses = dose.New(dose.Config{
		Store: birthStore{o}, Maker: o.maker, Assessor: o.assessor, Merged: o.mergedInto, Zone: o.office.zone,
		Job: func(lot string, due time.Time) (fhir.Entry, error) {
			return o.jobs.Entry(job.New{Kind: recallJob, Payload: recallPayload{lot}, Due: due})
		},
		Wake: o.jobs.Wake,
	})
	return o.doses
}

// doseOperations record doses, report ESAVI and recall lots.
func (o *opened) doseOperations() []operation.Operation { return o.doseService().Operations() }

// handleRecalls lets this process go on with recalls.
func (o *opened) handleRecalls() {
	s := o.doseService()
	o.jobs.Handle(recallJob, 1, func(ctx context.Context, t *job.Task) error {
		var p recallPayload
		if err := t.Payload(&p); err != nil {
			return err
		}
		return s.Resume(ctx, o.indexing.Base, p.Lot)
	})
}

// doseRule is what every Immunization is held to. Patients are read for it without a
// trace, since nobody is shown them.
func (o *opened) doseRule() *dose.Rule {
	return &dose.Rule{Zone: o.office.zone, Now: time.Now, Kept: o.consented, Patient: func(ctx context.Context, id string) (fhir.Resource, error) {
		return o.engine.Read(ctx, fhir.Ref{Type: "Patient", ID: id})
	}}
}

// consented reports whether a consent of a patient stands, which may keep them from some;
// also where that cannot be told.
func (o *opened) consented(ctx context.Context, patient string) bool {
	q, err := search.Parse("Consent", []search.Param{{Name: "patient", Value: "Patient/" + patient}, {Name: "status", Value: "active"}, {Name: "_count", Value: "1"}}, search.Options{})
	if err != nil {
		return true
	}
	q.Restriction = search.Unrestricted // nobody is shown it
	found, err := o.engine.Search(ctx, q)
	return err != nil || len(found.Matches) > 0
}
