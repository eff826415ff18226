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
	s.want(415, s.do("PATCH", "/Patient/p", `[]`, "Content-Type", "application/merge-patch+json"))
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	s.want(410, patch("/Patient/p", `[]`))
}

// pathPatch writes a FHIRPath Patch of one operation, with more parts.
func pathPatch(kind, path string, parts ...string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[` + strings.Join(append([]string{
		`{"name":"type","valueCode":"` + kind + `"}`, `{"name":"path","valueString":"` + path + `"}`}, parts...), ",") + `]}]}`
}

func TestFHIRPathPatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1", `"extension":[{"url":"http://x","valueDecimal":1.10}]`))
	addGender := pathPatch("add", "Patient", `{"name":"name","valueString":"gender"}`, `{"name":"value","valueCode":"male"}`)
	a := s.want(200, s.do("PATCH", "/Patient/p", addGender, "If-Match", `W/"1"`))
	if !strings.Contains(a.body, `1.10`) || !strings.Contains(a.body, `"gender":"male"`) || a.header.Get("ETag") != `W/"2"` {
		t.Errorf("%v %s", a.header, a.body)
	}
	replace := func(value string) string { return pathPatch("replace", "Patient.gender", `{"name":"value",`+value+`}`) }
	tests := []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"there already", "/Patient/p", addGender, 422, "operation 0 (add)"},
		{"no such path", "/Patient/p", pathPatch("replace", "Patient.photo", `{"name":"value","valueString":"x"}`), 422, "selects nothing"},
		{"makes it invalid", "/Patient/p", replace(`"valueCode":"unknowable"`), 422, "required value set"},
		{"another id", "/Patient/p", pathPatch("replace", "Patient.id", `{"name":"value","valueId":"q"}`), 422, "id as they are"},
		{"no Parameters", "/Patient/p", `{"resourceType":"Patient","id":"p"}`, 400, "Parameters"},
		{"a Binary is for bundles", "/Patient/p", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W10="}`, 400, "Parameters"},
		{"invalid Parameters", "/Patient/p", `{"resourceType":"Parameters","parameter":[{"nome":"operation"}]}`, 422, "not defined for this type"},
		{"no operation", "/Patient/p", `{"resourceType":"Parameters","parameter":[{"name":"op"}]}`, 400, "operation"},
		{"no FHIRPath", "/Patient/p", pathPatch("delete", "Patient.(("), 400, "no FHIRPath"},
		{"no body", "/Patient/p", ``, 415, ""},
		{"nothing there", "/Patient/none", addGender, 404, ""},
		{"no criterion", "/Patient", addGender, 400, "criterion"},
	}
	for _, tt := range tests {
		a := s.do("PATCH", tt.path, tt.body)
		if a.status != tt.status || !a.outcome(t).says(tt.says) {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	s.want(412, s.do("PATCH", "/Patient/p", replace(`"valueCode":"female"`), "If-Match", `W/"1"`))
	if got := s.do("GET", "/Patient/p", ""); got.header.Get("ETag") != `W/"2"` {
		t.Errorf("a patch that failed was stored: %s", got.body)
	}
	a = s.want(200, s.do("PATCH", "/Patient?identifier=http://s|1", replace(`"valueCode":"female"`)))
	if got := a.header.Get("Content-Location"); got != s.url+"/Patient/p/_history/3" {
		t.Errorf("a conditional patch does not tell where: %q", got)
	}
	s.want(404, s.do("PATCH", "/Patient?identifier=http://s|none", replace(`"valueCode":"other"`)))
	s.put(patient("twin", "1"))
	s.want(412, s.do("PATCH", "/Patient?identifier=http://s|1", replace(`"valueCode":"other"`)))
	if got := s.want(200, s.do("GET", "/Patient/p", "")); !strings.Contains(got.body, `"gender":"female"`) {
		t.Errorf("got %s", got.body)
	}
	if meta := s.want(200, s.do("GET", "/metadata", "")); !strings.Contains(meta.body, `"patchFormat":["application/json-patch+json","application/fhir+json","application/fhir+xml"]`) {
		t.Error("/metadata does not tell the formats of patches")
	}
}

func TestFHIRPathPatchInBundles(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	addName := pathPatch("add", "Patient", `{"name":"name","valueString":"name"}`, `{"name":"value","valueHumanName":{"family":"F"}}`)
	a := s.want(200, s.do("POST", "/", bundleOf("batch",
		entry("", "PATCH", "Patient/p", addName, `,"ifMatch":"W/\"1\""`),
		entry("", "PATCH", "Patient/p", pathPatch("delete", "Patient.name.family"), `,"ifMatch":"W/\"1\""`),
		entry("", "PATCH", "Patient?identifier=http://s|1", pathPatch("add", "Patient", `{"name":"name","valueString":"active"}`, `{"name":"value","valueBoolean":true}`), ""),
		entry("", "PATCH", "Patient/p", `{"resourceType":"Parameters","parameter":[{"name":"op"}]}`, ""),
		entry("", "PATCH", "Patient/p", patient("p", "1"), ""),
	)))
	for i, want := range []string{"200 OK", "412 Precondition Failed", "200 OK", "400 Bad Request", "501 Not Implemented"} {
		if got := a.bundle(t).Entry[i].Response.Status; got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
	if !strings.Contains(a.body, `Bundle.entry[3].resource.parameter[0]`) {
		t.Errorf("the place of the mistake is missing: %s", a.body)
	}
	// In a transaction, what a patch adds may refer to other entries.
	a = s.want(200, s.do("POST", "/", bundleOf("transaction",
		entry("", "PATCH", "Patient/p", pathPatch("add", "Patient", `{"name":"name","valueString":"managingOrganization"}`,
			`{"name":"value","valueReference":{"reference":"`+urn+`a"}}`), ""),
		entry(urn+"a", "POST", "Organization", `{"resourceType":"Organization","name":"O"}`, ""),
	)))
	made, _, _ := strings.Cut(strings.TrimPrefix(a.bundle(t).Entry[1].Response.Location, s.url+"/"), "/_history")
	got := s.want(200, s.do("GET", "/Patient/p", ""))
	for _, want := range []string{`"name":[{"family":"F"}]`, `"active":true`, `"managingOrganization":{"reference":"` + made + `"}`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s is not in %s", want, got.body)
		}
	}
	// One that fails takes everything back, and says where.
	a = s.want(422, s.do("POST", "/", bundleOf("transaction",
		entry("", "POST", "Patient", patient("", "lost"), ""),
		entry("", "PATCH", "Patient/p", pathPatch("replace", "Patient.photo", `{"name":"value","valueString":"x"}`), ""),
	)))
	if !strings.Contains(a.body, "Bundle.entry[1]") {
		t.Errorf("got %s", a.body)
	}
	if all := s.want(200, s.do("GET", "/Patient?identifier=http://s|lost", "")).bundle(t); len(all.Entry) != 0 {
		t.Error("part of a transaction was stored")
	}
	s.want(422, s.do("POST", "/", bundleOf("transaction", entry("", "PATCH", "Patient/p",
		pathPatch("replace", "Patient.managingOrganization", `{"name":"value","valueReference":{"reference":"`+urn+`z"}}`), ""))))
}
