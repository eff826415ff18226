package analytics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/analytics"
)

// TestWithColumns: parts of a WITH may say how their columns are called, each of them.
func TestWithColumns(t *testing.T) {
	each(t, time.Minute, func(t *testing.T, e *engine) {
		fill(t, e.keeper, person("a", "1980"))
		for sql, want := range map[string]string{
			`WITH a(x), b(y) AS (SELECT 1) SELECT 1 AS z`:                                                                                 "", // a has no query
			`WITH a(x) AS (SELECT 1), b(y) AS (SELECT x + 1 FROM a) SELECT y FROM b`:                                                      `{"y":2}`,
			`WITH a AS (SELECT id, birthyear FROM patient), b (who, "year") AS (SELECT * FROM a) SELECT who, "year" FROM b`:               `{"who":"p-a","year":1980}`,
			`WITH a(x) AS MATERIALIZED (SELECT 1), "B" (y, z) AS NOT MATERIALIZED ((SELECT x, 3 FROM a)) SELECT z FROM "B"`:               `{"z":3}`,
			`WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4), t(m) AS (SELECT max(n) FROM s) SELECT m FROM t`: `{"m":4}`,
			`SELECT q.k AS k FROM (WITH a(x) AS (VALUES (7)), c(k) AS (SELECT x FROM a) SELECT k FROM c) AS q`:                            `{"k":7}`,
			`WITH o(i) AS (SELECT 1), p(j) AS (WITH u(v) AS (SELECT 5), w(s) AS (SELECT v FROM u) SELECT s FROM w) SELECT j FROM p`:       `{"j":5}`,
		} {
			if strings.HasPrefix(sql, "WITH a(x) AS MATERIALIZED") && e.name == "sqlite" {
				sql = strings.Replace(sql, "((SELECT x, 3 FROM a))", "(SELECT x, 3 FROM a)", 1) // it takes no parentheses there
			}
			got, _, err := ask(t.Context(), e.runner, sql, 10, nil)
			if want == "" && fhir.CodeOf(err) != fhir.Unprocessable || want != "" && (err != nil || strings.TrimSpace(got) != want) {
				t.Errorf("%s: %s %v", sql, got, err)
			}
		}
	})
}

// TestCallsThatLookLikeParts: nothing is called because it stands where a part of a WITH could.
func TestCallsThatLookLikeParts(t *testing.T) {
	for _, sql := range []string{
		`WITH a(x) AS (SELECT 1), pg_sleep(x) AS (SELECT 1) SELECT 1`, `WITH a(x) AS (SELECT 1), b(y) AS (SELECT nosuch(1)) SELECT 1`,
		`WITH a AS (SELECT 1) SELECT * FROM a, dblink(x) AS (y text)`, `WITH a AS (SELECT 1) SELECT * FROM a, dblink(x) AS (SELECT 1)`,
		`SELECT * FROM a WITH ORDINALITY AS (x text), dblink(x) AS (SELECT 1)`, `SELECT * FROM a WITH ORDINALITY AS (SELECT 1), dblink(x, y) AS (z text)`,
		`SELECT * FROM dblink(x) WITH ORDINALITY AS t(a, b)`, `SELECT 1 AS with, dblink(x) AS (SELECT 1)`, `SELECT with, dblink(x) AS (SELECT 1)`,
		`WITH a AS (SELECT 1), dblink('x') AS (SELECT 1) SELECT 1`, `WITH a AS (SELECT 1), dblink(1) AS (SELECT 1) SELECT 1`, `WITH a AS (SELECT 1), dblink(:x) AS (SELECT 1) SELECT 1`,
		`WITH a AS (SELECT 1), dblink(x + y) AS (SELECT 1) SELECT 1`, `WITH a AS (SELECT 1), dblink() AS (SELECT 1) SELECT 1`, `WITH a AS (SELECT 1), dblink(x,) AS (SELECT 1) SELECT 1`,
		`WITH a AS (SELECT 1), dblink(x) SELECT 1`, `WITH a AS (SELECT 1), dblink(x) AS y SELECT 1`, `WITH a AS (SELECT 1) SELECT 1, dblink(x) AS (SELECT 1)`,
		`WITH a AS (SELECT 1), b.dblink(x) AS (SELECT 1) SELECT 1`, `WITH a AS (SELECT 1), LATERAL dblink(x) AS (SELECT 1) SELECT 1`, `WITH a AS (x text), dblink(x) AS (SELECT 1) SELECT 1`,
		`SELECT CAST(x AS timestamp with time zone), dblink(x) AS (SELECT 1)`, `WITH a AS (SELECT 1) , (dblink(x)) AS (SELECT 1) SELECT 1`, `WITH a(x) AS (DELETE FROM patient), b(y) AS (SELECT 1) SELECT 1`,
	} {
		if _, err := analytics.Parse(sql); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("%s is run (%v)", sql, err)
		}
	}
}
