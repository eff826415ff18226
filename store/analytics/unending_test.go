package analytics_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
)

// TestUnending: what PostgreSQL does not break off before a function returns keeps its turn
// until then, so that there are never more such queries than there may be at a time.
func TestUnending(t *testing.T) {
	// Each character of the text is compared with nearly all of the pattern.
	const sql = `WITH RECURSIVE r AS (SELECT 1 AS n, CAST('a' AS text) AS s UNION ALL SELECT n + 1, s || s FROM r WHERE n < 21),
text AS (SELECT s FROM r WHERE n = 21), pattern AS (SELECT 'b' || s AS s FROM r WHERE n = 14)
SELECT strpos(text.s, pattern.s) AS n FROM text, pattern`
	each(t, 500*time.Millisecond, func(t *testing.T, e *engine) {
		if e.name != "postgres" {
			t.Skip("another test is about SQLite, which is broken off")
		}
		watch, err := pgx.Connect(t.Context(), e.url)
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close(t.Context())
		for range 6 {
			if _, _, err := ask(t.Context(), e.runner, sql, 10, nil); fhir.CodeOf(err) != fhir.TooCostly {
				t.Errorf("%v", err)
			}
			var n int
			const burning = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'amate-analyst' AND state = 'active' AND query LIKE 'FETCH%'`
			if err := watch.QueryRow(t.Context(), burning).Scan(&n); err != nil || n > 2 {
				t.Fatalf("%d queries at a time, %v", n, err)
			}
		}
		for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			if _, _, err := ask(t.Context(), e.runner, `SELECT 1 AS n`, 10, nil); err == nil {
				return
			} else if time.Now().After(end) {
				t.Fatalf("afterwards: %v", err)
			}
		}
	})
}
