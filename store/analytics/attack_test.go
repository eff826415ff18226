package analytics_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/analytics"
)

// attacks are what nobody may run, whichever database it is.
var attacks = []string{
	// More than one statement, and none that is no query.
	`SELECT 1; DROP VIEW patient`, `SELECT 1;; SELECT 2`, `DROP VIEW patient`, `; SELECT 1`, ``, ` -- nothing`, `VALUES (1)`, `TABLE patient`, `EXPLAIN ANALYZE SELECT 1`,
	`PREPARE x AS SELECT 1`, `EXECUTE amate_query`, `DECLARE c CURSOR FOR SELECT 1`, `FETCH 1 FROM amate`, `BEGIN`, `COMMIT`, `ROLLBACK`, `SET ROLE none`, `RESET ROLE`, `RESET SESSION AUTHORIZATION`,
	`DO $$ BEGIN PERFORM 1; END $$`, `LISTEN x`, `CALL f()`, `VACUUM INTO '/tmp/x.db'`, `PRAGMA writable_schema = 1`, `ATTACH '/tmp/x.db' AS x`,
	// Changes within what begins like a query.
	`WITH x AS (DELETE FROM dictionary RETURNING *) SELECT * FROM x`, `WITH x AS (INSERT INTO dictionary VALUES (1) RETURNING 1) SELECT 1`, `SELECT 1 INTO TABLE x`,
	`WITH x AS (SELECT 1) UPDATE dictionary SET description = ''`, `SELECT * FROM patient FOR UPDATE`,
	// Programs, files, waiting, other databases.
	`COPY (SELECT 1) TO PROGRAM 'id'`, `SELECT pg_read_file('/etc/passwd')`, `SELECT "pg_read_file"('/etc/passwd')`, `SELECT pg_catalog.pg_read_file('/etc/passwd')`,
	`SELECT PG_SLEEP(100)`, `SELECT pg_sleep /* x */ (100)`, "SELECT pg_sleep -- x\n(100)", `SELECT * FROM pg_sleep(1)`, `SELECT lo_import('/etc/passwd')`, `SELECT lo_get(1)`,
	`SELECT dblink('host=localhost', 'SELECT 1')`, `SELECT load_extension('/tmp/x.so')`, `SELECT writefile('/tmp/x', 'y')`, `SELECT readfile('/etc/passwd')`, `SELECT edit('x')`,
	`SELECT fts3_tokenizer('x')`, `SELECT randomblob(1000000000)`, `SELECT zeroblob(1000000000)`, `SELECT repeat('x', 1000000000)`, `SELECT printf('%.*c', 100000000, 'x')`,
	`SELECT nextval('x')`, `SELECT pg_advisory_lock(1)`, `SELECT pg_terminate_backend(1)`, `SELECT pg_notify('x', 'y')`,
	// Becoming somebody else, and queries within values.
	`SELECT set_config('role', 'none', false)`, `SELECT set_config('session_authorization', 'amate', false)`, `SELECT set_config('statement_timeout', '0', false)`, `SELECT current_setting('data_directory')`,
	`SELECT query_to_xml('SELECT * FROM public.resource', true, true, '')`, `SELECT table_to_xml('public.resource', true, true, '')`, `SELECT database_to_xml(true, true, '')`,
	`SELECT cursor_to_xml('amate', 1, true, true, '')`, `SELECT ts_stat('SELECT 1')`, `SELECT has_table_privilege('resource', 'SELECT')`,
	`SELECT 'public.resource'::regclass`, `SELECT CAST('amate' AS regrole)`, `SELECT 1 OPERATOR(pg_catalog.+) 1`,
	// What belongs to the database, or to who keeps the tables.
	`SELECT * FROM pg_authid`, `SELECT * FROM "pg_shadow"`, `SELECT * FROM pg_catalog.pg_class`, `SELECT * FROM pg_stat_activity`, `SELECT * FROM information_schema.tables`,
	`SELECT * FROM sqlite_master`, `SELECT * FROM main.sqlite_schema`, `SELECT * FROM pragma_table_info('patient')`, `SELECT * FROM sqlite_dbpage`, `SELECT * FROM public.resource`, `SELECT * FROM resource`,
	`SELECT * FROM public.setting`, `SELECT * FROM analytics_rows.rows_patient_1`, `SELECT * FROM rows_patient_1`, `SELECT * FROM "rows_patient_1"`, `SELECT * FROM main.rows_patient_1`,
	`SELECT * FROM rows_progress`, `SELECT amate_key FROM patient`, `SELECT patient."amate_key" FROM patient`, `WITH patient AS (SELECT * FROM rows_patient_1) SELECT * FROM patient`,
	`SELECT rowid FROM rows_patient_1`, `SELECT ctid, xmin FROM patient`, `SELECT tableoid FROM patient`,
	// Quotes and parameters that databases read in their own ways.
	`SELECT $$x$$`, `SELECT $1`, `SELECT ?`, `SELECT @x`, "SELECT `id` FROM patient", `SELECT [id] FROM patient`, `SELECT E'\' OR 1=1'`, `SELECT U&"p\0067_sleep"(1)`, `SELECT U&'x' UESCAPE '!'`, `SELECT x'41'`,
	`SELECT 'x`, `SELECT "x`, `SELECT 1 /* x`, `SELECT /* /* */ 1 */ 2`, `SELECT (1`, `SELECT 1)`, `SELECT 1) AS q(c1); DROP VIEW patient; --`, "SELECT 1\x00", "SELECT \xff", `SELECT :`,
	`SELECT 1 AS a, 2 AS a`, `SELECT ARRAY[1]`, strings.Repeat("(", 1000), `SELECT ` + strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500), `SELECT '` + strings.Repeat("x", 100_000) + `'`,
	`SELECT nosuch FROM patient`, `SELECT * FROM nosuch`, `SELECT id FROM patient WHERE`, `SELECT 1/0/'x'::text`,
}

func TestAttacks(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		fill(t, e.keeper, person("a", "1980"))
		for _, sql := range attacks {
			got, _, err := ask(t.Context(), e.runner, sql, 10, nil)
			if err == nil {
				t.Errorf("%.100q is run: %.200s", sql, got)
			} else if code := fhir.CodeOf(err); code != fhir.Unprocessable && code != fhir.Forbidden && code != fhir.TooCostly {
				t.Errorf("%.100q: %v", sql, err)
			}
			var f *fhir.Error
			if errors.As(err, &f) && strings.Contains(f.Details, "passwd") {
				t.Errorf("%.100q is logged: %s", sql, f.Details)
			}
		}
		if got, _, err := ask(t.Context(), e.runner, `SELECT id FROM patient`, 10, nil); err != nil || got != `{"id":"p-a"}`+"\n" {
			t.Errorf("afterwards: %s %v", got, err)
		}
		for _, name := range []string{"/tmp/x", "/tmp/x.db"} {
			if _, err := os.Stat(name); err == nil {
				t.Errorf("%s was made", name)
			}
		}
	})
}

// TestEndless: a query that does not end is ended, and the next one runs.
func TestEndless(t *testing.T) {
	each(t, 300*time.Millisecond, func(t *testing.T, e *engine) {
		fill(t, e.keeper, people()...)
		for name, sql := range map[string]string{
			"recursion": `WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 - 1 FROM t) SELECT count(*) AS n FROM t`,
			"product":   `SELECT count(*) AS n FROM patient a, patient b, patient c, patient d, patient e, patient f WHERE a.birthyear + b.birthyear + c.birthyear + d.birthyear + e.birthyear + f.birthyear < 0`,
			"sorting":   `SELECT a.id FROM patient a, patient b, patient c, patient d, patient e ORDER BY a.birthyear + b.birthyear * c.birthyear, e.id`,
		} {
			if _, _, err := ask(t.Context(), e.runner, sql, 10, nil); fhir.CodeOf(err) != fhir.TooCostly {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestSomeOfMany: of a result that would not end, the rows that are asked for are answered.
func TestSomeOfMany(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		fill(t, e.keeper, people()...)
		got, more, err := ask(t.Context(), e.runner, `SELECT a.id AS x FROM patient a, patient b, patient c, patient d`, 5, nil)
		if err != nil || !more || strings.Count(got, "\n") != 5 {
			t.Errorf("%d rows, more %v, %v", strings.Count(got, "\n"), more, err)
		}
	})
}

// people returns 300 rows.
func people() (rows []analytics.Row) {
	for i := range 300 {
		rows = append(rows, person(strings.Repeat("x", i%10)+string(rune('a'+i%26)), "1980"))
	}
	return rows
}

// TestLongValue: a value that grows is refused before it takes much memory here.
func TestLongValue(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		sql := `SELECT 'xxxxxxxx' AS x`
		for range 18 {
			sql = `SELECT x || x AS x FROM (` + sql + `) AS q`
		}
		if got, _, err := ask(t.Context(), e.runner, sql, 10, nil); fhir.CodeOf(err) != fhir.TooCostly {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// TestNoWritingBehindParse: even what Parse would let through cannot write. The walls behind it
// are tried by themselves in TestAnalystByThemselves; for SQLite, by its own connection.
func TestNoWritingBehindParse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "analytics.db")
	k, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	fill(t, k, person("a", "1980"))
	for _, sql := range []string{
		`DELETE FROM rows_patient_1`, `INSERT INTO rows_dictionary VALUES ('a','b',9,'','','')`, `DROP VIEW patient`, `ATTACH ':memory:' AS x`, `PRAGMA query_only = OFF`, `PRAGMA table_info(patient)`,
		`CREATE TEMP TABLE x (a)`, `SELECT * FROM sqlite_schema`, `SELECT * FROM rows_patient_1`, `SELECT amate_key FROM rows_patient_1`, `SELECT value FROM rows_progress`, `VACUUM INTO '/tmp/amate-x.db'`,
		`WITH x AS (SELECT value FROM rows_progress) SELECT * FROM x`, `WITH x AS (SELECT amate_key FROM rows_patient_1) SELECT * FROM x`, `SAVEPOINT x`, `BEGIN IMMEDIATE`, `ANALYZE`, `REINDEX`,
		`SELECT load_extension('/tmp/x.so')`, `SELECT * FROM pragma_database_list`,
	} {
		if err := analytics.TryUnparsed(path, sql); err == nil {
			t.Errorf("%s is run", sql)
		}
	}
}

// TestParsedAgain: what is sent is the query that was checked: it reads as the same tokens
// again, without comments, and its texts and names are as they were.
func TestParsedAgain(t *testing.T) {
	pieces := []string{"SELECT", "'a''b'", `"x""y"`, "1.5e3", "::", ":name", ":name", "<", ">", "=", "|", "|", "-", "-", "/", "*", "(", ")", ",", ".", "-- c\n", "/* c */", " ", "\n", "x", "count", "!", "~", "--", "/*", "*/", "'", ";"}
	rapid.Check(t, func(t *rapid.T) {
		sql := "SELECT " + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 25).Draw(t, "pieces"), "")
		s, err := analytics.Parse(sql)
		if err != nil {
			return
		}
		once := analytics.Printed(s)
		if strings.Contains(strings.NewReplacer(`'a''b'`, "", `"x""y"`, "").Replace(once), "--") || strings.Contains(once, "/*") || strings.Contains(once, ";") {
			t.Fatalf("%q is sent as %q", sql, once)
		}
		again, err := analytics.Parse(once)
		if err != nil {
			t.Fatalf("%q is sent as %q, which is refused: %v", sql, once, err)
		}
		if twice := analytics.Printed(again); twice != once {
			t.Fatalf("%q is sent as %q, then as %q", sql, once, twice)
		}
	})
}

func TestOver(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		fill(t, e.keeper, person("a", "1980"))
		for _, sql := range []string{`SELECT id FROM People`, `WITH x AS (SELECT id FROM people) SELECT * FROM x`, `WITH RECURSIVE x AS (SELECT id FROM people) SELECT * FROM x`} {
			s, err := analytics.Parse(sql)
			if err != nil {
				t.Fatal(err)
			}
			if s, err = s.Over(map[string]string{"People": "patient", "patient": "patient"}); err != nil {
				t.Fatal(err)
			}
			if got, _, err := ask(t.Context(), e.runner, analytics.Printed(s), 10, nil); err != nil || got != `{"id":"p-a"}`+"\n" {
				t.Errorf("%s: %s %v", sql, got, err)
			}
			for _, alias := range []string{"select", "drop", "pg_x", "x y", "rows_patient_1", `x" AS`, ""} {
				if _, err := s.Over(map[string]string{alias: "patient"}); err == nil {
					t.Errorf("a table is called %q", alias)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, sql := range attacks {
		f.Add(sql)
	}
	f.Add(`WITH RECURSIVE a(x, "y") AS (SELECT 1, 2), b (z) AS NOT MATERIALIZED ((SELECT x FROM a)) SELECT z FROM b`)
	f.Fuzz(func(t *testing.T, sql string) {
		s, err := analytics.Parse(sql)
		if err != nil {
			if fhir.CodeOf(err) != fhir.Unprocessable {
				t.Fatal(err)
			}
			return
		}
		once := analytics.Printed(s)
		if again, err := analytics.Parse(once); err != nil || analytics.Printed(again) != once {
			t.Fatalf("%q is sent as %q: %v", sql, once, err)
		}
	})
}
