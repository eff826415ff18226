package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/storetest"
)

func TestLateWrite(t *testing.T) {
	storetest.LateWrite(t, open(t), momentSlack, func(tx store.Tx, at time.Time) { tx.(*racingTx).began = at })
}

// TestMomentIsGiven: a moment that is given out passes what began before it.
func TestMomentIsGiven(t *testing.T) {
	s := open(t)
	before := time.Now().Add(-momentSlack)
	if _, err := s.Moment(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Attempt(t.Context(), false, func(tx store.Tx) error {
		tx.(*racingTx).began = before
		return tx.Write(t.Context(), []store.Write{{Reindex: true, Entries: []fhir.Entry{{Kind: "k", Key: "told"}}}})
	})
	if !errors.Is(err, store.ErrMoved) {
		t.Errorf("it was written: %v", err)
	}
}
