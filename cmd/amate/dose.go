package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/store/job"
)

// recallJob is the kind of the jobs that go on with the recall of a lot.
const recallJob = "recall-lot"

// recallPayload says of which: the id of its Medication.
type recallPayload struct {
	Lot string `json:"lot"`
}

// doseService records doses.
func (o *opened) doseService() *dose.Service {
	return dose.New(dose.Config{
		Store: birthStore{o}, Maker: o.maker, Assessor: nationalSchedule.on, Merged: o.mergedInto, Zone: o.office.zone,
		Job: func(lot string, due time.Time) (fhir.Entry, error) {
			return o.jobs.Entry(job.New{Kind: recallJob, Payload: recallPayload{lot}, Due: due})
		},
		Wake: o.jobs.Wake,
	})
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
	return &dose.Rule{Zone: o.office.zone, Now: time.Now, Patient: func(ctx context.Context, id string) (fhir.Resource, error) {
		return o.engine.Read(ctx, fhir.Ref{Type: "Patient", ID: id})
	}}
}

// nationalSchedule is the schedule of this country, as it is in force.
var nationalSchedule = &inForce{name: "mx"}

// inForce is a schedule by the version that holds on a day. It is safe for use by many
// goroutines.
type inForce struct {
	name string

	mu    sync.Mutex
	shelf *engineShelf
}

func (f *inForce) on(day schedule.Date) (immunization.Assessor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shelf == nil {
		shelf, err := openSchedule(f.name)
		if err != nil {
			return nil, fmt.Errorf("immunization schedule: %w", err)
		}
		f.shelf = shelf
	}
	return f.shelf.on(day)
}
