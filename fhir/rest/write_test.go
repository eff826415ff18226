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

func TestUpdate(t *testing.T) {
	s := serve(t)
	a := s.want(201, s.do("PUT", "/Patient/p", patient("p", "1")))
	if got, want := a.header.Get("Location"), s.url+"/Patient/p/_history/1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	a = s.want(200, s.do("PUT", "/Patient/p", patient("p", "2")))
	if a.header.Get("ETag") != `W/"2"` || !strings.Contains(a.body, `"versionId":"2"`) || a.header.Get("Location") != "" {
		t.Errorf("%v %s", a.header, a.body)
	}
	a = s.want(200, s.do("PUT", "/Patient/p", patient("p", "2")))
	if a.header.Get("ETag") != `W/"2"` {
		t.Errorf("an update that changes nothing made version %s", a.header.Get("ETag"))
	}
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	a = s.want(201, s.do("PUT", "/Patient/p", patient("p", "3")))
	if a.header.Get("ETag") != `W/"4"` {
		t.Errorf("after a deletion: %s", a.header.Get("ETag"))
	}
}

func TestIfMatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	patch := []string{"Content-Type", "application/json-patch+json"}
	add := `[{"op":"add","path":"/active","value":true}]`
	a := s.want(412, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", `W/"2"`))
	if a.outcome(t).Issue[0].Code != "conflict" {
		t.Errorf("got %s", a.body)
	}
	s.want(412, s.do("PATCH", "/Patient/p", add, append(patch, "If-Match", `W/"7"`)...))
	s.want(412, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"7"`))
	s.want(412, s.do("PUT", "/Patient/new", patient("new", "2"), "If-Match", `W/"1"`))
	s.want(400, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", "2"))
	s.want(400, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"x"`))
	if got := s.do("GET", "/Patient/p", ""); got.header.Get("ETag") != `W/"1"` {
		t.Fatalf("something was written: %s", got.body)
	}
	s.want(404, s.do("GET", "/Patient/new", ""))
	s.want(200, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", `W/"1"`))
	s.want(200, s.do("PATCH", "/Patient/p", add, append(patch, "If-Match", `"2"`)...))
	s.want(204, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"3"`))

	s.want(412, s.do("PUT", "/Patient/q", patient("q", "1"), "If-None-Match", "*", "If-Match", `W/"1"`))
	s.want(201, s.do("PUT", "/Patient/q", patient("q", "1"), "If-None-Match", "*"))
	s.want(412, s.do("PUT", "/Patient/q", patient("q", "2"), "If-None-Match", "*"))
	s.want(400, s.do("PUT", "/Patient/q", patient("q", "2"), "If-None-Match", `W/"1"`))
}

func TestConditionalUpdate(t *testing.T) {
	s := serve(t)
	a := s.want(201, s.do("PUT", "/Patient?identifier=http://s|1", patient("", "1")))
	id := a.id(t)
	a = s.want(200, s.do("PUT", "/Patient?identifier=http://s|1", patient("", "1", `"active":true`)))
	if a.id(t) != id || !strings.Contains(a.body, `"active":true`) {
		t.Errorf("got %s", a.body)
	}
	s.want(200, s.do("PUT", "/Patient?identifier=http://s|1", patient(id, "1")))
	s.want(400, s.do("PUT", "/Patient?identifier=http://s|1", patient("other", "1")))
	a = s.want(201, s.do("PUT", "/Patient?identifier=http://s|2", patient("chosen", "2")))
	if a.id(t) != "chosen" {
		t.Errorf("no match, but an id in the body: %s", a.body)
	}
	s.put(patient("x", "3"))
	s.put(patient("y", "3"))
	s.want(412, s.do("PUT", "/Patient?identifier=http://s|3", patient("", "3")))
	s.want(400, s.do("PUT", "/Patient", patient("", "3")))
}

func TestDelete(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	a := s.want(204, s.do("DELETE", "/Patient/p", ""))
	if a.body != "" || a.header.Get("ETag") != `W/"2"` {
		t.Errorf("%q %v", a.body, a.header)
	}
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	s.want(204, s.do("DELETE", "/Patient/never", ""))
	s.want(400, s.do("DELETE", "/Patient", ""))
	if h := s.want(200, s.do("GET", "/Patient/p/_history", "")).bundle(t); len(h.Entry) != 2 {
		t.Errorf("deleting twice made %d versions", len(h.Entry))
	}
}

func TestConditionalDelete(t *testing.T) {
	s := serve(t)
	s.put(patient("a", "1"))
	s.put(patient("b", "2"))
	s.put(patient("c", "2"))
	s.want(204, s.do("DELETE", "/Patient?identifier=http://s|1", ""))
	s.want(410, s.do("GET", "/Patient/a", ""))
	s.want(204, s.do("DELETE", "/Patient?identifier=http://s|1", ""))
	s.want(412, s.do("DELETE", "/Patient?identifier=http://s|2", ""))
	s.want(200, s.do("GET", "/Patient/b", ""))

	many := serve(t, deleteMany)
	many.put(patient("b", "2"))
	many.put(patient("c", "2"))
	many.put(patient("d", "3"))
	a := many.want(200, many.do("DELETE", "/Patient?identifier=http://s|2", "", "Prefer", "return=OperationOutcome"))
	if !a.outcome(t).says("deleted 2 resources") {
		t.Errorf("got %s", a.body)
	}
	many.want(410, many.do("GET", "/Patient/b", ""))
	many.want(410, many.do("GET", "/Patient/c", ""))
	many.want(200, many.do("GET", "/Patient/d", ""))
}

func TestPatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1", `"extension":[{"url":"http://x","valueDecimal":1.10}]`))
	patch := func(path, ops string) *answer {
		t.Helper()
		return s.do("PATCH", path, ops, "Content-Type", "application/json-patch+json")
	}
	a := s.want(200, patch("/Patient/p", `[{"op":"test","path":"/extension/0/valueDecimal","value":1.1},{"op":"add","path":"/gender","value":"male"}]`))
	if !strings.Contains(a.body, `1.10`) || !strings.Contains(a.body, `"gender":"male"`) || a.header.Get("ETag") != `W/"2"` {
		t.Errorf("%v %s", a.header, a.body)
	}
	tests := []struct {
		name, path, ops string
		status          int
		says            string
	}{
		{"test fails", "/Patient/p", `[{"op":"test","path":"/gender","value":"female"},{"op":"remove","path":"/gender"}]`, 422, "operation 0 (test)"},
		{"no such path", "/Patient/p", `[{"op":"remove","path":"/name"}]`, 422, "nothing at the path"},
		{"makes it invalid", "/Patient/p", `[{"op":"replace","path":"/gender","value":"unknowable"}]`, 422, "required value set"},
		{"another id", "/Patient/p", `[{"op":"replace","path":"/id","value":"q"}]`, 422, "id as they are"},
		{"another type", "/Patient/p", `[{"op":"replace","path":"/resourceType","value":"Person"}]`, 422, "resourceType"},
		{"no resource", "/Patient/p", `[{"op":"replace","path":"","value":[]}]`, 422, "no FHIR resource"},
		{"no patch", "/Patient/p", `{"op":"add"}`, 400, "array of operations"},
		{"no JSON", "/Patient/p", `[{]`, 400, "line 1, column 3"},
		{"nothing there", "/Patient/none", `[]`, 404, ""},
		{"no criterion", "/Patient", `[]`, 400, "criterion"},
	}
	for _, tt := range tests {
		a := patch(tt.path, tt.ops)
		if a.status != tt.status || !a.outcome(t).says(tt.says) {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	if got := s.do("GET", "/Patient/p", ""); got.header.Get("ETag") != `W/"2"` {
		t.Errorf("a patch that failed was stored: %s", got.body)
	}
	s.want(200, patch("/Patient?identifier=http://s|1", `[{"op":"add","path":"/active","value":false}]`))
	s.want(404, patch("/Patient?identifier=http://s|none", `[{"op":"add","path":"/active","value":false}]`))
	s.want(415, s.do("PATCH", "/Patient/p", `{"resourceType":"Parameters"}`))
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	s.want(410, patch("/Patient/p", `[]`))
}
