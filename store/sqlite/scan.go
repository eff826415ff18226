package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

const (
	changedSince = `SELECT rkey, updated FROM version WHERE type = ?1 AND updated > ?2 AND rkey > ?3`

	asOf = `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content, r.live
FROM resource r JOIN version v ON v.rkey = r.rkey WHERE r.rkey = ?1 AND v.updated <= ?2 ORDER BY v.version DESC LIMIT 1`

	newest = `SELECT updated FROM version ORDER BY updated DESC LIMIT 1`
)

// momentSlack is how long it is waited for the writes of other processes on the file that
// have taken their time and not begun their transaction.
const momentSlack = 500 * time.Millisecond

// Scan reads all of a type; x says by what a resource is found. See search.Scanner.
func (s *Store) Scan(ctx context.Context, scan *search.Scan, x store.Indexer, page func([]fhir.Resource, string) error) error {
	return store.Scan(ctx, s, scan, x, page)
}

// Snapshot implements store.ScanEngine. What is read in one transaction is of one state.
//
// See https://www.sqlite.org/isolation.html.
func (s *Store) Snapshot(ctx context.Context, f func(store.ScanTx) error) error {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	if err := sqlitex.ExecuteTransient(conn, "BEGIN", nil); err != nil {
		return err
	}
	err = f(&scanTx{reader{s}, conn})
	conn.SetInterrupt(nil) // the transaction has to end, though ctx has
	return errors.Join(err, sqlitex.ExecuteTransient(conn, "ROLLBACK", nil))
}

// scanTx is a transaction that sees one state.
type scanTx struct {
	reader
	conn *sqlite.Conn
}

// Select runs the statements in the transaction.
func (t *scanTx) Select(_ context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	return selectOn(t.prepared.of(t.conn).get, statements)
}

// Known asks the cache, then the file. What it learns is not kept: the state may be an old one.
func (t *scanTx) Known(_ context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, left := t.keys.Known(refs)
	if len(left) == 0 {
		return known, nil
	}
	return known, lookUp(t.conn, left, func(ref fhir.Ref, key int64) { known[ref] = key })
}

// ChangedSince implements store.ScanTx.
func (t *scanTx) ChangedSince(_ context.Context, typ string, since time.Time, above int64) (all []store.Changed, err error) {
	stmt, err := t.conn.Prepare(changedSince)
	if err != nil {
		return nil, err
	}
	if err := bind(stmt, []any{int64(index.TypeNumber(typ)), since.UnixMicro(), above}); err != nil {
		return nil, err
	}
	err = steps(stmt, func(stmt *sqlite.Stmt) {
		all = append(all, store.Changed{Key: stmt.ColumnInt64(0), Updated: stmt.ColumnInt64(1)})
	})
	return all, err
}

// AsOf implements store.ScanTx.
func (t *scanTx) AsOf(_ context.Context, keys []int64, at time.Time) (all []store.WasFound, err error) {
	stmt, err := t.conn.Prepare(asOf)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := bind(stmt, []any{key, at.UnixMicro()}); err != nil {
			return nil, err
		}
		err := steps(stmt, func(stmt *sqlite.Stmt) {
			all = append(all, store.WasFound{Found: scan(stmt), Live: stmt.ColumnInt64(fixedColumns) != 0})
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Moment returns a moment up to which nothing is written any more.
func (s *Store) Moment(ctx context.Context) (time.Time, error) {
	return store.Moment(ctx, s, &s.flights, s.options.Now, s.slack)
}

// Newest implements store.MomentReader.
func (s *Store) Newest(ctx context.Context) (at time.Time, err error) {
	err = s.onFeed(ctx, newest, func(stmt *sqlite.Stmt) { at = time.UnixMicro(stmt.ColumnInt64(0)).UTC() })
	return at, err
}

// Give implements store.MomentReader.
func (s *Store) Give(ctx context.Context, at time.Time) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		return run(conn, `INSERT INTO counter (name, next) VALUES ('moment', ?1) ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)`, at.UnixMicro())
	})
}

// given returns the latest moment that was given out.
func given(conn *sqlite.Conn) (time.Time, error) {
	n, err := counted(conn, "moment")
	return time.UnixMicro(n), err
}

// Ended implements store.MomentReader: one writes at a time, so that whoever gets to write
// comes after all who did.
func (s *Store) Ended(ctx context.Context) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error { return nil })
}
