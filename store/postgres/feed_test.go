package postgres

import (
	"sync/atomic"
	"testing"

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
