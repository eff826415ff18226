package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// Both is a Store that keeps entries as well.
type Both interface {
	Store
	State
}

// Together checks that the entries of a batch are written with its changes, or neither.
func Together(t *testing.T, open func(t *testing.T) Both) {
	t.Run("all or nothing", func(t *testing.T) { togetherAll(t, open(t)) })
	t.Run("one of many", func(t *testing.T) { togetherOne(t, open(t)) })
}

func entryBatch(entry fhir.Entry, changes ...bundle.Change) *bundle.Batch {
	return &bundle.Batch{Changes: changes, Entries: func(results []bundle.Result) []fhir.Entry {
		if len(results) > 0 {
			entry.Value = []byte(results[0].Resource.Ref.String())
		}
		return []fhir.Entry{entry}
	}}
}

func togetherAll(t *testing.T, s Both) {
	f := &fixture{T: t, s: s, ctx: t.Context()}
	note := fhir.Entry{Kind: "k", Key: "a"}
	is := func(version int64, value string) {
		t.Helper()
		e, err := s.Entry(f.ctx, "k", "a")
		if err != nil || e.Version != version || string(e.Value) != value {
			t.Errorf("the entry is %d %q, %v; want %d %q", e.Version, e.Value, err, version, value)
		}
	}
	refused := func(code fhir.Code, b *bundle.Batch) {
		t.Helper()
		if _, err := s.Apply(f.ctx, b); fhir.CodeOf(err) != code {
			t.Errorf("%v, want code %d", err, code)
		}
	}
	if _, err := s.Apply(f.ctx, entryBatch(note, update("Patient/p", "1", search.Index{}))); err != nil {
		t.Fatal(err)
	}
	is(1, "Patient/p/_history/1")
	// An entry that has moved undoes the change.
	refused(fhir.Conflict, entryBatch(note, update("Patient/p", "2", search.Index{})))
	refused(fhir.Conflict, entryBatch(fhir.Entry{Kind: "k", Key: "a", Version: 7}, update("Patient/new", "2", search.Index{})))
	refused(fhir.Conflict, entryBatch(note, create("Patient/made", "2", search.Index{})))
	f.is("Patient/p", 1, "1")
	f.gone("Patient/new", fhir.NotFound)
	f.gone("Patient/made", fhir.NotFound)
	// A change that is refused leaves the entry.
	stale := update("Patient/p", "2", search.Index{})
	stale.IfMatch = 9
	note.Version = 1
	refused(fhir.Stale, entryBatch(note, stale))
	is(1, "Patient/p/_history/1")
	// Where nothing is written, the entry is.
	if _, err := s.Apply(f.ctx, entryBatch(note, update("Patient/p", "1", search.Index{}))); err != nil {
		t.Fatal(err)
	}
	is(2, "Patient/p/_history/1")
	// A large batch goes another way.
	note.Version = 2
	var many []bundle.Change
	for i := range 300 {
		many = append(many, create(fmt.Sprintf("Patient/m%d", i), "x", search.Index{}))
	}
	if _, err := s.Apply(f.ctx, entryBatch(note, many...)); err != nil {
		t.Fatal(err)
	}
	is(3, "Patient/m0/_history/1")
	refused(fhir.Invalid, entryBatch(fhir.Entry{}, update("Patient/p", "3", search.Index{})))
}

func togetherOne(t *testing.T, s Both) {
	const rivals = 16
	for round := range 10 {
		var won atomic.Int64
		var racing sync.WaitGroup
		for n := range rivals {
			racing.Go(func() {
				e := fhir.Entry{Kind: "once", Key: fmt.Sprint(round)}
				_, err := s.Apply(context.WithoutCancel(t.Context()), entryBatch(e, create(fmt.Sprintf("Patient/r%d-%d", round, n), "x", search.Index{})))
				switch {
				case err == nil:
					won.Add(1)
				case fhir.CodeOf(err) != fhir.Conflict:
					t.Errorf("%v, want a conflict", err)
				}
			})
		}
		racing.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of %d were the one", won.Load(), rivals)
		}
		made := 0
		for n := range rivals {
			if _, err := s.Read(t.Context(), ref(fmt.Sprintf("Patient/r%d-%d", round, n))); err == nil {
				made++
			}
		}
		if made != 1 {
			t.Fatalf("%d resources were made", made)
		}
	}
}
