package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/store/job"
)

// A block hides what belongs to a patient, and a Binary that does not say whose it is
// belongs to nobody. When a record is blocked, those that nothing but it refers to are
// given the patient as their security context, and so are hidden with it. That takes as
// long as it takes to read what else might refer to them, so it is a job.

// claimJob is the job that does it, for all records that are blocked.
const claimJob = "claim-attachments"

// handleClaims lets this process do that job.
func (o *opened) handleClaims(log *slog.Logger) {
	o.jobs.Handle(claimJob, 1, func(ctx context.Context, t *job.Task) error {
		done, err := (&keeper{opened: o, log: log, now: time.Now}).claim(ctx)
		t.Progress(int64(done), int64(done), "attachments hidden")
		return err
	})
}

// claims asks for the job if one of some writes blocked a record.
func (o *opened) claims(ctx context.Context, results []bundle.Result) {
	if o.jobs == nil || !slices.ContainsFunc(results, func(r bundle.Result) bool {
		return r.Resource.Ref.Type == "Patient" && blockedLabel.On(r.Resource.JSON)
	}) {
		return
	}
	if _, err := o.jobs.Add(ctx, job.New{Kind: claimJob}); err != nil { // the next run of the retention does it
		o.log.WarnContext(ctx, "what a blocked record attached and is nobody's by itself is not hidden yet", "error", err)
	}
}

// claim gives Binaries that only a blocked record refers to their patient, and returns
// how many.
func (k *keeper) claim(ctx context.Context) (done int, err error) {
	var blocked []*due
	err = rights.BlockedPatients(ctx, k.engine, blockedLabel, func(id string) error {
		record, err := rights.Collect(ctx, k.engine, k.indexing.Base, id)
		blocked = append(blocked, &due{record: record})
		return err
	})
	if err != nil {
		return 0, err
	}
	found := map[string][]fhir.Ref{}
	if err := k.loose(ctx, blocked, found); err != nil {
		return 0, err
	}
	maker := k.maker(k.indexing.Base)
	for patient, binaries := range found {
		for _, ref := range binaries {
			b := bundle.Batch{Changes: []bundle.Change{maker.Patch(belonging(patient), ref.Current())}}
			switch _, err := k.Apply(ctx, &b); {
			case err == nil:
				done++
			case fhir.CodeOf(err) != fhir.NotFound && fhir.CodeOf(err) != fhir.Gone: // one that was deleted shows nothing
				return done, err
			}
		}
	}
	return done, nil
}

// belonging is a Patcher that gives a Binary without a security context a patient.
type belonging string

// Apply implements bundle.Patcher.
func (p belonging) Apply(json []byte) ([]byte, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	if doc.Get(0, "securityContext") != element.None {
		return json, nil // somebody else was first
	}
	e := doc.Edit(0)
	e.Append(0, `"securityContext":{"reference":`+string(element.Quote(nil, "Patient/"+string(p)))+`}`)
	return e.AppendTo(nil), nil
}
