package rest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// explainer is a store that tells how it searches.
type explainer interface {
	Explain(ctx context.Context, q *search.Query) ([]search.Plan, error)
}

// operator may see how searches are carried out.
type operator struct{}

func (operator) Check(context.Context, *rest.Request) (rest.Decision, error) {
	return rest.Decision{Restriction: search.Unrestricted, Principal: "operator", Explain: true}, nil
}

func TestExplain(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		store := open(t)
		s := serveOn(t, store, func(c *rest.Config) {
			c.Guard, c.Explain = operator{}, store.(explainer).Explain
		})
		s.ward()
		for _, path := range []string{
			"/Observation?code=x&_sort=-date&__explain=true&_total=accurate",
			"/Patient/a/*?__explain=true",
			"/?_type=Patient&_id=a&__explain=true",
		} {
			o := s.want(200, s.do("GET", path, "")).outcome(t)
			if len(o.Issue) < 2 || !o.says("SELECT") || !o.says(" ms") || o.Issue[0].Details.Coding[0].Code != "search-tree" {
				t.Errorf("%s: %+v", path, o)
			}
			for _, i := range o.Issue {
				if i.Severity != "information" {
					t.Errorf("%s: %+v", path, i)
				}
			}
		}
		if o := s.do("GET", "/Observation?code=x&__explain=true", "").outcome(t); o.Issue[0].Diagnostics != "Observation?code=x" {
			t.Errorf("understood %q", o.Issue[0].Diagnostics)
		}
		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		if o := s.want(200, s.do("POST", "/Observation/_search", "code=x&__explain=true", form...)).outcome(t); !o.says("SELECT") {
			t.Errorf("by POST: %+v", o)
		}
		if b := s.want(200, s.do("GET", "/Patient?_id=a&__explain=false", "")).bundle(t); b.sorted() != "Patient/a" || strings.Contains(b.link("self"), "explain") {
			t.Errorf("not explained: %v", b)
		}
		s.want(400, s.do("GET", "/Patient?__explain=maybe", ""))
		s.want(400, s.do("GET", "/Patient?nonsense=1&__explain=true", ""))
	})
}

// TestExplainIsForOperators: it tells how much there is, so that it must be switched
// on, and allowed.
func TestExplainIsForOperators(t *testing.T) {
	off := serve(t, func(c *rest.Config) { c.Guard = operator{} })
	if a := off.do("GET", "/Patient?__explain=true", ""); a.status != 403 || !a.outcome(t).says("--explain") {
		t.Errorf("switched off: %d %s", a.status, a.body)
	}
	store := newStore(t)
	others := serveOn(t, store, func(c *rest.Config) { c.Explain = store.(explainer).Explain })
	others.ward()
	for _, path := range []string{"/Patient?__explain=true", "/Patient/a/*?__explain=true", "/?_type=Patient&__explain=true"} {
		if a := others.do("GET", path, ""); a.status != 403 || strings.Contains(a.body, "SELECT") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a := others.want(200, others.do("POST", "/", bundleOf("batch", entry("", "GET", "Patient?__explain=true", "", ""))))
	if strings.Contains(a.body, "SELECT") || !strings.Contains(a.body, "403") {
		t.Errorf("in a batch: %s", a.body)
	}
}
