package postgres

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

func openAt(t *testing.T, now func() time.Time) storetest.State {
	t.Helper()
	s, err := Open(t.Context(), storetest.Postgres(t), Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEntries(t *testing.T) { storetest.Entries(t, openAt) }

func TestEntriesAreSwept(t *testing.T) {
	storetest.Swept(t, openAt, func(s storetest.State) (n int) {
		if err := s.(*Store).pool.QueryRow(t.Context(), `SELECT count(*) FROM entry`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	})
}
