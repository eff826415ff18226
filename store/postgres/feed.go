package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	stmtInsFeed  = "amate_insert_feed"
	stmtFeed     = "amate_feed"
	stmtFeedEnd  = "amate_feed_end"
	stmtFeedHas  = "amate_feed_has"
	stmtFeedHeld = "amate_feed_held"
	stmtFeedRefs = "amate_feed_refs"
	stmtLinked   = "amate_feed_linked"
	stmtOldest   = "amate_feed_oldest"
	stmtDropFeed = "amate_feed_drop"
)

// feedStatements are the prepared statements of the change feed. Transactions get their
// numbers in one order and commit in another: only those are read that are older than
// every one still under way, so that none can appear behind a reader.
//
// See https://www.postgresql.org/docs/15/functions-info.html#FUNCTIONS-PG-SNAPSHOT.
var feedStatements = map[string]string{
	stmtInsFeed: `INSERT INTO feed (rkey, version, targets) SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[])`,

	stmtFeed: `SELECT f.tx::text::bigint, f.rkey, f.version, r.type, r.id, coalesce(v.method, 4::smallint), f.targets
FROM (SELECT tx, rkey, version, targets FROM feed WHERE (tx, rkey) > ($1::bigint::text::xid8, $2::bigint)
  AND tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY tx, rkey LIMIT $3::bigint) f
JOIN resource r ON r.rkey = f.rkey LEFT JOIN version v ON v.rkey = f.rkey AND v.version = f.version ORDER BY f.tx, f.rkey`,

	// To be sorted by tx alone would mean the column of the result, which no index has.
	stmtFeedEnd: `SELECT f.tx::text::bigint, f.rkey, f.version FROM feed f WHERE f.tx < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY f.tx DESC, f.rkey DESC LIMIT 1`,

	// What is of a later number than any that was given out is of another history.
	stmtFeedHeld: `SELECT r.type, count(*), (SELECT l.tx::text::bigint FROM feed l WHERE l.tx < pg_snapshot_xmax(pg_current_snapshot()) ORDER BY l.tx DESC LIMIT 1)
FROM (SELECT rkey FROM feed WHERE tx >= pg_snapshot_xmin(pg_current_snapshot()) AND tx < pg_snapshot_xmax(pg_current_snapshot()) LIMIT $1::bigint) f
JOIN resource r ON r.rkey = f.rkey GROUP BY r.type`,

	stmtFeedHas: `SELECT count(*) FROM feed WHERE tx = $1::bigint::text::xid8 AND rkey = $2::bigint AND version = $3::integer`,

	stmtFeedRefs: `SELECT rkey, type, id FROM resource WHERE rkey = ANY ($1::bigint[])`,

	stmtOldest: `SELECT f.tx::text::bigint, f.rkey, f.version, coalesce(v.updated, 0) FROM
  (SELECT tx, rkey, version FROM feed WHERE tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY tx, rkey LIMIT $1::bigint) f
LEFT JOIN version v ON v.rkey = f.rkey AND v.version = f.version ORDER BY f.tx, f.rkey`,

	stmtDropFeed: `DELETE FROM feed WHERE (tx, rkey) < ($1::bigint::text::xid8, $2::bigint)`,

	stmtLinked: `SELECT rkey, postings FROM resource WHERE rkey = ANY ($1::bigint[])`,
}

// changed writes the rows of the feed.
func changed(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		w := &writes[i]
		if w.Reindex {
			continue
		}
		e.row(3)
		e.int64(w.Key)
		e.int32(int32(w.Ref.Version))
		e.bytes(store.FeedTargets(w))
	}
	return e
}

// feedCall inserts the rows of the feed.
func feedCall(writes []store.Write) []call {
	e := changed(newArrays(3), writes)
	if e.rows == 0 {
		return nil
	}
	return []call{{name: stmtInsFeed, args: e.arrays(oidInt8, oidInt4, oidBytea)}}
}

// Feed returns the changes that were committed.
func (s *Store) Feed() *store.Feed { return s.feed }

// origin stands for the numbering of transactions: that of this cluster, of which the
// database is a part.
func (s *Store) origin() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	cluster, _, _ := strings.Cut(s.timeline, " ")
	sum := sha256.Sum256([]byte("feed " + cluster + " " + string(s.secret)))
	return binary.BigEndian.Uint64(sum[:8])
}

// ReadFeed implements store.FeedReader.
func (s *Store) ReadFeed(ctx context.Context, after fhir.Mark, limit int) (rows []store.FeedRow, err error) {
	err = s.with(ctx, func(c *connection) error {
		origin := s.origin()
		args := [][]byte{int64Bytes(int64(after.Tx)), int64Bytes(after.Key), int64Bytes(int64(limit))}
		return trip(ctx, c.pg, call{name: stmtFeed, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			row := store.FeedRow{}
			row.Change.At = fhir.Mark{Origin: origin, Tx: uint64(f.int64()), Key: f.int64(), Version: int64(f.int32())}
			row.Change.Ref = fhir.Ref{Type: index.TypeName(f.int16()), ID: f.text(), Version: row.Change.At.Version}
			row.Change.Method = fhir.Method(f.int16())
			row.Targets = f.bytes()
			rows = append(rows, row)
			return f.err()
		}})
	})
	return rows, err
}

// FeedEnd implements store.FeedReader.
func (s *Store) FeedEnd(ctx context.Context) (end fhir.Mark, err error) {
	err = s.with(ctx, func(c *connection) error {
		end.Origin = s.origin()
		return trip(ctx, c.pg, call{name: stmtFeedEnd, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			end.Tx, end.Key, end.Version = uint64(f.int64()), f.int64(), int64(f.int32())
			return f.err()
		}})
	})
	return end, err
}

// heldMost is how many changes are looked at that are held back.
const heldMost = 1000

// FeedHeld implements store.FeedReader: what was committed after a transaction began that
// still goes on.
func (s *Store) FeedHeld(ctx context.Context) (held store.FeedHeld, err error) {
	total := int64(0)
	err = s.with(ctx, func(c *connection) error {
		args := [][]byte{int64Bytes(heldMost)}
		return trip(ctx, c.pg, call{name: stmtFeedHeld, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			held.Types = append(held.Types, index.TypeName(f.int16()))
			total += f.int64()
			held.Tx = uint64(f.int64())
			return f.err()
		}})
	})
	held.All = total >= heldMost
	return held, err
}

// FeedHas implements store.FeedReader.
func (s *Store) FeedHas(ctx context.Context, at fhir.Mark) (bool, error) {
	n := int64(0)
	err := s.with(ctx, func(c *connection) error {
		args := [][]byte{int64Bytes(int64(at.Tx)), int64Bytes(at.Key), int32Bytes(int32(at.Version))}
		return trip(ctx, c.pg, call{name: stmtFeedHas, args: args, row: number(&n)})
	})
	return n > 0, err
}

// Refs implements store.FeedReader.
func (s *Store) Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error) {
	refs := make(map[int64]fhir.Ref, len(keys))
	if len(keys) == 0 {
		return refs, nil
	}
	err := s.with(ctx, func(c *connection) error {
		args := [][]byte{appendInt64s(nil, keys)}
		return trip(ctx, c.pg, call{name: stmtFeedRefs, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			key := f.int64()
			refs[key] = fhir.Ref{Type: index.TypeName(f.int16()), ID: f.text()}
			return f.err()
		}})
	})
	return refs, err
}

// Linked implements store.FeedReader.
func (s *Store) Linked(ctx context.Context, keys []int64) (map[int64][]int64, error) {
	postings := make(map[int64][]int64, len(keys))
	err := s.with(ctx, func(c *connection) error {
		args := [][]byte{appendInt64s(nil, keys)}
		return trip(ctx, c.pg, call{name: stmtLinked, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			key := f.int64()
			postings[key] = f.int64s()
			return f.err()
		}})
	})
	return postings, err
}

// OldestFeed implements store.FeedPruner.
func (s *Store) OldestFeed(ctx context.Context, limit int) (rows []store.FeedAge, err error) {
	err = s.with(ctx, func(c *connection) error {
		origin := s.origin()
		args := [][]byte{int64Bytes(int64(limit))}
		return trip(ctx, c.pg, call{name: stmtOldest, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			row := store.FeedAge{At: fhir.Mark{Origin: origin, Tx: uint64(f.int64()), Key: f.int64(), Version: int64(f.int32())}}
			if at := f.int64(); at != 0 {
				row.Updated = time.UnixMicro(at)
			}
			rows = append(rows, row)
			return f.err()
		}})
	})
	return rows, err
}

// DropFeed implements store.FeedPruner.
func (s *Store) DropFeed(ctx context.Context, before fhir.Mark) error {
	return s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{name: stmtDropFeed, args: [][]byte{int64Bytes(int64(before.Tx)), int64Bytes(before.Key)}})
	})
}
