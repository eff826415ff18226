package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/job"
)

const (
	analyticsPage = 1000            // changes at a time
	analyticsLook = 200             // resources at a time
	analyticsIdle = 5 * time.Second // how long nothing happens until it is looked around
	analyticsNote = 30 * time.Second
	analyticsRest = 10 * time.Second // after an error
	analyticsTurn = time.Second      // how long a scan goes on before changes have their turn
	viewsEvery    = 20 * time.Second // how often it is looked which tables are to be kept
)

// tabulator keeps the tables. It is the only one who writes them, so that what it has read
// is not older than what is written already.
type tabulator struct {
	*opened
	keeper analytics.Keeper
	task   *job.Task

	at     *analytics.Progress // nil when it is to be read
	tables []tabled
	looked time.Time // when it was looked which tables are to be kept
	month  time.Time
	names  *analysis.Deidentifier
	noted  time.Time // when it was last stored that nothing is left
	busy   time.Time // when others were last seen to write
}

// follow does what there is to do until ctx ends.
func (f *tabulator) follow(ctx context.Context) error {
	for {
		began := time.Now()
		worked, err := f.step(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := time.Duration(0)
		switch {
		case errors.Is(err, analytics.ErrMoved):
			f.at = nil // somebody asked for a table anew
		case err != nil:
			f.at = nil
			f.log.Warn("the tables of analysts are not kept current now; it is tried again", "error", err)
			pause = analyticsRest
		case worked && time.Since(f.busy) < busyFor:
			pause = min(longestRest, 2*time.Since(began)) // who writes comes first
		}
		if f.at != nil {
			f.task.Progress(int64(len(f.at.Tables)), 0, fmt.Sprintf("tables: %d, resources left out: %d", len(f.at.Tables), f.at.Refused))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// step does one piece of work, or waits for some. Changes come before all else.
func (f *tabulator) step(ctx context.Context) (worked bool, err error) {
	if f.at == nil {
		if f.at, err = f.keeper.Load(ctx); err != nil {
			f.at = nil
			return false, err
		}
		f.looked = time.Time{}
	}
	if time.Since(f.looked) > viewsEvery {
		if err := f.look(ctx); err != nil {
			return false, err
		}
	}
	if f.at.Feed == (fhir.Mark{}) {
		return true, f.begin(ctx)
	}
	changes, err := f.Feed().Changes(ctx, f.at.Feed, analyticsPage)
	switch {
	case errors.Is(err, store.ErrOtherHistory):
		return true, f.begin(ctx)
	case err != nil:
		return false, err
	case len(changes) > 0:
		f.busy = time.Now()
		return true, f.changed(ctx, changes)
	}
	for name, kept := range f.at.Tables {
		if !slices.ContainsFunc(f.tables, func(s tabled) bool { return s.Name == name }) {
			return true, f.retire(ctx, name, kept)
		}
	}
	if f.ready() {
		return true, f.publish(ctx)
	}
	if s := f.unfilled(); s != nil {
		return true, f.fill(ctx, s)
	}
	if today := time.Now().UTC().Format(time.DateOnly); f.at.Day != today {
		return true, f.daily(ctx, today)
	}
	return false, f.wait(ctx)
}

// wait waits for changes, when everything is in the tables.
func (f *tabulator) wait(ctx context.Context) error {
	f.analytic.caught.Store(time.Now().Unix())
	if time.Since(f.noted) > analyticsNote {
		f.at.Caught, f.noted = time.Now().UTC().Truncate(time.Second), time.Now()
		if err := f.keeper.Write(ctx, f.at); err != nil {
			return err
		}
	}
	waiting, stop := context.WithTimeout(ctx, analyticsIdle)
	defer stop()
	if err := f.Feed().Wait(waiting, f.at.Feed); err != nil && waiting.Err() == nil {
		return err
	}
	return nil
}

// look looks which tables are to be kept.
func (f *tabulator) look(ctx context.Context) error {
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	tables, err := f.opened.tables(ctx, month)
	if err != nil {
		return err
	}
	f.tables, f.month, f.looked = tables, month, time.Now()
	f.names = analysis.New(f.key("pseudonyms of analysts"), f.analytic.Release).At(f.indexing.Base).AsOf(month)
	return nil
}

// begin begins with the changes that are still to come, and makes all tables anew.
func (f *tabulator) begin(ctx context.Context) error {
	mark, err := f.Feed().End(ctx)
	if err != nil {
		return err
	}
	f.at.Feed = mark
	for _, kept := range f.at.Tables {
		kept.Print, kept.Wants, kept.After, kept.Full = "", "", "", false
	}
	return f.keeper.Write(ctx, f.at)
}

// retire removes a table that is not to be kept any more.
func (f *tabulator) retire(ctx context.Context, name string, kept *analytics.Kept) error {
	delete(f.at.Tables, name)
	bases := slices.DeleteFunc([]string{kept.Base, kept.Next}, func(s string) bool { return s == "" })
	return f.keeper.Retire(ctx, f.at, name, bases...)
}

// errTurn ends a scan for a while.
var errTurn = errors.New("it is the turn of changes")

// fill fills a table some way on.
func (f *tabulator) fill(ctx context.Context, s *tabled) error {
	kept := f.at.Tables[s.Name]
	if kept == nil {
		kept = &analytics.Kept{}
		f.at.Tables[s.Name] = kept
	}
	if kept.Next == "" || kept.Wants != s.Print {
		f.at.Serial++
		old := kept.Next
		kept.Next, kept.Wants, kept.After, kept.Full = analytics.BaseName(s.Name, f.at.Serial), s.Print, "", false
		if old != "" { // of yet another definition: its name is free again
			kept.Next = old
		}
		return f.keeper.Create(ctx, f.at, &s.Table, kept.Next)
	}
	if kept.After == "" {
		f.heed()
	}
	d, err := f.asAnalyst(ctx, s.Resource)
	if fhir.CodeOf(err) == fhir.Forbidden {
		return f.filled(ctx, kept) // nothing of it is for analysts
	}
	if err != nil {
		return err
	}
	began := time.Now()
	scan := &search.Scan{Query: search.Query{Type: s.Resource, Restriction: d.Restriction}, After: kept.After}
	err = f.Scan(ctx, scan, func(found []fhir.Resource, after string) error {
		plain, err := f.plain(ctx, &d, found)
		if err != nil {
			return err
		}
		made, err := f.rows(ctx, plain, s)
		if err != nil {
			return err
		}
		kept.After = after
		refs := make([]fhir.Ref, len(found))
		for i := range found {
			refs[i] = found[i].Ref.Current()
		}
		if err := f.keeper.Write(ctx, f.at, f.into(kept.Next, refs, made, s)); err != nil {
			return err
		}
		if time.Since(began) > analyticsTurn {
			return errTurn
		}
		return nil
	})
	if errors.Is(err, errTurn) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.filled(ctx, kept)
}

// filled notes that a table has all rows.
func (f *tabulator) filled(ctx context.Context, kept *analytics.Kept) error {
	kept.Full = true
	return f.keeper.Write(ctx, f.at)
}

// publish shows the tables that are complete, all at once: the rows of one that was made anew
// have other pseudonyms than those of one that was not, when the release is another, and
// would not join them.
func (f *tabulator) publish(ctx context.Context) error {
	var shown []analytics.Shown
	before := *f.at
	before.Tables = maps.Clone(f.at.Tables)
	for i := range f.tables {
		s := &f.tables[i]
		kept := f.at.Tables[s.Name]
		if kept == nil || !kept.Full || kept.Wants != s.Print {
			continue
		}
		shown = append(shown, analytics.Shown{Table: &s.Table, Base: kept.Next, Old: kept.Base})
		f.at.Tables[s.Name] = &analytics.Kept{Print: s.Print, Base: kept.Next, Built: time.Now().UTC().Truncate(time.Second)}
	}
	if err := f.keeper.Publish(ctx, f.at, shown...); err != nil {
		f.at.Tables = before.Tables
		return err
	}
	for i := range shown {
		f.log.Info("a table for analysts is made", "table", shown[i].Name)
	}
	return nil
}

// unfilled returns a table that is to be filled; nil when there is none.
func (f *tabulator) unfilled() *tabled {
	for i := range f.tables {
		s := &f.tables[i]
		if kept := f.at.Tables[s.Name]; kept == nil || kept.Print != s.Print && (kept.Wants != s.Print || !kept.Full) {
			return s
		}
	}
	return nil
}

// ready reports whether there are complete tables that can be shown: those that are made for
// the first time as they are complete, others when all are.
func (f *tabulator) ready() bool {
	full, old, missing := false, false, f.unfilled() != nil
	for i := range f.tables {
		if kept := f.at.Tables[f.tables[i].Name]; kept != nil && kept.Print != f.tables[i].Print {
			full = full || kept.Full && kept.Wants == f.tables[i].Print
			old = old || kept.Base != ""
		}
	}
	return full && (!old || !missing)
}
