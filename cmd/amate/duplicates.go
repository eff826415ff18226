package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// duplicates looks for duplicates in all that is stored.
type duplicates struct {
	Storage    storage `embed:""`
	Parameters string  `help:"File of parameters, as amate identity train writes it." placeholder:"FILE" type:"existingfile"`
	Least      string  `help:"From what grade on pairs become Tasks." enum:"possible,probable,certain" default:"probable"`
	Restart    bool    `help:"Begin with the first Patient again, not where an earlier run was stopped."`
}

const (
	batchLook  = 100              // Patients at a time
	tellsEvery = 10 * time.Second // how often progress is told
)

func (c *duplicates) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return withPeople(ctx, c.Storage, c.Parameters, grades[c.Least], log, func(o *opened) error {
		if err := c.Storage.recordCommand(ctx, o, log); err != nil {
			return err
		}
		return c.walk(ctx, o, out)
	})
}

// walk goes through all Patients, from where an earlier run was stopped.
func (c *duplicates) walk(ctx context.Context, o *opened, out streams) error {
	at, e, err := o.place(ctx, batchKey)
	if err != nil {
		return err
	}
	if c.Restart || at.Walk.Type == "" {
		at = place{Walk: store.Walk{Type: "Patient"}}
	} else {
		fmt.Fprintf(out.err, "going on after %d Patients\n", at.Done)
	}
	all, err := o.engine.Search(ctx, &search.Query{Type: "Patient", Total: search.TotalEstimate, Restriction: search.Unrestricted})
	if err != nil {
		return err
	}
	began, told, first := time.Now(), time.Now(), at.Done
	for {
		refs, err := o.engine.Next(ctx, &at.Walk, batchLook)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			break
		}
		tally, err := o.people.Look(ctx, patientIDs(refs))
		if err != nil {
			return err
		}
		at.Done += len(refs)
		at.Tally.Add(tally)
		if err := o.savePlace(ctx, e, at); err != nil {
			return err
		}
		e.Version++
		if time.Since(told) >= tellsEvery {
			told = time.Now()
			rate := float64(at.Done-first) / time.Since(began).Seconds()
			fmt.Fprintf(out.err, "%d of about %d Patients, %.0f a second, %d Tasks opened\n", at.Done, all.Total, rate, at.Tally.Opened)
		}
	}
	fmt.Fprintf(out.out, "%d Patients in %.1f s: %d Tasks opened, %d changed, %d closed\n",
		at.Done, time.Since(began).Seconds(), at.Tally.Opened, at.Tally.Changed, at.Tally.Closed)
	return o.savePlace(ctx, e, place{})
}

func patientIDs(refs []fhir.Ref) []string {
	ids := make([]string, len(refs))
	for i := range refs {
		ids[i] = refs[i].ID
	}
	return ids
}
