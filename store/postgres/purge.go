package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	eraseVersions = `DELETE FROM version v USING unnest($1::bigint[], $2::bigint[]) AS x (rkey, version)
WHERE v.rkey = x.rkey AND v.version < x.version`

	rewrite = `UPDATE version v SET content = x.content FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS x (rkey, version, content)
WHERE v.rkey = x.rkey AND v.version = x.version`

	eraseBlobs = `DELETE FROM blob_use b USING unnest($1::bigint[], $2::bigint[]) AS x (rkey, version)
WHERE b.rkey = x.rkey AND b.version < x.version`

	eraseWords = `DELETE FROM word w USING unnest($1::bigint[]) AS x (posting)
WHERE w.posting = x.posting AND NOT EXISTS (SELECT 1 FROM posting p WHERE p.posting = x.posting)`

	remnants = `SELECT r.rkey, r.id, v.version, v.content FROM resource r CROSS JOIN LATERAL
  (SELECT l.version, l.content FROM version l WHERE l.rkey = r.rkey AND l.method <> 4 ORDER BY l.version DESC LIMIT 1) v
WHERE r.type = $1::smallint AND NOT r.live AND r.version > 0 AND r.rkey > $2::bigint ORDER BY r.rkey LIMIT $3::bigint`
)

// erasures returns the calls that remove what the writes that erase leave behind. They
// come after those that take index rows out.
func erasures(writes []store.Write) (calls []call) {
	versions, blobs := newArrays(2), newArrays(2)
	for i := range writes {
		w := &writes[i]
		if !w.Erase {
			continue
		}
		rows := []*encoder{versions}
		if w.Ref.Type == "Binary" { // no index leads from a resource to its blobs
			rows = append(rows, blobs)
		}
		for _, e := range rows {
			e.row(2)
			e.int64(w.Key)
			e.int64(w.Ref.Version)
		}
	}
	if versions.rows > 0 {
		calls = append(calls, call{sql: eraseVersions, args: versions.arrays(oidInt8, oidInt8)})
	}
	if len(writes) > 0 && len(writes[0].Rewrites) > 0 {
		e := newArrays(3)
		for _, r := range writes[0].Rewrites {
			e.row(3)
			e.int64(r.Key)
			e.int64(r.Version)
			e.bytes(r.Content)
		}
		calls = append(calls, call{sql: rewrite, args: e.arrays(oidInt8, oidInt8, oidBytea)})
	}
	if blobs.rows > 0 {
		calls = append(calls, call{sql: eraseBlobs, args: blobs.arrays(oidInt8, oidInt8)})
	}
	if len(writes) > 0 && len(writes[0].Unsaid) > 0 {
		words := newArrays(1)
		for _, p := range writes[0].Unsaid {
			words.row(1)
			words.int64(p)
		}
		calls = append(calls, call{sql: eraseWords, args: words.arrays(oidInt8)})
	}
	return calls
}

// insufficientPrivilege is the SQLSTATE of what a role may not do.
const insufficientPrivilege = "42501"

// Purge removes resources for good. See store.Purge. Only who owns the schema can: a
// role that 'amate migrate' was told to let serve may not remove versions.
// Errors: store.ErrNotOwner for such a role.
func (s *Store) Purge(ctx context.Context, refs []fhir.Ref, x store.Indexer) (store.Purged, error) {
	done, err := store.Purge(ctx, s, refs, x, s.options.Now)
	s.words.Reset() // the dictionary may have lost some
	return done, notOwner(err)
}

// Redact takes something out of a resource for good. See store.Redact.
// Errors: store.ErrNotOwner as for Purge.
func (s *Store) Redact(ctx context.Context, ref fhir.Ref, x store.Indexer, without func([]byte) ([]byte, error)) (bool, error) {
	found, err := store.Redact(ctx, s, ref, x, without, s.options.Now)
	s.words.Reset()
	return found, notOwner(err)
}

// notOwner says what it means that a role may not remove versions.
func notOwner(err error) error {
	var pg *pgError
	if errors.As(err, &pg) && pg.code == insufficientPrivilege {
		return store.ErrNotOwner
	}
	return err
}

// Scrub frees the space of what was purged, to be overwritten. Until then it can be
// read in the files of the server by who can read those, and in its log and backups
// for as long as these are kept.
//
// See https://www.postgresql.org/docs/15/sql-vacuum.html.
func (s *Store) Scrub(ctx context.Context, _ bool) error {
	return s.with(ctx, func(c *connection) error {
		for _, table := range []string{
			"version", "resource", "posting", "date_value", "number_value", "string_value", "place_value", "text_value", "person", "person_key", "word", "entry", "vaccinee",
		} {
			if err := failure(c.pg.Exec(ctx, "VACUUM "+table).Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetWords forgets what is known of the dictionary: another process took words out.
func (s *Store) ForgetWords() { s.words.Reset() }

// Remnants returns up to limit resources of a type that were deleted and are still
// kept, with row keys after after.
func (s *Store) Remnants(ctx context.Context, typ string, after int64, limit int) (found []store.Remnant, err error) {
	args := [][]byte{int16Bytes(index.TypeNumber(typ)), int64Bytes(after), int64Bytes(int64(limit))}
	err = s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{sql: remnants, keep: true, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			r := store.Remnant{Key: f.int64(), Resource: fhir.Resource{Ref: fhir.Ref{Type: typ, ID: f.text()}}}
			r.Resource.Ref.Version = int64(f.int32())
			content := f.bytes()
			if err := f.err(); err != nil {
				return err
			}
			var err error
			r.Resource.JSON, err = store.Expand(content)
			found = append(found, r)
			return err
		}})
	})
	return found, err
}
