package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// recompute works out anew what the schedule says of all Patients.
type recompute struct {
	Storage  storage     `embed:""`
	Schedule forecasting `embed:""`
	Since    string      `help:"Only Patients of whom something was written since then: 2026-11-01, or 2026-11-01T08:00:00-06:00." placeholder:"TIME"`
	RowsOnly bool        `help:"Leave the recommendations in the records as they are: only what lists and coverage are made from. The server writes the others."`
	Restart  bool        `help:"Begin with the first Patient again, not where an earlier run was stopped."`
	Workers  int         `help:"Patients worked on at a time; 0 for one a processor." default:"0"`
}

const (
	recomputePage = 400             // Patients that are read at a time
	recomputeSave = 5 * time.Second // how often it is noted how far it is
)

func (c *recompute) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	schedules, err := c.Schedule.open()
	if err != nil {
		return err
	}
	o, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	o.schedules = schedules
	if err := c.Storage.recordCommand(ctx, o, log); err != nil {
		return err
	}
	keeper := o.vaccinationKeeper()
	keeper.RowsOnly = c.RowsOnly
	r := &recomputation{recompute: c, opened: o, keeper: keeper, began: time.Now()}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Since != "" {
		return r.since(ctx, out)
	}
	return r.all(ctx, out)
}

// recomputed is how far a recomputation has come.
type recomputed struct {
	Print string    `json:"print"` // of the schedules
	Feed  fhir.Mark `json:"feed"`  // what came after it is looked at in the end
	After int64     `json:"after"` // row key up to which all is done
	Done  int       `json:"done"`  // Patients
}

// recomputation is one run of it.
type recomputation struct {
	*recompute
	*opened
	keeper *recommend.Keeper
	began  time.Time

	mu     sync.Mutex
	at     recomputed
	entry  fhir.Entry
	saved  time.Time
	tally  recommend.Tally
	behind map[int]int64 // pages that are done after one that is not: their last row keys
	next   int           // the first page that is not done
}

// pageOfPatients is some Patients, with their place among all pages.
type pageOfPatients struct {
	number  int
	records []search.PatientRecord
}

// all goes through all Patients: one reads them in the order of their row keys, others
// assess and write, so that memory holds a few pages whatever there is.
func (r *recomputation) all(ctx context.Context, out streams) error {
	if err := r.resume(ctx, out); err != nil {
		return err
	}
	found, err := r.engine.Search(ctx, &search.Query{Type: "Patient", Total: search.TotalEstimate, Restriction: search.Unrestricted})
	if err != nil {
		return err
	}
	first := r.at.Done
	stop := watching(out.err, r.began, func(took time.Duration, terminal bool) string { return r.line(took, terminal, first, found.Total) })
	err = r.pass(ctx)
	if err == nil {
		err = r.caughtUp(ctx)
	}
	stop()
	if err != nil {
		return errors.Join(err, r.save(context.WithoutCancel(ctx)))
	}
	r.tell(out, r.at.Done-first)
	return r.finished(ctx)
}

// resume reads where an earlier run was stopped.
func (r *recomputation) resume(ctx context.Context, out streams) error {
	e, err := r.Entry(ctx, forecastJob, recomputePlace)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
		e = fhir.Entry{Kind: forecastJob, Key: recomputePlace}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(e.Value, &r.at); err != nil {
			return err
		}
	}
	r.entry = e
	if r.Restart || r.at.After == 0 || r.at.Print != r.schedules.print {
		mark, err := r.Feed().End(ctx)
		if err != nil {
			return err
		}
		r.at = recomputed{Print: r.schedules.print, Feed: mark}
		return nil
	}
	fmt.Fprintf(out.err, "going on after %d Patients\n", r.at.Done)
	return nil
}

// pass reads all that is left, and has it worked on.
func (r *recomputation) pass(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.behind = map[int]int64{}
	pages := make(chan pageOfPatients)
	var working sync.WaitGroup
	for range r.Workers {
		working.Go(func() {
			for p := range pages {
				if err := r.work(ctx, p); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := r.read(ctx, pages)
	close(pages)
	working.Wait()
	return errors.Join(err, context.Cause(ctx))
}

func (r *recomputation) read(ctx context.Context, pages chan<- pageOfPatients) error {
	for n, after := 0, r.at.After; ; n++ {
		records, err := r.keeper.Read(ctx, after, recomputePage)
		if err != nil || len(records) == 0 {
			if ctx.Err() != nil {
				return nil // the cause is told
			}
			return err
		}
		after = records[len(records)-1].Key
		select {
		case <-ctx.Done():
			return nil
		case pages <- pageOfPatients{n, records}:
		}
	}
}

// work works on a page, and notes that it is done.
func (r *recomputation) work(ctx context.Context, p pageOfPatients) error {
	t, err := r.keeper.Keep(ctx, p.records)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Add(t)
	r.at.Done += len(p.records)
	r.behind[p.number] = p.records[len(p.records)-1].Key
	for key, ok := r.behind[r.next]; ok; key, ok = r.behind[r.next] {
		delete(r.behind, r.next)
		r.at.After = key
		r.next++
	}
	if time.Since(r.saved) < recomputeSave {
		return nil
	}
	return r.save(ctx)
}

// save notes how far it is. Pages that are done after one that is not are done again.
func (r *recomputation) save(ctx context.Context) error {
	value, err := json.Marshal(r.at)
	if err != nil {
		return err
	}
	r.saved, r.entry.Value = time.Now(), value
	if err := r.Put(ctx, r.entry); err != nil {
		return err
	}
	r.entry.Version++
	return nil
}

// caughtUp looks again at those who changed while it went on: what was read of them may
// have been written over what a server wrote meanwhile.
func (r *recomputation) caughtUp(ctx context.Context) error {
	for {
		changes, err := r.Feed().Changes(ctx, r.at.Feed, forecastPage)
		if errors.Is(err, store.ErrOtherHistory) || err == nil && len(changes) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		look, _, err := r.keeper.Affected(ctx, changes)
		if err != nil {
			return err
		}
		if err := r.look(ctx, look); err != nil {
			return err
		}
		r.at.Feed = changes[len(changes)-1].At
	}
}

func (r *recomputation) look(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, recomputePage) {
		t, err := r.keeper.Look(ctx, some, false)
		if err != nil {
			return err
		}
		r.tally.Add(t)
	}
	return nil
}

// finished notes that the next run begins anew.
func (r *recomputation) finished(ctx context.Context) error {
	r.at = recomputed{}
	return r.save(ctx)
}

// line says how far it is after took.
func (r *recomputation) line(took time.Duration, terminal bool, first int, total int64) string {
	r.mu.Lock()
	done, written := r.at.Done, r.tally.Written
	r.mu.Unlock()
	share := 1.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	text := fmt.Sprintf("%3.0f%%  %d of about %d Patients  %.0f a second  %d recommendations written", 100*share, done, total, float64(done-first)/took.Seconds(), written)
	if did := done - first; did > 0 && share < 1 {
		left := time.Duration(float64(took) * float64(total-int64(done)) / float64(did))
		text += "  " + left.Round(time.Second).String() + " left"
	}
	if terminal {
		return bar(share) + text
	}
	return text
}

func (r *recomputation) tell(out streams, done int) {
	took := time.Since(r.began)
	fmt.Fprintf(out.out, "%d Patients in %.1f s (%.0f a second): %d with a forecast, %d recommendations written, %d removed, %d refused\n",
		done, took.Seconds(), float64(done)/took.Seconds(), r.tally.Rows, r.tally.Written, r.tally.Removed, r.tally.Refused)
}

// since looks at the Patients of whom something was written since a time.
func (r *recomputation) since(ctx context.Context, out streams) error {
	from, err := time.Parse(time.RFC3339, r.Since)
	if err != nil {
		if from, err = time.ParseInLocation(time.DateOnly, r.Since, r.zone()); err != nil {
			return usagef("--since %s: it is a day or a time such as 2026-11-01 or 2026-11-01T08:00:00-06:00", r.Since)
		}
	}
	until, seen := time.Now().Add(time.Hour), map[string]bool{}
	for _, typ := range recommend.Types() {
		for walk := (store.Walk{Type: typ, Since: from, Until: until}); ; {
			refs, err := r.engine.Next(ctx, &walk, recomputePage)
			if err != nil {
				return err
			}
			if len(refs) == 0 {
				break
			}
			ids, err := r.patientsOf(ctx, refs)
			if err != nil {
				return err
			}
			ids = slices.DeleteFunc(ids, func(id string) bool { return seen[id] })
			for _, id := range ids {
				seen[id] = true
			}
			if err := r.look(ctx, ids); err != nil {
				return err
			}
		}
	}
	r.tell(out, len(seen))
	return nil
}

// patientsOf returns the Patients of whom resources are.
func (r *recomputation) patientsOf(ctx context.Context, refs []fhir.Ref) ([]string, error) {
	ids := patientIDs(refs)
	if refs[0].Type == "Patient" {
		return ids, nil
	}
	found, err := r.engine.Search(ctx, &search.Query{Type: refs[0].Type, Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted})
	if err != nil {
		return nil, err
	}
	var of []string
	for i := range found.Matches {
		doc, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			return nil, err
		}
		if id := recommend.PatientOf(doc); id != "" {
			of = append(of, id)
		}
	}
	slices.Sort(of)
	return slices.Compact(of), nil
}
