package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// TestLateWrite: what took its time long before it comes to be written, since everything is
// slow, takes another: an export elsewhere may have been told that nothing of that time comes.
func TestLateWrite(t *testing.T) {
	s := open(t)
	write := func(key string, late time.Duration) error {
		return s.Attempt(t.Context(), false, func(tx store.Tx) error {
			tx.(*racingTx).began = time.Now().Add(-late)
			return tx.Write(t.Context(), []store.Write{{Reindex: true, Entries: []fhir.Entry{{Kind: "k", Key: key}}}})
		})
	}
	if err := write("late", momentSlack); !errors.Is(err, store.ErrMoved) {
		t.Errorf("a late one: %v", err)
	}
	if _, err := s.Entry(t.Context(), "k", "late"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("it was written: %v", err)
	}
	for try := 1; ; try++ {
		err := write("in time", 0)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrMoved) || try == 20 { // the machine may stand still
			t.Fatalf("one in time: %v", err)
		}
	}
	if _, err := s.Entry(t.Context(), "k", "in time"); err != nil {
		t.Error(err)
	}
}
