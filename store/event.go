package store

import (
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// A Linker gives events of one month, in order, their Seq, Hash and Keys. last is
// the newest event that the chain has: the zero Event when it has none.
type Linker = func(last fhir.Event, events []fhir.Event) error

// ByMonth sorts events by their IDs and returns the runs that belong to one month.
func ByMonth(events []fhir.Event) [][]fhir.Event {
	slices.SortFunc(events, func(a, b fhir.Event) int { return slices.Compare(a.ID[:], b.ID[:]) })
	slices.SortStableFunc(events, func(a, b fhir.Event) int { return a.Month - b.Month })
	var runs [][]fhir.Event
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Month == events[0].Month {
			n++
		}
		runs, events = append(runs, events[:n:n]), events[n:]
	}
	return runs
}

// EventMonth returns the month of an event's ID, such as 202611: a UUID of version
// 7 begins with its time, 48 bits of milliseconds since 1970.
//
// See https://www.rfc-editor.org/rfc/rfc9562#section-5.7.
func EventMonth(id [16]byte) int {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	at := time.UnixMilli(ms).UTC()
	return at.Year()*100 + int(at.Month())
}

// EventRange returns the IDs that bound what q asks for, from included, until not,
// and the months that they fall into.
func EventRange(q *fhir.EventQuery) (from, until [16]byte, first, last int) {
	from, until = firstID(q.From), firstID(q.Until)
	if q.Until.IsZero() {
		until = [16]byte{0: 0xff}
	}
	if q.After != ([16]byte{}) {
		if q.Oldest && slices.Compare(q.After[:], from[:]) >= 0 {
			from = next(q.After)
		} else if !q.Oldest && slices.Compare(q.After[:], until[:]) < 0 {
			until = q.After
		}
	}
	first, last = EventMonth(from), 999912
	if until[0] != 0xff {
		last = EventMonth(until)
	}
	return from, until, first, last
}

// firstID returns the least ID of an event at t; the zero ID for the zero time.
func firstID(t time.Time) (id [16]byte) {
	if t.IsZero() || t.UnixMilli() < 0 {
		return id
	}
	ms := t.UnixMilli()
	for i := 5; i >= 0; i-- {
		id[i] = byte(ms)
		ms >>= 8
	}
	return id
}

// next returns the ID after id.
func next(id [16]byte) [16]byte {
	for i := 15; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id
}
