package rest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	s := serve(t)
	for i := range 5 {
		s.put(patient(fmt.Sprint("p", i), "1", `"active":true`))
	}
	s.put(patient("other", "2", `"active":true`))
	s.put(observation("o", "Patient/p1"))
	a := s.want(200, s.do("GET", "/Patient?identifier=http://s|1&_total=accurate", ""))
	b := a.bundle(t)
	if b.Type != "searchset" || b.Total == nil || *b.Total != 5 || len(b.Entry) != 5 {
		t.Errorf("got %s", a.body)
	}
	if got, want := b.link("self"), s.url+"/Patient?identifier=http://s%7C1&_total=accurate"; got != want {
		t.Errorf("self %s, want %s", got, want)
	}
	for _, e := range b.Entry {
		if e.Search.Mode != "match" || !strings.HasPrefix(e.FullURL, s.url+"/Patient/p") {
			t.Errorf("entry %+v", e)
		}
	}
	if b := s.want(200, s.do("GET", "/Patient?identifier=none", "")).bundle(t); len(b.Entry) != 0 || b.Total != nil {
		t.Errorf("no match: %+v", b)
	}
	if b := s.want(200, s.do("GET", "/Patient?identifier=http://s|1&_summary=count", "")).bundle(t); len(b.Entry) != 0 || b.Total == nil || *b.Total != 5 {
		t.Errorf("count: %+v", b)
	}
	if a := s.want(200, s.do("GET", "/Patient?_id=p1&_elements=active", "")); strings.Contains(a.body, "identifier\":") || !strings.Contains(a.body, "SUBSETTED") {
		t.Errorf("elements: %s", a.body)
	}
	if b := s.want(200, s.do("GET", "/?_id=p1,o&_type=Patient,Observation", "")).bundle(t); len(b.Entry) != 2 {
		t.Errorf("system: %v", b.ids())
	}
}

func TestSearchByPost(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.put(patient("q", "2"))
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	b := s.want(200, s.do("POST", "/Patient/_search", "identifier=http%3A%2F%2Fs%7C1", form...)).bundle(t)
	if !slices.Equal(b.ids(), []string{"Patient/p"}) || !strings.HasPrefix(b.link("self"), s.url+"/Patient?identifier=") {
		t.Errorf("%v %v", b.ids(), b.Link)
	}
	b = s.want(200, s.do("POST", "/Patient/_search?_id=p", "identifier=http%3A%2F%2Fs%7C2", form...)).bundle(t)
	if len(b.Entry) != 0 {
		t.Errorf("parameters of the URL were forgotten: %v", b.ids())
	}
	if b := s.want(200, s.do("POST", "/Patient/_search", "")).bundle(t); len(b.Entry) != 2 {
		t.Errorf("without a body: %v", b.ids())
	}
	s.want(200, s.do("POST", "/_search", "_id=p&_type=Patient", form...))
	s.want(415, s.do("POST", "/Patient/_search", `{"a":1}`))
	s.want(400, s.do("POST", "/Patient/_search", "identifier=%zz", form...))
}

// TestPagesStayRight: what is written while a client turns pages neither doubles
// nor hides what was there when it began.
func TestPagesStayRight(t *testing.T) {
	s := serve(t)
	for i := range 10 {
		s.put(patient(fmt.Sprint("p", i), "1"))
	}
	seen := map[string]int{}
	next, pages := s.url+"/Patient?identifier=http://s|1&_count=3", 0
	for next != "" && pages < 10 {
		b := s.want(200, s.do("GET", next, "")).bundle(t)
		for _, id := range b.ids() {
			seen[id]++
		}
		pages++
		next = b.link("next")
		if next != "" && len(b.Entry) != 3 {
			t.Errorf("a page forgets _count: %d entries", len(b.Entry))
		}
		s.put(patient(fmt.Sprint("p", pages), "1", `"active":true`))
		s.put(patient(fmt.Sprint("a", pages), "2"))
	}
	for i := range 10 {
		if n := seen[fmt.Sprint("Patient/p", i)]; n != 1 {
			t.Errorf("p%d was seen %d times", i, n)
		}
	}
}

func TestSearchRefusals(t *testing.T) {
	s := serve(t)
	for i := range 3 {
		s.put(patient(fmt.Sprint("p", i), "1"))
	}
	next := s.want(200, s.do("GET", "/Patient?_count=1", "")).bundle(t).link("next")
	if next == "" {
		t.Fatal("no next link")
	}
	_, cursor, _ := strings.Cut(next, "_cursor=")
	cursor, _, _ = strings.Cut(cursor, "&")
	if b := s.want(200, s.do("GET", "/Patient?_count=2&_cursor="+cursor, "")).bundle(t); len(b.Entry) != 2 {
		t.Errorf("_count beside the cursor: %d entries", len(b.Entry))
	}
	tests := []struct{ query, says string }{
		{"nonsense=1", "nonsense"},
		{"name:nonsense=1", "nonsense"},
		{"_count=-1", "_count"},
		{"_count=x", "_count"},
		{"birthdate=yesterday", "birthdate"},
		{"_sort=nonsense", "nonsense"},
		{"_include=Patient:nonsense", "nonsense"},
		{"_cursor=" + cursor[:len(cursor)-2] + "AA", "_cursor"},
		{"name=a&_cursor=" + cursor, "_cursor"},
		{"_count=2&_count=3&_cursor=" + cursor, "_cursor"},
		{"_cursor=" + cursor + "&_cursor=" + cursor, "_cursor"},
		{"_cursor=", "_cursor"},
		{"name=%zz", "escaped"},
	}
	for _, tt := range tests {
		a := s.do("GET", "/Patient?"+tt.query, "")
		if a.status != 400 || !a.outcome(t).says(tt.says) {
			t.Errorf("%s: %d %s", tt.query, a.status, a.body)
		}
	}
	a := s.want(200, s.do("GET", "/Patient?nonsense=1&_id=p1", "", "Prefer", "handling=lenient"))
	b := a.bundle(t)
	if !slices.Equal(b.ids(), []string{"Patient/p1", "OperationOutcome/ outcome"}) || !strings.Contains(a.body, `"diagnostics":"nonsense"`) || strings.Contains(b.link("self"), "nonsense") {
		t.Errorf("lenient: %s", a.body)
	}
}

func TestInclude(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.put(observation("o", "Patient/p"))
	b := s.want(200, s.do("GET", "/Observation?_id=o&_include=Observation:subject", "")).bundle(t)
	if !slices.Equal(b.ids(), []string{"Observation/o", "Patient/p include"}) {
		t.Errorf("include: %v", b.ids())
	}
	b = s.want(200, s.do("GET", "/Patient?_id=p&_revinclude=Observation:subject", "")).bundle(t)
	if !slices.Equal(b.ids(), []string{"Patient/p", "Observation/o include"}) {
		t.Errorf("revinclude: %v", b.ids())
	}
}
