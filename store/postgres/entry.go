package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

const (
	stmtEntry          = "amate_entry"
	stmtEntries        = "amate_entries"
	stmtEntriesGroup   = "amate_entries_group"
	stmtLockEntries    = "amate_lock_entries"
	stmtPutEntries     = "amate_put_entries"
	stmtPutEntriesWith = "amate_put_entries_with"
	stmtRemoveEntry    = "amate_remove_entry"
	stmtSweepEntries   = "amate_sweep_entries"
)

const liveEntry = ` AND (expires IS NULL OR expires > $2)`

const putEntries = `WITH x AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
  AS x (kind, key, "group", was, expires, value)),
new AS (INSERT INTO entry AS e (kind, key, "group", version, expires, value)
  SELECT kind, key, "group", 1, expires, value FROM x WHERE was = 0
  ON CONFLICT (kind, key) DO UPDATE SET "group" = excluded."group", version = 1, expires = excluded.expires, value = excluded.value
  WHERE e.expires <= $7 RETURNING 1),
changed AS (UPDATE entry e SET "group" = x."group", version = e.version + 1, expires = x.expires, value = x.value
  FROM x WHERE x.was > 0 AND e.kind = x.kind AND e.key = x.key AND e.version = x.was AND (e.expires IS NULL OR e.expires > $7) RETURNING 1),
done AS (SELECT (SELECT count(*) FROM new) + (SELECT count(*) FROM changed) AS n)
`

// entryStatements are the prepared statements of entries. An entry that has expired
// is as good as none: a new one takes its place.
var entryStatements = map[string]string{
	stmtEntry: `SELECT kind, key, "group", version, expires, value FROM entry WHERE kind = $1` + liveEntry + ` AND key = $3`,

	stmtEntries: `SELECT kind, key, "group", version, expires, value FROM entry
WHERE kind = $1` + liveEntry + ` AND key > $3 ORDER BY key LIMIT $4::bigint`,

	stmtEntriesGroup: `SELECT kind, key, "group", version, expires, value FROM entry
WHERE kind = $1` + liveEntry + ` AND key > $3 AND "group" = $5 AND "group" <> '' ORDER BY key LIMIT $4::bigint`,

	// Two that change the same entries meet at the first, and so never wait for one another.
	stmtLockEntries: `SELECT 1 FROM entry e JOIN unnest($1::text[], $2::text[]) AS x (kind, key) ON x.kind = e.kind AND x.key = e.key
ORDER BY e.kind, e.key FOR UPDATE OF e`,

	stmtPutEntries: putEntries + `SELECT n FROM done`,

	// It fails, by a division by zero, unless all are written: it has to undo what was
	// written before it in its transaction, without another round trip.
	stmtPutEntriesWith: putEntries + `SELECT 1 / (n = cardinality($1::text[]))::integer FROM done`,

	// Of one that has another version nothing is removed, and one is counted.
	stmtRemoveEntry: `WITH gone AS (DELETE FROM entry WHERE kind = $1 AND key = $3 AND ($4::bigint = 0 OR version = $4 OR expires <= $2) RETURNING 1)
SELECT count(*) FROM entry WHERE kind = $1` + liveEntry + ` AND key = $3 AND NOT EXISTS (SELECT 1 FROM gone)`,

	stmtSweepEntries: `WITH gone AS (DELETE FROM entry WHERE (kind, key) IN
  (SELECT kind, key FROM entry WHERE expires <= $1 ORDER BY expires LIMIT $2::bigint FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone`,
}

// Entry returns an entry. Errors: fhir.NotFound, also for one that has expired.
func (s *Store) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	if store.EntryName(kind) && store.EntryName(key) {
		found, err := s.selectEntries(ctx, stmtEntry, []byte(kind), s.moment(), []byte(key))
		if err != nil {
			return fhir.Entry{}, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "there is no such entry")
}

// Entries returns up to limit entries of a kind, and of a group unless that is "",
// ordered by key, with keys after after.
func (s *Store) Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	if !store.EntryName(kind) || !store.EntryName(group) || !store.EntryName(after) || limit <= 0 {
		return nil, nil
	}
	args := [][]byte{[]byte(kind), s.moment(), []byte(after), int64Bytes(int64(limit))}
	if group == "" {
		return s.selectEntries(ctx, stmtEntries, args...)
	}
	return s.selectEntries(ctx, stmtEntriesGroup, append(args, []byte(group))...)
}

// moment is the present as an argument.
func (s *Store) moment() []byte { return int64Bytes(s.options.Now().UnixMicro()) }

func (s *Store) selectEntries(ctx context.Context, name string, args ...[]byte) (found []fhir.Entry, err error) {
	err = s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{name: name, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			e := fhir.Entry{Kind: f.text(), Key: f.text(), Group: f.text(), Version: f.int64()}
			if f.isNull() {
				f.skip()
			} else {
				e.Expires = time.UnixMicro(f.int64()).UTC()
			}
			e.Value = f.bytes()
			found = append(found, e)
			return f.err()
		}})
	})
	return found, err
}

// putTries is how often entries are written again after a deadlock with others.
const putTries = 5

// Put writes entries, all or none. The Version of each must be that of the stored
// one, 0 for one that must not exist; each becomes one more.
// Errors: fhir.Conflict; fhir.Invalid for a name that cannot be stored.
func (s *Store) Put(ctx context.Context, entries ...fhir.Entry) error {
	if err := store.CheckEntries(entries); err != nil || len(entries) == 0 {
		return err
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b fhir.Entry) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Key, b.Key))
	})
	var err error
	for try := 1; ; try++ {
		err = s.with(ctx, func(c *connection) error {
			if len(entries) == 1 {
				return c.putEntries(ctx, entries)
			}
			t := &tx{connection: *c, locked: true}
			return t.finish(ctx, t.putEntries(ctx, entries))
		})
		if !errors.Is(err, store.ErrMoved) || try == putTries {
			break
		}
	}
	if errors.Is(err, store.ErrMoved) {
		err = store.EntryMoved()
	}
	if err == nil {
		s.sweep(ctx)
	}
	return err
}

// putEntries writes entries in the transaction of c; a single statement is one by
// itself. It returns an error unless all were written.
func (c *connection) putEntries(ctx context.Context, entries []fhir.Entry) error {
	written := int64(0)
	err := trip(ctx, c.pg, putCall(c.s, entries, &written))
	if err == nil && written != int64(len(entries)) {
		err = store.EntryMoved()
	}
	return err
}

// putEntries writes several entries in a transaction.
func (t *tx) putEntries(ctx context.Context, entries []fhir.Entry) error {
	places := newArrays(2)
	for i := range entries {
		places.row(2)
		places.text(entries[i].Kind)
		places.text(entries[i].Key)
	}
	written := int64(0)
	err := t.send(ctx, call{name: stmtLockEntries, args: places.arrays(oidText, oidText), row: passOver}, putCall(t.s, entries, &written))
	if err != nil {
		return err
	}
	if written != int64(len(entries)) {
		return store.EntryMoved()
	}
	return t.end(ctx, "COMMIT")
}

// entries returns the calls that write the state of a batch.
func (t *tx) entries(writes []store.Write) (calls []call) {
	for i := range writes {
		if len(writes[i].Entries) == 0 {
			continue
		}
		c := putCall(t.s, writes[i].Entries, nil)
		c.name, c.row = stmtPutEntriesWith, passOver
		calls = append(calls, c)
	}
	return calls
}

func passOver([]pgconn.FieldDescription, [][]byte) error { return nil }

func putCall(s *Store, entries []fhir.Entry, written *int64) call {
	e := newArrays(6)
	for i := range entries {
		x := &entries[i]
		e.row(6)
		e.text(x.Kind)
		e.text(x.Key)
		e.text(x.Group)
		e.int64(x.Version)
		if at, ever := store.EntryExpires(x.Expires); ever {
			e.int64(at)
		} else {
			e.null()
		}
		e.bytes(x.Value)
	}
	args := append(e.arrays(oidText, oidText, oidText, oidInt8, oidInt8, oidBytea), s.moment())
	return call{name: stmtPutEntries, args: args, row: number(written)}
}

// number reads a row that is one number.
func number(into *int64) func([]pgconn.FieldDescription, [][]byte) error {
	return func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		*into = f.int64()
		return f.err()
	}
}

// Remove removes an entry if it still has that version; 0 stands for any.
// Errors: fhir.Conflict. That there is none is no error.
func (s *Store) Remove(ctx context.Context, kind, key string, version int64) error {
	if !store.EntryName(kind) || !store.EntryName(key) {
		return nil
	}
	left := int64(0)
	err := s.with(ctx, func(c *connection) error {
		args := [][]byte{[]byte(kind), s.moment(), []byte(key), int64Bytes(version)}
		return trip(ctx, c.pg, call{name: stmtRemoveEntry, args: args, row: number(&left)})
	})
	if err == nil && left > 0 && version != 0 {
		err = store.EntryMoved()
	}
	return err
}

// sweep removes entries that have expired, now and then. Nothing depends on it, so
// that its failure is none of the caller; what is left is removed the next time.
func (s *Store) sweep(ctx context.Context) {
	if !s.sweeper.Due(s.options.Now()) {
		return
	}
	_ = s.with(ctx, func(c *connection) error {
		for gone := int64(store.SweepMost); gone == store.SweepMost; {
			args := [][]byte{s.moment(), int64Bytes(store.SweepMost)}
			if err := trip(ctx, c.pg, call{name: stmtSweepEntries, args: args, row: number(&gone)}); err != nil {
				return err
			}
		}
		return nil
	})
}
