package bulk

import (
	"context"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

const (
	// turnKind is of entries of which each order of a principal changes that of the
	// principal: so two that come at once do not both find the same room.
	turnKind = "bulk-turn"
	// turns is how often an order tries to be the only one at a time.
	turns = 50
	// queueing is how long an order may have no job yet.
	queueing = time.Minute
	// fullRetry is after how many seconds somebody is to order again when the disk is full.
	fullRetry = 600
	// measureEvery is how often it is measured how much the files take, beside what is
	// written here.
	measureEvery = 10 * time.Second
)

// enter stores an order, if there is room for another one of its principal.
// Errors: fhir.Throttled.
func (s *Service) enter(ctx context.Context, o *Order) error {
	for n := 1; ; n++ {
		turn, err := s.Store.Entry(ctx, turnKind, groupOf(o.Principal))
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		if err := s.room(ctx, o.Principal); err != nil {
			return err
		}
		turn = fhir.Entry{Kind: turnKind, Key: groupOf(o.Principal), Version: turn.Version, Expires: o.expires}
		if err = s.Store.Put(ctx, turn, o.entry()); fhir.CodeOf(err) != fhir.Conflict || n == turns {
			return err
		}
	}
}

// room refuses another order of somebody who has as many under way as there may be.
// Errors: fhir.Throttled.
func (s *Service) room(ctx context.Context, principal string) error {
	under := 0
	for after := ""; ; {
		page, err := s.Store.Entries(ctx, entryKind, groupOf(principal), after, 100)
		if err != nil {
			return err
		}
		for i := range page {
			ok, err := s.occupies(ctx, &page[i])
			if err != nil {
				return err
			}
			if ok {
				under++
			}
		}
		if under >= s.Most {
			e := fhir.Errorf(fhir.Throttled, "as many orders of yours are under way as there may be, %d: wait for one, or give one up", s.Most)
			e.RetryAfter = 60
			return e
		}
		if len(page) < 100 {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

// occupies reports whether an order is under way, or about to be.
func (s *Service) occupies(ctx context.Context, e *fhir.Entry) (bool, error) {
	o, err := readOrder(e)
	if err != nil || !o.Ended.IsZero() {
		return false, err
	}
	st, err := s.Jobs.Look(ctx, o.ID)
	if fhir.CodeOf(err) == fhir.NotFound {
		return s.Now().Sub(o.Ordered) < queueing, nil
	}
	return !st.Ended, err
}

// disk holds the files of all orders to what they may take.
type disk struct {
	files Files
	limit int64 // bytes; 0 for none but that of the disk
	now   func() time.Time

	mu     sync.Mutex
	used   int64     // bytes, when they were measured, and written here since then
	bound  int64     // of that; what exceeds it is refused
	looked time.Time // when they were measured
}

// look measures how much the files take, and may take: as much as is said, and no more
// than half of what would be free without them, since the records are on the same disk.
func (d *disk) look() error {
	used, free, err := d.files.Used()
	if err != nil {
		return err
	}
	d.used, d.bound, d.looked = used, d.limit, d.now()
	if half := (used + max(free, 0)) / 2; free >= 0 && (d.bound == 0 || half < d.bound) {
		d.bound = half
	}
	return nil
}

// full reports whether there is no room for anything more.
func (d *disk) full() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.look()
	return d.bound > 0 && d.used >= d.bound, err
}

// take makes room for n bytes that are about to be written.
// Errors: fhir.TooCostly when there is none.
func (d *disk) take(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	over := d.bound > 0 && d.used+n > d.bound
	if over || d.now().Sub(d.looked) >= measureEvery { // what was removed makes room
		if err := d.look(); err != nil {
			return err
		}
		over = d.bound > 0 && d.used+n > d.bound
	}
	if over {
		return fhir.Errorf(fhir.TooCostly, "the files of all orders together would take more than they may on this server (--export-disk): order less, such as by _type and _since, or wait until others have expired")
	}
	d.used += n
	return nil
}

// space refuses another order when the files of those before it take all that they may.
// Errors: fhir.Unavailable.
func (s *Service) space(ctx context.Context) error {
	full, err := s.disk.full()
	if err != nil || !full {
		return err
	}
	if err := s.Sweep(ctx); err != nil {
		return err
	}
	if full, err = s.disk.full(); err != nil || !full {
		return err
	}
	e := fhir.Errorf(fhir.Unavailable, "the files of finished orders take all the room that they may on this server (--export-disk): give orders up whose files you have fetched, or wait until some have expired")
	e.RetryAfter = fullRetry
	return e
}
