// Package reindex is the job that makes the index rows of stored resources anew,
// while the server goes on: after a search parameter was added, changed or removed,
// and when a new program indexes in another way.
//
// It goes through the resources twice. The first pass meets all that there are; the
// second, a while later, those that changed since it began, since a server may have
// written them that had not heard yet of what is new.
package reindex

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// Kind is the kind of the jobs.
const Kind = "reindex"

// Version is the number of the way in which this program indexes resources: one more
// with each release that finds other values in a resource, or keeps them otherwise.
// A database that was indexed in an older way is reindexed.
const Version = 5

// Scope is what a job reindexes.
type Scope struct {
	Types []string  `json:"types,omitempty"` // resource types; none stands for all
	Since time.Time `json:"since,omitzero"`  // only what changed from then on
	Words bool      `json:"words,omitempty"` // fill the dictionary also where rows are as they should be
	Why   string    `json:"why,omitempty"`   // for people
}

// Whole reports whether s leaves nothing out of its types.
func (s *Scope) Whole() bool { return s.Since.IsZero() }

// Store is what holds the resources.
type Store interface {
	// Next returns up to limit resources that w has not met, and moves it past them.
	Next(ctx context.Context, w *store.Walk, limit int) ([]fhir.Ref, error)

	// Reindex brings the index rows of refs to what x says, and returns how many
	// resources had others. With words, the dictionary gets what it may lack, though
	// the rows are as they should be.
	Reindex(ctx context.Context, refs []fhir.Ref, x store.Indexer, words bool) (changed int, err error)

	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Worker does the jobs.
type Worker struct {
	Store Store
	Log   *slog.Logger

	// Begin makes sure that Indexer knows everything that was decided so far, and
	// returns a number that grows with each such decision.
	Begin func(ctx context.Context) (stamp int64, err error)

	// Indexer says how resources are indexed now.
	Indexer func() store.Indexer

	// Settle is how long it takes at most until every server indexes what it writes as
	// was decided.
	Settle time.Duration

	// End is told when all resources of a scope are indexed as was decided up to stamp,
	// and when that began. It may be told more than once.
	End func(ctx context.Context, s *Scope, stamp int64, began time.Time) error

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// position is how far a job is.
type position struct {
	Types   []string   `json:"types"`   // in the order in which they are gone through
	Stamp   int64      `json:"stamp"`   // of what was decided when it began
	Began   time.Time  `json:"began"`   //
	Again   bool       `json:"again"`   // in the second pass
	At      int        `json:"at"`      // which of Types
	Walk    store.Walk `json:"walk"`    //
	Met     int64      `json:"met"`     // resources so far
	Changed int64      `json:"changed"` // of those, how many had other rows
	Total   int64      `json:"total"`
}

const (
	batch = 200 // resources at a time; so long those wait who write the same

	// saveEvery is how much work may have to be done again.
	saveEvery = time.Second

	// before is how far back of its beginning a job looks again for changes: the clock
	// of the server that wrote them may have been slow.
	before = time.Minute
)

// run is one job at work.
type run struct {
	*Worker
	task  *job.Task
	scope Scope
	position
	saved time.Time
}

// Work does a job.
func (w *Worker) Work(ctx context.Context, t *job.Task) error {
	r := &run{Worker: w, task: t}
	if err := t.Payload(&r.scope); err != nil {
		return err
	}
	going, err := t.Position(&r.position)
	if err != nil {
		return err
	}
	if !going {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	if err := r.pass(ctx); err != nil {
		return err
	}
	if !r.Again && r.scope.Whole() {
		if err := r.again(ctx); err != nil {
			return err
		}
	}
	r.report("")
	return w.End(ctx, &r.scope, r.Stamp, r.Began)
}

func (w *Worker) now() time.Time {
	if w.Now == nil {
		return time.Now().UTC()
	}
	return w.Now().UTC()
}

// begin finds out how much there is to do.
func (r *run) begin(ctx context.Context) (err error) {
	if r.Stamp, err = r.Worker.Begin(ctx); err != nil {
		return err
	}
	r.Began = r.now()
	types := r.scope.Types
	if len(types) == 0 {
		types = spec.Resources()
	}
	for _, typ := range types {
		n, err := r.count(ctx, typ)
		if err != nil {
			return err
		}
		if n > 0 || len(r.scope.Types) > 0 {
			r.Types, r.Total = append(r.Types, typ), r.Total+n
		}
	}
	r.start()
	return r.save(ctx)
}

// count returns how many resources of a type the first pass will meet, about.
func (r *run) count(ctx context.Context, typ string) (int64, error) {
	q := &search.Query{Type: typ, Total: search.TotalAccurate, Restriction: search.Unrestricted}
	if !r.scope.Whole() {
		q.Where = []search.Expr{search.Updated{Value: search.Value{Prefix: "ge", Lo: r.scope.Since.UnixMicro(), Hi: r.scope.Since.UnixMicro() + 1}}}
	}
	result, err := r.Store.Search(ctx, q)
	if err != nil {
		return 0, err
	}
	return result.Total, nil
}

// start sets the walk to the beginning of a type.
func (r *run) start() {
	if r.At >= len(r.Types) {
		return
	}
	r.Walk = store.Walk{Type: r.Types[r.At], Since: r.scope.Since}
	if r.Again {
		r.Walk.Since = r.Began.Add(-before)
	}
	if !r.Walk.Since.IsZero() {
		r.Walk.Until = r.now().Add(before)
	}
}

// again begins the second pass, once all servers know what is new.
func (r *run) again(ctx context.Context) error {
	r.report("waiting until all servers have heard of it")
	if err := r.save(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.Settle - r.now().Sub(r.Began)):
	}
	r.Again, r.At = true, 0
	r.start()
	if err := r.save(ctx); err != nil {
		return err
	}
	return r.pass(ctx)
}

// pass goes through the types from where it is.
func (r *run) pass(ctx context.Context) error {
	for r.At < len(r.Types) {
		walk := r.Walk
		met, last, err := r.stretch(ctx, &walk)
		if err != nil {
			return err
		}
		r.Walk = walk
		if !r.Again {
			r.Met += int64(met)
		}
		r.report(r.Walk.Type)
		if last {
			r.At++
			r.start()
		}
		if r.now().Sub(r.saved) >= saveEvery {
			if err := r.save(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// lanes is how many batches are at work at a time.
const lanes = 4

// stretch goes on with a walk by some batches, all at once. It returns how many
// resources it met, and whether there are no more: what comes to a walk by time from
// then on comes from servers that know what is new.
func (r *run) stretch(ctx context.Context, walk *store.Walk) (met int, last bool, err error) {
	var working sync.WaitGroup
	var changed [lanes]int
	var errs [lanes]error
	for lane := range lanes {
		refs, nextErr := r.Store.Next(ctx, walk, batch)
		met += len(refs)
		if len(refs) > 0 {
			working.Go(func() { changed[lane], errs[lane] = r.reindex(ctx, refs) })
		}
		if err = nextErr; err != nil {
			break
		}
		if last = len(refs) < batch; last {
			break
		}
	}
	working.Wait()
	for lane := range lanes {
		r.Changed += int64(changed[lane])
		err = errors.Join(err, errs[lane])
	}
	return met, last, err
}

func (r *run) report(what string) {
	if what != "" {
		what += ": "
	}
	r.task.Progress(r.Met, max(r.Total, r.Met), fmt.Sprintf("%s%d resources had other index rows", what, r.Changed))
}

func (r *run) save(ctx context.Context) error {
	r.saved = r.now()
	return r.task.Save(ctx, &r.position)
}

// errUnreadable marks a resource that cannot be indexed.
var errUnreadable = errors.New("a resource cannot be indexed")

// reindex reindexes some resources. One that cannot be indexed keeps the rows that it
// has, and does not keep out the others.
func (r *run) reindex(ctx context.Context, refs []fhir.Ref) (int, error) {
	index := r.Indexer()
	x := func(resource *fhir.Resource) (search.Index, error) {
		found, err := index(resource)
		if err != nil {
			err = fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return found, err
	}
	changed, err := r.Store.Reindex(ctx, refs, x, r.scope.Words)
	if !errors.Is(err, errUnreadable) {
		return changed, err
	}
	changed = 0
	for one := range slices.Chunk(refs, 1) {
		n, err := r.Store.Reindex(ctx, one, x, r.scope.Words)
		switch {
		case errors.Is(err, errUnreadable):
			r.Log.Warn("a stored resource cannot be indexed, and keeps its index as it is", "resource", one[0].String(), "error", err)
		case err != nil:
			return changed, err
		}
		changed += n
	}
	return changed, nil
}
