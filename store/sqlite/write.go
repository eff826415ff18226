package sqlite

import (
	"cmp"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	insertResource = `INSERT INTO resource (rkey, type, id, version, updated, live, postings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`
	updateResource = `UPDATE resource SET version = ?2, updated = ?3, live = ?4, postings = ?5 WHERE rkey = ?1 AND version = ?6`
	insertVersion  = `INSERT INTO version (rkey, version, type, updated, method, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`
	insertPosting  = `INSERT INTO posting (posting, rkey) VALUES (?1, ?2)`
	deletePosting  = `DELETE FROM posting WHERE posting = ?1 AND rkey = ?2`
	insertDate     = `INSERT INTO date_value (rkey, param, lo, hi, mark, pair_code, pair_both) VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, 0))`
	deleteDate     = `DELETE FROM date_value WHERE rkey = ?1 AND param = ?2 AND lo = ?3 AND hi = ?4 AND mark = ?5 AND pair_code IS ?6 AND pair_both = coalesce(?7, 0)`
	insertNumber   = `INSERT INTO number_value (rkey, param, value, mark, lo, hi, unit1, unit2, unit3, pair_code, pair_both) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
	deleteNumber   = `DELETE FROM number_value WHERE rkey = ?1 AND param = ?2 AND value = ?3 AND mark = ?4 AND lo IS ?5 AND hi IS ?6 AND unit1 IS ?7 AND unit2 IS ?8 AND unit3 IS ?9 AND pair_code IS ?10 AND pair_both IS ?11`
	insertString   = `INSERT INTO string_value (rkey, param, folded, mark, exact, pair_code, pair_both) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`
	deleteString   = `DELETE FROM string_value WHERE rkey = ?1 AND param = ?2 AND folded = ?3 AND mark = ?4 AND exact IS ?5 AND pair_code IS ?6 AND pair_both IS ?7`
	insertPlace    = `INSERT INTO place_value (rkey, param, lat, lon) VALUES (?1, ?2, ?3, ?4)`
	deletePlace    = `DELETE FROM place_value WHERE rkey = ?1 AND param = ?2 AND lat = ?3 AND lon = ?4`
	insertWord     = `INSERT OR IGNORE INTO word (param, kind, text, posting) VALUES (?1, ?2, ?3, ?4)`
)

// run executes a statement that returns nothing. Each argument is an int64,
// float64, string, []byte or nil.
func run(conn *sqlite.Conn, sql string, args ...any) error {
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		switch arg := arg.(type) {
		case int64:
			stmt.BindInt64(i+1, arg)
		case float64:
			stmt.BindFloat(i+1, arg)
		case string:
			stmt.BindText(i+1, arg)
		case []byte:
			stmt.BindBytes(i+1, arg)
		case nil:
			stmt.BindNull(i + 1)
		}
	}
	_, err = stmt.Step()
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return err
}

// moved turns a broken unique constraint into store.ErrMoved.
func moved(err error) error {
	switch sqlite.ErrCode(err) {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintRowID:
		return store.ErrMoved
	}
	return err
}

func insertPlaceholders(conn *sqlite.Conn, rows []store.Write) error {
	for i := range rows {
		w := &rows[i]
		err := run(conn, insertResource, w.Key, int64(index.TypeNumber(w.Ref.Type)), w.Ref.ID, int64(0), int64(0), int64(0), []byte{})
		if err != nil {
			return moved(err)
		}
	}
	return nil
}

// valueStatements insert or delete rows of the tables of values.
type valueStatements struct {
	date, number, text, place string
	fullText                  func(*sqlite.Conn, int64, *index.FullText) error
	person                    func(*sqlite.Conn, int64, *index.Person) error
}

var (
	inserting = valueStatements{insertDate, insertNumber, insertString, insertPlace, insertFullText, insertPerson}
	deleting  = valueStatements{deleteDate, deleteNumber, deleteString, deletePlace, deleteFullText, deletePerson}
)

// write stores all writes, and new words, within the transaction of conn.
func write(conn *sqlite.Conn, writes []store.Write, words []search.Word, now int64) error {
	if slices.ContainsFunc(writes, func(w store.Write) bool { return w.Reindex && w.Key != 0 }) {
		if err := noteReindexing(conn); err != nil {
			return err
		}
	}
	if err := writeEvents(conn, writes); err != nil {
		return err
	}
	if err := writeEntries(conn, writes, now); err != nil {
		return err
	}
	if err := writeBirths(conn, writes); err != nil {
		return err
	}
	for i := range writes {
		if err := writeVersion(conn, &writes[i]); err != nil {
			return err
		}
	}
	if err := writePostings(conn, writes); err != nil {
		return err
	}
	for i := range writes {
		w := &writes[i]
		if err := writeValues(conn, w.Key, &w.Gone, deleting); err != nil {
			return err
		}
		if err := writeValues(conn, w.Key, &w.Added, inserting); err != nil {
			return err
		}
	}
	if err := writeBlobs(conn, writes); err != nil {
		return err
	}
	if err := erase(conn, writes); err != nil {
		return err
	}
	for i := range words {
		w := &words[i]
		if err := run(conn, insertWord, param(w.Param), int64(w.Kind), w.Text, w.Posting); err != nil {
			return err
		}
	}
	return nil
}

func writeVersion(conn *sqlite.Conn, w *store.Write) error {
	if w.Key == 0 {
		return nil
	}
	typ, updated := int64(index.TypeNumber(w.Ref.Type)), w.Updated.UnixMicro()
	live := int64(1)
	if w.Method == fhir.DELETE {
		live = 0
	}
	packed := pack(w.Index.Postings)
	if w.Fresh {
		if err := run(conn, insertResource, w.Key, typ, w.Ref.ID, w.Ref.Version, updated, live, packed); err != nil {
			return moved(err)
		}
	} else {
		if err := run(conn, updateResource, w.Key, w.Ref.Version, updated, live, packed, w.Was); err != nil {
			return err
		}
		if conn.Changes() == 0 {
			return store.ErrMoved
		}
	}
	if w.Reindex {
		return nil
	}
	content := w.Content
	if content == nil {
		content = []byte{}
	}
	if err := run(conn, insertVersion, w.Key, w.Ref.Version, typ, updated, int64(w.Method), content); err != nil {
		return moved(err)
	}
	return run(conn, insertFeed, w.Key, w.Ref.Version, store.FeedTargets(w))
}

// writePostings changes the postings of all writes in the order of the table,
// so that neighbours are written together.
func writePostings(conn *sqlite.Conn, writes []store.Write) error {
	type pair struct{ posting, key int64 }
	var gone, added []pair
	for i := range writes {
		for _, p := range writes[i].Gone.Postings {
			gone = append(gone, pair{p, writes[i].Key})
		}
		for _, p := range index.Sought(writes[i].Added.Postings) {
			added = append(added, pair{p, writes[i].Key})
		}
	}
	for _, change := range []struct {
		sql   string
		pairs []pair
	}{{deletePosting, gone}, {insertPosting, added}} {
		if len(change.pairs) == 0 {
			continue
		}
		slices.SortFunc(change.pairs, func(a, b pair) int {
			return cmp.Or(cmp.Compare(a.posting, b.posting), cmp.Compare(a.key, b.key))
		})
		stmt, err := conn.Prepare(change.sql)
		if err != nil {
			return err
		}
		for _, p := range change.pairs {
			stmt.BindInt64(1, p.posting)
			stmt.BindInt64(2, p.key)
			_, err := stmt.Step()
			if resetErr := stmt.Reset(); err == nil {
				err = resetErr
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func writeValues(conn *sqlite.Conn, key int64, rows *index.Rows, by valueStatements) error {
	for _, d := range rows.Dates {
		if err := run(conn, by.date, key, param(d.Param), d.Lo, d.Hi, int64(d.Mark), hash(d.Pair.Code), hash(d.Pair.Both)); err != nil {
			return err
		}
	}
	for _, n := range rows.Numbers {
		args := []any{key, param(n.Param), n.Value, int64(n.Mark), nil, nil, nil, nil, nil, hash(n.Pair.Code), hash(n.Pair.Both)}
		if !n.Plain() {
			args[4], args[5] = n.Lo, n.Hi
		}
		for i, unit := range n.Units {
			if unit != 0 {
				args[6+i] = unit
			}
		}
		if err := run(conn, by.number, args...); err != nil {
			return err
		}
	}
	for _, s := range rows.Strings {
		var exact any
		if s.Exact != "" {
			exact = s.Exact
		}
		if err := run(conn, by.text, key, param(s.Param), s.Folded, int64(s.Mark), exact, hash(s.Pair.Code), hash(s.Pair.Both)); err != nil {
			return err
		}
	}
	for _, p := range rows.Places {
		if err := run(conn, by.place, key, param(p.Param), p.Lat, p.Lon); err != nil {
			return err
		}
	}
	for i := range rows.Texts {
		if err := by.fullText(conn, key, &rows.Texts[i]); err != nil {
			return err
		}
	}
	for i := range rows.People {
		if err := by.person(conn, key, &rows.People[i]); err != nil {
			return err
		}
	}
	return nil
}

// hash is a hash of a pair as it is stored: null for none.
func hash(h int64) any {
	if h == 0 {
		return nil
	}
	return h
}

// param is the number of a search parameter as it is stored.
func param(id uint16) int64 { return int64(int16(id)) }

// current returns where each of refs stands.
func current(conn *sqlite.Conn, refs []fhir.Ref) ([]store.Row, error) {
	rows := make([]store.Row, len(refs))
	for i, ref := range refs {
		if err := currentRow(conn, ref, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func currentRow(conn *sqlite.Conn, ref fhir.Ref, row *store.Row) error {
	const sql = `SELECT r.rkey, r.version, r.updated, r.live, r.postings, v.method, v.content
FROM resource r LEFT JOIN version v ON v.rkey = r.rkey AND v.version = r.version WHERE r.type = ?1 AND r.id = ?2`
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	stmt.BindInt64(1, int64(index.TypeNumber(ref.Type)))
	stmt.BindText(2, ref.ID)
	ok, err := stmt.Step()
	live := false
	if ok {
		row.Key = stmt.ColumnInt64(0)
		row.Resource = fhir.Resource{
			Ref:     fhir.Ref{Type: ref.Type, ID: ref.ID, Version: stmt.ColumnInt64(1)},
			Updated: time.UnixMicro(stmt.ColumnInt64(2)).UTC(),
			Method:  fhir.Method(stmt.ColumnInt64(5)),
		}
		if live = stmt.ColumnInt64(3) != 0; live {
			row.Content = bytesOf(stmt, 6)
			row.Index.Postings = unpack(bytesOf(stmt, 4))
		}
	}
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	if err != nil || !live {
		return err
	}
	return currentValues(conn, row)
}

// currentValues reads the rows of a resource in the tables of values.
func currentValues(conn *sqlite.Conn, row *store.Row) error {
	err := each(conn, `SELECT param, lo, hi, mark, pair_code, pair_both FROM date_value WHERE rkey = ?1`, row.Key, func(s *sqlite.Stmt) {
		row.Index.Dates = append(row.Index.Dates, index.Date{
			Param: uint16(s.ColumnInt64(0)), Lo: s.ColumnInt64(1), Hi: s.ColumnInt64(2), Mark: int16(s.ColumnInt64(3)),
			Pair: pairAt(s, 4),
		})
	})
	if err != nil {
		return err
	}
	const numbers = `SELECT param, value, mark, coalesce(lo, value), coalesce(hi, value), unit1, unit2, unit3, pair_code, pair_both FROM number_value WHERE rkey = ?1`
	err = each(conn, numbers, row.Key, func(s *sqlite.Stmt) {
		row.Index.Numbers = append(row.Index.Numbers, index.Number{
			Param: uint16(s.ColumnInt64(0)), Value: s.ColumnFloat(1), Mark: int16(s.ColumnInt64(2)),
			Lo: s.ColumnFloat(3), Hi: s.ColumnFloat(4),
			Units: [3]int64{s.ColumnInt64(5), s.ColumnInt64(6), s.ColumnInt64(7)},
			Pair:  pairAt(s, 8),
		})
	})
	if err != nil {
		return err
	}
	err = each(conn, `SELECT param, folded, mark, exact, pair_code, pair_both FROM string_value WHERE rkey = ?1`, row.Key, func(s *sqlite.Stmt) {
		row.Index.Strings = append(row.Index.Strings, index.String{
			Param: uint16(s.ColumnInt64(0)), Folded: s.ColumnText(1), Mark: int16(s.ColumnInt64(2)), Exact: s.ColumnText(3), Pair: pairAt(s, 4),
		})
	})
	if err != nil {
		return err
	}
	err = each(conn, `SELECT param, lat, lon FROM place_value WHERE rkey = ?1`, row.Key, func(s *sqlite.Stmt) {
		row.Index.Places = append(row.Index.Places, search.Place{Param: uint16(s.ColumnInt64(0)), Lat: s.ColumnFloat(1), Lon: s.ColumnFloat(2)})
	})
	if err != nil {
		return err
	}
	err = each(conn, `SELECT print FROM text_print WHERE rkey = ?1`, row.Key, func(s *sqlite.Stmt) {
		row.Index.Texts = append(row.Index.Texts, index.FullText{Print: s.ColumnInt64(0)})
	})
	if err != nil {
		return err
	}
	return each(conn, `SELECT print FROM person WHERE rkey = ?1`, row.Key, func(s *sqlite.Stmt) {
		row.Index.People = append(row.Index.People, index.Person{Print: s.ColumnInt64(0)})
	})
}

// pairAt reads the pair in two columns; null is 0.
func pairAt(s *sqlite.Stmt, column int) search.Pair {
	return search.Pair{Code: s.ColumnInt64(column), Both: s.ColumnInt64(column + 1)}
}

// each calls f for every row that a statement with one number as its argument returns.
func each(conn *sqlite.Conn, sql string, arg int64, f func(*sqlite.Stmt)) error {
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	stmt.BindInt64(1, arg)
	for {
		ok, err := stmt.Step()
		if err != nil {
			return err
		}
		if !ok {
			return stmt.Reset()
		}
		f(stmt)
	}
}
