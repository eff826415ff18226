package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// Giver is a store that gives moments out.
type Giver interface {
	Attempt(ctx context.Context, locked bool, f func(store.Tx) error) error
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Give(ctx context.Context, at time.Time) error
}

// LateWrite tests that what took its time long before it comes to be written, since everything
// is slow, takes another if somebody was told meanwhile that nothing of that time comes any
// more. began makes an attempt without locks one that began at a time; slack is that of
// store.Moment.
func LateWrite(t *testing.T, s Giver, slack time.Duration, began func(tx store.Tx, at time.Time)) {
	now := time.Now()
	write := func(key string, at time.Time, moved bool) {
		t.Helper()
		err := s.Attempt(t.Context(), false, func(tx store.Tx) error {
			began(tx, at)
			return tx.Write(t.Context(), []store.Write{{Reindex: true, Entries: []fhir.Entry{{Kind: "k", Key: key}}}})
		})
		if errors.Is(err, store.ErrMoved) != moved || err != nil && !moved {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := s.Entry(t.Context(), "k", key); (err == nil) == moved || err != nil && fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("%s: moved is %t, and it is read with %v", key, moved, err)
		}
	}
	give := func(at time.Time) {
		t.Helper()
		if err := s.Give(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	write("late, and nobody was told anything", now.Add(-10*slack), false)
	give(now.Add(-5 * slack))
	give(now.Add(-time.Hour)) // the latest counts
	write("passed", now.Add(-10*slack), true)
	write("late, and not passed", now.Add(-2*slack), false)
	write("in time", time.Now(), false)
}
