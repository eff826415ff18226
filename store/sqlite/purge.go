package sqlite

import (
	"context"
	"errors"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	eraseVersions = `DELETE FROM version WHERE rkey = ?1 AND version < ?2`
	rewrite       = `UPDATE version SET content = ?3 WHERE rkey = ?1 AND version = ?2`
	eraseBlobs    = `DELETE FROM blob_use WHERE rkey = ?1 AND version < ?2`
	eraseWord     = `DELETE FROM word WHERE posting = ?1 AND NOT EXISTS (SELECT 1 FROM posting p WHERE p.posting = ?1)`

	remnants = `SELECT r.rkey, r.id, v.version, v.content FROM resource r JOIN version v ON v.rkey = r.rkey
AND v.version = (SELECT max(l.version) FROM version l WHERE l.rkey = r.rkey AND l.method <> 4)
WHERE r.type = ?1 AND NOT r.live AND r.version > 0 AND r.rkey > ?2 ORDER BY r.rkey LIMIT ?3`
)

// erase removes what the writes that erase leave behind.
func erase(conn *sqlite.Conn, writes []store.Write) error {
	if err := forget(conn, writes); err != nil {
		return err
	}
	for i := range writes {
		w := &writes[i]
		if !w.Erase {
			continue
		}
		if err := run(conn, eraseVersions, w.Key, w.Ref.Version); err != nil {
			return err
		}
		if w.Ref.Type == "Binary" { // no index leads from a resource to its blobs
			if err := run(conn, eraseBlobs, w.Key, w.Ref.Version); err != nil {
				return err
			}
		}
	}
	if len(writes) == 0 {
		return nil
	}
	for _, r := range writes[0].Rewrites {
		if err := run(conn, rewrite, r.Key, r.Version, r.Content); err != nil {
			return err
		}
	}
	for _, posting := range writes[0].Unsaid {
		if err := run(conn, eraseWord, posting); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes resources for good. See store.Purge.
func (s *Store) Purge(ctx context.Context, refs []fhir.Ref, x store.Indexer) (store.Purged, error) {
	done, err := store.Purge(ctx, s, refs, x, s.options.Now)
	s.words.Reset() // the dictionary may have lost some
	return done, err
}

// Redact takes something out of a resource for good. See store.Redact.
func (s *Store) Redact(ctx context.Context, ref fhir.Ref, x store.Indexer, without func([]byte) ([]byte, error)) (bool, error) {
	found, err := store.Redact(ctx, s, ref, x, without, s.options.Now)
	s.words.Reset()
	return found, err
}

// scrubMost is the size of a file, in bytes, that is written anew while others wait to
// write: it takes some seconds.
const scrubMost = 1 << 30

// Scrub writes the whole file anew, so that what was purged is neither there nor in
// its log. To overwrite what is removed is not enough: where a page was split, it may
// still hold what moved to another. Others read meanwhile, and wait to write.
// Errors: store.ErrUnscrubbed for a large file, unless long says that it may take long, and
// where somebody goes on reading what was there before.
//
// See https://www.sqlite.org/lang_vacuum.html and
// https://www.sqlite.org/pragma.html#pragma_wal_checkpoint.
func (s *Store) Scrub(ctx context.Context, long bool) error {
	path, err := s.path(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		return err
	}
	conn.SetInterrupt(ctx.Done())
	conn.SetBusyTimeout(s.scrubTime)
	large := info.Size() > scrubMost && !long
	if !large {
		err = sqlitex.ExecuteTransient(conn, "VACUUM", nil)
	}
	read := false // by somebody who keeps the log from being emptied, which is no error of the statement
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
			read = stmt.ColumnInt64(0) != 0
			return nil
		}})
	}
	if err == nil && (large || read) {
		err = store.ErrUnscrubbed
	}
	return errors.Join(failure(err), conn.Close())
}

// path returns where the file is.
func (s *Store) path(ctx context.Context) (path string, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return "", err
	}
	defer s.readers.Put(conn)
	stmt, err := conn.Prepare(`SELECT file FROM pragma_database_list WHERE name = 'main'`)
	if err != nil {
		return "", err
	}
	err = steps(stmt, func(stmt *sqlite.Stmt) { path = stmt.ColumnText(0) })
	return path, err
}

// ForgetWords forgets what is known of the dictionary: another process took words out.
func (s *Store) ForgetWords() { s.words.Reset() }

// Remnants returns up to limit resources of a type that were deleted and are still
// kept, with row keys after after.
func (s *Store) Remnants(ctx context.Context, typ string, after int64, limit int) (found []store.Remnant, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	stmt, err := conn.Prepare(remnants)
	if err != nil {
		return nil, err
	}
	if err := bind(stmt, []any{int64(index.TypeNumber(typ)), after, int64(limit)}); err != nil {
		return nil, err
	}
	var bad error
	err = steps(stmt, func(stmt *sqlite.Stmt) {
		json, err := store.Expand(bytesOf(stmt, 3))
		if err != nil {
			bad = err
		}
		found = append(found, store.Remnant{
			Key: stmt.ColumnInt64(0), Resource: fhir.Resource{Ref: fhir.Ref{Type: typ, ID: stmt.ColumnText(1), Version: stmt.ColumnInt64(2)}, JSON: json},
		})
	})
	if err == nil {
		err = bad
	}
	return found, err
}
