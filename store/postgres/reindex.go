package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	walkAll = `SELECT rkey, updated, id FROM resource WHERE type = $1::smallint AND live AND rkey > $2::bigint ORDER BY rkey LIMIT $3::bigint`

	walkChanged = `SELECT rkey, updated, id FROM resource WHERE type = $1::smallint AND live
AND (updated, rkey) > ($4::bigint, $2::bigint) AND updated < $5::bigint ORDER BY updated, rkey LIMIT $3::bigint`
)

// Next returns up to limit resources that w has not met, and moves it past them.
func (s *Store) Next(ctx context.Context, w *store.Walk, limit int) (refs []fhir.Ref, err error) {
	updated, key, until := w.Bounds()
	next := call{sql: walkAll, keep: true, args: [][]byte{int16Bytes(index.TypeNumber(w.Type)), int64Bytes(key), int64Bytes(int64(limit))}}
	if !w.Since.IsZero() {
		next.sql, next.args = walkChanged, append(next.args, int64Bytes(updated), int64Bytes(until))
	}
	next.row = func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		w.Past(f.int64(), f.int64())
		refs = append(refs, fhir.Ref{Type: w.Type, ID: f.text()})
		return f.err()
	}
	err = s.with(ctx, func(c *connection) error { return trip(ctx, c.pg, next) })
	return refs, err
}

// Reindex brings the index rows of the current versions of refs to what x says of
// them, and returns how many resources had others. With words, the dictionary gets
// what it may lack, though the rows are as they should be.
func (s *Store) Reindex(ctx context.Context, refs []fhir.Ref, x store.Indexer, words bool) (changed int, err error) {
	if words {
		return store.Reindex(ctx, s, s.words, refs, x)
	}
	return store.Reindex(ctx, s, nil, refs, x)
}
