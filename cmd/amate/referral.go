package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/referral"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// referring says how long the parts of a referral may take.
type referring struct {
	Deadlines string `help:"Deadlines of referrals by priority in place of the built-in ones: JSON, a list of {\"priority\":\"routine\",\"respond\":{\"days\":5},\"attend\":{\"days\":30},\"report\":{\"days\":10}}, with business days or hours. Days on which nobody works are those of --arco-closed." placeholder:"FILE" type:"existingfile"`

	deadlines referral.Deadlines
}

// open reads the deadlines.
func (r *referring) open() error {
	if r.Deadlines == "" {
		return nil
	}
	text, err := os.ReadFile(r.Deadlines)
	if err != nil {
		return err
	}
	if r.deadlines, err = referral.ParseDeadlines(text); err != nil {
		return usagef("--referral-deadlines %s: %v", r.Deadlines, err)
	}
	return nil
}

func (o *opened) referralConfig(store referral.Store, all []operation.Operation) referral.Config {
	cfg := referral.Config{Store: store, Maker: o.maker, Deadlines: o.referring.deadlines, Zone: birth.Zone, Calendar: o.office.calendar}
	if o.office.zone != nil {
		cfg.Zone = o.office.zone
	}
	if all == nil {
		return cfg
	}
	draft, summary := operationOf(all, "draft-note"), operationOf(all, "summary")
	cfg.Draft = func(ctx context.Context, call *operation.Call, encounter, author fhir.Ref) ([]byte, error) {
		inner := within(call, encounter)
		inner.In = operation.NewInputs([]search.Param{{Name: "type", Value: "referencia"}, {Name: "author", Value: author.String()}}, nil)
		a, err := draft(ctx, inner)
		if err != nil {
			return nil, err
		}
		return a.JSON, nil
	}
	cfg.Summary = func(ctx context.Context, call *operation.Call, patient fhir.Ref) ([]byte, error) {
		a, err := summary(ctx, within(call, patient))
		if err != nil {
			return nil, err
		}
		d, err := element.Parse(a.JSON)
		if err != nil || d.TextAt(0, "type") != "document" {
			return nil, errors.Join(err, fhir.Errorf(fhir.Unprocessable, "no summary could be made of the patient"))
		}
		return a.JSON, nil
	}
	return cfg
}

// referralOperations send patients to other establishments, and back. all are the
// operations that drafts and summaries are made by.
func (o *opened) referralOperations(all []operation.Operation) []operation.Operation {
	return referral.Operations(o.referralConfig(birthStore{o}, all))
}

const (
	referralJob   = "referrals" // kind of the job, and of the entry of how far it is
	referralPlace = "place"

	referralPage = 2000             // changes at a time
	referralIdle = 15 * time.Second // how often it is looked whose time has come
	referralRest = 5 * time.Second  // after an error
)

// referralState is how far the follower has come.
type referralState struct {
	Feed  fhir.Mark      `json:"feed,omitzero"`
	Tally referral.Tally `json:"tally,omitzero"`
}

// referralFollower looks after referrals.
type referralFollower struct {
	*opened
	keeper *referral.Keeper
	task   *job.Task
	at     referralState
	entry  fhir.Entry
}

// handleReferrals lets this process look after referrals. One at a time does: the job says
// who.
func (o *opened) handleReferrals(ctx context.Context) error {
	o.jobs.Handle(referralJob, 1, func(ctx context.Context, t *job.Task) error {
		f := &referralFollower{opened: o, task: t, keeper: referral.NewKeeper(o.referralConfig(rightsStore{o}, nil), o.indexing.Base, o.log)}
		return f.follow(ctx)
	})
	return o.stand(ctx, referralJob)
}

// follow does what there is to do until ctx ends.
func (f *referralFollower) follow(ctx context.Context) error {
	for {
		rest := monitorPause
		if err := f.step(ctx); err != nil {
			if ctx.Err() == nil {
				f.log.Warn("referrals are not looked after now; it is tried again", "error", err)
			}
			f.entry, rest = fhir.Entry{}, referralRest
		}
		t := &f.keeper.Tally
		f.task.Progress(int64(t.Closed+t.Overdue), 0, fmt.Sprintf("referrals closed: %d, overdue: %d, failed: %d", t.Closed, t.Overdue, t.Failed))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// step looks at some changes, and at those whose time has come; or it waits for either.
func (f *referralFollower) step(ctx context.Context) error {
	if err := f.load(ctx); err != nil {
		return err
	}
	changes, err := f.Feed().Changes(ctx, f.at.Feed, referralPage)
	if f.entry.Version == 0 || errors.Is(err, store.ErrOtherHistory) {
		return f.begin(ctx)
	}
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		if err := f.keeper.Follow(ctx, changes); err != nil {
			return err
		}
		f.at.Feed = changes[len(changes)-1].At
		if err := f.save(ctx); err != nil {
			return err
		}
	}
	due, err := f.keeper.Tick(ctx)
	if err != nil || due > 0 || len(changes) > 0 {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, referralIdle)
	defer stop()
	if err := f.Feed().Wait(waiting, f.at.Feed); err != nil && waiting.Err() == nil {
		return err
	}
	return nil
}

// begin looks at all that waits for a signature, and follows what comes after that.
func (f *referralFollower) begin(ctx context.Context) error {
	mark, err := f.Feed().End(ctx)
	if err != nil {
		return err
	}
	if err := f.keeper.Begin(ctx); err != nil {
		return err
	}
	f.at.Feed = mark
	return f.save(ctx)
}

// load reads how far it is, unless that is known.
func (f *referralFollower) load(ctx context.Context) error {
	if f.entry.Version > 0 {
		return nil
	}
	e, err := f.Entry(ctx, referralJob, referralPlace)
	if fhir.CodeOf(err) == fhir.NotFound {
		f.entry = fhir.Entry{Kind: referralJob, Key: referralPlace}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &f.at)
	}
	if err == nil {
		f.entry, f.keeper.Tally = e, f.at.Tally
	}
	return err
}

// save notes how far it is.
func (f *referralFollower) save(ctx context.Context) error {
	f.at.Tally = f.keeper.Tally
	value, err := json.Marshal(f.at)
	if err != nil {
		return err
	}
	f.entry.Value = value
	if err := f.Put(ctx, f.entry); err != nil {
		return err
	}
	f.entry.Version++
	return nil
}
