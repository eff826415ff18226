package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

const (
	changedSince = `SELECT rkey, updated FROM version WHERE type = $1::smallint AND updated > $2::bigint AND rkey > $3::bigint`

	asOf = `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content, r.live FROM unnest($1::bigint[]) k (rkey)
CROSS JOIN LATERAL (SELECT i.rkey, i.type, i.id, i.live FROM resource i WHERE i.rkey = k.rkey LIMIT 1) r
CROSS JOIN LATERAL (SELECT i.version, i.updated, i.method, i.content FROM version i
  WHERE i.rkey = k.rkey AND i.updated <= $2::bigint ORDER BY i.version DESC LIMIT 1) v`

	// beginScan has a piece read in the order of an index of its type. Without this the planner
	// sorts all that is left of a type for each piece, or reads all types: it takes the pages of
	// a table for dear, and knows neither how many there are of the type nor how many are
	// wanted. See https://www.postgresql.org/docs/15/runtime-config-query.html.
	beginScan = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL random_page_cost = 0; SET LOCAL seq_page_cost = 0`

	newest = `SELECT updated FROM version ORDER BY updated DESC LIMIT 1`

	// others says whether another server may be at work: each has connections as long as it
	// runs. Those without a name may be of a pooler that does not hand names on.
	others = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND coalesce(backend_type, 'client backend') = 'client backend'
AND (coalesce(application_name, '') = '' OR application_name = 'amate' OR application_name LIKE 'amate %' AND application_name <> $1)`

	snapshotEnd   = `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`
	snapshotBegin = `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
)

// momentSlack is how long it is waited for the writes of other servers that have taken their
// time and not begun their transaction, and for clocks that differ, where there are any.
const momentSlack = 2 * time.Second

// Scan reads all of a type; x says by what a resource is found. See search.Scanner.
func (s *Store) Scan(ctx context.Context, scan *search.Scan, x store.Indexer, page func([]fhir.Resource, string) error) error {
	return store.Scan(ctx, s, scan, x, page)
}

// Snapshot implements store.ScanEngine.
//
// See https://www.postgresql.org/docs/15/transaction-iso.html#XACT-REPEATABLE-READ.
func (s *Store) Snapshot(ctx context.Context, f func(store.ScanTx) error) error {
	return s.with(ctx, func(c *connection) error {
		if err := failure(c.pg.Exec(ctx, beginScan).Close()); err != nil {
			return err
		}
		err := f(&scanTx{*c})
		ending := &tx{connection: *c, begun: true} // it wrote nothing, so that it may end in either way
		return errors.Join(err, ending.end(context.WithoutCancel(ctx), "ROLLBACK"))
	})
}

// scanTx is a transaction that sees one state.
type scanTx struct{ connection }

// Select runs the statements, under plans of their own: they stay prepared, and the plan of a
// search by the same words was made otherwise.
func (t *scanTx) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	own := make([]*query.Statement, len(statements))
	for i, s := range statements {
		one := *s
		one.SQL += " /* scan */"
		own[i] = &one
	}
	return t.connection.Select(ctx, own...)
}

// ChangedSince implements store.ScanTx.
func (t *scanTx) ChangedSince(ctx context.Context, typ string, since time.Time, above int64) (all []store.Changed, err error) {
	args := [][]byte{int16Bytes(index.TypeNumber(typ)), int64Bytes(since.UnixMicro()), int64Bytes(above)}
	err = trip(ctx, t.pg, call{sql: changedSince, keep: true, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		all = append(all, store.Changed{Key: f.int64(), Updated: f.int64()})
		return f.err()
	}})
	return all, err
}

// AsOf implements store.ScanTx.
func (t *scanTx) AsOf(ctx context.Context, keys []int64, at time.Time) (all []store.WasFound, err error) {
	args := append(encodeArgs([]any{keys}), int64Bytes(at.UnixMicro()))
	err = trip(ctx, t.pg, call{sql: asOf, keep: true, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		all = append(all, store.WasFound{Found: scan(&f), Live: f.bool()})
		return f.err()
	}})
	return all, err
}

// Moment returns a moment up to which nothing is written any more.
func (s *Store) Moment(ctx context.Context) (time.Time, error) {
	slack := s.slack
	if n, err := s.number(ctx, others, []byte(s.name)); err != nil {
		return time.Time{}, err
	} else if n == 0 {
		slack = 0
	}
	return store.Moment(ctx, s, &s.flights, s.options.Now, slack)
}

// number returns the one number that a SELECT gives, 0 for none.
func (s *Store) number(ctx context.Context, sql string, args ...[]byte) (n int64, err error) {
	err = s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{sql: sql, keep: true, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			n = f.int64()
			return f.err()
		}})
	})
	return n, err
}

// Newest implements store.MomentReader.
func (s *Store) Newest(ctx context.Context) (time.Time, error) {
	n, err := s.number(ctx, newest)
	if err != nil || n == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(n).UTC(), nil
}

// The latest moment that was given out, in microseconds since 1970, in the form in which
// numbers and bytes are of one order.
const (
	giveMoment = `INSERT INTO entry (version, kind, key, "group", value) VALUES (1, 'moment', 'latest', '', int8send($1::bigint))
ON CONFLICT (kind, key) DO UPDATE SET version = entry.version + 1, value = greatest(entry.value, excluded.value)`
	latestMoment = `SELECT value FROM entry WHERE kind = 'moment' AND key = 'latest'`
)

// Give implements store.MomentReader.
func (s *Store) Give(ctx context.Context, at time.Time) error {
	return s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{sql: giveMoment, args: [][]byte{int64Bytes(at.UnixMicro())}})
	})
}

// inTime is store.InTime for a write that is about to be written.
func (c *connection) inTime(ctx context.Context, began time.Time) error {
	return store.InTime(began, momentSlack, func() (at time.Time, err error) {
		err = trip(ctx, c.pg, call{sql: latestMoment, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			at = time.UnixMicro(f.int64())
			return f.err()
		}})
		return at, err
	})
}

// Ended implements store.MomentReader.
//
// See https://www.postgresql.org/docs/15/functions-info.html#FUNCTIONS-PG-SNAPSHOT.
func (s *Store) Ended(ctx context.Context) error {
	end, err := s.number(ctx, snapshotEnd)
	for err == nil {
		var begin int64
		if begin, err = s.number(ctx, snapshotBegin); err != nil || begin >= end {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return err
}
