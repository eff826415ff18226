package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	insertFeed = `INSERT INTO feed (rkey, version, targets) VALUES (?1, ?2, ?3)`

	readFeed = `SELECT f.seq, f.rkey, f.version, r.type, r.id, coalesce(v.method, 4), f.targets
FROM (SELECT seq, rkey, version, targets FROM feed WHERE seq > ?1 ORDER BY seq LIMIT +?2) f
CROSS JOIN resource r ON r.rkey = f.rkey LEFT JOIN version v ON v.rkey = f.rkey AND v.version = f.version ORDER BY f.seq`

	feedEnd  = `SELECT seq, rkey, version FROM feed ORDER BY seq DESC LIMIT 1`
	feedHas  = `SELECT seq FROM feed WHERE seq = ?1 AND rkey = ?2 AND version = ?3`
	feedRefs = `SELECT type, id FROM resource WHERE rkey = ?1`
	linked   = `SELECT postings FROM resource WHERE rkey = ?1`

	oldestFeed = `SELECT f.seq, f.rkey, f.version, v.updated FROM (SELECT seq, rkey, version FROM feed ORDER BY seq LIMIT ?1) f
LEFT JOIN version v ON v.rkey = f.rkey AND v.version = f.version ORDER BY f.seq`
	dropFeed = `DELETE FROM feed WHERE seq < ?1`
)

// Feed returns the changes that were committed.
func (s *Store) Feed() *store.Feed { return s.feed }

// origin stands for this file, and all copies of it. Which copy it is shows in whether
// a change is there.
func (s *Store) origin() uint64 {
	sum := sha256.Sum256([]byte("feed " + string(s.secret)))
	return binary.BigEndian.Uint64(sum[:8])
}

// onFeed runs a SELECT about the feed.
func (s *Store) onFeed(ctx context.Context, sql string, row func(*sqlite.Stmt), args ...any) error {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	if err := bind(stmt, args); err != nil {
		return err
	}
	return steps(stmt, row)
}

// ReadFeed implements store.FeedReader.
func (s *Store) ReadFeed(ctx context.Context, after fhir.Mark, limit int) (rows []store.FeedRow, err error) {
	origin := s.origin()
	err = s.onFeed(ctx, readFeed, func(stmt *sqlite.Stmt) {
		row := store.FeedRow{Targets: bytesOf(stmt, 6)}
		row.Change.At = fhir.Mark{Origin: origin, Tx: uint64(stmt.ColumnInt64(0)), Key: stmt.ColumnInt64(1), Version: stmt.ColumnInt64(2)}
		row.Change.Ref = fhir.Ref{Type: index.TypeName(int16(stmt.ColumnInt64(3))), ID: stmt.ColumnText(4), Version: row.Change.At.Version}
		row.Change.Method = fhir.Method(stmt.ColumnInt64(5))
		rows = append(rows, row)
	}, int64(after.Tx), int64(limit))
	return rows, err
}

// FeedEnd implements store.FeedReader.
func (s *Store) FeedEnd(ctx context.Context) (fhir.Mark, error) {
	end := fhir.Mark{Origin: s.origin()}
	err := s.onFeed(ctx, feedEnd, func(stmt *sqlite.Stmt) {
		end.Tx, end.Key, end.Version = uint64(stmt.ColumnInt64(0)), stmt.ColumnInt64(1), stmt.ColumnInt64(2)
	})
	return end, err
}

// FeedHeld implements store.FeedReader: one writes at a time, and nothing is held back.
func (s *Store) FeedHeld(context.Context) (store.FeedHeld, error) { return store.FeedHeld{}, nil }

// FeedHas implements store.FeedReader.
func (s *Store) FeedHas(ctx context.Context, at fhir.Mark) (has bool, err error) {
	err = s.onFeed(ctx, feedHas, func(*sqlite.Stmt) { has = true }, int64(at.Tx), at.Key, at.Version)
	return has, err
}

// Refs implements store.FeedReader.
func (s *Store) Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error) {
	refs := make(map[int64]fhir.Ref, len(keys))
	err := s.ofKeys(ctx, feedRefs, keys, func(key int64, stmt *sqlite.Stmt) {
		refs[key] = fhir.Ref{Type: index.TypeName(int16(stmt.ColumnInt64(0))), ID: stmt.ColumnText(1)}
	})
	return refs, err
}

// Linked implements store.FeedReader.
func (s *Store) Linked(ctx context.Context, keys []int64) (map[int64][]int64, error) {
	postings := make(map[int64][]int64, len(keys))
	err := s.ofKeys(ctx, linked, keys, func(key int64, stmt *sqlite.Stmt) { postings[key] = unpack(bytesOf(stmt, 0)) })
	return postings, err
}

// ofKeys runs a SELECT about a row for each of keys.
func (s *Store) ofKeys(ctx context.Context, sql string, keys []int64, row func(int64, *sqlite.Stmt)) error {
	if len(keys) == 0 {
		return nil
	}
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	for _, key := range keys {
		if err := each(conn, sql, key, func(stmt *sqlite.Stmt) { row(key, stmt) }); err != nil {
			return err
		}
	}
	return nil
}

// OldestFeed implements store.FeedPruner.
func (s *Store) OldestFeed(ctx context.Context, limit int) (rows []store.FeedAge, err error) {
	origin := s.origin()
	err = s.onFeed(ctx, oldestFeed, func(stmt *sqlite.Stmt) {
		row := store.FeedAge{At: fhir.Mark{Origin: origin, Tx: uint64(stmt.ColumnInt64(0)), Key: stmt.ColumnInt64(1), Version: stmt.ColumnInt64(2)}}
		if stmt.ColumnType(3) != sqlite.TypeNull {
			row.Updated = time.UnixMicro(stmt.ColumnInt64(3))
		}
		rows = append(rows, row)
	}, int64(limit))
	return rows, err
}

// DropFeed implements store.FeedPruner.
func (s *Store) DropFeed(ctx context.Context, before fhir.Mark) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error { return run(conn, dropFeed, int64(before.Tx)) })
}
