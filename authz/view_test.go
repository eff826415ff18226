package authz_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/view"
)

const (
	viewOfPatients     = `{"resourceType":"ViewDefinition","resource":"Patient","select":[{"column":[{"name":"key","path":"getResourceKey()"},{"name":"family","path":"name.first().family"},{"name":"identifier","path":"identifier.first().value"}]}]}`
	viewOfObservations = `{"resourceType":"ViewDefinition","resource":"Observation","select":[{"column":[{"name":"key","path":"getResourceKey()"},{"name":"note","path":"note.first().text"}]},{"forEachOrNull":"performer","column":[{"name":"by","path":"reference"}]}]}`
)

func viewCall(definition string, more ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(append([]string{`{"name":"viewResource","resource":` + definition + `}`}, more...), ",") + `]}`
}

// viewWays are rows of views over what is stored.
var viewWays = []way{
	{route: "$viewdefinition-run", method: "POST", path: "/ViewDefinition/$viewdefinition-run", body: viewCall(viewOfPatients), act: "view", tells: rowsOf},
	{route: "$viewdefinition-run", method: "POST", path: "/$viewdefinition-run", body: viewCall(viewOfObservations), act: "view", tells: rowsOf},
	{route: "$viewdefinition-run", method: "POST", path: "/$viewdefinition-run", body: viewCall(viewOfObservations, `{"name":"patient","valueReference":{"reference":"Patient/p1"}}`), act: "view", tells: rowsOf},
	{route: "$run", method: "POST", path: "/ViewDefinition/$run", body: viewCall(viewOfObservations, `{"name":"group","valueReference":{"reference":"Group/g1"}}`), act: "view", tells: rowsOf},
	{route: "$sql-run", method: "POST", path: "/$sql-run", body: strings.Replace(viewCall(viewOfPatients), "viewResource", "subjectResource", 1), act: "view", tells: rowsOf},
}

// rowsOf returns what the rows of an answer are of.
func rowsOf(a *httptest.ResponseRecorder) []string {
	var rows []struct{ Key string }
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &rows) != nil {
		return nil
	}
	var refs []string
	for _, r := range rows {
		if !slices.Contains(refs, r.Key) {
			refs = append(refs, r.Key)
		}
	}
	return refs
}

// paged scans by searching.
type paged struct{ *world }

func (w paged) Scan(ctx context.Context, s *search.Scan, page func([]fhir.Resource, string) error) error {
	q := s.Query
	q.Count = 20
	for {
		found, err := w.store.Search(ctx, &q)
		if err != nil {
			return err
		}
		if err := page(found.Matches, found.Next); err != nil || found.Next == "" {
			return err
		}
		q.After = found.Next
	}
}

func (w *world) viewOperations() []operation.Operation {
	return view.New(view.Config{Scanner: paged{w}, Search: w.store.Search, AtOnce: 64}).Operations()
}

// TestViewsRestricted: rows are of what the caller may see, whatever view they ask for, and
// whoever they are.
func TestViewsRestricted(t *testing.T) {
	rows := 0
	for seed := range uint64(4) {
		w := newWorld(t, seed, engines["sqlite"])
		for range 8 {
			w.also = []rule{{types: []string{"*"}, acts: []string{"$viewdefinition-run", "$run", "$sql-run"}, restriction: "all"}}
			if w.chance(50) {
				w.also = append(w.also, rule{types: []string{"Patient", "Observation"}, acts: []string{"view"}, restriction: one(w, "all", "own-compartment", "own-unit", "own-jurisdiction")})
			}
			w.policy()
			p := w.caller()
			w.asking = p
			for i := range viewWays {
				rows += w.proveView(p, &viewWays[i])
			}
		}
	}
	if rows == 0 {
		t.Error("nobody has seen a row")
	}
}

// proveView asks for rows, and looks at each whether it may be there. It returns of how many
// resources there are rows.
func (w *world) proveView(p *authz.Principal, way *way) int {
	w.t.Helper()
	a := w.ask(p, way.method, way.path, way.body)
	got := way.tells(a)
	masked := len(got) > 0
	for _, ref := range got {
		o := w.all[ref]
		if o == nil {
			w.t.Fatalf("%s for %s: a row of %s, which is nothing", way.path, describe(w, p), ref)
		}
		v := w.viewer(p, typeOf(o), "view")
		masked = masked && v.masked(o)
		if !v.sees(o) {
			w.t.Fatalf("%s for %s: a row of %s, which is hidden\n%.2000s", way.path, describe(w, p), ref, a.Body)
		}
	}
	if masked && strings.Contains(a.Body.String(), "SECRETO") {
		w.t.Fatalf("%s for %s: a secret came back\n%.2000s", way.path, describe(w, p), a.Body)
	}
	return len(got)
}
