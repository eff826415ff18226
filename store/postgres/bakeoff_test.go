package postgres

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/storetest"
)

// contestant is a way to keep tokens and references in PostgreSQL.
type contestant struct {
	name   string
	schema string
	load   func(ctx context.Context, tx pgx.Tx, rows []baked) error
	match  func(postings ...int64) string // condition on resource r
}

// baked is a resource as the bake-off stores it.
type baked struct {
	key  int64
	typ  int16
	id   string
	rows index.Rows
}

const bakeResource = `CREATE TABLE resource (rkey bigint PRIMARY KEY, type smallint NOT NULL, id text COLLATE "C" NOT NULL%s, UNIQUE (type, id));
CREATE INDEX ON resource (type, rkey);
CREATE TABLE date_value (lo bigint, hi bigint, rkey bigint, param smallint, mark smallint);
CREATE INDEX ON date_value (param, lo, rkey); CREATE INDEX ON date_value (rkey);`

func literals(postings []int64) string {
	text := ""
	for i, p := range postings {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprint(p)
	}
	return text
}

func narrow(postings ...int64) string {
	return "r.rkey IN (SELECT p.rkey FROM posting p WHERE p.posting IN (" + literals(postings) + "))"
}

var contestants = []contestant{
	{
		name:   "one array, GIN",
		schema: fmt.Sprintf(bakeResource, ", postings bigint[] NOT NULL") + `CREATE INDEX ON resource USING gin (postings) WITH (fastupdate = on, gin_pending_list_limit = 1024);`,
		load: func(ctx context.Context, tx pgx.Tx, rows []baked) error {
			return bake(ctx, tx, []string{"rkey", "type", "id", "postings"}, rows, func(b *baked) []any { return []any{b.key, b.typ, b.id, b.rows.Postings} })
		},
		match: func(p ...int64) string { return "r.postings && '{" + literals(p) + "}'" },
	},
	{
		name: "two arrays, two GIN",
		schema: fmt.Sprintf(bakeResource, ", tokens bigint[] NOT NULL, refs bigint[] NOT NULL") +
			`CREATE INDEX ON resource USING gin (tokens) WITH (fastupdate = on, gin_pending_list_limit = 1024);
CREATE INDEX ON resource USING gin (refs) WITH (fastupdate = on, gin_pending_list_limit = 1024);`,
		load: func(ctx context.Context, tx pgx.Tx, rows []baked) error {
			return bake(ctx, tx, []string{"rkey", "type", "id", "tokens", "refs"}, rows, func(b *baked) []any {
				n, _ := slices.BinarySearch(b.rows.Postings, 0)
				return []any{b.key, b.typ, b.id, b.rows.Postings[:n], b.rows.Postings[n:]}
			})
		},
		match: func(p ...int64) string {
			if p[0] < 0 {
				return "r.tokens && '{" + literals(p) + "}'"
			}
			return "r.refs && '{" + literals(p) + "}'"
		},
	},
	{
		name: "narrow table, b-tree",
		schema: fmt.Sprintf(bakeResource, "") + `CREATE TABLE posting (posting bigint NOT NULL, rkey bigint NOT NULL);
CREATE INDEX ON posting (posting, rkey);`,
		load: func(ctx context.Context, tx pgx.Tx, rows []baked) error {
			if err := bake(ctx, tx, []string{"rkey", "type", "id"}, rows, func(b *baked) []any { return []any{b.key, b.typ, b.id} }); err != nil {
				return err
			}
			var all [][]any
			for i := range rows {
				for _, p := range rows[i].rows.Postings {
					all = append(all, []any{p, rows[i].key})
				}
			}
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"posting"}, []string{"posting", "rkey"}, pgx.CopyFromRows(all))
			return err
		},
		match: narrow,
	},
}

// bake copies the resources and their dates.
func bake(ctx context.Context, tx pgx.Tx, columns []string, rows []baked, values func(*baked) []any) error {
	source := pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) { return values(&rows[i]), nil })
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"resource"}, columns, source); err != nil {
		return err
	}
	var dates [][]any
	for i := range rows {
		for _, d := range rows[i].rows.Dates {
			dates = append(dates, []any{d.Lo, d.Hi, rows[i].key, int16(d.Param), d.Mark})
		}
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"date_value"}, []string{"lo", "hi", "rkey", "param", "mark"}, pgx.CopyFromRows(dates))
	return err
}

// ingredients are all synthetic resources as rows, with a patient and codes to look for.
type ingredients struct {
	rows     []baked
	patients []int64 // row keys
}

func gather(b *testing.B) *ingredients {
	b.Helper()
	keys := map[fhir.Ref]int64{}
	in := &ingredients{}
	batches := storetest.Synthea(b, 1000)
	for _, batch := range batches {
		for i := range batch.Changes {
			ref := batch.Changes[i].Ref
			keys[ref] = int64(len(keys) + 1)
			if ref.Type == "Patient" {
				in.patients = append(in.patients, keys[ref])
			}
		}
	}
	for _, batch := range batches {
		for i := range batch.Changes {
			c := &batch.Changes[i]
			content, err := c.Build(nil, c.Ref, nil)
			if err != nil {
				b.Fatal(err)
			}
			rows := index.Make(&content.Index, func(ref fhir.Ref) int64 { return keys[ref] })
			in.rows = append(in.rows, baked{key: keys[c.Ref], typ: index.TypeNumber(c.Ref.Type), id: c.Ref.ID, rows: rows})
		}
	}
	return in
}

// BenchmarkBakeoff loads all synthetic patients into each contestant's tables and
// asks each the same. Run it with -benchtime 1x.
func BenchmarkBakeoff(b *testing.B) {
	in := gather(b)
	for _, c := range contestants {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.run(b, in)
			}
		})
	}
}

func (c *contestant) run(b *testing.B, in *ingredients) {
	ctx := b.Context()
	conn, err := pgx.Connect(ctx, storetest.EmptyDurablePostgres(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range []string{c.schema, "SET jit = off", "SET enable_seqscan = off"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	for batch := range slices.Chunk(in.rows, 1000) {
		if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return c.load(ctx, tx, batch) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(in.rows))/time.Since(start).Seconds(), "rows/s")
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
	var size int64
	const sizes = `SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`
	if err := conn.QueryRow(ctx, sizes).Scan(&size); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size)/float64(len(in.rows)), "bytes/resource")
	for name, sql := range c.questions(in) {
		var took []time.Duration
		for i := range 100 {
			q := sql(in.patients[(i*37)%len(in.patients)])
			start := time.Now()
			if _, err := conn.Exec(ctx, q, pgx.QueryExecModeSimpleProtocol); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-us")
	}
}

// questions are the searches of the bake-off, by name, of a patient.
func (c *contestant) questions(in *ingredients) map[string]func(patient int64) string {
	param := func(code string) uint16 { return spec.Param("Observation", code).ID }
	code := index.Token(search.TokenHash(param("code"), "http://loinc.org|8302-2"))
	category := index.Token(search.TokenHash(param("category"), "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"))
	of := func(patient int64) string { return c.match(index.Link(param("patient"), patient)) }
	typ := fmt.Sprintf("r.type = %d", index.TypeNumber("Observation"))
	newest := fmt.Sprintf("SELECT r.rkey FROM date_value k JOIN resource r ON r.rkey = k.rkey WHERE k.param = %d AND k.mark & 2 <> 0 AND %s AND ", int16(param("date")), typ)
	return map[string]func(int64) string{
		"patient": func(p int64) string {
			return "SELECT r.rkey, r.id FROM resource r WHERE " + typ + " AND " + of(p) + " ORDER BY r.rkey LIMIT 21"
		},
		"patient+code": func(p int64) string {
			return "SELECT r.rkey, r.id FROM resource r WHERE " + typ + " AND " + of(p) + " AND " + c.match(code) + " ORDER BY r.rkey LIMIT 21"
		},
		"common-code": func(int64) string {
			return "SELECT r.rkey, r.id FROM resource r WHERE " + typ + " AND " + c.match(code) + " ORDER BY r.rkey LIMIT 21"
		},
		"patient-newest": func(p int64) string { return newest + of(p) + " ORDER BY k.lo DESC, k.rkey DESC LIMIT 21" },
		"patient+category-newest": func(p int64) string {
			return newest + of(p) + " AND " + c.match(category) + " ORDER BY k.lo DESC, k.rkey DESC LIMIT 21"
		},
		"code-newest": func(int64) string { return newest + c.match(code) + " ORDER BY k.lo DESC, k.rkey DESC LIMIT 21" },
		"count-category": func(int64) string {
			return "SELECT count(*) FROM resource r WHERE " + typ + " AND " + c.match(category)
		},
	}
}
