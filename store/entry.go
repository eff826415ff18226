package store

import (
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
)

// maxEntryName is how many bytes the kind, the key and the group of an entry may
// have; what is indexed has to fit a page.
const maxEntryName = 512

// EntryMoved returns the error of an entry that is not at the version it was changed from.
func EntryMoved() error {
	return fhir.Errorf(fhir.Conflict, "something else has changed this meanwhile")
}

// EntryName reports whether s can be the kind, key or group of a stored entry.
// PostgreSQL takes no null and nothing but UTF-8 as text, so that such a name is
// that of no entry on either engine.
func EntryName(s string) bool {
	return len(s) <= maxEntryName && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// CheckEntries refuses entries that cannot be stored, and such as are the same one.
// Errors: fhir.Invalid.
func CheckEntries(entries []fhir.Entry) error {
	type place struct{ kind, key string }
	seen := make(map[place]bool, len(entries))
	for i := range entries {
		e := &entries[i]
		at := place{e.Kind, e.Key}
		switch {
		case e.Kind == "" || e.Key == "" || !EntryName(e.Kind) || !EntryName(e.Key) || !EntryName(e.Group):
			return fhir.Errorf(fhir.Invalid, "the name of an entry is 1 to %d bytes of text", maxEntryName)
		case e.Version < 0:
			return fhir.Errorf(fhir.Invalid, "an entry has no version below 0")
		case seen[at]:
			return fhir.Errorf(fhir.Invalid, "an entry is written twice at once")
		}
		seen[at] = true
	}
	return nil
}

// EntryExpires returns a time of expiry as it is stored, in microseconds since 1970
// UTC, and whether there is one.
func EntryExpires(t time.Time) (micros int64, ever bool) {
	if t.IsZero() {
		return 0, false
	}
	return t.UnixMicro(), true
}

// sweepEvery is how often a store removes the entries that have expired; SweepMost
// is how many at a time, so that nobody waits long for it.
const (
	sweepEvery = time.Minute
	SweepMost  = 1000
)

// Sweeper says when it is time to remove expired entries.
type Sweeper struct{ next atomic.Int64 }

// Due reports whether it is time at now, and then not again for a while.
func (s *Sweeper) Due(now time.Time) bool {
	next := s.next.Load()
	return now.UnixMicro() >= next && s.next.CompareAndSwap(next, now.Add(sweepEvery).UnixMicro())
}
