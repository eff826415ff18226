package rest_test

import (
	"strings"
	"testing"
)

func TestCreate(t *testing.T) {
	s := serve(t)
	a := s.want(201, s.do("POST", "/Patient", patient("mine", "1", `"meta":{"versionId":"77","lastUpdated":"1999-01-01T00:00:00Z","tag":[{"code":"t"}]}`)))
	id := a.id(t)
	if id == "mine" || len(id) != 36 || id[14] != '7' {
		t.Errorf("id %s: want a UUID of version 7 that the server chose", id)
	}
	if got, want := a.header.Get("Location"), s.url+"/Patient/"+id+"/_history/1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	if a.header.Get("ETag") != `W/"1"` || a.header.Get("Last-Modified") == "" {
		t.Errorf("headers %v", a.header)
	}
	if !strings.Contains(a.body, `"meta":{"versionId":"1","lastUpdated":"2`) || !strings.Contains(a.body, `"tag":[{"code":"t"}]`) {
		t.Errorf("body %s", a.body)
	}
	if got := s.want(200, s.do("GET", "/Patient/"+id, "")); got.body != a.body {
		t.Errorf("read %s after create %s", got.body, a.body)
	}
	s.want(404, s.do("GET", "/Patient/mine", ""))
	if got := s.want(200, s.do("GET", a.header.Get("Location"), "")); got.body != a.body {
		t.Errorf("Location leads to %s", got.body)
	}
}

func TestPreferReturn(t *testing.T) {
	s := serve(t)
	for _, tt := range []struct{ prefer, contains string }{
		{"return=minimal", ""},
		{"return=representation", `"resourceType":"Patient"`},
		{"return=OperationOutcome", `"resourceType":"OperationOutcome"`},
		{"", `"resourceType":"Patient"`},
	} {
		a := s.want(201, s.do("POST", "/Patient", patient("", "1"), "Prefer", tt.prefer))
		if tt.contains == "" && a.body != "" || !strings.Contains(a.body, tt.contains) || a.header.Get("Location") == "" || a.header.Get("ETag") == "" {
			t.Errorf("%s: %q %v", tt.prefer, a.body, a.header)
		}
	}
	s.put(patient("p", "2"))
	a := s.want(200, s.do("DELETE", "/Patient/p", "", "Prefer", "return=OperationOutcome"))
	if !a.outcome(t).says("deleted") {
		t.Errorf("delete: %s", a.body)
	}
}

func TestConditionalCreate(t *testing.T) {
	s := serve(t)
	one := s.want(201, s.do("POST", "/Patient", patient("", "1"), "If-None-Exist", "identifier=http://s|1"))
	two := s.want(200, s.do("POST", "/Patient", patient("", "1", `"active":true`), "If-None-Exist", "identifier=http://s|1"))
	if two.id(t) != one.id(t) || two.body != one.body {
		t.Errorf("got %s, want the one that was there: %s", two.body, one.body)
	}
	s.want(201, s.do("POST", "/Patient", patient("", "1")))
	a := s.want(412, s.do("POST", "/Patient", patient("", "1"), "If-None-Exist", "identifier=http://s|1"))
	if a.outcome(t).Issue[0].Code != "multiple-matches" {
		t.Errorf("got %s", a.body)
	}
	for _, bad := range []string{"nonsense=1", "_sort=name", "&", "identifier=%zz"} {
		s.want(400, s.do("POST", "/Patient", patient("", "9"), "If-None-Exist", bad))
	}
	if n := s.want(200, s.do("GET", "/Patient?identifier=http://s|9", "")).bundle(t); len(n.Entry) != 0 {
		t.Errorf("refused writes were stored: %v", n.ids())
	}
}
