package storetest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// base is the server's URL in tests.
const base = "http://localhost/fhir"

// resource returns the Change that puts a resource, given as JSON with an id, in its place.
func resource(t testing.TB, json string) bundle.Change {
	t.Helper()
	d, err := element.Parse([]byte(json))
	if err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	root := element.Node(0)
	index, err := search.Extract(d, root, base)
	if err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	at := fhir.Ref{Type: d.Text(d.Get(root, "resourceType")), ID: d.Text(d.Get(root, "id"))}
	build := func(_ *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
		c := &bundle.Content{Index: index}
		c.Body.JSON, c.Body.VersionAt, c.Body.UpdatedAt = d.Edit(root).Stamp(at.ID)
		return c, nil
	}
	return bundle.Change{Op: bundle.Update, Ref: at, Build: build}
}

// load puts resources, each given as JSON, in one batch.
func (f *fixture) load(resources ...string) {
	f.Helper()
	changes := make([]bundle.Change, len(resources))
	for i, json := range resources {
		changes[i] = resource(f, json)
	}
	f.apply(changes...)
}

// query parses a search as it stands in a URL: "Patient?name=Ek". "?_id=a" searches all types.
func query(t testing.TB, text string) *search.Query {
	t.Helper()
	typ, rest, _ := strings.Cut(text, "?")
	var params []search.Param
	for pair := range strings.SplitSeq(rest, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		params = append(params, search.Param{Name: name, Value: value})
	}
	q, err := search.Parse(typ, params, search.Options{Base: base})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q.Restriction = search.Unrestricted
	return q
}

// search runs a query, which must succeed.
func (f *fixture) search(q *search.Query) *search.Result {
	f.Helper()
	result, err := f.s.Search(f.ctx, q)
	if err != nil {
		f.Fatalf("search %v: %v", search.And(q.Where), err)
	}
	return result
}

// ids returns the ids of resources in order, joined by spaces.
func ids(resources []fhir.Resource) string {
	all := make([]string, len(resources))
	for i := range resources {
		all[i] = resources[i].Ref.ID
	}
	return strings.Join(all, " ")
}

// sortedIDs is ids without regard to order.
func sortedIDs(resources []fhir.Resource) string {
	all := strings.Fields(ids(resources))
	slices.Sort(all)
	return strings.Join(all, " ")
}

// finds expects that a search matches just the resources with these ids, in any order.
func (f *fixture) finds(text, want string) {
	f.Helper()
	result := f.search(query(f, text))
	if got := sortedIDs(result.Matches); got != want {
		f.Errorf("%s finds %q, want %q", text, got, want)
	}
}

// orders expects that a search matches the resources with these ids in this order.
func (f *fixture) orders(text, want string) {
	f.Helper()
	if got := ids(f.search(query(f, text)).Matches); got != want {
		f.Errorf("%s finds %q, want %q", text, got, want)
	}
}

// patient is a small Patient.
func patient(id, family, birthDate string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"family":%q,"given":["José","Ma"]}],"birthDate":%q,"gender":"female"}`,
		id, family, birthDate)
}

// observation is a small Observation of a patient.
func observation(id, patient, code, date, value string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":%q}]},
"subject":{"reference":%q},"effectiveDateTime":%q,"valueQuantity":{"value":%s,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`,
		id, code, patient, date, value)
}
