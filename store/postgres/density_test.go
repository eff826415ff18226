package postgres

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// dense is how many Observations TestDensity looks among.
const dense = 20_000

// mostPages is how many pages of the database the first page of a search may touch,
// whatever it asks for: 21 resources with their versions, found by a few thousand
// entries of an index at most. One that walks past all resources touches over 60,000.
const mostPages = 1_000

// densities are shapes of a search, each asked of values that many resources have, that
// few have, which stand at the very end of the order, and that none has.
var densities = []string{
	"code=all", "code=half", "code=rare", "code=none", "code=all,half", "code=rare,none", "code=all,rare",
	"date=ge1900", "date=gt2100", "date=ge2030", "date=lt2030", "date=ge2019-03-01&date=lt2019-03-02", "date=2019-03",
	"value-quantity=gt0", "value-quantity=lt0", "value-quantity=gt19990", "value-quantity=500",
	"code=all&date=ge1900", "code=all&date=ge2030", "code=all&date=gt2100", "code=rare&date=ge1900", "code=rare&date=lt2030",
	"code=half&value-quantity=gt0", "code=half&value-quantity=gt19990", "code=rare&value-quantity=gt0",
	"code-value-quantity=all$gt0", "code-value-quantity=all$gt19990", "code-value-quantity=all$lt0", "code-value-quantity=rare$gt0",
	"code=all&code=half", "code=all&code=rare",
	"patient=p1", "patient=p1&code=all", "patient=p1&code=rare", "patient=p99&code=rare", "patient=nobody",
	"patient.family=common&code=all", "patient.family=rare&code=all", "patient.family=common&code=rare", "patient.family=none",
	"_sort=-date", "code=all&_sort=-date", "code=rare&_sort=date", "code=none&_sort=date", "patient=p1&_sort=-date", "_sort=code", "code=rare&_sort=code",
	"_sort=-_lastUpdated", "code=rare&_sort=-_lastUpdated", "_id=o5", "_id=nobody",
}

// TestDensity: what a search costs does not depend on how many resources have what it
// asks for, nor on where they stand. What is counted is pages touched, not time.
func TestDensity(t *testing.T) {
	s := open(t)
	fillDensely(t, s)
	s.analyze(t.Context())
	for _, text := range append(densities, "code="+strings.TrimSuffix(strings.Repeat("none,", 500), ",")+",rare") {
		q := parseSearch(t, text)
		if _, err := s.Search(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		plans, err := s.Explain(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		pages, starts := 0, ""
		for _, p := range plans {
			if !strings.HasPrefix(p.Purpose, "page") {
				continue
			}
			rows, touched := actual(t, p.Text)
			pages += touched
			starts += "\n\t" + p.Start
			if rows > q.Count {
				break // the page is full
			}
		}
		if pages > mostPages {
			t.Errorf("%.60s touches %d pages:%s", text, pages, starts)
		}
	}
}

var (
	actualRows  = regexp.MustCompile(`actual time=\S+ rows=(\d+)`)
	actualPages = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)
)

// actual reads from a plan how many rows it returned, and how many pages it touched.
func actual(t *testing.T, plan string) (rows, pages int) {
	t.Helper()
	r, b := actualRows.FindStringSubmatch(plan), actualPages.FindStringSubmatch(plan)
	if r != nil && b == nil {
		return 0, 0 // it did not come to that
	}
	if r == nil {
		t.Fatalf("a plan without figures:\n%s", plan)
	}
	rows, _ = strconv.Atoi(r[1])
	hit, _ := strconv.Atoi(b[1])
	read, _ := strconv.Atoi(b[2])
	return rows, hit + read
}

func parseSearch(t *testing.T, text string) *search.Query {
	t.Helper()
	var params []search.Param
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		params = append(params, search.Param{Name: name, Value: value})
	}
	q, err := search.Parse("Observation", params, search.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q.Count, q.Restriction = 20, search.Unrestricted
	return q
}

// fillDensely writes 100 patients and the Observations of each.
func fillDensely(t *testing.T, s *Store) {
	t.Helper()
	var changes []bundle.Change
	add := func(format string, args ...any) {
		changes = append(changes, changeOf(t, fmt.Sprintf(format, args...)))
		if len(changes) == 1000 || len(args) == 0 {
			if _, err := s.Apply(t.Context(), &bundle.Batch{Changes: changes}); err != nil {
				t.Fatal(err)
			}
			changes = nil
		}
	}
	for i := range dense / 200 {
		family := "common"
		if i == dense/200-1 {
			family = "rare"
		}
		add(`{"resourceType":"Patient","id":"p%d","name":[{"family":%q}]}`, i, family)
	}
	for i := range dense {
		codes, date := `{"code":"all"}`, fmt.Sprintf("20%02d-%02d-%02d", 10+i%11, 1+i%12, 1+i%28)
		if i%2 == 0 {
			codes += `,{"code":"half"}`
		} else {
			codes += `,{"code":"odd"}`
		}
		if i >= dense-5 {
			codes, date = codes+`,{"code":"rare"}`, "2030-01-01"
		}
		add(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"coding":[%s]},"subject":{"reference":"Patient/p%d"},
"effectiveDateTime":%q,"valueQuantity":{"value":%d}}`, i, codes, i/200, date, i+1)
	}
	add(`{"resourceType":"Basic","id":"last"}`)
}

func changeOf(t *testing.T, json string) bundle.Change {
	t.Helper()
	d, err := element.Parse([]byte(json))
	if err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	ix, err := search.Extract(d, 0, "http://localhost/fhir")
	if err != nil {
		t.Fatal(err)
	}
	build := func(_ *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
		c := &bundle.Content{Index: ix}
		c.Body.JSON, c.Body.VersionAt, c.Body.UpdatedAt = d.Edit(0).Stamp(at.ID)
		return c, nil
	}
	return bundle.Change{Op: bundle.Create, Ref: fhir.Ref{Type: d.Text(d.Get(0, "resourceType")), ID: d.Text(d.Get(0, "id"))}, Build: build}
}
