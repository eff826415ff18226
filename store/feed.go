package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// FeedRow is a change as an engine reads it.
type FeedRow struct {
	Change  fhir.Change // without its targets
	Targets []byte
}

// FeedHeld is what was committed and is not in the feed yet, because transactions that
// began before still go on.
type FeedHeld struct {
	Types []string // of the resources, each once
	All   bool     // there is so much that it may be of any type
	Tx    uint64   // of the last of it; 0 when there is none
}

// FeedReader is the change feed of an engine.
type FeedReader interface {
	// ReadFeed returns up to limit changes after a mark, in their order: only such as
	// nothing can come before any more.
	ReadFeed(ctx context.Context, after fhir.Mark, limit int) ([]FeedRow, error)

	// FeedEnd returns the mark of the last change that ReadFeed would return; one
	// without Tx when there is none.
	FeedEnd(ctx context.Context) (fhir.Mark, error)

	// FeedHeld returns what was committed that ReadFeed does not return yet.
	FeedHeld(ctx context.Context) (FeedHeld, error)

	// FeedHas reports whether there is a change with that mark.
	FeedHas(ctx context.Context, at fhir.Mark) (bool, error)

	// Refs returns the resources that have these row keys.
	Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error)

	// Linked returns the postings of the resources that have these row keys, as they
	// are now.
	Linked(ctx context.Context, keys []int64) (map[int64][]int64, error)
}

const (
	// tailLength is how many changes a Feed keeps in memory, and tailBytes how much memory
	// they take, about; up to a quarter more of either.
	tailLength = 100_000
	tailBytes  = 32 << 20
	// feedPage is how many changes are read at a time.
	feedPage = 5_000
	// feedStale is after how long it is looked for changes of other processes;
	// feedPause how long it is not looked again, even if something was written here:
	// whoever asks meanwhile waits, and is then told what they wrote themselves.
	feedStale = time.Second
	feedPause = 200 * time.Millisecond
	// feedYoung is how old a row is that may have been removed, at least; they are kept for
	// months.
	feedYoung = time.Hour
)

// Feed is the change feed for many readers. What came lately it keeps in memory, so
// that the database is asked once for all of them. It is safe for concurrent use.
type Feed struct {
	reader FeedReader

	refresh sync.Mutex // held by who reads what is new

	mu     sync.RWMutex
	from   fhir.Mark            // the tail begins after it
	tail   []fhir.Change        // in order
	end    fhir.Mark            // of the last change; from when there is none
	size   int                  // bytes that the tail takes, about
	last   map[uint64]fhir.Mark // of what was touched, by its hash
	many   fhir.Mark            // of the last change that touched more than is listed
	seen   map[string]uint64    // how often it was found that resources of a type, "" for any, may have been written
	young  [2]fhir.Mark         // the ends of feedYoung ago and before that, at most
	aged   time.Time            // when they were moved on
	looked time.Time            // when it was last looked for what is new; zero before the first time
	held   uint64               // of the last that was held back then; 0 for nothing
	dirty  bool                 // something was written here since then
	busy   bool                 // somebody is looking
	pause  time.Duration        // feedPause, but for tests
	more   chan struct{}

	waiters int
	stop    context.CancelFunc // of the one who looks for them
}

// NewFeed returns the feed of an engine.
func NewFeed(r FeedReader) *Feed {
	return &Feed{reader: r, pause: feedPause, more: make(chan struct{}), last: map[uint64]fhir.Mark{}, seen: map[string]uint64{"": 1}}
}

// Wake says that something was written here, or is said to have been elsewhere.
func (f *Feed) Wake() {
	f.mu.Lock()
	f.dirty = true
	f.mu.Unlock()
}

// due returns how long it is until it is time to look for what is new, for somebody who
// wants to know what was there at a moment, and whether there is anything to look for.
func (f *Feed) due(since, now time.Time) (in time.Duration, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.looked.After(since) {
		return 0, false
	}
	age := now.Sub(f.looked)
	if f.busy || age >= feedStale {
		return 0, true // readOnce waits for who is at it
	}
	return max(0, f.pause-age), f.dirty
}

// Refresh reads what is new, if there may be something. What was written here before it
// was called, or before the moment of fhir.AskedAt, is known when it returns, unless a
// transaction elsewhere holds it back.
func (f *Feed) Refresh(ctx context.Context) error { return f.since(ctx, fhir.Asked(ctx)) }

// since is Refresh for somebody who wants to know what was there at a moment.
func (f *Feed) since(ctx context.Context, called time.Time) error {
	for {
		in, ok := f.due(called, time.Now())
		if !ok {
			return nil
		}
		if in == 0 {
			if err := f.readOnce(ctx, called); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(in):
		}
	}
}

// readOnce reads what is new, unless another one has done it meanwhile.
func (f *Feed) readOnce(ctx context.Context, called time.Time) error {
	f.refresh.Lock()
	defer f.refresh.Unlock()
	if in, ok := f.due(called, time.Now()); !ok || in > 0 {
		return nil
	}
	err := f.read(ctx)
	f.mu.Lock()
	f.busy = false
	f.dirty = f.dirty || err != nil
	f.mu.Unlock()
	return err
}

// Pause sets how long it is not looked again for what is new, for tests that have no
// time.
func (f *Feed) Pause(d time.Duration) {
	f.mu.Lock()
	f.pause = d
	f.mu.Unlock()
}

func (f *Feed) read(ctx context.Context) error {
	f.mu.Lock()
	began, first, after := time.Now(), f.looked.IsZero(), f.end
	f.dirty, f.busy = false, true
	f.mu.Unlock()
	held, err := f.reader.FeedHeld(ctx) // before the end: what is held back no more by then is not beyond it
	if err != nil {
		return err
	}
	end, err := f.reader.FeedEnd(ctx)
	if err != nil {
		return err
	}
	if first || end.Origin != after.Origin || end.Compare(after) < 0 {
		f.reset(end, began) // of another history, there is no tail here
		f.hold(held)
		return nil
	}
	for {
		page, err := f.load(ctx, after, feedPage)
		if err != nil {
			return err
		}
		f.add(page)
		if len(page) < feedPage {
			break
		}
		after = page[len(page)-1].At
	}
	f.hold(held)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = began
	f.age(began)
	return nil
}

// hold notes what is held back. It is looked for soon, and not only when the next one
// writes.
func (f *Feed) hold(held FeedHeld) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, typ := range held.Types {
		f.seen[typ]++
	}
	if held.All {
		f.seen[""]++
	}
	f.held = held.Tx
	f.dirty = f.dirty || held.Tx != 0
}

// Settled returns when the feed has all that was committed here before it was called, or
// before the moment of fhir.AskedAt, and by other processes feedPause before: also what
// transactions hold back that go on, for as long as they do.
func (f *Feed) Settled(ctx context.Context) error {
	called := fhir.Asked(ctx)
	f.mu.Lock()
	f.dirty = f.dirty || time.Since(f.looked) >= f.pause // nobody says what others write
	f.mu.Unlock()
	if err := f.since(ctx, called); err != nil {
		return err
	}
	f.mu.RLock()
	until := f.held
	f.mu.RUnlock()
	for until != 0 {
		if err := f.since(ctx, time.Now()); err != nil {
			return err
		}
		f.mu.RLock()
		if f.held == 0 || f.end.Tx >= until {
			until = 0
		}
		f.mu.RUnlock()
	}
	return nil
}

func (f *Feed) reset(end fhir.Mark, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.end, f.tail, f.size, f.looked = end, end, nil, 0, at
	f.young, f.aged = [2]fhir.Mark{end, end}, at
	f.last, f.many = map[uint64]fhir.Mark{}, end
	f.seen[""]++
	close(f.more)
	f.more = make(chan struct{})
}

// ErrOtherHistory says that a mark is none of this database as it is now: it was
// restored to an earlier state, or is another one.
var ErrOtherHistory = fhir.Errorf(fhir.Gone, "the database has another history than when this was given out")

// End returns the mark after which changes are still to come.
func (f *Feed) End(ctx context.Context) (fhir.Mark, error) {
	if err := f.Refresh(ctx); err != nil {
		return fhir.Mark{}, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.end, nil
}

// Changes returns up to limit changes after a mark, in their order. Whoever goes on
// with the mark of the last one misses none.
// Errors: ErrOtherHistory.
func (f *Feed) Changes(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error) {
	if err := f.Refresh(ctx); err != nil {
		return nil, err
	}
	changes, ok := f.remembered(after, limit)
	if ok {
		return changes, nil
	}
	if err := f.Check(ctx, after); err != nil {
		return nil, err
	}
	return f.load(ctx, after, limit)
}

// remembered returns changes from memory, and whether those after the mark are there.
func (f *Feed) remembered(after fhir.Mark, limit int) ([]fhir.Change, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if after.Origin != f.end.Origin || after.Compare(f.from) < 0 || after.Compare(f.end) > 0 {
		return nil, false
	}
	i, found := slices.BinarySearchFunc(f.tail, after, func(c fhir.Change, m fhir.Mark) int { return c.At.Compare(m) })
	switch {
	case found:
		i++
	case after != f.from:
		return nil, false
	}
	return f.tail[i:min(len(f.tail), i+limit)], true
}

// Check reports whether a mark is one of this database.
// Errors: ErrOtherHistory.
func (f *Feed) Check(ctx context.Context, at fhir.Mark) error {
	if f.recent(at) {
		return nil
	}
	end, err := f.reader.FeedEnd(ctx)
	if err != nil {
		return err
	}
	has := at.Tx == 0
	if at.Origin == end.Origin && !has {
		if has, err = f.reader.FeedHas(ctx, at); err != nil {
			return err
		}
	}
	if at.Origin != end.Origin || !has {
		return ErrOtherHistory
	}
	return nil
}

// Touched reports whether, since a mark, something may have changed that is one of
// the resources with these hashes, or refers to one; a Ref without an id stands for all
// of its type. It is answered from memory alone; of what is not there any more, it says
// yes.
func (f *Feed) Touched(since fhir.Mark, hashes []uint64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if since.Origin != f.end.Origin || since.Compare(f.from) < 0 {
		return true
	}
	if since == f.end {
		return false
	}
	if f.many.Compare(since) > 0 {
		return true
	}
	for _, h := range hashes {
		if last, ok := f.last[h]; ok && last.Compare(since) > 0 {
			return true
		}
	}
	return false
}

// Reach is End, but not before a mark that another server may have given out; of a mark that
// is none of this database, it is End.
func (f *Feed) Reach(ctx context.Context, at fhir.Mark) (fhir.Mark, error) {
	end, err := f.End(ctx)
	if err != nil || at.Origin != end.Origin || at.Compare(end) <= 0 {
		return end, err
	}
	f.Wake()
	return f.End(fhir.AskedAt(ctx, time.Now()))
}
