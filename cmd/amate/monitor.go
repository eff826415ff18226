package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/telehealth/monitor"
)

const (
	monitorJob   = "monitoring" // kind of the job, and of the entry of how far it is
	monitorPlace = "place"

	monitorPage  = 2000                   // changes at a time
	monitorIdle  = 5 * time.Second        // how often it is looked whose time has come
	monitorRest  = 5 * time.Second        // after an error
	monitorPause = 100 * time.Millisecond // in which changes gather, so that many share the work
)

// monitorService takes measurements in for those who call.
func (o *opened) monitorService() *monitor.Service {
	return monitor.New(monitor.Config{Store: birthStore{o}, Maker: o.maker, Zone: o.zone()})
}

// monitorOperations take measurements in, and deal with the alerts that come of them.
func (o *opened) monitorOperations() []operation.Operation { return o.monitorService().Operations() }

// monitorState is how far the follower has come.
type monitorState struct {
	Feed  fhir.Mark     `json:"feed,omitzero"`
	Tally monitor.Tally `json:"tally,omitzero"`
}

// monitoring follows the measurements.
type monitoring struct {
	*opened
	keeper *monitor.Keeper
	task   *job.Task
	at     monitorState
	entry  fhir.Entry
	noted  time.Time // when it was noted how far it is
}

// handleMonitoring lets this process watch measurements. One at a time does: the job says
// who.
func (o *opened) handleMonitoring(ctx context.Context) error {
	o.jobs.Handle(monitorJob, 1, func(ctx context.Context, t *job.Task) error {
		service := monitor.New(monitor.Config{Store: rightsStore{o}, Maker: o.maker, Zone: o.zone()})
		m := &monitoring{opened: o, task: t, keeper: &monitor.Keeper{Service: service, Base: o.indexing.Base, Log: o.log}}
		return m.follow(ctx)
	})
	return o.stand(ctx, monitorJob)
}

// follow does what there is to do until ctx ends.
func (m *monitoring) follow(ctx context.Context) error {
	for {
		rest := monitorPause
		if err := m.step(ctx); err != nil {
			if ctx.Err() == nil {
				m.log.Warn("measurements are not watched now; it is tried again", "error", err)
			}
			m.entry = fhir.Entry{} // it is read again
			rest = monitorRest
		}
		t := &m.keeper.Tally
		m.task.Progress(int64(t.Looks), 0, fmt.Sprintf("changes of alerts written: %d, failed: %d", t.Alerts, t.Failed))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// step looks at some changes, and at those whose time has come; or it waits for either.
func (m *monitoring) step(ctx context.Context) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	changes, err := m.Feed().Changes(ctx, m.at.Feed, monitorPage)
	if m.entry.Version == 0 || errors.Is(err, store.ErrOtherHistory) {
		return m.begin(ctx)
	}
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		if err := m.keeper.Follow(ctx, changes); err != nil {
			return err
		}
		m.at.Feed = changes[len(changes)-1].At
		if m.keeper.Tally != m.at.Tally || time.Since(m.noted) >= noteAfter {
			if err := m.save(ctx); err != nil {
				return err
			}
		}
	}
	due, err := m.keeper.Tick(ctx)
	if err != nil || due > 0 || len(changes) > 0 {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, monitorIdle)
	defer stop()
	if err := m.Feed().Wait(waiting, m.at.Feed); err != nil && waiting.Err() == nil {
		return err
	}
	return nil
}

// begin looks at all that is watched, and follows what comes after that.
func (m *monitoring) begin(ctx context.Context) error {
	mark, err := m.Feed().End(ctx)
	if err != nil {
		return err
	}
	if err := m.keeper.Begin(ctx); err != nil {
		return err
	}
	m.at.Feed = mark
	return m.save(ctx)
}

// load reads how far it is, unless that is known.
func (m *monitoring) load(ctx context.Context) error {
	if m.entry.Version > 0 {
		return nil
	}
	e, err := m.Entry(ctx, monitorJob, monitorPlace)
	if fhir.CodeOf(err) == fhir.NotFound {
		m.entry = fhir.Entry{Kind: monitorJob, Key: monitorPlace}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &m.at)
	}
	if err == nil {
		m.entry, m.keeper.Tally = e, m.at.Tally
	}
	return err
}

// save notes how far it is.
func (m *monitoring) save(ctx context.Context) error {
	m.at.Tally = m.keeper.Tally
	value, err := json.Marshal(m.at)
	if err != nil {
		return err
	}
	m.entry.Value = value
	if err := m.Put(ctx, m.entry); err != nil {
		return err
	}
	m.entry.Version++
	m.noted = time.Now()
	return nil
}
