package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/migrations"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/storetest"
)

// engine is one under test.
type engine struct {
	name   string
	url    string // of PostgreSQL
	keeper analytics.Keeper
	runner analytics.Runner
}

// each runs f with both engines.
func each(t *testing.T, limit time.Duration, f func(t *testing.T, e *engine)) {
	limits := analytics.Limits{Time: limit, Connections: 2}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "analytics.db")
		k, err := analytics.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		r, err := analytics.RunSQLite(path, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		f(t, &engine{name: "sqlite", keeper: k, runner: r})
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.Postgres(t)
		k, missing, err := analytics.OpenPostgres(t.Context(), url)
		if err != nil || missing != nil {
			t.Fatal(err, missing)
		}
		defer k.Close()
		r, standing, err := analytics.RunPostgres(t.Context(), url, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if !standing.Records {
			t.Error("that the login of the server can read the records is not told")
		}
		f(t, &engine{name: "postgres", url: url, keeper: k, runner: r})
	})
}

// patients is a table to try with.
func patients(t *testing.T) *analytics.Table {
	t.Helper()
	p, err := analytics.Named(analytics.Table{Name: "Patient", Resource: "Patient", Description: "People, it's said.", Print: "1", Columns: []table.Column{
		{Name: "id", Type: "id", Description: "Pseudonym."}, {Name: "birthYear", Type: "integer"}, {Name: "active", Type: "boolean"},
		{Name: "weight", Type: "decimal"}, {Name: "codes", Type: "code", Collection: true}, {Name: "order", Type: "date"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func text(s string) table.Cell   { return table.Cell{Kind: table.String, Text: s} }
func number(s string) table.Cell { return table.Cell{Kind: table.Number, Text: s} }

func key(id string) []byte { return []byte(fmt.Sprintf("%-16s", id)) }

// person is the row of somebody born in a year.
func person(id, year string) analytics.Row {
	return analytics.Row{Key: key(id), Cells: []table.Cell{text("p-" + id), number(year), {Kind: table.Boolean, Text: "true"}, number("70.50"), {Kind: table.List, List: []table.Cell{text("a"), text(`b"`)}}, text("2020-03")}}
}

// fill makes the table and shows it with some rows.
func fill(t *testing.T, k analytics.Keeper, rows ...analytics.Row) (*analytics.Progress, *analytics.Table, string) {
	t.Helper()
	p, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tab := patients(t)
	p.Serial++
	base := analytics.BaseName(tab.Name, p.Serial)
	p.Tables[tab.Name] = &analytics.Kept{Base: base}
	if err := k.Create(t.Context(), p, tab, base); err != nil {
		t.Fatal(err)
	}
	replace(t, k, p, tab, base, rows...)
	if err := k.Publish(t.Context(), p, analytics.Shown{Table: tab, Base: base}); err != nil {
		t.Fatal(err)
	}
	return p, tab, base
}

func replace(t *testing.T, k analytics.Keeper, p *analytics.Progress, tab *analytics.Table, base string, rows ...analytics.Row) {
	t.Helper()
	r := analytics.Replacement{Base: base, Columns: tab.Columns, Rows: rows}
	for _, row := range rows {
		r.Keys = append(r.Keys, row.Key)
	}
	if err := k.Write(t.Context(), p, r); err != nil {
		t.Fatal(err)
	}
}

// ask runs SQL and returns the rows as JSON, in lines.
func ask(ctx context.Context, r analytics.Runner, sql string, limit int, args map[string]analytics.Argument) (string, bool, error) {
	s, err := analytics.Parse(sql)
	if err != nil {
		return "", false, err
	}
	var columns []table.Column
	var out []byte
	more, err := r.Run(ctx, &analytics.Query{Statement: s, Arguments: args, Rows: limit}, func(c []table.Column) error {
		columns = c
		return nil
	}, func(row []table.Cell) error {
		out = append(table.AppendRow(out, columns, row), '\n')
		return nil
	})
	return string(out), more, err
}

func TestKeepAndRun(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		p, tab, base := fill(t, e.keeper, person("a", "1980"), person("b", "1990"), person("b", "1991"))
		yes := map[string]string{"sqlite": "1", "postgres": "true"}[e.name]
		list := map[string]string{"sqlite": `"[\"a\",\"b\\\"\"]"`, "postgres": `["a","b\""]`}[e.name]
		weight := map[string]string{"sqlite": "70.5", "postgres": "70.50"}[e.name]
		for _, c := range []struct {
			sql, want string
			limit     int
			more      bool
			args      map[string]analytics.Argument
		}{
			{sql: `SELECT * FROM Patient WHERE birthYear = 1980`, limit: 10, want: `{"id":"p-a","birthyear":1980,"active":` + yes + `,"weight":` + weight + `,"codes":` + list + `,"order":"2020-03"}`},
			{sql: `SELECT count(*) AS n FROM patient`, limit: 10, want: `{"n":3}`},
			{sql: `-- all of them; of "all"` + "\n" + `SELECT id /* the pseudonym ' */ FROM patient ORDER BY birthyear;`, limit: 2, more: true, want: `{"id":"p-a"}` + "\n" + `{"id":"p-b"}`},
			{sql: `SELECT id FROM patient WHERE birthyear > :least AND id <> :not ORDER BY 1`, limit: 9, want: `{"id":"p-b"}`,
				args: map[string]analytics.Argument{"least": {Type: "integer", Text: "1990"}, "not": {Text: "x' OR ''='"}}},
			{sql: `WITH young AS (SELECT id, max(birthyear) AS y FROM patient GROUP BY id) SELECT count(*) AS n, sum(y) AS total FROM young WHERE y IN (1980, 1991)`, limit: 9, want: `{"n":2,"total":3971}`},
			{sql: `SELECT description AS d FROM dictionary WHERE table_name = 'patient' AND position = 0`, limit: 9, want: `{"d":"People, it's said."}`},
			{sql: `SELECT 1.5 AS a, NULL AS b, 'it''s -- ; $1 :x' AS "C"`, limit: 9, want: `{"a":1.5,"b":null,"C":"it's -- ; $1 :x"}`},
			{sql: `SELECT row_number() OVER (ORDER BY birthyear) AS n, CAST(birthyear AS varchar(4)) AS y FROM patient WHERE birthyear BETWEEN 1985 AND 1990`, limit: 9, want: `{"n":1,"y":` + map[string]string{"sqlite": `"1990"`, "postgres": `"1990"`}[e.name] + `}`},
		} {
			got, more, err := ask(t.Context(), e.runner, c.sql, c.limit, c.args)
			if err != nil || strings.TrimSpace(got) != c.want || more != c.more {
				t.Errorf("%s:\n got %s%v %v\nwant %s", c.sql, got, more, err, c.want)
			}
		}

		// Rows of a resource are replaced, and go with it.
		replace(t, e.keeper, p, tab, base, person("b", "2000"))
		if err := e.keeper.Write(t.Context(), p, analytics.Replacement{Base: base, Columns: tab.Columns, Keys: [][]byte{key("a"), key("never")}}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := ask(t.Context(), e.runner, `SELECT birthyear FROM patient`, 9, nil); err != nil || got != `{"birthyear":2000}`+"\n" {
			t.Errorf("after replacing: %s %v", got, err)
		}

		// What does not fit its column is left out.
		odd := person("c", "1.5")
		odd.Cells[2], odd.Cells[3] = text("yes"), text("heavy")
		replace(t, e.keeper, p, tab, base, odd)
		if got, _, err := ask(t.Context(), e.runner, `SELECT birthyear, active, weight FROM patient WHERE id = 'p-c'`, 9, nil); err != nil || got != `{"birthyear":null,"active":null,"weight":null}`+"\n" {
			t.Errorf("of what does not fit: %s %v", got, err)
		}
	})
}

// TestSwap: readers see the one table or the other, and what was is gone.
func TestSwap(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		p, tab, base := fill(t, e.keeper, person("a", "1980"))
		p.Serial++
		next := analytics.BaseName(tab.Name, p.Serial)
		tab.Columns = append(tab.Columns, table.Column{Name: "sex", Type: "code", Description: "New."})
		if err := e.keeper.Create(t.Context(), p, tab, next); err != nil {
			t.Fatal(err)
		}
		row := person("a", "1980")
		row.Cells = append(row.Cells, text("female"))
		replace(t, e.keeper, p, tab, next, row)
		if _, _, err := ask(t.Context(), e.runner, `SELECT sex FROM patient`, 9, nil); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("the column is there before its table: %v", err)
		}
		if err := e.keeper.Publish(t.Context(), p, analytics.Shown{Table: tab, Base: next, Old: base}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := ask(t.Context(), e.runner, `SELECT sex FROM patient`, 9, nil); err != nil || got != `{"sex":"female"}`+"\n" {
			t.Errorf("%s %v", got, err)
		}
		if _, err := e.keeper.Count(t.Context(), base); err == nil {
			t.Error("the old table is still there")
		}
		all, err := e.keeper.Dictionary(t.Context())
		if err != nil || len(all) != 8 || all[7].Column != "sex" || all[7].Description != "New." || all[2].SQL == "" || all[2].FHIR != "integer" {
			t.Errorf("%+v %v", all, err)
		}

		// Whoever works from an older state is refused, and changes nothing.
		stale := *p
		stale.Version--
		if err := e.keeper.Write(t.Context(), &stale, analytics.Replacement{Base: next, Columns: tab.Columns, Keys: [][]byte{key("a")}}); !errors.Is(err, analytics.ErrMoved) {
			t.Errorf("a stale writer: %v", err)
		}
		if n, err := e.keeper.Count(t.Context(), next); n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		again, err := e.keeper.Load(t.Context())
		if err != nil || again.Version != p.Version || again.Serial != 2 {
			t.Errorf("%+v %v", again, err)
		}
		if err := e.keeper.Retire(t.Context(), p, tab.Name, next); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ask(t.Context(), e.runner, `SELECT 1 AS a FROM patient`, 9, nil); err == nil {
			t.Error("a retired table is still shown")
		}
	})
}

// TestAnalystByThemselves: a login that Admit makes reads the tables of analysts with any
// client, and nothing else, whatever it tries.
func TestAnalystByThemselves(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		if e.name != "postgres" {
			return
		}
		fill(t, e.keeper, person("a", "1980"))
		login := "amate_metabase"
		unbounded, err := analytics.Admit(t.Context(), e.url, login)
		if err != nil {
			t.Fatal(err)
		}
		url := strings.Replace(e.url, "postgres://amate@", "postgres://"+login+"@", 1)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		bounded(t, conn, url, unbounded)
		var id, comment string
		if err := conn.QueryRow(t.Context(), `SELECT id, obj_description('analytics.patient'::regclass) FROM patient`).Scan(&id, &comment); err != nil || id != "p-a" || comment != "People, it's said." {
			t.Errorf("%s %s %v", id, comment, err)
		}
		for _, sql := range []string{
			`SELECT * FROM public.resource`, `SELECT * FROM public.version`, `SELECT * FROM public.setting`, `SELECT * FROM public.audit`, `SELECT * FROM public.entry`,
			`SELECT * FROM analytics_rows.rows_patient_1`, `SELECT * FROM analytics_rows.progress`, `SELECT * FROM pg_authid`, `SELECT * FROM pg_shadow`,
			`SELECT pg_read_file('/etc/passwd')`, `COPY (SELECT 1) TO PROGRAM 'id'`, `COPY analytics.patient TO '/tmp/x'`, `SET ROLE amate`, `SET SESSION AUTHORIZATION amate`,
			`SELECT set_config('role', 'amate', false)`, `DROP VIEW analytics.patient`, `CREATE TABLE analytics.x (a int)`, `CREATE TABLE public.x (a int)`,
			`UPDATE analytics.dictionary SET description = ''`, `INSERT INTO analytics.dictionary VALUES ('a','b',1,'','','')`, `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
			`SELECT lo_import('/etc/passwd')`, `SELECT pg_ls_dir('/')`, `SELECT public.audit_prepare(1)`, `CREATE EXTENSION dblink`,
		} {
			if _, err := conn.Exec(t.Context(), `SET default_transaction_read_only = off`); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), sql); err == nil {
				t.Errorf("an analyst may: %s", sql)
			} else if s := err.Error(); !strings.Contains(s, "permission denied") && !strings.Contains(s, "must be") && !strings.Contains(s, "does not exist") && !strings.Contains(s, "not allowed") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		runner, standing, err := analytics.RunPostgres(t.Context(), url, analytics.Limits{Time: time.Minute, Connections: 1})
		if err != nil || standing.Records {
			t.Fatal(err, standing)
		}
		defer runner.Close()
		if got, _, err := ask(t.Context(), runner, `SELECT id FROM patient`, 9, nil); err != nil || got != `{"id":"p-a"}`+"\n" {
			t.Errorf("%s %v", got, err)
		}
	})
}

// bounded expects that a login takes a bounded part of the database.
func bounded(t *testing.T, conn *pgx.Conn, url string, unbounded error) {
	t.Helper()
	want := map[string]string{"work_mem": "16MB", "hash_mem_multiplier": "1", "max_parallel_workers_per_gather": "0", "statement_timeout": "10min", "idle_in_transaction_session_timeout": "5min", "temp_file_limit": "2GB"}
	if unbounded != nil { // the role of the test may not say so
		if !strings.Contains(unbounded.Error(), "ALTER ROLE") {
			t.Errorf("an administrator is not told what to do: %v", unbounded)
		}
		want["temp_file_limit"] = "-1"
	}
	for name, is := range want {
		var got string
		if err := conn.QueryRow(t.Context(), `SHOW `+name).Scan(&got); err != nil || got != is {
			t.Errorf("%s is %s, want %s (%v)", name, got, is, err)
		}
	}
	if _, err := conn.Exec(t.Context(), `SET temp_file_limit = '100GB'`); err == nil {
		t.Error("an analyst raises the bound on files")
	}
	var open []*pgx.Conn
	defer func() {
		for _, c := range open {
			c.Close(context.Background())
		}
	}()
	for range 5 {
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			break
		}
		open = append(open, c)
	}
	if len(open) != 4 {
		t.Errorf("%d connections beside the first, want 4", len(open))
	}
}

// TestServingRole: the role that serves and owns nothing else keeps the tables, also where
// another one kept them before.
func TestServingRole(t *testing.T) {
	url := storetest.Postgres(t)
	before, _, err := analytics.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, before, person("a", "1980"))
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	const role = "amate analytics' serving"
	for range 2 { // as with every upgrade
		if err := migrations.Grant(t.Context(), conn, role); err != nil {
			t.Fatal(err)
		}
	}
	serving := strings.Replace(url, "postgres://amate@", "postgres://"+strings.ReplaceAll(strings.ReplaceAll(role, " ", "%20"), "'", "%27")+"@", 1)
	k, missing, err := analytics.OpenPostgres(t.Context(), serving)
	if err != nil || missing != nil {
		t.Fatal(err, missing)
	}
	defer k.Close()
	p, err := k.Load(t.Context())
	if err != nil || len(p.Tables) != 0 {
		t.Fatalf("%+v %v", p, err)
	}
	fill(t, k, person("b", "1990"))
	r, standing, err := analytics.RunPostgres(t.Context(), serving, analytics.Limits{Time: time.Minute, Connections: 1})
	if err != nil || !standing.Records {
		t.Fatal(err, standing)
	}
	defer r.Close()
	if got, _, err := ask(t.Context(), r, `SELECT id FROM patient`, 9, nil); err != nil || got != `{"id":"p-b"}`+"\n" {
		t.Errorf("%s %v", got, err)
	}
}

// Rows come in the order of their keys, not in that in which they were written, and several
// tables are shown at once or not at all.
func TestOrder(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		p, err := e.keeper.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var shown []analytics.Shown
		for n, name := range []string{"first", "second"} {
			tab := patients(t)
			tab.Name = name
			base := analytics.BaseName(name, n+1)
			if err := e.keeper.Create(t.Context(), p, tab, base); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"m", "c", "x", "a"} {
				replace(t, e.keeper, p, tab, base, person(id, "1990"), person(id, "1991"))
			}
			shown = append(shown, analytics.Shown{Table: tab, Base: base})
		}
		old := *p
		old.Version--
		if err := e.keeper.Publish(t.Context(), &old, shown...); !errors.Is(err, analytics.ErrMoved) {
			t.Errorf("what another process wrote is shown: %v", err)
		}
		wrong := []analytics.Shown{shown[0], {Table: shown[1].Table, Base: "rows_none_1"}}
		if err := e.keeper.Publish(t.Context(), p, wrong...); e.name == "postgres" && err == nil {
			t.Error("a table that is not there is shown")
		} else if e.name == "postgres" {
			if _, _, err := ask(t.Context(), e.runner, `SELECT id FROM first`, 10, nil); err == nil {
				t.Error("one of two tables is shown")
			}
		}
		if err := e.keeper.Publish(t.Context(), p, shown...); err != nil {
			t.Fatal(err)
		}
		for _, s := range shown {
			got, _, err := ask(t.Context(), e.runner, `SELECT id FROM `+s.Name, 10, nil)
			if want := "{\"id\":\"p-a\"}\n{\"id\":\"p-a\"}\n{\"id\":\"p-c\"}\n{\"id\":\"p-c\"}\n{\"id\":\"p-m\"}\n{\"id\":\"p-m\"}\n{\"id\":\"p-x\"}\n{\"id\":\"p-x\"}\n"; got != want || err != nil {
				t.Errorf("%s: %v\n%s", s.Name, err, got)
			}
		}
	})
}
