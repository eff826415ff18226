package sqlite

import (
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// TestFurtherPagesGather: the pages after the first start where the first did. Where
// few resources match, the value to sort by is looked up for each of them; to walk
// the values of all others for each would take seconds a page.
func TestFurtherPagesGather(t *testing.T) {
	s := open(t)
	conn, err := s.readers.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.readers.Put(conn)
	compiler := query.Compiler{
		Dialect: index.SQLite,
		Keys:    func(fhir.Ref) int64 { return 0 },
	}
	for _, tt := range []struct {
		typ, sort string
		key       any
	}{
		{"Patient", "family", "garcia"},
		{"Patient", "-family", "garcia"},
		{"Patient", "birthdate", int64(0)},
		{"Observation", "value-quantity", 1.5},
	} {
		few := search.Param{Name: "_id", Value: "a,b"}
		q, err := search.Parse(tt.typ, []search.Param{few, {Name: "_sort", Value: tt.sort}}, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q.Restriction = search.Unrestricted
		statement, err := compiler.Page(q, &query.Position{Keys: []any{tt.key}, Rkey: 7}, 20, false, true)
		if err != nil {
			t.Fatal(err)
		}
		plan := planOf(t, conn, statement)
		looked := false
		for _, step := range plan {
			looked = looked || strings.HasPrefix(step, "SEARCH k ") && strings.Contains(step, "rkey=?")
		}
		if !looked {
			t.Errorf("%s by %s does not look values up by resource:\n%s", tt.typ, tt.sort, strings.Join(plan, "\n"))
		}
	}
}

// TestIDsAreLookedUp: resources whose ids are given are looked up by them, before anybody
// has counted how many there are of their type.
func TestIDsAreLookedUp(t *testing.T) {
	s := open(t)
	conn, err := s.readers.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.readers.Put(conn)
	compiler := query.Compiler{Dialect: index.SQLite, Keys: func(fhir.Ref) int64 { return 0 }}
	for _, ids := range [][]string{{"a"}, {"a", "b"}, strings.Fields(strings.Repeat("x ", 100))} {
		q := search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted}
		statement, err := compiler.Page(&q, nil, q.Count, false, true)
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(planOf(t, conn, statement), "\n")
		if !strings.Contains(plan, "(id=?") || strings.Contains(plan, "resource_live") {
			t.Errorf("%d ids are not looked up:\n%s", len(ids), plan)
		}
	}
}

// planOf returns the steps of SQLite's plan for a statement.
func planOf(t *testing.T, conn *sqlite.Conn, statement *query.Statement) (plan []string) {
	t.Helper()
	err := sqlitex.ExecuteTransient(conn, "EXPLAIN QUERY PLAN "+statement.SQL, &sqlitex.ExecOptions{
		Args: statement.Args,
		ResultFunc: func(row *sqlite.Stmt) error {
			plan = append(plan, row.GetText("detail"))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
