package store

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// add appends to the tail what was read.
func (f *Feed) add(changes []fhir.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(changes) == 0 {
		return
	}
	f.tail = append(f.tail, changes...)
	f.end = changes[len(changes)-1].At
	for i := range changes {
		c := &changes[i]
		f.size += tailSize(c)
		f.seen[c.Ref.Type]++
		if c.Many {
			f.many = c.At
		}
		for _, hash := range c.Touches {
			f.last[hash] = c.At
		}
	}
	if len(f.tail) > tailLength+tailLength/4 || f.size > tailBytes+tailBytes/4 {
		f.shorten()
	}
	close(f.more)
	f.more = make(chan struct{})
}

// tailSize returns how many bytes a change takes in the tail, about, with what it adds to
// last: resources that many refer to are counted each time.
func tailSize(c *fhir.Change) int { return 272 + len(c.Ref.ID) + 56*len(c.Targets) }

// shorten drops the oldest of the tail.
func (f *Feed) shorten() {
	over := 0
	for ; len(f.tail)-over > tailLength || f.size > tailBytes; over++ {
		f.size -= tailSize(&f.tail[over])
	}
	f.from = f.tail[over-1].At
	f.tail = slices.Clone(f.tail[over:])
	last := map[uint64]fhir.Mark{} // a new one, since maps do not shrink
	for ref, at := range f.last {
		if at.Compare(f.from) > 0 {
			last[ref] = at
		}
	}
	f.last = last
}

// Seen returns a number, never 0, that changes when it is found that resources of a type may have
// been written, here or by other processes: at most a second after they were.
func (f *Feed) Seen(ctx context.Context, typ string) (uint64, error) {
	if err := f.since(ctx, time.Now().Add(-feedStale)); err != nil {
		return 0, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.seen[""] + f.seen[typ], nil
}

// recent reports whether a mark is one that is remembered and so young that its row has
// surely not been removed.
func (f *Feed) recent(at fhir.Mark) bool {
	if _, ok := f.remembered(at, 0); !ok {
		return false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return at.Compare(f.young[0]) >= 0 && time.Since(f.looked) < feedStale
}

// pruned says that rows before a mark were removed from the database.
func (f *Feed) pruned(first fhir.Mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.young {
		if f.young[i].Compare(first) < 0 {
			f.young[i] = first
		}
	}
}

// age moves what counts as young on, about every hour.
func (f *Feed) age(now time.Time) {
	if now.Sub(f.aged) >= feedYoung {
		f.young[0], f.young[1], f.aged = f.young[1], f.end, now
	}
}
