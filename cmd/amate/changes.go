package main

import (
	"context"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/feed"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// changesOperations offers $changes, by which clinics keep a copy of what they may see.
func (o *opened) changesOperations() []operation.Operation {
	shown := func(ctx context.Context, only *search.Restriction, resources []fhir.Resource) error {
		err := o.withhold(ctx, only, resources)
		if err == nil {
			err = o.fill(ctx, resources)
		}
		if err == nil {
			rest.Touched(ctx, resources...)
		}
		return err
	}
	return feed.New(feed.Config{Store: o, Inside: o.engine, Changes: o.engine.Feed(), Key: o.key("changes"), Shown: shown, Hidden: o.concealed, Several: func(r *fhir.Resource) bool { return o.shared(r) != nil }}).Operations()
}

const (
	// changesJob is the job that shortens the change feed, and removes what is kept of
	// copies that nobody asks for any more.
	changesJob = "changes"

	changesEvery = 24 * time.Hour
	changesPage  = 2000                 // rows of the feed that are removed at a time
	changesPause = 5 * time.Millisecond // between the steps, for those who write
)

// changesPlace is how far the job has come.
type changesPlace struct {
	Since time.Time `json:"since"` // copies that nobody has asked for since then are removed
	First fhir.Mark `json:"first"` // the first change that is left
	After string    `json:"after"` // id of the last copy that was looked at
}

// handleChanges lets this process tidy up the change feed, once a day.
func (o *opened) handleChanges(ctx context.Context) error {
	o.jobs.Handle(changesJob, 1, func(ctx context.Context, t *job.Task) error {
		if err := o.tidyChanges(ctx, t, time.Now()); err != nil {
			return err
		}
		return &job.Again{At: time.Now().Add(changesEvery)}
	})
	return o.stand(ctx, changesJob)
}

// tidyChanges does it once, from where an earlier attempt ended.
func (o *opened) tidyChanges(ctx context.Context, t *job.Task, now time.Time) error {
	var at changesPlace
	begun, err := t.Position(&at)
	if err != nil {
		return err
	}
	if !begun {
		at.Since = now.Add(-feed.KeepCopies)
		for n := changesPage; n == changesPage; {
			if at.First, n, err = store.PruneFeed(ctx, o.engine, now.Add(-feed.KeepChanges), changesPage); err != nil {
				return err
			}
			time.Sleep(changesPause)
		}
	}
	seen := 0
	_, err = feed.Housekeep(ctx, o.engine, at.Since, at.First, at.After, func(id string, all feed.Kept) error {
		t.Progress(int64(all.Copies+all.Removed), 0, fmt.Sprintf("copies of clients kept: %d, removed: %d", all.Copies, all.Removed))
		if seen++; seen%100 > 0 {
			return nil
		}
		at.After = id
		return t.Save(ctx, at)
	})
	return err
}
