package analytics

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

type sqliteRunner struct {
	pool   *sqlitex.Pool
	limits Limits
}

// RunSQLite returns what runs queries in the file at path, which a Keeper has made.
//
// Its connections are opened to read, attach nothing, and are told by an authorizer that
// queries read views alone. A query is cut off when its time is over.
//
// See https://www.sqlite.org/security.html.
func RunSQLite(path string, limits Limits) (Runner, error) {
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{Flags: sqlite.OpenReadOnly, PoolSize: limits.Connections, PrepareConn: prepareAnalyst})
	if err != nil {
		return nil, err
	}
	return &sqliteRunner{pool: pool, limits: limits}, nil
}

// sqliteLimits bound what one query takes.
//
// See https://www.sqlite.org/limits.html.
var sqliteLimits = map[sqlite.Limit]int32{
	sqlite.LimitAttached: 0, sqlite.LimitLength: longestValue, sqlite.LimitSQLLength: 2 * maxSQL, sqlite.LimitExprDepth: 200, sqlite.LimitCompoundSelect: 50,
	sqlite.LimitVDBEOp: 100_000, sqlite.LimitWorkerThreads: 0, sqlite.LimitTriggerDepth: 0, sqlite.LimitLikePatternLength: 1000,
}

func prepareAnalyst(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(5 * time.Second)
	for _, pragma := range []string{"PRAGMA query_only = ON", "PRAGMA trusted_schema = OFF", "PRAGMA cache_size = -8192", "PRAGMA temp_store = FILE"} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	if err := conn.SetDefensive(true); err != nil {
		return err
	}
	for id, most := range sqliteLimits {
		conn.Limit(id, most)
	}
	return conn.SetAuthorizer(sqlite.AuthorizeFunc(authorize))
}

// authorize lets a query read what views show: of the tables of rows all but their keys, and
// those not by name.
func authorize(a sqlite.Action) sqlite.AuthResult {
	switch a.Type() {
	case sqlite.OpSelect, sqlite.OpFunction, sqlite.OpRecursive:
		return sqlite.AuthResultOK
	case sqlite.OpRead:
		name := strings.ToLower(a.Table())
		switch {
		case a.Database() != "main" && a.Database() != "", name == progressTable, strings.EqualFold(a.Column(), keyColumn), strings.HasPrefix(name, "sqlite_"),
			strings.HasPrefix(name, rowsPrefix) && a.Accessor() == "" && a.Column() != "": // rows alone are counted without a column
			return sqlite.AuthResultDeny
		}
		return sqlite.AuthResultOK
	}
	return sqlite.AuthResultDeny
}

func (r *sqliteRunner) Dialect() string { return "sqlite" }

func (r *sqliteRunner) Close() error { return r.pool.Close() }

func (r *sqliteRunner) Run(ctx context.Context, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	return r.answer(ctx, &asked{SQL: bound(q), Names: q.Names, Arguments: q.Arguments, Rows: q.Rows}, begin, row)
}

// bound returns the SQL of a query with numbers in place of its parameters.
func bound(q *Query) string {
	at := map[string]int{}
	for i, name := range q.Names {
		at[name] = i + 1
	}
	return q.print(func(name string) string { return "?" + strconv.Itoa(at[name]) })
}

func (r *sqliteRunner) answer(ctx context.Context, q *asked, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	limited, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	conn, err := r.pool.Take(limited)
	if err == nil {
		more, err = r.run(conn, q, begin, row)
		r.pool.Put(conn)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return false, tooSlow(r.limits.Time)
	}
	return more, sqliteFault(err)
}

func (r *sqliteRunner) run(conn *sqlite.Conn, q *asked, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	stmt, left, err := conn.PrepareTransient(q.SQL)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, ignoreInterrupt(stmt.Finalize())) }()
	if left > 0 {
		return false, refuse("one statement is run, and nothing after it")
	}
	for i, name := range q.Names {
		if err := bindArgument(stmt, i+1, name, q.Arguments[name]); err != nil {
			return false, err
		}
	}
	if stmt.ColumnCount() > mostColumns {
		return false, tooWide()
	}
	columns := make([]table.Column, stmt.ColumnCount())
	for i := range columns {
		columns[i].Name = stmt.ColumnName(i)
		if columns[i].Name == "" || stmt.ColumnIndex(columns[i].Name) != i { // of several with one name, all but the last have none
			return false, refuse("two columns of the result have the same name: give one another by AS").With("the column %d", i+1)
		}
	}
	if err := begin(columns); err != nil {
		return false, err
	}
	cells := make([]table.Cell, len(columns))
	for n := 0; ; n++ {
		any, err := stmt.Step()
		if err != nil || !any {
			return false, err
		}
		if n == q.Rows {
			return true, nil
		}
		size := 0
		for i := range cells {
			cells[i] = sqliteCell(stmt, i)
			if size += len(cells[i].Text); size > longestRow {
				return false, tooLong()
			}
		}
		if err := row(cells); err != nil {
			return false, err
		}
	}
}

// ignoreInterrupt leaves out the error by which a statement ended, and which is known.
func ignoreInterrupt(err error) error {
	if err != nil && sqlite.ErrCode(err) != sqlite.ResultOK {
		return nil
	}
	return err
}

func bindArgument(stmt *sqlite.Stmt, at int, name string, a Argument) error {
	switch postgresArguments[a.Type] {
	case "bigint":
		n, err := strconv.ParseInt(a.Text, 10, 64)
		if err != nil {
			return refuse("the value of a parameter is no whole number").With("%s is %.50q", name, a.Text)
		}
		stmt.BindInt64(at, n)
	case "numeric":
		n, err := strconv.ParseFloat(a.Text, 64)
		if err != nil {
			return refuse("the value of a parameter is no number").With("%s is %.50q", name, a.Text)
		}
		stmt.BindFloat(at, n)
	case "boolean":
		stmt.BindBool(at, a.Text == "true")
	default:
		stmt.BindText(at, a.Text)
	}
	return nil
}

func sqliteCell(stmt *sqlite.Stmt, i int) table.Cell {
	switch stmt.ColumnType(i) {
	case sqlite.TypeInteger:
		return table.Cell{Kind: table.Number, Text: strconv.FormatInt(stmt.ColumnInt64(i), 10)}
	case sqlite.TypeFloat:
		return table.Cell{Kind: table.Number, Text: strconv.FormatFloat(stmt.ColumnFloat(i), 'g', -1, 64)}
	case sqlite.TypeText:
		return table.Cell{Kind: table.String, Text: stmt.ColumnText(i)}
	case sqlite.TypeBlob:
		return table.Cell{Kind: table.String, Text: fmt.Sprintf("%x", stmt.ColumnText(i))}
	}
	return table.Cell{}
}

// sqliteFault says what an error of SQLite means to who wrote the query.
func sqliteFault(err error) error {
	if err == nil || fhir.CodeOf(err) != 0 {
		return err
	}
	switch code := sqlite.ErrCode(err).ToPrimary(); code {
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fhir.Errorf(fhir.Unavailable, "the tables are renewed now: try again")
	case sqlite.ResultAuth, sqlite.ResultPerm, sqlite.ResultReadOnly:
		return fhir.Errorf(fhir.Forbidden, "the query reads what is not for analysts").With("%.500s", err)
	case sqlite.ResultTooBig, sqlite.ResultNoMem, sqlite.ResultFull:
		return fhir.Errorf(fhir.TooCostly, "the query takes more than the database has for it").With("%.500s", err)
	case sqlite.ResultError, sqlite.ResultMismatch, sqlite.ResultRange:
		return refuse("the database does not run this query; the table dictionary tells which tables and columns there are").With("%.500s", err)
	}
	return err
}
