package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// TestLateWrite: what took its time long before it comes to be written, since everything is
// slow, takes another if somebody was told meanwhile that nothing of that time comes any more.
func TestLateWrite(t *testing.T) {
	s := open(t)
	write := func(key string, late time.Duration) error {
		return s.Attempt(t.Context(), false, func(tx store.Tx) error {
			tx.(*racingTx).began = time.Now().Add(-late)
			return tx.Write(t.Context(), []store.Write{{Reindex: true, Entries: []fhir.Entry{{Kind: "k", Key: key}}}})
		})
	}
	wrote := func(key string, want bool) {
		t.Helper()
		if _, err := s.Entry(t.Context(), "k", key); (err == nil) != want || err != nil && fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := write("late", 10*momentSlack); err != nil {
		t.Errorf("nobody was told anything: %v", err)
	}
	wrote("late", true)
	for _, ago := range []time.Duration{5 * momentSlack, time.Hour} { // the latest counts
		if err := s.Give(t.Context(), time.Now().Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
	if err := write("passed", 10*momentSlack); !errors.Is(err, store.ErrMoved) {
		t.Errorf("one that was passed: %v", err)
	}
	wrote("passed", false)
	for key, late := range map[string]time.Duration{"later": 2 * momentSlack, "in time": 0} {
		if err := write(key, late); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		wrote(key, true)
	}
}
