package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir/table"
)

// sqliteTypes are the types of columns.
var sqliteTypes = map[kind]string{textKind: "TEXT", booleanKind: "BOOLEAN", integerKind: "INTEGER", decimalKind: "NUMERIC", listKind: "TEXT"}

func sqliteType(k kind) string {
	if k == listKind {
		return "JSON"
	}
	return sqliteTypes[k]
}

type sqliteKeeper struct{ conn *sqlite.Conn }

// sqliteTables are those that are always there.
const sqliteTables = `
CREATE TABLE IF NOT EXISTS rows_progress (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, value TEXT NOT NULL);
INSERT INTO rows_progress (one, version, value) VALUES (1, 0, '{}') ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS rows_dictionary (table_name TEXT NOT NULL, column_name TEXT NOT NULL, position INTEGER NOT NULL,
  sql_type TEXT NOT NULL, fhir_type TEXT NOT NULL, description TEXT NOT NULL, PRIMARY KEY (table_name, position)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS dictionary AS SELECT table_name, column_name, position, sql_type, fhir_type, description FROM rows_dictionary;
`

// OpenSQLite opens the tables in the file at path, which is made when it is not there;
// only its owner can read it.
func OpenSQLite(ctx context.Context, path string) (Keeper, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conn.SetBusyTimeout(30 * time.Second)
	// What is lost with the machine is made again from the records.
	for _, pragma := range []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA secure_delete = FAST", "PRAGMA cache_size = -8192", "PRAGMA journal_size_limit = 67108864"} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), conn.Close())
		}
	}
	if err := makeTables(conn); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), conn.Close())
	}
	return &sqliteKeeper{conn: conn}, nil
}

// makeTables makes what is not there yet. It has the right to write from the start: who
// reads first, and another one writes meanwhile, is refused at once.
func makeTables(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return sqlitex.ExecuteScript(conn, sqliteTables, nil)
}

func (k *sqliteKeeper) Close() error { return k.conn.Close() }

func (k *sqliteKeeper) Load(context.Context) (*Progress, error) {
	out := &Progress{}
	var value string
	err := sqlitex.Execute(k.conn, `SELECT version, value FROM rows_progress`, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		out.Version, value = stmt.ColumnInt64(0), stmt.ColumnText(1)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(value), out); err != nil {
		return nil, err
	}
	if out.Tables == nil {
		out.Tables = map[string]*Kept{}
	}
	return out, nil
}

// stored runs f in a transaction that stores progress too.
func (k *sqliteKeeper) stored(progress *Progress, f func() error) error {
	err := k.transact(progress, f)
	if err == nil {
		progress.Version++
	}
	return err
}

func (k *sqliteKeeper) transact(progress *Progress, f func() error) (err error) {
	value, err := json.Marshal(progress)
	if err != nil {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(k.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	const update = `UPDATE rows_progress SET version = version + 1, value = ?2 WHERE version = ?1`
	if err := sqlitex.Execute(k.conn, update, &sqlitex.ExecOptions{Args: []any{progress.Version, string(value)}}); err != nil {
		return err
	}
	if k.conn.Changes() == 0 {
		return ErrMoved
	}
	return f()
}

// quoteName returns a name of NameOf, or one made of such, as SQL has it.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (k *sqliteKeeper) Write(_ context.Context, progress *Progress, changes ...Replacement) error {
	return k.stored(progress, func() error {
		for i := range changes {
			if err := k.replace(&changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *sqliteKeeper) replace(r *Replacement) error {
	base := quoteName(r.Base)
	remove, err := k.conn.Prepare(`DELETE FROM ` + base + ` WHERE ` + keyColumn + ` = ?1`)
	if err != nil {
		return err
	}
	for _, key := range r.Keys {
		remove.BindBytes(1, key)
		if _, err := remove.Step(); err != nil {
			return err
		}
		if err := remove.Reset(); err != nil {
			return err
		}
	}
	names, marks := []string{keyColumn, numberColumn}, []string{"?1", "?2"}
	for i := range r.Columns {
		names, marks = append(names, quoteName(r.Columns[i].Name)), append(marks, "?"+strconv.Itoa(i+3))
	}
	insert, err := k.conn.Prepare(`INSERT INTO ` + base + ` (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(marks, ", ") + `)`)
	if err != nil {
		return err
	}
	numbers := map[string]int64{}
	for i := range r.Rows {
		row := &r.Rows[i]
		insert.BindBytes(1, row.Key)
		insert.BindInt64(2, numbers[string(row.Key)])
		numbers[string(row.Key)]++
		for j := range row.Cells {
			bindCell(insert, j+3, &row.Cells[j], kindOf(&r.Columns[j]))
		}
		if _, err := insert.Step(); err != nil {
			return err
		}
		if err := insert.Reset(); err != nil {
			return err
		}
	}
	return nil
}

// bindCell binds a cell; NULL for one that does not fit its column.
func bindCell(stmt *sqlite.Stmt, at int, c *table.Cell, k kind) {
	switch {
	case !fits(c, k):
		stmt.BindNull(at)
	case k == booleanKind:
		stmt.BindBool(at, c.Text == "true")
	default:
		stmt.BindText(at, textOf(c, k)) // a numeric column makes a number of it
	}
}

// scripts runs statements without parameters.
func (k *sqliteKeeper) scripts(statements ...string) error {
	for _, sql := range statements {
		if err := sqlitex.ExecuteTransient(k.conn, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

func (k *sqliteKeeper) Create(_ context.Context, progress *Progress, t *Table, base string) error {
	return k.stored(progress, func() error {
		// Rows stand in the order of their keys, which tells nothing of when they were written.
		parts := []string{keyColumn + " BLOB NOT NULL", numberColumn + " INTEGER NOT NULL"}
		for i := range t.Columns {
			parts = append(parts, quoteName(t.Columns[i].Name)+" "+sqliteTypes[kindOf(&t.Columns[i])])
		}
		name := quoteName(base)
		return k.scripts(`DROP TABLE IF EXISTS `+name, `CREATE TABLE `+name+` (`+strings.Join(parts, ", ")+`, PRIMARY KEY (`+keyColumn+`, `+numberColumn+`)) WITHOUT ROWID`)
	})
}

func (k *sqliteKeeper) Publish(_ context.Context, progress *Progress, all ...Shown) error {
	return k.stored(progress, func() error {
		for i := range all {
			if err := k.show(all[i].Table, all[i].Base, all[i].Old); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *sqliteKeeper) show(t *Table, base, old string) error {
	var columns []string
	for i := range t.Columns {
		columns = append(columns, quoteName(t.Columns[i].Name))
	}
	view := quoteName(t.Name)
	statements := []string{`DROP VIEW IF EXISTS ` + view, `CREATE VIEW ` + view + ` AS SELECT ` + strings.Join(columns, ", ") + ` FROM ` + quoteName(base)}
	if old != "" {
		statements = append(statements, `DROP TABLE IF EXISTS `+quoteName(old))
	}
	if err := k.scripts(statements...); err != nil {
		return err
	}
	if err := sqlitex.Execute(k.conn, `DELETE FROM rows_dictionary WHERE table_name = ?1`, &sqlitex.ExecOptions{Args: []any{t.Name}}); err != nil {
		return err
	}
	const insert = `INSERT INTO rows_dictionary (table_name, column_name, position, sql_type, fhir_type, description) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`
	for _, e := range t.entries(sqliteType) {
		if err := sqlitex.Execute(k.conn, insert, &sqlitex.ExecOptions{Args: []any{e.Table, e.Column, e.Position, e.SQL, e.FHIR, e.Description}}); err != nil {
			return err
		}
	}
	return nil
}

func (k *sqliteKeeper) Retire(_ context.Context, progress *Progress, name string, bases ...string) error {
	return k.stored(progress, func() error {
		statements := []string{`DROP VIEW IF EXISTS ` + quoteName(name)}
		for _, base := range bases {
			statements = append(statements, `DROP TABLE IF EXISTS `+quoteName(base))
		}
		if err := k.scripts(statements...); err != nil {
			return err
		}
		return sqlitex.Execute(k.conn, `DELETE FROM rows_dictionary WHERE table_name = ?1`, &sqlitex.ExecOptions{Args: []any{name}})
	})
}

func (k *sqliteKeeper) Dictionary(context.Context) (all []Entry, err error) {
	const all6 = `SELECT table_name, column_name, position, sql_type, fhir_type, description FROM rows_dictionary ORDER BY table_name, position`
	err = sqlitex.Execute(k.conn, all6, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		all = append(all, Entry{Table: s.ColumnText(0), Column: s.ColumnText(1), Position: s.ColumnInt(2), SQL: s.ColumnText(3), FHIR: s.ColumnText(4), Description: s.ColumnText(5)})
		return nil
	}})
	return all, err
}

func (k *sqliteKeeper) Count(_ context.Context, base string) (n int64, err error) {
	err = sqlitex.ExecuteTransient(k.conn, `SELECT count(*) FROM `+quoteName(base), &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}})
	return n, err
}
