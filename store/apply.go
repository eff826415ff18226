package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/store/index"
)

// maxAttempts is how often a batch is tried while other writers come in between.
// From the second on, it waits for them instead of racing them.
const maxAttempts = 10

// Apply makes all changes of b, or none, with the time of now. Errors that name a
// change are *bundle.ChangeError.
func Apply(ctx context.Context, w Writer, b *bundle.Batch, now func() time.Time) ([]bundle.Result, error) {
	a, err := newApplication(b)
	if err != nil {
		return nil, err
	}
	locked := a.conditional() || len(b.Births) > 0 || a.tied()
	for attempt := 1; ; attempt++ {
		var results []bundle.Result
		err := w.Attempt(ctx, locked, func(tx Tx) (err error) {
			r := &run{application: a, tx: tx, locked: locked, now: now().UTC().Truncate(time.Millisecond)}
			results, err = r.run(ctx, locked)
			return err
		})
		switch {
		case err == nil:
			return results, nil
		case !errors.Is(err, ErrMoved):
			return nil, err
		case attempt == maxAttempts:
			return nil, fhir.Errorf(fhir.Conflict, "other clients keep changing the same resources; try again")
		}
		locked = true
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// pause waits a little, longer with each attempt, and not as long as others do.
func pause(ctx context.Context, attempt int) error {
	if attempt < 2 {
		return ctx.Err()
	}
	limit := time.Millisecond << min(attempt, 6)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(limit)):
		return nil
	}
}

// application is a batch on its way into the store. What an attempt finds out is
// in the run; here is only what holds for all of them.
type application struct {
	batch *bundle.Batch
	built []*bundle.Content // of changes that do not depend on the database; nil for others
}

func newApplication(b *bundle.Batch) (*application, error) {
	a := &application{batch: b, built: make([]*bundle.Content, len(b.Changes))}
	for i := range b.Changes {
		if c := &b.Changes[i]; index.TypeNumber(c.Ref.Type) == 0 {
			return nil, &bundle.ChangeError{Index: i, Err: fhir.Errorf(fhir.UnknownType, "no such resource type")}
		}
	}
	if a.conditional() {
		return a, nil
	}
	env := &bundle.Env{Targets: make([]fhir.Ref, len(b.Changes))}
	for i := range b.Changes {
		env.Targets[i] = b.Changes[i].Ref
	}
	return a, inParallel(len(b.Changes), func(i int) (err error) {
		c := &b.Changes[i]
		if c.Op == bundle.Create || c.Op == bundle.Update && !c.NeedsCurrent {
			a.built[i], err = build(c, i, env, c.Ref, nil)
		}
		return err
	})
}

// build makes the content of change i at its final place.
func build(c *bundle.Change, i int, env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
	content, err := c.Build(env, at, current)
	if err != nil {
		return nil, &bundle.ChangeError{Index: i, Err: err}
	}
	return content, nil
}

// conditional reports whether the batch asks what the store holds before it says what to write.
func (a *application) conditional() bool {
	if len(a.batch.Lookups) > 0 {
		return true
	}
	for i := range a.batch.Changes {
		if a.batch.Changes[i].Where != nil {
			return true
		}
	}
	return false
}

// run is one attempt.
type run struct {
	*application
	tx     Tx
	locked bool
	env    bundle.Env
	now    time.Time
	steps  []step
	more   []Write // of what is tied to the steps: see tie

	aliases []alias
	matched map[int64]fhir.Resource // what conditional creates found, by row key
}

// alias is a conditional create that came to what another one of the batch creates.
type alias struct{ index, of int }

// step is what is done to one resource. A change is one step; a Delete of many
// has a step for each, perhaps none.
type step struct {
	index   int // of the change
	ref     fhir.Ref
	match   *Found // Create: what its criterion found, so that nothing is written
	new     bool   // there must be no such resource yet
	row     Row
	content *bundle.Content
	json    []byte
	outcome bundle.Outcome
	write   *Write // nil when nothing is written

	before *fhir.Resource // what the write replaces, where the audit trail asks
}

func (r *run) run(ctx context.Context, locked bool) ([]bundle.Result, error) {
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	if err := r.distinct(); err != nil {
		return nil, err
	}
	if err := r.current(ctx, locked); err != nil {
		return nil, err
	}
	if err := inParallel(len(r.steps), func(i int) error { return r.decide(&r.steps[i]) }); err != nil {
		return nil, err
	}
	if err := r.expandMatches(); err != nil {
		return nil, err
	}
	if err := r.index(ctx); err != nil {
		return nil, err
	}
	var writes []Write
	for i := range r.steps {
		if w := r.steps[i].write; w != nil {
			writes = append(writes, *w)
		}
	}
	writes = append(writes, r.more...)
	results, err := r.results()
	if err != nil {
		return nil, err
	}
	if len(writes) > 0 && r.batch.Events != nil {
		writes[0].Events = r.batch.Events(results)
	}
	if r.batch.Entries != nil {
		entries := r.batch.Entries(results)
		if err := CheckEntries(entries); err != nil {
			return nil, err
		}
		if len(writes) == 0 && len(entries) > 0 {
			writes = []Write{{Reindex: true}} // of nothing
		}
		if len(entries) > 0 {
			writes[0].Entries = entries
		}
	}
	if births := r.batch.Births; len(births) > 0 {
		if len(writes) == 0 {
			writes = []Write{{Reindex: true}}
		}
		writes[0].Births = births
	}
	if len(writes) == 0 {
		return results, nil
	}
	return results, r.tx.Write(ctx, writes)
}

// distinct refuses a batch that changes one resource twice.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func (r *run) distinct() error {
	if len(r.steps) < 2 {
		return nil
	}
	seen := make(map[fhir.Ref]bool, len(r.steps))
	for i := range r.steps {
		s := &r.steps[i]
		if s.match != nil {
			continue
		}
		if seen[s.ref] {
			return &bundle.ChangeError{Index: s.index, Err: fhir.Errorf(fhir.Invalid, "two entries change the same resource").
				With("%s is changed twice", s.ref)}
		}
		seen[s.ref] = true
	}
	return nil
}

// current reads where the resources stand. The first attempt trusts a Create to
// be new, as its id was made for it.
func (r *run) current(ctx context.Context, locked bool) error {
	var refs []fhir.Ref
	var steps []*step
	for i := range r.steps {
		s := &r.steps[i]
		if s.match != nil || !locked && r.batch.Changes[s.index].Op == bundle.Create {
			continue
		}
		refs, steps = append(refs, s.ref), append(steps, s)
	}
	if len(refs) == 0 {
		return nil
	}
	rows, err := r.tx.Current(ctx, refs)
	if err != nil {
		return err
	}
	for i, s := range steps {
		s.row = rows[i]
	}
	return nil
}

// decide checks the preconditions of a step and prepares what it writes, index rows aside.
func (r *run) decide(s *step) error {
	c := &r.batch.Changes[s.index]
	if s.match != nil {
		s.outcome = bundle.Unchanged
		return nil
	}
	if err := precondition(c, s); err != nil {
		return &bundle.ChangeError{Index: s.index, Err: err}
	}
	var old *fhir.Resource
	holding := r.batch.Holding(s.ref.Type)
	if s.row.live() && (c.Op == bundle.Patch || c.Op == bundle.Update || c.Op == bundle.Delete && (holding || r.batch.Events != nil)) {
		json, err := Expand(s.row.Content)
		if err != nil {
			return err
		}
		current := s.row.Resource
		current.JSON = json
		old = &current
	}
	s.before = old
	if c.Op == bundle.Delete {
		r.remove(s)
	} else {
		if err := r.content(s, c, old); err != nil {
			return err
		}
		r.put(s, c, old)
	}
	if holding && s.write != nil {
		return r.held(s, old)
	}
	return nil
}

// held asks the holds of the batch about what s is to write.
func (r *run) held(s *step, old *fhir.Resource) error {
	after := r.resource(s)
	if err := r.batch.Held(old, &after); err != nil {
		return &bundle.ChangeError{Index: s.index, Err: err}
	}
	return nil
}

func (r *run) content(s *step, c *bundle.Change, old *fhir.Resource) (err error) {
	s.content = r.built[s.index]
	if s.content == nil {
		given := old
		if c.Op != bundle.Patch && !c.NeedsCurrent {
			given = nil
		}
		s.content, err = build(c, s.index, &r.env, s.ref, given)
	}
	return err
}

// put prepares the next version of s, unless it would equal old.
func (r *run) put(s *step, c *bundle.Change, old *fhir.Resource) {
	if old != nil {
		same := s.content.Body.Stamp(old.Ref.Version, old.Updated)
		if bytes.Equal(same, old.JSON) {
			s.json, s.outcome = old.JSON, bundle.Unchanged
			return
		}
		s.outcome = bundle.Updated
	} else {
		s.outcome = bundle.Created
	}
	w := r.next(s)
	w.Method = [...]fhir.Method{bundle.Create: fhir.POST, bundle.Update: fhir.PUT, bundle.Patch: fhir.PATCH}[c.Op]
	s.json = s.content.Body.Stamp(w.Ref.Version, w.Updated)
	w.Content, w.Blobs = Compress(s.json), s.content.Blobs
}

// remove prepares the deletion of s, unless there is nothing to delete.
//
// See https://hl7.org/fhir/R4/http.html#delete.
func (r *run) remove(s *step) {
	if !s.row.live() {
		s.outcome = bundle.Absent
		return
	}
	s.outcome = bundle.Removed
	r.next(s).Method = fhir.DELETE
}

// next begins the next version of s. Its time is later than that of the last one,
// whatever the clocks of the servers say.
func (r *run) next(s *step) *Write {
	at := r.now
	if last := s.row.Resource.Updated; s.row.Key != 0 && !at.After(last) {
		at = last.Add(time.Millisecond)
	}
	version := s.row.Resource.Ref.Version
	s.write = &Write{
		Key: s.row.Key, Fresh: s.row.Key == 0, Was: version, Stamp: s.row.Stamp,
		Ref:     fhir.Ref{Type: s.ref.Type, ID: s.ref.ID, Version: version + 1},
		Updated: at,
	}
	return s.write
}

// precondition holds a change against where its resource stands.
//
// See https://hl7.org/fhir/R4/http.html#concurrency.
func precondition(c *bundle.Change, s *step) error {
	row, live := &s.row, s.row.live()
	switch {
	case c.IfMatch != 0 && (!live || row.Resource.Ref.Version != c.IfMatch):
		return fhir.Errorf(fhir.Stale, "the version in If-Match is not the current one")
	case c.IfNoneMatch && live:
		return fhir.Errorf(fhir.Stale, "If-None-Match allows no current version, and there is one")
	case live && (s.new || c.Op == bundle.Create):
		return fhir.Errorf(fhir.Conflict, "there is a resource with this id")
	case c.Op == bundle.Patch && row.Resource.Ref.Version == 0:
		return fhir.Errorf(fhir.NotFound, "there is no such resource to patch")
	case c.Op == bundle.Patch && !live:
		return fhir.Errorf(fhir.Gone, "the resource to patch was deleted")
	}
	return nil
}

// results returns what became of each change.
func (r *run) results() ([]bundle.Result, error) {
	out := make([]bundle.Result, len(r.batch.Changes))
	for i := range out {
		out[i] = bundle.Result{Outcome: bundle.Absent, Resource: fhir.Resource{Ref: r.env.Targets[i]}}
	}
	for i := range r.steps {
		s := &r.steps[i]
		result := &out[s.index]
		result.Outcome = s.outcome
		result.Resource = r.resource(s)
		if s.before != nil && r.batch.Events != nil && s.write != nil {
			result.Before = append(result.Before, *s.before)
		}
		if r.batch.Changes[s.index].Many && s.outcome == bundle.Removed {
			result.Deleted = append(result.Deleted, result.Resource.Ref)
		}
	}
	for _, a := range r.aliases {
		out[a.index] = bundle.Result{Resource: out[a.of].Resource, Outcome: bundle.Unchanged}
	}
	return out, nil
}

// resource returns what is current after the step.
func (r *run) resource(s *step) fhir.Resource {
	switch {
	case s.match != nil:
		return r.matched[s.match.Key]
	case s.write != nil:
		return fhir.Resource{Ref: s.write.Ref, Updated: s.write.Updated, Method: s.write.Method, JSON: s.json}
	case s.outcome == bundle.Unchanged:
		current := s.row.Resource
		current.JSON = s.json
		return current
	}
	return fhir.Resource{Ref: s.ref}
}
