package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/storetest"
)

func TestWorthwhile(t *testing.T) {
	for _, c := range []struct {
		known, fresh int64
		paused, want bool
	}{
		{0, 0, true, false},
		{0, manyNew - 1, true, false},
		{0, manyNew, false, true},
		{manyNew, manyNew, false, false},
		{manyNew, manyNew, true, true},
		{manyNew, 4 * manyNew, false, true},
		{1_000_000, 50_000, true, false},
		{1_000_000, 100_000, true, true},
		{1_000_000, 1_000_000, false, false},
	} {
		if got := worthwhile(c.known, c.fresh, c.paused); got != c.want {
			t.Errorf("%d known, %d new, paused %t: %t", c.known, c.fresh, c.paused, got)
		}
	}
}

// TestAnalyze: after much was written, the planner has statistics without waiting for autovacuum.
func TestAnalyze(t *testing.T) {
	url := storetest.Postgres(t)
	done := make(chan struct{}, 1)
	s, err := Open(t.Context(), url, Options{Observe: func(operation string, _ time.Duration) {
		if operation == "analyze" {
			done <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.analyst.written.Add(manyNew)
	select {
	case <-done:
	case <-time.After(3 * time.Minute):
		t.Fatal("nothing was analyzed")
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var at *time.Time
	if err := conn.QueryRow(t.Context(), `SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 'resource'`).Scan(&at); err != nil || at == nil {
		t.Errorf("last analyzed %v, %v", at, err)
	}
}
