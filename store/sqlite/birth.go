package sqlite

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

const (
	insertBirth = `INSERT INTO birth (folio, version, state, facility, born, namesake, token, certified, registered, "row", content)
VALUES (?1, 1, ?2, ?3, ?4, ?5, nullif(?6, ''), nullif(?7, 0), nullif(?8, 0), ?9, ?10) ON CONFLICT DO NOTHING`
	updateBirth = `UPDATE birth SET version = version + 1, state = ?2, facility = ?3, born = ?4, namesake = ?5, token = nullif(?6, ''),
certified = nullif(?7, 0), registered = nullif(?8, 0), "row" = ?9, content = ?10 WHERE folio = ?1 AND version = ?11`
	leaveGuard = `DELETE FROM birth_live WHERE folio = ?1 AND guard <> ?2`
	takeGuard  = `INSERT INTO birth_live (guard, folio) VALUES (?1, ?2)
ON CONFLICT (guard) DO UPDATE SET folio = excluded.folio WHERE birth_live.folio = excluded.folio`
	insertBirthEvent = `INSERT INTO birth_event (folio, version, kind, at, who, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`

	selectRange = `SELECT id, facility, year, prefix, width, first, last, next, node FROM birth_range `
	nextFolio   = selectRange + `WHERE facility = ?1 AND year = ?2 AND node = '' AND next + ?3 <= last + 1 ORDER BY first, id LIMIT 1`
	takeFolios  = `UPDATE birth_range SET next = next + ?2 WHERE id = ?1`
	meetRange   = selectRange + `WHERE prefix = ?1 AND width = ?2 AND first <= ?4 AND last >= ?3 LIMIT 1`
	insertRange = `INSERT INTO birth_range (id, facility, year, prefix, width, first, last, next, node) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING`

	insertOldBirth = `INSERT INTO birth_old (source, line, year, "row") VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`
	oldBirths      = `SELECT source, line, year, "row" FROM birth_old WHERE (?1 = 0 OR year = ?1) AND (source, line) > (?2, ?3) ORDER BY source, line LIMIT ?4`
)

// writeBirths writes rows of the ledger of births within the transaction of a batch.
func writeBirths(conn *sqlite.Conn, writes []store.Write) error {
	for i := range writes {
		for j := range writes[i].Births {
			if err := writeBirth(conn, &writes[i].Births[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeBirth(conn *sqlite.Conn, b *fhir.Birth) error {
	row, err := json.Marshal(b.Row)
	if err != nil {
		return err
	}
	sql := insertBirth
	args := []any{b.Folio, b.State, b.Facility, b.Born, b.Namesake, b.Token, micros(b.Certified), micros(b.Registered), string(row), b.Value}
	if b.Version > 0 {
		sql, args = updateBirth, append(args, b.Version)
	}
	if err := mustRun(conn, sql, args...); err != nil {
		return err
	}
	if err := run(conn, leaveGuard, b.Folio, b.Guard); err != nil {
		return err
	}
	if b.Guard != "" {
		if err := mustRun(conn, takeGuard, b.Guard, b.Folio); err != nil {
			return err
		}
	}
	e := &b.Event
	return run(conn, insertBirthEvent, b.Folio, b.Version+1, e.Kind, e.At.UnixMicro(), e.Who, e.Note)
}

// mustRun runs what must write a row.
func mustRun(conn *sqlite.Conn, sql string, args ...any) error {
	err := run(conn, sql, args...)
	if err == nil && conn.Changes() == 0 {
		err = store.EntryMoved()
	}
	return err
}

// micros is a time as it is stored, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// rows runs a SELECT and calls f for each row; the first error of f ends nothing but is
// returned.
func (s *Store) rows(ctx context.Context, sql string, args []any, f func(*sqlite.Stmt) error) error {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	return rowsOf(conn, sql, args, f)
}

func rowsOf(conn *sqlite.Conn, sql string, args []any, f func(*sqlite.Stmt) error) error {
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	if err := bind(stmt, args); err != nil {
		return err
	}
	var failed error
	err = steps(stmt, func(stmt *sqlite.Stmt) {
		if failed == nil {
			failed = f(stmt)
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// Births returns the certificates that are asked for, by folio.
func (s *Store) Births(ctx context.Context, q *fhir.BirthQuery) (found []fhir.Birth, err error) {
	where, args := store.BirthWhere(q, func(n int) string { return "?" + strconv.Itoa(n) })
	sql := `SELECT ` + store.BirthColumns + ` FROM birth b WHERE ` + where + ` ORDER BY b.folio`
	if q.Limit > 0 {
		sql += ` LIMIT ` + strconv.Itoa(q.Limit)
	}
	err = s.rows(ctx, sql, args, func(stmt *sqlite.Stmt) error {
		b := fhir.Birth{
			Folio: stmt.ColumnText(0), Version: stmt.ColumnInt64(1), State: stmt.ColumnText(2), Facility: stmt.ColumnText(3), Born: stmt.ColumnText(4),
			Namesake: stmt.ColumnText(5), Token: stmt.ColumnText(6), Certified: timeOf(stmt.ColumnInt64(7)), Registered: timeOf(stmt.ColumnInt64(8)),
			Value: bytesOf(stmt, 10), Guard: stmt.ColumnText(11),
		}
		found = append(found, b)
		return json.Unmarshal(bytesOf(stmt, 9), &found[len(found)-1].Row)
	})
	return found, err
}

// BirthEvents returns the steps of a certificate, first to last.
func (s *Store) BirthEvents(ctx context.Context, folio string) (found []fhir.BirthEvent, err error) {
	err = s.rows(ctx, `SELECT version, kind, at, who, note FROM birth_event WHERE folio = ?1 ORDER BY version`, []any{folio}, func(stmt *sqlite.Stmt) error {
		found = append(found, fhir.BirthEvent{
			Version: stmt.ColumnInt64(0), Kind: stmt.ColumnText(1), At: timeOf(stmt.ColumnInt64(2)), Who: stmt.ColumnText(3), Note: stmt.ColumnText(4),
		})
		return nil
	})
	return found, err
}

func rangeOf(stmt *sqlite.Stmt) fhir.FolioRange {
	return fhir.FolioRange{
		ID: stmt.ColumnText(0), Facility: stmt.ColumnText(1), Year: int(stmt.ColumnInt64(2)), Prefix: stmt.ColumnText(3), Width: int(stmt.ColumnInt64(4)),
		First: stmt.ColumnInt64(5), Last: stmt.ColumnInt64(6), Next: stmt.ColumnInt64(7), Node: stmt.ColumnText(8),
	}
}

// FolioRanges returns the ranges of an establishment, of all with "".
func (s *Store) FolioRanges(ctx context.Context, facility string) (found []fhir.FolioRange, err error) {
	err = s.rows(ctx, selectRange+`WHERE ?1 = '' OR facility = ?1 ORDER BY facility, year, prefix, first`, []any{facility}, func(stmt *sqlite.Stmt) error {
		found = append(found, rangeOf(stmt))
		return nil
	})
	return found, err
}

// TakeFolios takes count folios in a row from those that the server gives out for an
// establishment and year, for good. It returns their range, Next being the first of them.
// Errors: fhir.NotFound where there are not as many.
func (s *Store) TakeFolios(ctx context.Context, facility string, year int, count int64) (taken fhir.FolioRange, err error) {
	err = s.writer.do(ctx, func(conn *sqlite.Conn) error {
		taken = fhir.FolioRange{}
		err := rowsOf(conn, nextFolio, []any{facility, int64(year), count}, func(stmt *sqlite.Stmt) error {
			taken = rangeOf(stmt)
			return nil
		})
		if err != nil {
			return err
		}
		if taken.ID == "" {
			return store.NoFolios()
		}
		return run(conn, takeFolios, taken.ID, count)
	})
	return taken, err
}

// AddFolios adds a range, unless there is one with its id. alone says that it must not
// meet another. Errors: fhir.Conflict when it does.
func (s *Store) AddFolios(ctx context.Context, r fhir.FolioRange, alone bool) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		met := false
		err := rowsOf(conn, meetRange, []any{r.Prefix, int64(r.Width), r.First, r.Last}, func(*sqlite.Stmt) error {
			met = true
			return nil
		})
		if err == nil && alone && met {
			err = store.FoliosTaken()
		}
		if err != nil {
			return err
		}
		return run(conn, insertRange, r.ID, r.Facility, int64(r.Year), r.Prefix, int64(r.Width), r.First, r.Last, r.Next, r.Node)
	})
}

// AddOldBirths adds published births, but those that are there. It returns how many it added.
func (s *Store) AddOldBirths(ctx context.Context, all []fhir.OldBirth) (added int, err error) {
	err = s.writer.do(ctx, func(conn *sqlite.Conn) error {
		added = 0
		for i := range all {
			row, err := json.Marshal(all[i].Row)
			if err != nil {
				return err
			}
			if err := run(conn, insertOldBirth, all[i].Source, all[i].Line, int64(all[i].Year), string(row)); err != nil {
				return err
			}
			added += conn.Changes()
		}
		return nil
	})
	return added, err
}

// OldBirths returns published births of a year, 0 for all, after one of them.
func (s *Store) OldBirths(ctx context.Context, year int, after fhir.OldBirth, limit int) (found []fhir.OldBirth, err error) {
	err = s.rows(ctx, oldBirths, []any{int64(year), after.Source, after.Line, int64(limit)}, func(stmt *sqlite.Stmt) error {
		found = append(found, fhir.OldBirth{Source: stmt.ColumnText(0), Line: stmt.ColumnInt64(1), Year: int(stmt.ColumnInt64(2))})
		return json.Unmarshal(bytesOf(stmt, 3), &found[len(found)-1].Row)
	})
	return found, err
}
