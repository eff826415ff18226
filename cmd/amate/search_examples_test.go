package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

// example is a section of R4 search.html with its own examples, put to resources of
// which some must be found, and some must not.
type example struct {
	section   string   // the anchor in https://hl7.org/fhir/R4/search.html, or found
	resources []string // their ids begin with the section's name and a dash
	finds     [][2]string
}

// TestExamplesOfTheSpecification asks both engines the examples of R4. A search
// finds what is named behind it, in any order but where it is sorted; what comes
// along is marked with a plus sign. Resources of other sections do not count.
func TestExamplesOfTheSpecification(t *testing.T) {
	t.Parallel()
	engines := map[string]*searched{
		"SQLite":     {name: "SQLite", base: startServe(t, "--data", t.TempDir()).base},
		"PostgreSQL": {name: "PostgreSQL", base: startServe(t, "--database", storetest.Postgres(t), "--data", t.TempDir()).base},
	}
	for name, e := range engines {
		t.Run(name, func(t *testing.T) {
			for _, x := range searchExamples() {
				e.transaction(t, putAll(x.resources))
			}
			for _, x := range searchExamples() {
				for _, f := range x.finds {
					if got := e.ask(t, x.section, f[0]); got != f[1] {
						t.Errorf("#%s %s finds %q, want %q", x.section, f[0], got, f[1])
					}
				}
			}
		})
	}
}

func searchExamples() []example {
	return slices.Concat(valueExamples, referenceExamples, resultExamples, foundExamples)
}

// ask returns what a search finds of a section, without the section's name.
func (s *searched) ask(t *testing.T, section, query string) string {
	t.Helper()
	path, params, _ := strings.Cut(query, "?")
	var pairs []string
	for _, pair := range strings.Split(params, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(strings.ReplaceAll(value, "[base]", s.base)))
	}
	if !strings.Contains(params, "_count=") {
		pairs = append(pairs, "_count=1000")
	}
	var all []string
	next := s.base + "/" + path + "?" + strings.Join(pairs, "&")
	for pages := 0; next != ""; pages++ {
		p, err := s.page(next)
		if err != nil || pages == 20 {
			t.Errorf("#%s %s, page %d: %v", section, query, pages+1, err)
			return ""
		}
		for _, e := range p.Entry {
			var head struct{ ID string }
			if err := json.Unmarshal(e.Resource, &head); err != nil {
				t.Error(err)
			}
			if id, ok := strings.CutPrefix(head.ID, section+"-"); ok {
				if e.Search.Mode != "match" {
					id = "+" + id
				}
				all = append(all, id)
			}
		}
		next = p.next()
	}
	if !strings.Contains(query, "_sort=") {
		slices.Sort(all)
	}
	return strings.Join(all, " ")
}
