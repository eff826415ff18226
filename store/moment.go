package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Flights are the writes of this process that are under way: each has taken its time, and
// may not have been committed yet. The zero value is none.
type Flights struct {
	mu    sync.Mutex
	since map[*time.Time]struct{}
}

// Begin notes a write that takes its time from now on. It is over when end is called.
func (f *Flights) Begin() (end func()) {
	at := time.Now()
	f.mu.Lock()
	if f.since == nil {
		f.since = map[*time.Time]struct{}{}
	}
	f.since[&at] = struct{}{}
	f.mu.Unlock()
	return func() {
		f.mu.Lock()
		delete(f.since, &at)
		f.mu.Unlock()
	}
}

// before reports whether a write is under way that began before a moment.
func (f *Flights) before(at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for began := range f.since {
		if began.Before(at) {
			return true
		}
	}
	return false
}

// MomentReader says what an engine knows of times.
type MomentReader interface {
	// Newest returns the time of the latest version that was committed; zero for none.
	Newest(ctx context.Context) (time.Time, error)
	// Ended waits until every transaction that was under way when it was called, of
	// whatever process, has ended.
	Ended(ctx context.Context) error
	// Give lets the writes of all processes know that a moment is given out.
	Give(ctx context.Context, at time.Time) error
}

// InTime returns ErrMoved for a write that took its time at began or later, in an attempt
// without locks, comes to be written only now, and was passed by a moment that another process
// gave out: there is a queue, the machine is slow, or it stood still. slack is that of Moment,
// which half of it need not look for, and half is left for the way to the database; given
// returns the latest moment that was given out. Under locks a write takes its time within its
// transaction.
func InTime(began time.Time, slack time.Duration, given func() (time.Time, error)) error {
	late := time.Since(began)
	if late <= slack/2 {
		return nil
	}
	at, err := given()
	if err == nil && !at.Before(began.Truncate(time.Millisecond)) {
		err = fmt.Errorf("%w: the write is %v late", ErrMoved, late.Round(time.Millisecond))
	}
	return err
}

// momentWithin bounds how long it is waited for writes that do not end.
const momentWithin = 2 * time.Minute

// Moment returns a moment up to which nothing is written any more, so that what is stored
// as of it stays so; what was acknowledged before the call is not after it. slack is how
// much longer to wait for other processes, which take the time of a write by clocks of
// their own before its transaction begins.
// Errors: fhir.Unavailable when a write does not end.
func Moment(ctx context.Context, r MomentReader, f *Flights, now func() time.Time, slack time.Duration) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, momentWithin)
	defer cancel()
	newest, err := r.Newest(ctx)
	if err != nil {
		return time.Time{}, err
	}
	at := now().UTC().Truncate(time.Millisecond)
	if newest.After(at) { // by the clock of another server, or a resource that changes very often
		at = newest
	}
	if err = until(ctx, func() bool { return now().After(at.Add(time.Millisecond)) }); err != nil {
		return at, err
	}
	if slack > 0 {
		if err = r.Give(ctx, at); err != nil {
			return at, err
		}
	}
	begun := time.Now()
	if err = until(ctx, func() bool { return time.Since(begun) >= slack && !f.before(begun) }); err == nil {
		err = r.Ended(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = errNotEnding
	}
	return at, err
}

var errNotEnding = fhir.Errorf(fhir.Unavailable, "a write does not end, so that it cannot be told what there is; try again later")

// until waits until ok holds. Errors: fhir.Unavailable when ctx ends before.
func until(ctx context.Context, ok func() bool) error {
	for !ok() {
		select {
		case <-ctx.Done():
			return errNotEnding
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}
