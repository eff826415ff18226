package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
)

// stout stores n patients of about 10 kB each, and returns a server whose answers
// may have little more than four of them.
func stout(t *testing.T, n int) *server {
	s := serve(t, func(c *rest.Config) { c.Limits.Answer = 40 << 10 })
	for i := range n {
		s.put(patient(fmt.Sprintf("p%02d", i), "stout", `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">`+strings.Repeat("x", 10_000)+`</div>"}`))
	}
	return s
}

// TestPagesEndEarly: a page has no more than an answer may have, whatever _count
// says, and its link leads on to the rest.
func TestPagesEndEarly(t *testing.T) {
	s := stout(t, 14)
	for _, path := range []string{
		"/Patient?_count=100", "/Patient?_count=100&_sort=birthdate", "/Patient?_count=100&_sort=-_id", "/Patient/_history?_count=100", "/_history?_count=100",
	} {
		seen := map[string]bool{}
		for next, pages := path, 0; next != ""; pages++ {
			a := s.want(200, s.do("GET", next, ""))
			if len(a.body) > 60<<10 {
				t.Errorf("%s: a page of %d bytes", path, len(a.body))
			}
			b := a.bundle(t)
			if len(b.Entry) == 0 || pages > 14 {
				t.Fatalf("%s: page %d has %d entries", path, pages, len(b.Entry))
			}
			for _, e := range b.Entry {
				if seen[e.FullURL] {
					t.Errorf("%s: %s comes twice", path, e.FullURL)
				}
				seen[e.FullURL] = true
			}
			next = b.link("next")
		}
		if len(seen) != 14 {
			t.Errorf("%s: %d resources, want 14", path, len(seen))
		}
	}
}

// TestIncludesHaveTheirBound: what a page brings along counts too.
func TestIncludesHaveTheirBound(t *testing.T) {
	s := stout(t, 6)
	for i := range 6 {
		s.put(observation(fmt.Sprintf("o%d", i), fmt.Sprintf("Patient/p%02d", i)))
	}
	s.want(200, s.do("GET", "/Observation?_count=2&_include=Observation:subject", ""))
	a := s.want(403, s.do("GET", "/Observation?_include=Observation:subject", ""))
	if !a.outcome(t).says("smaller page") {
		t.Error(a.body)
	}
}

// TestBatchHasItsBound: a short batch cannot ask for an answer without end. What
// it writes is written all the same.
func TestBatchHasItsBound(t *testing.T) {
	s := stout(t, 4)
	for _, typ := range []string{"batch", "transaction"} {
		var entries []string
		for range 30 {
			entries = append(entries, entry("", "GET", "Patient?_count=4", "", ""))
		}
		entries = append(entries, entry("", "PUT", "Patient/new-"+typ, patient("new-"+typ, "1"), ""))
		a := s.want(200, s.do("POST", "/", bundleOf(typ, entries...), "Prefer", "return=representation"))
		if len(a.body) > 120<<10 {
			t.Errorf("%s: an answer of %d bytes", typ, len(a.body))
		}
		b := a.bundle(t)
		if first := b.Entry[0].Response.Status; first != "200 OK" {
			t.Errorf("%s: the first entry has %s", typ, first)
		}
		if late := b.Entry[29].Response.Status; late != "403 Forbidden" {
			t.Errorf("%s: a late entry has %s", typ, late)
		}
		if status := b.Entry[30].Response.Status; status != "201 Created" {
			t.Errorf("%s: the write has %s", typ, status)
		}
		s.want(200, s.do("GET", "/Patient/new-"+typ, ""))
	}
}
