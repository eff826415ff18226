package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// Those that must write a row fail by a division by zero when they do not: they have to
// undo what was written before them, without another round trip.
const (
	insertBirth = `WITH x AS (INSERT INTO birth (folio, version, state, facility, born, namesake, token, certified, registered, "row", content)
VALUES ($1::text, 1, $2::text, $3::text, $4::text, $5::text, nullif($6::text, ''), nullif($7::bigint, 0), nullif($8::bigint, 0), $9::text, $10::bytea)
ON CONFLICT DO NOTHING RETURNING 1) SELECT 1 / count(*) FROM x`
	updateBirth = `WITH x AS (UPDATE birth SET version = version + 1, state = $2::text, facility = $3::text, born = $4::text, namesake = $5::text,
token = nullif($6::text, ''), certified = nullif($7::bigint, 0), registered = nullif($8::bigint, 0), "row" = $9::text, content = $10::bytea
WHERE folio = $1::text AND version = $11::bigint RETURNING 1) SELECT 1 / count(*) FROM x`
	leaveGuard = `DELETE FROM birth_live WHERE folio = $1::text AND guard <> $2::text`
	takeGuard  = `WITH x AS (INSERT INTO birth_live (guard, folio) VALUES ($1::text, $2::text)
ON CONFLICT (guard) DO UPDATE SET folio = excluded.folio WHERE birth_live.folio = excluded.folio RETURNING 1) SELECT 1 / count(*) FROM x`
	insertBirthEvent = `INSERT INTO birth_event (folio, version, kind, at, who, note) VALUES ($1::text, $2::bigint, $3::text, $4::bigint, $5::text, $6::text)`

	rangeColumns = `id, facility, year, prefix, width, first, last, next, node`
	// Who waits for another one that takes from the same range goes on from where that one left it.
	takeFolios = `UPDATE birth_range SET next = next + $3 WHERE node = '' AND next + $3 <= last + 1 AND id =
  (SELECT id FROM birth_range WHERE facility = $1 AND year = $2 AND node = '' AND next + $3 <= last + 1 ORDER BY first, id LIMIT 1)
RETURNING id, facility, year, prefix, width, first, last, next - $3, node`
	meetRange   = `SELECT count(*) FROM birth_range WHERE prefix = $1 AND width = $2 AND first <= $4 AND last >= $3`
	insertRange = `INSERT INTO birth_range (` + rangeColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`

	insertOldBirths = `INSERT INTO birth_old (source, line, year, "row") SELECT * FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[]) ON CONFLICT DO NOTHING`
	oldBirths       = `SELECT source, line, year, "row" FROM birth_old WHERE ($1::integer = 0 OR year = $1) AND (source, line) > ($2, $3) ORDER BY source, line LIMIT $4`
)

// births returns the calls that write the ledger of births of a batch.
func births(writes []store.Write) (calls []call) {
	for i := range writes {
		for j := range writes[i].Births {
			calls = append(calls, birthCalls(&writes[i].Births[j])...)
		}
	}
	return calls
}

func birthCalls(b *fhir.Birth) []call {
	row, err := json.Marshal(b.Row)
	if err != nil {
		panic(err) // strings
	}
	put := call{sql: insertBirth, args: [][]byte{
		[]byte(b.Folio), []byte(b.State), []byte(b.Facility), []byte(b.Born), []byte(b.Namesake), []byte(b.Token),
		int64Bytes(micros(b.Certified)), int64Bytes(micros(b.Registered)), row, b.Value,
	}}
	if b.Version > 0 {
		put.sql, put.args = updateBirth, append(put.args, int64Bytes(b.Version))
	}
	calls := []call{put, {sql: leaveGuard, args: [][]byte{[]byte(b.Folio), []byte(b.Guard)}}}
	if b.Guard != "" {
		calls = append(calls, call{sql: takeGuard, args: [][]byte{[]byte(b.Guard), []byte(b.Folio)}})
	}
	e := &b.Event
	calls = append(calls, call{sql: insertBirthEvent, args: [][]byte{
		[]byte(b.Folio), int64Bytes(b.Version + 1), []byte(e.Kind), int64Bytes(e.At.UnixMicro()), []byte(e.Who), []byte(e.Note),
	}})
	for i := range calls {
		calls[i].keep = true
		for n, arg := range calls[i].args {
			if arg == nil { // null otherwise
				calls[i].args[n] = []byte{}
			}
		}
	}
	return calls
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

// Births returns the certificates that are asked for, by folio.
func (s *Store) Births(ctx context.Context, q *fhir.BirthQuery) ([]fhir.Birth, error) {
	where, args := store.BirthWhere(q, func(n int) string { return "$" + strconv.Itoa(n) })
	sql := `SELECT ` + store.BirthColumns + ` FROM birth b WHERE ` + where + ` ORDER BY b.folio`
	if q.Limit > 0 {
		sql += ` LIMIT ` + strconv.Itoa(q.Limit)
	}
	return all(ctx, s, sql, args, func(r pgx.Rows) (b fhir.Birth, err error) {
		var certified, registered int64
		var row string
		if err = r.Scan(&b.Folio, &b.Version, &b.State, &b.Facility, &b.Born, &b.Namesake, &b.Token, &certified, &registered, &row, &b.Value, &b.Guard); err != nil {
			return b, err
		}
		b.Certified, b.Registered = timeOf(certified), timeOf(registered)
		return b, json.Unmarshal([]byte(row), &b.Row)
	})
}

// all reads the rows of a SELECT.
func all[T any](ctx context.Context, s *Store, sql string, args []any, scan func(pgx.Rows) (T, error)) (found []T, err error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(err)
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, failure(rows.Err())
}

// BirthEvents returns the steps of a certificate, first to last.
func (s *Store) BirthEvents(ctx context.Context, folio string) ([]fhir.BirthEvent, error) {
	const sql = `SELECT version, kind, at, who, note FROM birth_event WHERE folio = $1 ORDER BY version`
	return all(ctx, s, sql, []any{folio}, func(r pgx.Rows) (e fhir.BirthEvent, err error) {
		var at int64
		err = r.Scan(&e.Version, &e.Kind, &at, &e.Who, &e.Note)
		e.At = timeOf(at)
		return e, err
	})
}

func scanRange(r pgx.Row) (f fhir.FolioRange, err error) {
	err = r.Scan(&f.ID, &f.Facility, &f.Year, &f.Prefix, &f.Width, &f.First, &f.Last, &f.Next, &f.Node)
	return f, err
}

// FolioRanges returns the ranges of an establishment, of all with "".
func (s *Store) FolioRanges(ctx context.Context, facility string) ([]fhir.FolioRange, error) {
	const sql = `SELECT ` + rangeColumns + ` FROM birth_range WHERE $1::text = '' OR facility = $1 ORDER BY facility, year, prefix, first`
	return all(ctx, s, sql, []any{facility}, func(r pgx.Rows) (fhir.FolioRange, error) { return scanRange(r) })
}

// takeTries is how often folios are looked for again, since others emptied a range meanwhile.
const takeTries = 5

// TakeFolios takes count folios in a row from those that the server gives out for an
// establishment and year, for good. It returns their range, Next being the first of them.
// Errors: fhir.NotFound where there are not as many.
func (s *Store) TakeFolios(ctx context.Context, facility string, year int, count int64) (taken fhir.FolioRange, err error) {
	for range takeTries {
		taken, err = scanRange(s.pool.QueryRow(ctx, takeFolios, facility, year, count))
		if !errors.Is(err, pgx.ErrNoRows) {
			return taken, failure(err)
		}
	}
	return taken, store.NoFolios()
}

// AddFolios adds a range, unless there is one with its id. alone says that it must not
// meet another. Errors: fhir.Conflict when it does.
func (s *Store) AddFolios(ctx context.Context, r fhir.FolioRange, alone bool) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE birth_range IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		var met int
		if err := tx.QueryRow(ctx, meetRange, r.Prefix, r.Width, r.First, r.Last).Scan(&met); err != nil {
			return err
		}
		if alone && met > 0 {
			return store.FoliosTaken()
		}
		_, err := tx.Exec(ctx, insertRange, r.ID, r.Facility, r.Year, r.Prefix, r.Width, r.First, r.Last, r.Next, r.Node)
		return err
	})
	return failure(err)
}

// AddOldBirths adds published births, but those that are there. It returns how many it added.
func (s *Store) AddOldBirths(ctx context.Context, all []fhir.OldBirth) (int, error) {
	var sources, rows []string
	var lines []int64
	var years []int32
	for i := range all {
		row, err := json.Marshal(all[i].Row)
		if err != nil {
			return 0, err
		}
		sources, lines = append(sources, all[i].Source), append(lines, all[i].Line)
		years, rows = append(years, int32(all[i].Year)), append(rows, string(row))
	}
	done, err := s.pool.Exec(ctx, insertOldBirths, sources, lines, years, rows)
	return int(done.RowsAffected()), failure(err)
}

// OldBirths returns published births of a year, 0 for all, after one of them.
func (s *Store) OldBirths(ctx context.Context, year int, after fhir.OldBirth, limit int) ([]fhir.OldBirth, error) {
	return all(ctx, s, oldBirths, []any{year, after.Source, after.Line, limit}, func(r pgx.Rows) (b fhir.OldBirth, err error) {
		var row string
		if err = r.Scan(&b.Source, &b.Line, &b.Year, &row); err != nil {
			return b, err
		}
		return b, json.Unmarshal([]byte(row), &b.Row)
	})
}
