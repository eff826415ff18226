package main

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
)

// refreshEvery is how often it is looked for what other processes decided together
// with us: one small read. pollEvery is how often the resources are looked for that
// they wrote. pollAgain is how much is looked at again, since a change may be visible
// a while after its time.
const (
	refreshEvery = 2 * time.Second
	pollEvery    = 3 * refreshEvery
	pollAgain    = time.Minute
)

// follow keeps this process in step with what others write to the same database,
// until ctx ends.
func (o *opened) follow(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := o.parameters.Refresh(ctx)
		if err == nil {
			err = o.wordsRemoved(ctx)
		}
		if err == nil && n%int(pollEvery/refreshEvery) == 0 {
			err = o.poll(ctx)
		}
		if err != nil && ctx.Err() == nil {
			o.log.Warn("what other servers changed cannot be read; it is looked for again", "error", err)
		}
	}
}

// followed are the types that somebody keeps in step with.
func (o *opened) followed() []string {
	types := []string{"SearchParameter"}
	if o.vocabulary != nil {
		types = append(types, terminology.Types()...)
	}
	if o.definitions != nil {
		types = append(types, definingTypes...)
	}
	return types
}

// poll hands on what others have written since the last time.
func (o *opened) poll(ctx context.Context) error {
	now := time.Now()
	for _, typ := range o.followed() {
		changed, err := o.changedSince(ctx, typ, o.since.Add(-pollAgain))
		if err != nil {
			return err
		}
		if len(changed) == 0 {
			continue
		}
		switch _, terms := terminology.KindOf(typ); {
		case terms:
			if err := o.vocabulary.take(ctx, changed); err != nil {
				return err
			}
		case typ == "SearchParameter":
			var ids []string
			for i := range changed {
				ids = append(ids, changed[i].Ref.ID)
			}
			if err := o.parameters.Changed(ctx, ids...); err != nil {
				return err
			}
		default:
			o.definitions.noticed(changed)
		}
	}
	o.since = now
	return nil
}

// changedSince returns the versions of resources of a type that came since then, the
// oldest first.
func (o *opened) changedSince(ctx context.Context, typ string, since time.Time) (changed []fhir.Resource, err error) {
	q := &search.History{Type: typ, Since: since, Count: 200, Restriction: search.Unrestricted}
	for {
		page, err := o.engine.History(ctx, q)
		if err != nil {
			return nil, err
		}
		changed = append(changed, page.Entries...)
		if page.Next == "" {
			slices.Reverse(changed)
			return changed, nil
		}
		q.After = page.Next
	}
}
