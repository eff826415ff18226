package parameter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/reindex"
)

// Store holds the resources.
type Store interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Registry is the view of one process on the search parameters of a database. It is
// safe for concurrent use.
type Registry struct {
	state job.State
	store Store
	queue *job.Queue
	log   *slog.Logger

	catalogue atomic.Pointer[search.Catalogue]

	// Settle is how long it takes at most until every server knows of a new parameter, as
	// that of reindex.Worker; 0 is never mind. A process that hears of one later than that,
	// since it stood still, has what it wrote meanwhile indexed once more. It is set before
	// anything is written.
	Settle time.Duration

	mu      sync.Mutex // over what follows
	heard   time.Time  // when it was last known that there is nothing new; zero before that
	stamp   int64      // version of the document that catalogue is of
	doc     *document
	changed map[string]time.Time // when the parameters of a type changed last, as far as this process saw it
}

// The entries of the document. The second is empty, and its version is that of the
// first, so that whoever looks for changes need not read the document.
const (
	entryKind  = "search"
	entryKey   = "parameters"
	entryStamp = "parameters-stamp"
)

// resourceType is what defines search parameters.
const resourceType = "SearchParameter"

// Open reads which parameters there are, and brings that in line with the stored
// resources.
func Open(ctx context.Context, state job.State, store Store, queue *job.Queue, log *slog.Logger) (*Registry, error) {
	r := &Registry{state: state, store: store, queue: queue, log: log, doc: new(document), changed: map[string]time.Time{}}
	r.catalogue.Store(search.Standard)
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	return r, r.reconcile(ctx)
}

// Catalogue returns the search parameters of the moment.
func (r *Registry) Catalogue() *search.Catalogue { return r.catalogue.Load() }

// reconcile finds the resources that were written without the document having been
// brought in line: their server died in between.
func (r *Registry) reconcile(ctx context.Context) error {
	r.mu.Lock()
	left := make(map[string]int64, len(r.doc.Sources))
	for id, s := range r.doc.Sources {
		left[id] = s.Version
	}
	r.mu.Unlock()
	var ids []string
	q := &search.Query{Type: resourceType, Count: 500, Restriction: search.Unrestricted}
	for {
		page, err := r.store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			ref := page.Matches[i].Ref
			if left[ref.ID] != ref.Version {
				ids = append(ids, ref.ID)
			}
			delete(left, ref.ID)
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	for id := range left { // what does not exist any more, or was known to be deleted
		ids = append(ids, id)
	}
	return r.Changed(ctx, ids...)
}

// Refresh picks up what other servers did. It returns at once when that is nothing.
func (r *Registry) Refresh(ctx context.Context) error {
	asked := time.Now()
	stamp, err := r.state.Entry(ctx, entryKind, entryStamp)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	known := r.stamp
	r.mu.Unlock()
	if stamp.Version != known {
		_, e, err := r.load(ctx)
		if err != nil {
			return err
		}
		if err := r.adopt(ctx, e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if asked.After(r.heard) {
		r.heard = asked
	}
	return nil
}

// load reads the document as it is stored now.
func (r *Registry) load(ctx context.Context) (*document, fhir.Entry, error) {
	e, err := r.state.Entry(ctx, entryKind, entryKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		e, err = fhir.Entry{Kind: entryKind, Key: entryKey}, nil
	}
	if err != nil {
		return nil, e, err
	}
	d, err := readDocument(e.Value)
	return d, e, err
}

// adopt makes the document of an entry the one that this process goes by, unless it
// has a later one.
func (r *Registry) adopt(ctx context.Context, e fhir.Entry) error {
	d, err := readDocument(e.Value)
	if err != nil {
		return err
	}
	types, since := r.take(d, e.Version)
	if len(types) == 0 {
		return nil
	}
	r.log.Info("search parameters are known here late; what was written meanwhile is indexed once more", "types", types)
	_, err = r.queue.Add(ctx, job.New{Kind: reindex.Kind, Payload: reindex.Scope{
		Types: types, Since: since.UTC().Add(-lateBefore), Why: "a server has learnt of search parameters late",
	}})
	return err
}

// lateBefore is how far back of what was last known a process looks that is late: a write may
// have been under way then.
const lateBefore = 2 * time.Minute

// take is adopt of the document of a stamp. It returns the types of whose parameters this
// process has learnt too late, and since when it knew nothing: the job that fills the index
// may have passed by what it wrote without them.
func (r *Registry) take(d *document, stamp int64) (late []string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stamp <= r.stamp {
		return nil, time.Time{}
	}
	for i := range d.Params {
		if p := &d.Params[i]; r.stamp > 0 && p.Stamp > r.stamp {
			for _, typ := range typesOf(p.Base) {
				r.changed[typ] = time.Now()
				late = append(late, typ)
			}
		}
	}
	r.catalogue.Store(d.catalogue(r.catalogue.Load(), func(a *search.Added, err error) {
		r.log.Warn("a search parameter does not fit this program, which does without it", "parameter", a.URL, "error", err)
	}))
	r.doc, r.stamp = d, stamp
	if r.Settle == 0 || r.heard.IsZero() || passed(r.heard) < r.Settle {
		return nil, time.Time{}
	}
	slices.Sort(late)
	return slices.Compact(late), r.heard
}

// passed returns how long ago something was, by whichever clock says more: one of them stops
// while a machine sleeps, and the other is set.
func passed(at time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(at), now.Round(0).Sub(at.Round(0)))
}

// Problems says of each SearchParameter that is active and not searched by, why, by
// its id.
func (r *Registry) Problems() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]string{}
	for id, s := range r.doc.Sources {
		if s.Problem != "" {
			all[id] = s.Problem
		}
	}
	return all
}

// Problem says why the SearchParameter with an id is not searched by, though it is
// active; "" when nothing is in the way.
func (r *Registry) Problem(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doc.Sources[id].Problem
}

// unsettledFor is how long a write may be under way that was indexed before it was
// known what is new: longer than any request may take.
const unsettledFor = 2 * time.Minute

// Unsettled reports whether what was written of a type just now may lack what the
// newest parameters ask for, so that it has to be indexed once more.
func (r *Registry) Unsettled(typ string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.changed[typ]
	return ok && time.Since(at) < unsettledFor
}

// changeTries is how often a change is tried while other servers change the document.
const changeTries = 50

// Changed brings the document in line with the SearchParameter resources that have
// these ids. It does nothing where that was done already.
func (r *Registry) Changed(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return r.change(ctx, func(d *document, stamp int64) (bool, error) {
		sources, err := r.read(ctx, d, ids)
		if err != nil {
			return false, err
		}
		return len(sources) > 0, d.follow(sources, stamp)
	})
}

// change changes the document, by f, and queues the job for what that changed.
func (r *Registry) change(ctx context.Context, f func(d *document, stamp int64) (changed bool, err error)) error {
	for range changeTries {
		d, e, err := r.load(ctx)
		if err != nil {
			return err
		}
		before := d.jobs()
		stamp := e.Version + 1
		if changed, err := f(d, stamp); err != nil || !changed {
			return errors.Join(err, r.adoptIfKnown(ctx, e))
		}
		puts := []fhir.Entry{{Kind: entryKind, Key: entryStamp, Version: e.Version}}
		if types, why := d.changedAt(stamp); types != nil {
			queued, err := r.queue.Entry(job.New{
				ID: fmt.Sprintf("search-parameters-%d", stamp), Kind: reindex.Kind, Payload: reindex.Scope{Types: types, Why: why},
			})
			if err != nil {
				return err
			}
			d.waitFor(queued.Key, stamp)
			puts = append(puts, queued)
		}
		e.Value = d.value()
		err = r.state.Put(ctx, append(puts, e)...)
		if fhir.CodeOf(err) == fhir.Conflict {
			continue
		}
		if err != nil {
			return err
		}
		r.queue.Wake()
		e.Version = stamp
		return errors.Join(r.adopt(ctx, e), r.cancel(ctx, before, d.jobs()))
	}
	return fhir.Errorf(fhir.Unavailable, "the search parameters keep changing; try again")
}

// adoptIfKnown adopts a document that is stored.
func (r *Registry) adoptIfKnown(ctx context.Context, e fhir.Entry) error {
	if e.Version == 0 {
		return nil
	}
	return r.adopt(ctx, e)
}

// cancel ends the jobs that nobody waits for any more.
func (r *Registry) cancel(ctx context.Context, before, after map[string]bool) error {
	for id := range before {
		if id == "" || after[id] {
			continue
		}
		if err := r.queue.Cancel(ctx, id); err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
	}
	return nil
}

// waitFor notes the job that indexes what the document of stamp changed.
func (d *document) waitFor(job string, stamp int64) {
	for i := range d.Params {
		if d.Params[i].Stamp == stamp {
			d.Params[i].Job = job
		}
	}
}

// Stamp returns a number that grows with each change of the document. What was
// indexed with the catalogue of now is right up to it.
func (r *Registry) Stamp() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stamp
}

// Complete says that all resources of the types of s are indexed as the document of
// stamp says: what was added up to then can be searched by.
func (r *Registry) Complete(ctx context.Context, s *reindex.Scope, stamp int64) error {
	if !s.Whole() {
		return nil
	}
	covered := func(base string) bool {
		return len(s.Types) == 0 || !slices.ContainsFunc(typesOf(base), func(typ string) bool { return !slices.Contains(s.Types, typ) })
	}
	return r.change(ctx, func(d *document, _ int64) (changed bool, _ error) {
		for i := range d.Params {
			if p := &d.Params[i]; p.State == filling && p.Stamp <= stamp && covered(p.Base) {
				p.State, changed = ready, true
				r.log.Info("a search parameter can be searched by now", "type", p.Base, "code", p.Code)
			}
		}
		return changed, nil
	})
}
