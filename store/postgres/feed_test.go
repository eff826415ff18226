package postgres

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/storetest"
)

// TestFeed keeps transactions open that have written, so that others overtake them.
func TestFeed(t *testing.T) {
	var made atomic.Int64
	slow := func(s storetest.Feeder) (end func()) {
		tx, err := s.(*Store).pool.Begin(t.Context())
		if err != nil {
			t.Error(err)
			return func() {}
		}
		const sql = `WITH r AS (INSERT INTO resource (rkey, version, updated, type, live, id, postings) VALUES ($1::bigint, 1, 0, 1, false, 'late' || (-$1::bigint), '{}')),
v AS (INSERT INTO version (rkey, updated, version, type, method, content) VALUES ($1, 0, 1, 1, 4, ''))
INSERT INTO feed (rkey, version, targets) VALUES ($1, 1, '')`
		if _, err := tx.Exec(t.Context(), sql, -made.Add(1)); err != nil {
			t.Error(err)
		}
		return func() {
			if err := tx.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	storetest.Feed(t, func(t *testing.T) storetest.Feeder { return open(t) }, slow)
}

func TestTogether(t *testing.T) {
	storetest.Together(t, func(t *testing.T) storetest.Both { return open(t) })
}

// TestFeedPlans: however long the feed is, nothing that reads it walks all of it.
func TestFeedPlans(t *testing.T) {
	s := open(t)
	for _, sql := range []string{
		`INSERT INTO feed (rkey, version, targets) SELECT n, 1, '' FROM generate_series(-20000, -1) n`, `ANALYZE feed`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]any{
		stmtFeed: {int64(1), int64(1), int64(100)}, stmtFeedEnd: nil, stmtFeedHeld: {int64(100)}, stmtFeedHas: {int64(1), int64(1), int32(1)}, stmtOldest: {int64(100)},
	} {
		rows, err := s.pool.Query(t.Context(), `EXPLAIN `+feedStatements[name], append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		all := strings.Contains(plan, "Seq Scan on feed") || slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, "Sort Key:") && strings.Contains(line, "::text") // which no index has
		})
		if err != nil || all || !strings.Contains(plan, "Index") {
			t.Errorf("%s: %v\n%s", name, err, plan)
		}
	}
}
