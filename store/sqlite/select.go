package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

const readCurrent = `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content
FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = r.version WHERE r.type = ?1 AND r.id = ?2`

const readVersion = `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content
FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = ?3 WHERE r.type = ?1 AND r.id = ?2`

// read returns the version that ref names, nil when there is none.
func read(conn *sqlite.Conn, ref fhir.Ref) (*store.Found, error) {
	sql := readCurrent
	if ref.Version != 0 {
		sql = readVersion
	}
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	stmt.BindInt64(1, int64(index.TypeNumber(ref.Type)))
	stmt.BindText(2, ref.ID)
	if ref.Version != 0 {
		stmt.BindInt64(3, ref.Version)
	}
	var found *store.Found
	ok, err := stmt.Step()
	if ok {
		f := scan(stmt)
		found = &f
	}
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return found, err
}

// scan reads the fixed columns of a row.
func scan(stmt *sqlite.Stmt) store.Found {
	f := store.Found{Key: stmt.ColumnInt64(0)}
	f.Resource = fhir.Resource{
		Ref: fhir.Ref{
			Type: index.TypeName(int16(stmt.ColumnInt64(1))), ID: stmt.ColumnText(2), Version: stmt.ColumnInt64(3),
		},
		Updated: time.UnixMicro(stmt.ColumnInt64(4)).UTC(),
		Method:  fhir.Method(stmt.ColumnInt64(5)),
	}
	f.Content = bytesOf(stmt, 6)
	return f
}

func bytesOf(stmt *sqlite.Stmt, column int) []byte {
	b := make([]byte, stmt.ColumnLen(column))
	stmt.ColumnBytes(column, b)
	return b
}

// prepare returns a statement for a text, and what ends its use.
type prepare func(sql string) (stmt *sqlite.Stmt, end func() error, err error)

// execute runs a compiled statement.
func execute(get prepare, s *query.Statement) (rows store.Rows, err error) {
	stmt, end, err := get(withLimits(s.SQL, s.Args))
	if err != nil {
		return rows, err
	}
	defer func() {
		if endErr := end(); err == nil {
			err = endErr
		}
	}()
	if err := bind(stmt, s.Args[:min(len(s.Args), stmt.BindParamCount())]); err != nil { // the last may be that of a LIMIT
		return rows, err
	}
	for {
		ok, err := stmt.Step()
		if err != nil || !ok {
			return rows, err
		}
		if s.Number {
			rows.Number = stmt.ColumnInt64(0)
			continue
		}
		f := scan(stmt)
		for i := range s.Keys {
			f.Order = append(f.Order, value(stmt, fixedColumns+i))
		}
		if s.Postings {
			f.Postings = unpack(bytesOf(stmt, fixedColumns+s.Keys))
		}
		if !rows.Add(s, f) {
			return rows, nil
		}
	}
}

// withLimits returns a statement with the values of its LIMITs in place of their
// placeholders. SQLite plans by the value, and so would prepare the statement anew each
// time that it is bound, which takes longer than many searches do.
//
// See https://www.sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenableqpsg.
func withLimits(sql string, args []any) string {
	const limit = " LIMIT ?"
	if !strings.Contains(sql, limit) {
		return sql
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(sql, limit)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		digits := 0
		for digits < len(after) && after[digits] >= '0' && after[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(after[:digits])
		value, ok := int64(0), false
		if err == nil && n >= 1 && n <= len(args) {
			value, ok = args[n-1].(int64)
		}
		if ok {
			b.WriteString(" LIMIT " + strconv.FormatInt(value, 10))
			sql = after[digits:]
			continue
		}
		b.WriteString(limit)
		sql = after
	}
}

// fixedColumns is the number of columns that every SELECT of resources begins with.
const fixedColumns = 7

func value(stmt *sqlite.Stmt, column int) any {
	switch stmt.ColumnType(column) {
	case sqlite.TypeInteger:
		return stmt.ColumnInt64(column)
	case sqlite.TypeFloat:
		return stmt.ColumnFloat(column)
	case sqlite.TypeText:
		return stmt.ColumnText(column)
	}
	return nil
}

func bind(stmt *sqlite.Stmt, args []any) error {
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
		default:
			return fmt.Errorf("argument %d is a %T", i+1, arg)
		}
	}
	return nil
}

// pack writes postings as the column resource.postings holds them.
func pack(postings []int64) []byte {
	b := make([]byte, 0, 8*len(postings))
	for _, p := range postings {
		b = binary.LittleEndian.AppendUint64(b, uint64(p))
	}
	return b
}

func unpack(b []byte) []int64 {
	postings := make([]int64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		postings = append(postings, int64(binary.LittleEndian.Uint64(b)))
	}
	return postings
}

// reader answers store.Search and store.History.
type reader struct{ *Store }

func (r reader) Dialect() index.Dialect { return index.SQLite }

func (r reader) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	conn, err := r.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.readers.Put(conn)
	return selectOn(r.prepared.of(conn).get, statements)
}

func selectOn(get prepare, statements []*query.Statement) ([]store.Rows, error) {
	out := make([]store.Rows, len(statements))
	for i, s := range statements {
		var err error
		if out[i], err = execute(get, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Explain returns SQLite's plan for s, and runs it.
//
// See https://www.sqlite.org/eqp.html.
func (r reader) Explain(ctx context.Context, s *query.Statement) (string, time.Duration, error) {
	conn, err := r.readers.Take(ctx)
	if err != nil {
		return "", 0, err
	}
	defer r.readers.Put(conn)
	stmt, _, err := conn.PrepareTransient("EXPLAIN QUERY PLAN " + s.SQL)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	depth := map[int64]int{}
	for {
		ok, err := stmt.Step()
		if err != nil || !ok {
			if err := errors.Join(err, stmt.Finalize()); err != nil {
				return "", 0, err
			}
			break
		}
		indent := depth[stmt.ColumnInt64(1)]
		depth[stmt.ColumnInt64(0)] = indent + 1
		b.WriteString(strings.Repeat("  ", indent) + stmt.ColumnText(3) + "\n")
	}
	start := time.Now()
	_, err = execute(transient(conn), s)
	return b.String(), time.Since(start), err
}

// Known asks the cache, then the file.
func (r reader) Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, left := r.keys.Known(refs)
	if len(left) == 0 {
		return known, nil
	}
	conn, err := r.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.readers.Put(conn)
	epoch := r.keys.Epoch()
	err = lookUp(conn, left, func(ref fhir.Ref, key int64) {
		known[ref] = key
		r.keys.Put(epoch, ref, key)
	})
	return known, err
}

// lookUp calls found for those refs that have a row.
func lookUp(conn *sqlite.Conn, refs []fhir.Ref, found func(fhir.Ref, int64)) error {
	stmt, err := conn.Prepare(`SELECT rkey FROM resource WHERE type = ?1 AND id = ?2`)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		stmt.BindInt64(1, int64(index.TypeNumber(ref.Type)))
		stmt.BindText(2, ref.ID)
		ok, err := stmt.Step()
		if err != nil {
			return err
		}
		if ok {
			found(ref, stmt.ColumnInt64(0))
		}
		if err := stmt.Reset(); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) Weights() *store.Weights { return r.weights }

// Estimate counts: SQLite keeps no statistics to guess from.
func (r reader) Estimate(ctx context.Context, count, _ *query.Statement) (int64, bool, error) {
	rows, err := r.Select(ctx, count)
	if err != nil {
		return 0, false, err
	}
	return rows[0].Number, true, nil
}
