package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1", `"multipleBirthInteger":2`, `"extension":[{"url":"http://x","valueDecimal":1.10}]`))
	a := s.want(200, s.do("GET", "/Patient/p", ""))
	if a.header.Get("ETag") != `W/"1"` || a.header.Get("Content-Type") != "application/fhir+json; charset=utf-8" {
		t.Errorf("headers: %v", a.header)
	}
	modified, err := http.ParseTime(a.header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"resourceType":"Patient","id":"p","meta":{"versionId":"1","lastUpdated":"`, `"valueDecimal":1.10`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s lacks %s", a.body, want)
		}
	}
	for name, want := range map[string]string{
		"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff", "Server": "", "Vary": "Accept-Encoding", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a.header.Get("Date") == "" || a.header.Get("X-Request-Id") == "" {
		t.Errorf("headers: %v", a.header)
	}
	tests := []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", `W/"1"`, 304},
		{"If-None-Match", `"1"`, 304},
		{"If-None-Match", `W/"9", W/"1"`, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", `W/"2"`, 200},
		{"If-None-Match", "garbage", 200},
		{"If-Modified-Since", modified.Format(http.TimeFormat), 304},
		{"If-Modified-Since", modified.Add(-time.Second).Format(http.TimeFormat), 200},
		{"If-Modified-Since", "yesterday", 200},
	}
	for _, tt := range tests {
		a := s.do("GET", "/Patient/p", "", tt.name, tt.value)
		if a.status != tt.status || (a.body == "") != (tt.status == 304) || a.header.Get("ETag") != `W/"1"` {
			t.Errorf("%s: %s: %d %q %v", tt.name, tt.value, a.status, a.body, a.header)
		}
	}
}

func TestHead(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	get, head := s.do("GET", "/Patient/p", ""), s.do("HEAD", "/Patient/p", "")
	if head.status != 200 || head.body != "" {
		t.Errorf("%d %q", head.status, head.body)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Content-Length", "Content-Type"} {
		if g, h := get.header.Get(name), head.header.Get(name); g != h || g == "" {
			t.Errorf("%s: GET has %q, HEAD %q", name, g, h)
		}
	}
	s.want(404, s.do("HEAD", "/Patient/none", ""))
}

func TestReadWhatIsNotThere(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	tests := []struct {
		path   string
		status int
		code   string
		etag   string
	}{
		{"/Patient/none", 404, "not-found", ""},
		{"/Patient/p", 410, "deleted", `W/"2"`},
		{"/Observation/p", 404, "not-found", ""},
		{"/Pacient/p", 404, "not-supported", ""},
		{"/Patient/p/_history/1", 200, "", `W/"1"`},
		{"/Patient/p/_history/2", 410, "deleted", ""},
		{"/Patient/p/_history/3", 404, "not-found", ""},
		{"/Patient/p/_history/x", 404, "not-found", ""},
		{"/Patient/..%2f..%2fetc%2fpasswd", 400, "invalid", ""},
		{"/Patient/" + strings.Repeat("a", 65), 400, "invalid", ""},
		{"/Patient/a%00b", 400, "invalid", ""},
		{"/Patient/$everything", 404, "not-found", ""},
		{"/nothing/of/the/sort", 404, "not-found", ""},
	}
	for _, tt := range tests {
		a := s.do("GET", tt.path, "")
		if a.status != tt.status || a.header.Get("ETag") != tt.etag {
			t.Errorf("%s: %d %v, want %d %s", tt.path, a.status, a.header["Etag"], tt.status, tt.etag)
		}
		if tt.code != "" && a.outcome(t).Issue[0].Code != tt.code {
			t.Errorf("%s: %s, want %s", tt.path, a.body, tt.code)
		}
	}
}

func TestForm(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1", `"active":true`, `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}`,
		`"name":[{"family":"Ñ"}]`, `"contact":[{"name":{"family":"C"}}]`, `"maritalStatus":{"text":"m"}`))
	tagged := `"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]`
	tests := []struct {
		query    string
		has, not []string
	}{
		{"?_pretty=true", []string{"{\n  \"resourceType\": \"Patient\",\n"}, nil},
		{"?_summary=false", []string{`"maritalStatus"`}, []string{"SUBSETTED"}},
		{"?_summary=true", []string{`"active":true`, `"family":"Ñ"`, tagged}, []string{`"text":{"status`, "maritalStatus", `"contact"`}},
		{"?_summary=text", []string{`"text":{"status"`, tagged}, []string{`"active"`, `"name"`}},
		{"?_summary=data", []string{`"maritalStatus"`, tagged}, []string{`"text":{"status"`}},
		{"?_elements=name,gender", []string{`"family":"Ñ"`, `"id":"p"`, tagged}, []string{`"maritalStatus"`, `"text":{"status"`, `"identifier"`}},
		{"?_elements=active&_pretty=true", []string{"\"active\": true", "\n"}, []string{"family"}},
	}
	for _, tt := range tests {
		a := s.want(200, s.do("GET", "/Patient/p"+tt.query, ""))
		for _, want := range tt.has {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s: %s lacks %s", tt.query, a.body, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(a.body, not) {
				t.Errorf("%s: %s has %s", tt.query, a.body, not)
			}
		}
	}
	s.want(400, s.do("GET", "/Patient/p?_summary=everything", ""))
}

func TestFormat(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	for _, tt := range []struct {
		query, accept string
		status        int
		media         string
	}{
		{"", "", 200, "application/fhir+json; charset=utf-8"},
		{"", "application/json", 200, "application/json; charset=utf-8"},
		{"?_format=json", "text/html", 200, "application/fhir+json; charset=utf-8"},
		{"?_format=application/fhir%2Bjson", "", 200, "application/fhir+json; charset=utf-8"},
		{"?_format=application/fhir+json", "", 200, "application/fhir+json; charset=utf-8"},
		{"?_format=xml", "application/json", 200, "application/fhir+xml; charset=utf-8"},
		{"?_format=ttl", "", 406, "application/fhir+json; charset=utf-8"},
		{"", "application/fhir+xml", 200, "application/fhir+xml; charset=utf-8"},
		{"", "text/xml", 200, "text/xml; charset=utf-8"},
		{"", "text/turtle", 406, "application/fhir+json; charset=utf-8"},
	} {
		headers := []string{}
		if tt.accept != "" {
			headers = []string{"Accept", tt.accept}
		}
		a := s.do("GET", "/Patient/p"+tt.query, "", headers...)
		if a.status != tt.status || a.header.Get("Content-Type") != tt.media {
			t.Errorf("%q %q: %d %s", tt.query, tt.accept, a.status, a.header.Get("Content-Type"))
		}
		if a.status == 406 && !a.outcome(t).says("XML") {
			t.Errorf("%q %q: %s does not explain", tt.query, tt.accept, a.body)
		}
	}
}
