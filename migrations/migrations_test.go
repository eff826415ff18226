package migrations_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/migrations"
	"github.com/amate-health/amate/store/storetest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func openSQLite(t *testing.T) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// differs expects a *VersionError that names both versions and says what to do.
func differs(t *testing.T, err error, database int, advice string) {
	t.Helper()
	var v *migrations.VersionError
	if !errors.As(err, &v) || v.Database != database || v.Program < 1 || !strings.Contains(err.Error(), advice) {
		t.Errorf("error %v, want a database at version %d and the advice %q", err, database, advice)
	}
}

func TestPostgres(t *testing.T) {
	url := storetest.EmptyPostgres(t)
	conn := connect(t, url)
	differs(t, migrations.CheckPostgres(t.Context(), conn), 0, "run amate migrate")

	// Several programs start at once on an empty database.
	var wg sync.WaitGroup
	for range 4 {
		other := connect(t, url)
		wg.Go(func() {
			if err := migrations.Postgres(t.Context(), other); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := migrations.CheckPostgres(t.Context(), conn); err != nil {
		t.Error(err)
	}
	if err := migrations.Postgres(t.Context(), conn); err != nil {
		t.Errorf("with nothing to do: %v", err)
	}

	if _, err := conn.Exec(t.Context(), `INSERT INTO migration VALUES (999, '0999_future.sql', now())`); err != nil {
		t.Fatal(err)
	}
	differs(t, migrations.CheckPostgres(t.Context(), conn), 999, "run a newer amate")
	differs(t, migrations.Postgres(t.Context(), conn), 999, "run a newer amate")
}

// TestPostgresMeanwhile: who looks while another program is between two steps waits for it.
func TestPostgresMeanwhile(t *testing.T) {
	url := storetest.EmptyPostgres(t)
	one, two := connect(t, url), connect(t, url)
	if err := migrations.Postgres(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	run := func(sql string) {
		t.Helper()
		if _, err := one.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`SELECT pg_advisory_lock(x'616d617465'::bigint)`) // as migrations.Postgres has it
	run(`CREATE TEMP TABLE last AS SELECT * FROM migration ORDER BY number DESC LIMIT 1`)
	run(`DELETE FROM migration WHERE number = (SELECT number FROM last)`)
	checked := make(chan error, 1)
	go func() { checked <- migrations.CheckPostgres(t.Context(), two) }()
	for waits := false; !waits; {
		select {
		case err := <-checked:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		if err := one.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = $1`, two.PgConn().PID()).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	run(`INSERT INTO migration SELECT * FROM last`)
	run(`SELECT pg_advisory_unlock(x'616d617465'::bigint)`)
	if err := <-checked; err != nil {
		t.Error(err)
	}

	run(`DELETE FROM migration WHERE number = (SELECT number FROM last)`)
	var older *migrations.VersionError
	if err := migrations.CheckPostgres(t.Context(), two); !errors.As(err, &older) {
		t.Errorf("with nobody at it: %v", err)
	}
}

// TestPostgresWithoutRights: a role that may only read and write rows can start a
// server, and cannot change the schema.
func TestPostgresWithoutRights(t *testing.T) {
	url := storetest.Postgres(t)
	conn := connect(t, url)
	for _, sql := range []string{
		`DROP ROLE IF EXISTS amate_serving`, `CREATE ROLE amate_serving`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO amate_serving`, `SET ROLE amate_serving`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrations.CheckPostgres(t.Context(), conn); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), `ALTER TABLE resource ADD COLUMN x integer`); err == nil {
		t.Error("the serving role can alter tables")
	}
	for _, sql := range []string{`RESET ROLE`, `DROP OWNED BY amate_serving`, `DROP ROLE amate_serving`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLite(t *testing.T) {
	conn := openSQLite(t)
	differs(t, migrations.CheckSQLite(conn), 0, "run amate migrate")
	for range 2 {
		if err := migrations.SQLite(conn); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrations.CheckSQLite(conn); err != nil {
		t.Error(err)
	}
	if err := sqlitex.ExecuteTransient(conn, `PRAGMA user_version = 999`, nil); err != nil {
		t.Fatal(err)
	}
	differs(t, migrations.CheckSQLite(conn), 999, "run a newer amate")
	differs(t, migrations.SQLite(conn), 999, "run a newer amate")
}

// TestSQLiteOfAnother: a file of another program is left alone.
func TestSQLiteOfAnother(t *testing.T) {
	conn := openSQLite(t)
	if err := sqlitex.ExecuteTransient(conn, `CREATE TABLE theirs (x)`, nil); err != nil {
		t.Fatal(err)
	}
	if err := migrations.SQLite(conn); !errors.Is(err, migrations.ErrForeignFile) {
		t.Errorf("error %v", err)
	}
}
