package rest_test

import (
	"strings"
	"testing"
)

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
