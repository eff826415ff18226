package query

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenSearches are compiled for both engines; testdata holds the SQL.
var goldenSearches = []string{
	"Patient?",
	"Patient?_id=a",
	"Patient?_id=a,b",
	"Patient?family=ek",
	"Patient?family:exact=Ek&name:contains=50%25",
	"Patient?identifier=urn:curp|X",
	"Patient?gender:not=male",
	"Patient?active:missing=true",
	"Patient?birthdate=ge1980&birthdate=lt1990&gender=female",
	"Patient?_sort=family",
	"Patient?_sort=-birthdate,family,_id",
	"Patient?gender=female&_sort=birthdate",
	"Patient?_lastUpdated=gt2020&_sort=-_lastUpdated",
	"Patient?_has:Observation:patient:code=x",
	"Patient?general-practitioner:missing=false",
	"Observation?patient=known",
	"Observation?patient=known&_sort=-date",
	"Observation?patient=unknown",
	"Observation?patient=known&code=http://loinc.org|8302-2&date=2020-02",
	"Observation?code=a,b",
	"Observation?combo-code=a&combo-value-quantity=gt5||kg",
	"Observation?patient.family=ek&code=a",
	"Observation?patient.organization.name=x",
	"Observation?value-quantity=5.4|http://unitsofmeasure.org|mg,7",
	"Encounter?date=ap2020",
	"?_type=Patient,Observation&_id=a",
	"?_lastUpdated=gt2020",
}

// goldenQuery parses a search as it stands in a URL.
func goldenQuery(t *testing.T, text string) *search.Query {
	t.Helper()
	typ, rest, _ := strings.Cut(text, "?")
	var params []search.Param
	for pair := range strings.SplitSeq(rest, "&") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			value, err := url.QueryUnescape(value)
			if err != nil {
				t.Fatal(err)
			}
			params = append(params, search.Param{Name: name, Value: value})
		}
	}
	q, err := search.Parse(typ, params, search.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q.Restriction = search.Unrestricted
	return q
}

// goldenCompiler knows one patient, and calls few what is asked for with a patient.
func goldenCompiler(d index.Dialect) *Compiler {
	c := &Compiler{Dialect: d, Keys: func(ref fhir.Ref) int64 {
		if ref.ID == "known" {
			return 7
		}
		return 0
	}}
	return c
}

func TestGolden(t *testing.T) {
	for name, dialect := range map[string]index.Dialect{"postgres": index.Postgres, "sqlite": index.SQLite} {
		var b strings.Builder
		for _, text := range goldenSearches {
			q := goldenQuery(t, text)
			s, err := goldenCompiler(dialect).Page(q, nil, 21, false, false)
			show(t, &b, text, s, err)
		}
		second(t, &b, dialect)
		q := goldenQuery(t, "Observation?patient=known&code=a")
		s, err := goldenCompiler(dialect).Count(q)
		show(t, &b, "count of Observation?patient=known&code=a", s, err)
		compare(t, name, b.String())
	}
}

// second shows what else there is: further pages, restrictions, includes and histories.
func second(t *testing.T, b *strings.Builder, d index.Dialect) {
	c := goldenCompiler(d)
	for _, page := range []struct {
		text string
		from *Position
	}{
		{"Patient?", &Position{Rkey: 5}},
		{"Observation?code=a", &Position{Rkey: 5}},
		{"Patient?_sort=family,-birthdate", &Position{Keys: []any{"ek", int64(3)}, Rkey: 5}},
		{"Patient?_sort=family,-birthdate", &Position{Keys: []any{"ek", nil}, Rkey: 5}},
		{"Patient?_sort=family,-birthdate", &Position{Missing: true, Start: true}},
		{"Patient?_sort=family,-birthdate", &Position{Missing: true, Keys: []any{nil, int64(3)}, Rkey: 5}},
		{"Observation?_sort=-value-quantity", &Position{Keys: []any{1.5}, Rkey: 5}},
	} {
		s, err := c.Page(goldenQuery(t, page.text), page.from, 21, true, false)
		show(t, b, fmt.Sprintf("%s after %+v", page.text, *page.from), s, err)
	}
	only := &search.Restriction{Types: map[string][]search.Expr{
		"Patient": goldenQuery(t, "Patient?_id=known").Where, "Observation": goldenQuery(t, "Observation?patient=known").Where, "Device": nil,
	}}
	for _, text := range []string{"Patient?", "Patient?family=ek", "Device?", "Encounter?", "?", "Observation?patient.family=ek", "Patient?_has:Observation:patient:code=x"} {
		q := goldenQuery(t, text)
		q.Restriction = only
		s, err := c.Page(q, nil, 21, false, false)
		show(t, b, text+" restricted", s, err)
	}
	s, err := c.Forward(only, "", []int64{1, 2}, 10)
	show(t, b, "include, restricted", s, err)
	s, err = c.Reverse(search.Unrestricted, "Observation", []uint16{3, 4}, []int64{1, 2}, 10)
	show(t, b, "revinclude", s, err)
	s, err = c.History(&search.History{Type: "Patient", ID: "a", Restriction: search.Unrestricted}, nil, 10)
	show(t, b, "history of one", s, err)
	s, err = c.History(&search.History{Restriction: only}, &Position{Keys: []any{int64(9)}, Rkey: 5}, 10)
	show(t, b, "history of all, restricted, further page", s, err)
}

func show(t *testing.T, b *strings.Builder, title string, s *Statement, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", title, err)
		return
	}
	sql := strings.NewReplacer(" FROM ", "\n  FROM ", " WHERE ", "\n  WHERE ", " ORDER BY ", "\n  ORDER BY ").Replace(s.SQL)
	capped := ""
	if s.Capped {
		capped = ", may give up"
	}
	fmt.Fprintf(b, "# %s%s\n%s\n  %v\n\n", title, capped, sql, s.Args)
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(got, "\n")
		for i := range min(len(wantLines), len(gotLines)) {
			if wantLines[i] != gotLines[i] {
				t.Fatalf("%s, line %d:\n%s\nwant\n%s\n(go test -update writes it anew)", path, i+1, gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("%s has %d lines, want %d", path, len(gotLines), len(wantLines))
	}
}
