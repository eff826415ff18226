package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"

	"github.com/amate-health/amate/store/storetest"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), storetest.Postgres(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSuite(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) storetest.Store { return open(t) })
}

// filled returns a store with n Observations.
func filled(t *testing.T, n int) *Store {
	t.Helper()
	s := open(t)
	batch := &bundle.Batch{}
	for i := range n {
		batch.Changes = append(batch.Changes, bundle.Change{
			Op: bundle.Create, Ref: fhir.Ref{Type: "Observation", ID: fmt.Sprint(i)},
			Build: func(*bundle.Env, fhir.Ref, *fhir.Resource) (*bundle.Content, error) {
				return &bundle.Content{Body: bundle.Body{JSON: []byte(`{}`), VersionAt: 1, UpdatedAt: 1}}, nil
			},
		})
	}
	if _, err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEstimate: a large total is the planner's guess, a small one is counted.
func TestEstimate(t *testing.T) {
	s := filled(t, 20_000)
	s.analyze(t.Context())
	q := &search.Query{Type: "Observation", Total: search.TotalEstimate, Restriction: search.Unrestricted}
	r, err := s.Search(t.Context(), q)
	if err != nil || !r.Estimate || r.Total < 15_000 || r.Total > 25_000 {
		t.Errorf("total %+v, %v", r, err)
	}
	q.Where = []search.Expr{search.IDs{Any: []string{"1", "2"}}}
	if r, err = s.Search(t.Context(), q); err != nil || r.Estimate || r.Total != 2 {
		t.Errorf("total %+v, %v", r, err)
	}
}

// TestAnotherTimeline: after a replica took over, row keys are asked for anew.
func TestAnotherTimeline(t *testing.T) {
	s := filled(t, 1)
	ref := fhir.Ref{Type: "Observation", ID: "0"}
	if s.keys.Get(ref) == 0 || s.free.left(1) == nil {
		t.Fatal("no key is remembered, or none is at hand")
	}
	reconnect := func() {
		conn, err := pgx.ConnectConfig(t.Context(), s.pool.Config().ConnConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := s.sameTimeline(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	reconnect()
	if s.keys.Get(ref) == 0 {
		t.Error("a key is forgotten on the same timeline")
	}
	s.timeline = "another"
	reconnect()
	if s.keys.Get(ref) != 0 || s.free.left(1) != nil {
		t.Error("keys of another timeline are kept")
	}
}

func TestClosed(t *testing.T) {
	s, err := Open(t.Context(), storetest.Postgres(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), fhir.Ref{Type: "Patient", ID: "a"}); fhir.CodeOf(err) != fhir.Unavailable {
		t.Errorf("read: %v", err)
	}
}

// TestOutOfTime: what takes longer than the database allows, and a connection that breaks,
// are no faults of this program.
func TestOutOfTime(t *testing.T) {
	s, err := Open(t.Context(), storetest.Postgres(t)+"&statement_timeout=300", Options{Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run := func(ctx context.Context, sql string) error {
		return s.with(ctx, func(c *connection) error { return trip(ctx, c.pg, call{sql: sql}) })
	}
	for name, sql := range map[string]string{"a long statement": `SELECT pg_sleep(60)`, "a connection that ends": `SELECT pg_terminate_backend(pg_backend_pid())`} {
		if err := run(t.Context(), sql); fhir.CodeOf(err) != fhir.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := run(short, `SELECT pg_sleep(60)`); !errors.Is(err, context.DeadlineExceeded) || fhir.CodeOf(err) != 0 {
		t.Errorf("who waits no longer: %v", err)
	}
	err = s.with(t.Context(), func(c *connection) error {
		if err := c.pg.Conn().Close(); err != nil {
			t.Error(err)
		}
		return trip(t.Context(), c.pg, call{sql: `SELECT 1`})
	})
	if fhir.CodeOf(err) != fhir.Unavailable {
		t.Errorf("a broken connection: %v", err)
	}
	if err := run(t.Context(), `SELECT 1`); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := Open(t.Context(), "postgres://amate:geheim@127.0.0.1:1/x", Options{})
	if err == nil {
		t.Fatal("no error")
	}
	if _, err = Open(t.Context(), "postgres://amate:geheim@127.0.0.1:x/x", Options{}); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error %v", err)
	}
}

// TestManyShapes: more shapes of search than a connection keeps prepared, and
// statements that fail, leave it usable.
func TestManyShapes(t *testing.T) {
	s, err := Open(t.Context(), storetest.Postgres(t), Options{Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for round := range 2 {
		for n := 1; n < maxKept+20; n++ {
			q := &search.Query{Type: "Patient", Count: 10, Restriction: search.Unrestricted}
			for range n {
				q.Where = append(q.Where, search.IDs{Any: []string{"a"}})
			}
			if _, err := s.Search(t.Context(), q); err != nil {
				t.Fatalf("round %d, %d conditions: %v", round, n, err)
			}
		}
	}
	err = s.with(t.Context(), func(c *connection) error {
		var broken *pgError
		for range 2 {
			bad := call{sql: "SELECT 1/$1::integer", keep: true, args: [][]byte{int32Bytes(0)}}
			if err := trip(t.Context(), c.pg, bad); !errors.As(err, &broken) || broken.code != "22012" {
				t.Errorf("division by zero: %v", err)
			}
		}
		var got int32
		good := call{sql: "SELECT 6/$1::integer", keep: true, args: [][]byte{int32Bytes(2)}, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			got = f.int32()
			return f.err()
		}}
		for range 2 {
			if err := trip(t.Context(), c.pg, good); err != nil || got != 3 {
				t.Errorf("%d, %v", got, err)
			}
		}
		if k := keptOf(c.pg); len(k.names) > maxKept+1 || len(k.names) != len(k.order) {
			t.Errorf("%d names, %d in order", len(k.names), len(k.order))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEncoding: a database that cannot hold every text is refused.
func TestEncoding(t *testing.T) {
	url := storetest.EmptyPostgres(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	name := admin.Config().Database + "_latin"
	if _, err := admin.Exec(t.Context(), `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`); err != nil {
		t.Fatal(err)
	}
	defer admin.Exec(t.Context(), `DROP DATABASE `+name+` WITH (FORCE)`)
	_, err = Open(t.Context(), strings.Replace(url, admin.Config().Database, name, 1), Options{})
	if err == nil || !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("error %v", err)
	}
}
