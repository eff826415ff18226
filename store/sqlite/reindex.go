package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	walkAll = `SELECT rkey, updated, id FROM resource WHERE type = ?1 AND live AND rkey > ?2 ORDER BY rkey LIMIT ?3`

	walkChanged = `SELECT rkey, updated, id FROM resource WHERE type = ?1 AND live
AND (updated, rkey) > (?4, ?2) AND updated < ?5 ORDER BY updated, rkey LIMIT ?3`
)

// Next returns up to limit resources that w has not met, and moves it past them.
func (s *Store) Next(ctx context.Context, w *store.Walk, limit int) (refs []fhir.Ref, err error) {
	updated, key, until := w.Bounds()
	sql, args := walkAll, []any{int64(index.TypeNumber(w.Type)), key, int64(limit)}
	if !w.Since.IsZero() {
		sql, args = walkChanged, append(args, updated, until)
	}
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	if err := bind(stmt, args); err != nil {
		return nil, err
	}
	err = steps(stmt, func(stmt *sqlite.Stmt) {
		w.Past(stmt.ColumnInt64(0), stmt.ColumnInt64(1))
		refs = append(refs, fhir.Ref{Type: w.Type, ID: stmt.ColumnText(2)})
	})
	return refs, err
}

// steps calls f for every row of a statement.
func steps(stmt *sqlite.Stmt, f func(*sqlite.Stmt)) error {
	for {
		ok, err := stmt.Step()
		if err != nil || !ok {
			if resetErr := stmt.Reset(); err == nil {
				err = resetErr
			}
			return err
		}
		f(stmt)
	}
}

// noteReindexing counts a change of index rows that comes with no new version.
func noteReindexing(conn *sqlite.Conn) error {
	return run(conn, `INSERT INTO counter (name, next) VALUES ('reindexings', 1) ON CONFLICT (name) DO UPDATE SET next = next + 1`)
}

// reindexings returns how often that has happened to this file.
func reindexings(conn *sqlite.Conn) (int64, error) { return counted(conn, "reindexings") }

// counted returns how far a counter of this file is.
func counted(conn *sqlite.Conn, name string) (n int64, err error) {
	stmt, err := conn.Prepare(`SELECT next FROM counter WHERE name = ?1`)
	if err != nil {
		return 0, err
	}
	if err := bind(stmt, []any{name}); err != nil {
		return 0, err
	}
	err = steps(stmt, func(stmt *sqlite.Stmt) { n = stmt.ColumnInt64(0) })
	return n, err
}

// sameRows returns store.ErrMoved when index rows may have changed since the state
// of what is written was read: then it is not known what to take out of them.
func (t *racingTx) sameRows(conn *sqlite.Conn, writes []store.Write) error {
	if !slices.ContainsFunc(writes, func(w store.Write) bool { return !w.Fresh }) {
		return nil
	}
	now, err := reindexings(conn)
	if err == nil && now != t.reindexings {
		err = store.ErrMoved
	}
	return err
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
