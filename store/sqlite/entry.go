package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

const (
	selectEntry = `SELECT kind, key, "group", version, expires, value FROM entry WHERE kind = ?1 AND (expires IS NULL OR expires > ?2) AND `
	oneEntry    = selectEntry + `key = ?3`
	// With the + the plan does not depend on the limit, and is not made anew for each.
	entriesOf     = selectEntry + `key > ?3 ORDER BY key LIMIT +?4`
	entriesWithin = selectEntry + `key > ?3 AND "group" = ?5 AND "group" <> '' ORDER BY key LIMIT +?4`

	// An entry that has expired is as good as none: a new one takes its place.
	insertEntry = `INSERT INTO entry (kind, key, "group", version, expires, value) VALUES (?1, ?2, ?3, 1, ?4, ?5)
ON CONFLICT (kind, key) DO UPDATE SET "group" = excluded."group", version = 1, expires = excluded.expires, value = excluded.value
WHERE entry.expires <= ?6`
	updateEntry = `UPDATE entry SET "group" = ?3, version = version + 1, expires = ?4, value = ?5
WHERE kind = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?6) AND version = ?7`
	deleteEntry  = `DELETE FROM entry WHERE kind = ?1 AND key = ?2 AND (?3 = 0 OR version = ?3 OR expires <= ?4)`
	sweepEntries = `DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE expires <= ?1 ORDER BY expires LIMIT ?2)`
)

// Entry returns an entry. Errors: fhir.NotFound, also for one that has expired.
func (s *Store) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	if store.EntryName(kind) && store.EntryName(key) {
		found, err := s.entries(ctx, oneEntry, kind, s.moment(), key)
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
	if group == "" {
		return s.entries(ctx, entriesOf, kind, s.moment(), after, int64(limit))
	}
	return s.entries(ctx, entriesWithin, kind, s.moment(), after, int64(limit), group)
}

// moment is the present as an argument.
func (s *Store) moment() int64 { return s.options.Now().UnixMicro() }

func (s *Store) entries(ctx context.Context, sql string, args ...any) (found []fhir.Entry, err error) {
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
		e := fhir.Entry{
			Kind: stmt.ColumnText(0), Key: stmt.ColumnText(1), Group: stmt.ColumnText(2), Version: stmt.ColumnInt64(3), Value: bytesOf(stmt, 5),
		}
		if stmt.ColumnType(4) != sqlite.TypeNull {
			e.Expires = time.UnixMicro(stmt.ColumnInt64(4)).UTC()
		}
		found = append(found, e)
	})
	return found, err
}

// Put writes entries, all or none. The Version of each must be that of the stored
// one, 0 for one that must not exist; each becomes one more.
// Errors: fhir.Conflict; fhir.Invalid for a name that cannot be stored.
func (s *Store) Put(ctx context.Context, entries ...fhir.Entry) error {
	if err := store.CheckEntries(entries); err != nil || len(entries) == 0 {
		return err
	}
	now := s.moment()
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		for i := range entries {
			if err := putEntry(conn, &entries[i], now); err != nil {
				return err
			}
		}
		if s.sweeper.Due(time.UnixMicro(now)) {
			return run(conn, sweepEntries, now, int64(store.SweepMost))
		}
		return nil
	})
}

// writeEntries writes the state of batches, within their transaction.
func writeEntries(conn *sqlite.Conn, writes []store.Write, now int64) error {
	for i := range writes {
		for j := range writes[i].Entries {
			if err := putEntry(conn, &writes[i].Entries[j], now); err != nil {
				return err
			}
		}
	}
	return nil
}

func putEntry(conn *sqlite.Conn, e *fhir.Entry, now int64) error {
	var expires any
	if at, ever := store.EntryExpires(e.Expires); ever {
		expires = at
	}
	value := e.Value
	if value == nil {
		value = []byte{}
	}
	var err error
	if e.Version == 0 {
		err = run(conn, insertEntry, e.Kind, e.Key, e.Group, expires, value, now)
	} else {
		err = run(conn, updateEntry, e.Kind, e.Key, e.Group, expires, value, now, e.Version)
	}
	if err == nil && conn.Changes() == 0 {
		err = store.EntryMoved()
	}
	return err
}

// Remove removes an entry if it still has that version; 0 stands for any.
// Errors: fhir.Conflict. That there is none is no error.
func (s *Store) Remove(ctx context.Context, kind, key string, version int64) error {
	if !store.EntryName(kind) || !store.EntryName(key) {
		return nil
	}
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		if err := run(conn, deleteEntry, kind, key, version, s.moment()); err != nil || conn.Changes() > 0 {
			return err
		}
		stmt, err := conn.Prepare(`SELECT 1 FROM entry WHERE kind = ?1 AND key = ?2`)
		if err != nil {
			return err
		}
		stmt.BindText(1, kind)
		stmt.BindText(2, key)
		there, err := stmt.Step()
		if resetErr := stmt.Reset(); err == nil {
			err = resetErr
		}
		if err == nil && there {
			err = store.EntryMoved()
		}
		return err
	})
}
