package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

const (
	forecastJob    = "immunization-forecast" // kind of the job, and of the entries of how far it is
	forecastPlace  = "place"
	recomputePlace = "recompute"

	forecastPage = 1000            // changes at a time
	forecastLook = 50              // Patients at a time
	forecastIdle = time.Minute     // how long nothing happens until it is looked whether a day has begun
	forecastRest = 5 * time.Second // after an error

	// While others write, the follower works a fifth of the time at most, and otherwise
	// half: who waits for an answer comes first.
	busyFor     = 2 * time.Second // after a change of others
	busyRest    = 4
	quietRest   = 1
	longestRest = 2 * time.Second
)

// forecastState is how far the follower has come. It is the only one who works, so that
// what it has read is not older than what is written already.
type forecastState struct {
	Feed fhir.Mark `json:"feed,omitzero"`

	Print string `json:"print,omitempty"` // of the schedules by which all Patients were looked at
	Walk  string `json:"walk,omitempty"`  // of those by which it is under way
	After int64  `json:"after,omitempty"` // row key up to which that is done

	Day   int32 `json:"day,omitempty"`   // up to which time has been looked at
	Night int64 `json:"night,omitempty"` // row key up to which it has been for the day after

	Tally recommend.Tally `json:"tally,omitzero"`
}

// forecaster follows the changes.
type forecaster struct {
	*opened
	keeper *recommend.Keeper
	task   *job.Task
	at     forecastState
	entry  fhir.Entry
	noted  time.Time // when it was noted how far it is
	last   time.Time // when others were seen to write
}

// handleForecasts lets this process keep what the schedule says of each Patient.
func (o *opened) handleForecasts(ctx context.Context) error {
	keeper := o.vaccinationKeeper()
	o.jobs.Handle(forecastJob, 1, func(ctx context.Context, t *job.Task) error {
		f := &forecaster{opened: o, keeper: keeper, task: t}
		return f.follow(ctx)
	})
	return o.stand(ctx, forecastJob)
}

// follow does what there is to do until ctx ends.
func (f *forecaster) follow(ctx context.Context) error {
	for {
		began := time.Now()
		worked, err := f.step(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rest := f.rest(time.Since(began), worked)
		if err != nil {
			f.log.Warn("immunization forecasts are not kept current now; it is tried again", "error", err)
			rest = forecastRest
		}
		t := &f.at.Tally
		f.task.Progress(int64(t.Patients), 0, fmt.Sprintf("recommendations written: %d, removed: %d, refused: %d", t.Written, t.Removed, t.Refused))
		if rest == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// rest is how long those who write are left alone after some work.
func (f *forecaster) rest(took time.Duration, worked bool) time.Duration {
	switch {
	case !worked:
		return 0
	case time.Since(f.last) < busyFor:
		return min(longestRest, busyRest*took)
	}
	return min(longestRest, quietRest*took)
}

// step does one piece of work, or waits for some. Changes come before all else.
func (f *forecaster) step(ctx context.Context) (worked bool, err error) {
	if err := f.load(ctx); err != nil {
		return false, err
	}
	changes, err := f.Feed().Changes(ctx, f.at.Feed, forecastPage)
	today := int32(f.keeper.Today())
	switch {
	case f.entry.Version == 0 || errors.Is(err, store.ErrOtherHistory):
		return false, f.begin(ctx)
	case err != nil:
		return false, err
	case len(changes) > 0:
		return true, f.changed(ctx, changes)
	case f.at.Print != f.schedules.print:
		return true, f.walk(ctx)
	case f.at.Day < today:
		return true, f.night(ctx, today)
	}
	waiting, stop := context.WithTimeout(ctx, forecastIdle)
	defer stop()
	if err := f.Feed().Wait(waiting, f.at.Feed); err != nil && waiting.Err() == nil {
		return false, err
	}
	return false, nil
}

// load reads how far it is, unless that is known.
func (f *forecaster) load(ctx context.Context) error {
	if f.entry.Version > 0 {
		return nil
	}
	e, err := f.Entry(ctx, forecastJob, forecastPlace)
	if fhir.CodeOf(err) == fhir.NotFound {
		f.entry = fhir.Entry{Kind: forecastJob, Key: forecastPlace}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &f.at)
	}
	if err == nil {
		f.entry = e
	}
	return err
}

// save notes how far it is.
func (f *forecaster) save(ctx context.Context) error {
	value, err := json.Marshal(f.at)
	if err != nil {
		return err
	}
	f.entry.Value = value
	if err := f.Put(ctx, f.entry); err != nil {
		f.entry = fhir.Entry{} // it is read again
		return err
	}
	f.entry.Version++
	f.noted = time.Now()
	return nil
}

// begin begins with the changes that are still to come, and looks at all Patients once.
func (f *forecaster) begin(ctx context.Context) error {
	mark, err := f.Feed().End(ctx)
	if err != nil {
		return err
	}
	f.at = forecastState{Feed: mark, Tally: f.at.Tally}
	return f.save(ctx)
}

// changed looks at the Patients whom changes concern.
func (f *forecaster) changed(ctx context.Context, changes []fhir.Change) error {
	look, verify, err := f.keeper.Affected(ctx, changes)
	if err != nil {
		return err
	}
	if len(look)+len(verify) > 0 {
		f.last = time.Now()
	}
	for i, ids := range [][]string{look, verify} {
		for some := range slices.Chunk(ids, forecastLook) {
			if err := f.look(ctx, some, i == 1); err != nil {
				return err
			}
		}
	}
	f.at.Feed = changes[len(changes)-1].At
	if len(look)+len(verify) == 0 && time.Since(f.noted) < noteAfter {
		return nil
	}
	return f.save(ctx)
}

func (f *forecaster) look(ctx context.Context, ids []string, verify bool) error {
	began := time.Now()
	t, err := f.keeper.Look(ctx, ids, verify)
	f.at.Tally.Add(t)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.rest(time.Since(began), len(ids) == forecastLook)):
		return nil
	}
}

// walk looks at some of all Patients: the schedules are others than those by which they
// were looked at.
func (f *forecaster) walk(ctx context.Context) error {
	if f.at.Walk != f.schedules.print {
		f.at.Walk, f.at.After = f.schedules.print, 0
		f.log.Info("the recommended vaccines of all patients are worked out anew: the schedule is new here")
	}
	last, t, err := f.keeper.Next(ctx, f.at.After, forecastLook)
	f.at.Tally.Add(t)
	if err != nil {
		return err
	}
	if f.at.After = last; last == 0 {
		f.at.Print, f.at.Walk = f.at.Walk, ""
		f.log.Info("the recommended vaccines of all patients are worked out")
	}
	return f.save(ctx)
}

// night looks at some of those whom time alone has brought something else.
func (f *forecaster) night(ctx context.Context, today int32) error {
	var ids []string
	after := f.at.Night
	err := f.engine.Vaccinees(ctx, &fhir.VaccineeQuery{Again: today, After: after, Limit: forecastLook}, func(v *fhir.Vaccinee) error {
		ids = append(ids, v.Patient)
		after = v.Key
		return nil
	})
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		f.at.Day, f.at.Night = today, 0
		return f.save(ctx)
	}
	t, err := f.keeper.Look(ctx, ids, false)
	f.at.Tally.Add(t)
	if err != nil {
		return err
	}
	f.at.Night = after
	return f.save(ctx)
}
