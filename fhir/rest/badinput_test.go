package rest_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir/rest"
)

// TestBadInput: whatever is wrong is named, by its place and its rule, and
// nothing is stored.
func TestBadInput(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	deep := strings.Repeat(`{"extension":[`, 1000) + strings.Repeat("]}", 1000)
	urnA, urnB := urn+"a", urn+"b"
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		says                     string // in the details or diagnostics of an issue
		expression               string
		rule                     string
	}{
		{"malformed JSON", "POST", "/Patient", "{\n \"resourceType\":\"Patient\",\n }", nil, 400, "line 3, column 2", "", "json-syntax"},
		{"cut off", "POST", "/Patient", `{"resourceType":"Patient","name":[{"fam`, nil, 400, "ends within a string", "", "json-syntax"},
		{"two values", "POST", "/Patient", `{"resourceType":"Patient"}{}`, nil, 400, "after the end", "", "json-syntax"},
		{"duplicate key", "PUT", "/Patient/q", `{"resourceType":"Patient","id":"q","id":"r"}`, nil, 400, "twice", "", "json-duplicate"},
		{"invalid UTF-8", "POST", "/Patient", "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"\xff\"}]}", nil, 400, "UTF-8", "", "json-utf8"},
		{"lone surrogate", "POST", "/Patient", `{"resourceType":"Patient","name":[{"family":"\ud800"}]}`, nil, 400, "", "", "json-escape"},
		{"control character", "POST", "/Patient", "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"\x01\"}]}", nil, 400, "", "", "json-control"},
		{"decimal of 10,000 digits", "POST", "/Patient", `{"resourceType":"Patient","extension":[{"url":"http://x","valueDecimal":1.` + strings.Repeat("1", 10_000) + `}]}`, nil, 400, "longer than is allowed", "", "json-number"},
		{"2,000 deep", "POST", "/Patient", `{"resourceType":"Patient","extension":[` + deep + `]}`, nil, 413, "nested deeper", "", "json-depth"},
		{"empty body", "POST", "/Patient", " ", nil, 400, "ends too early", "", "json-syntax"},
		{"no object", "POST", "/Patient", `["Patient"]`, nil, 400, "JSON object", "", ""},
		{"no resourceType", "POST", "/Patient", `{"id":"x"}`, nil, 400, "resourceType", "", ""},
		{"unknown resourceType", "POST", "/Patient", `{"resourceType":"Pacient"}`, nil, 400, "Pacient", "", ""},
		{"other type than the URL", "POST", "/Patient", `{"resourceType":"Person"}`, nil, 400, "Person", "Person.resourceType", ""},
		{"other id than the URL", "PUT", "/Patient/q", patient("r", "1"), nil, 400, "not the id in the URL", "Patient.id", ""},
		{"no id", "PUT", "/Patient/q", patient("", "1"), nil, 400, "needs an id", "Patient.id", ""},
		{"id of the wrong form", "PUT", "/Patient?identifier=x", patient("a_b", "1"), nil, 400, "64 of the characters", "Patient.id", ""},
		{"unknown type in the URL", "POST", "/Pacient", patient("", "1"), nil, 404, "Pacient", "", ""},
		{"traversal", "PUT", "/Patient/..%2f..%2fetc", patient("q", "1"), nil, 400, "id in the URL", "", ""},
		{"encoded null", "DELETE", "/Patient/%00", "", nil, 400, "id in the URL", "", ""},
		{"unknown element", "POST", "/Patient", patient("", "1", `"nombre":"x"`), nil, 422, "nombre", "Patient.nombre", "unknown-element"},
		{"cardinality", "POST", "/Observation", `{"resourceType":"Observation","code":{"text":"x"}}`, nil, 422, "", "Observation.status", "cardinality-min"},
		{"primitive", "POST", "/Patient", patient("", "1", `"birthDate":"2026-13-01"`), nil, 422, "", "Patient.birthDate", "primitive-format"},
		{"binding", "POST", "/Patient", patient("", "1", `"gender":"x"`), nil, 422, "", "Patient.gender", "binding-required"},
		{"reference target", "POST", "/Observation", observation("", "Medication/1"), nil, 422, "Medication", "Observation.subject", "reference-target"},
		{"conditional reference", "POST", "/Observation", observation("", "Patient?identifier=x"), nil, 422, "only in a transaction", "Observation.subject.reference", ""},
		{"XML in no namespace", "POST", "/Patient", "<Patient/>", []string{"Content-Type", "application/fhir+xml"}, 400, "namespace", "", "xml-namespace"},
		{"XML with a document type", "POST", "/Patient", "<!DOCTYPE Patient []><Patient/>", []string{"Content-Type", "application/fhir+xml"}, 400, "document type", "", "xml-doctype"},
		{"Turtle body", "POST", "/Patient", "a", []string{"Content-Type", "text/turtle"}, 415, "application/fhir+json", "", ""},
		{"form body", "POST", "/Patient", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/fhir+json", "", ""},
		{"nonsense content type", "POST", "/Patient", "{}", []string{"Content-Type", ";;"}, 415, "Content-Type", "", ""},
		{"unknown encoding", "POST", "/Patient", "{}", []string{"Content-Encoding", "br"}, 415, "gzip, zstd", "", ""},
		{"no gzip", "POST", "/Patient", "{}", []string{"Content-Encoding", "gzip"}, 400, "gzip", "", ""},
		{"no gzip, in capitals", "POST", "/Patient", "{}", []string{"Content-Encoding", "GZIP"}, 400, "gzip", "", ""},
		{"no zstd", "POST", "/Patient", "{}", []string{"Content-Encoding", "zstd"}, 400, "Content-Encoding", "", ""},
		{"garbage If-Match", "PUT", "/Patient/p", patient("p", "2"), []string{"If-Match", "\x80\xff"}, 400, "If-Match", "", ""},
		{"wrong method", "POST", "/Patient/p", patient("p", "2"), nil, 405, "POST", "", ""},
		{"unknown method", "BREW", "/Patient/p", "", nil, 405, "this method", "", ""},
		{"bad _count", "GET", "/Patient?_count=-1", "", nil, 400, "_count", "", ""},
		{"null in a search", "GET", "/Patient?_id=%00", "", nil, 400, "not text in UTF-8", "", ""},
		{"no UTF-8 in a search", "GET", "/Patient?name:exact=%ff%fe", "", nil, 400, "not text in UTF-8", "", ""},
		{"null in a criterion", "POST", "/Patient", patient("", "1"), []string{"If-None-Exist", "_id=%00"}, 400, "not text in UTF-8", "", ""},
		{"bad cursor", "GET", "/Patient?_cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", nil, 400, "_cursor", "", ""},
		{"reference to no entry", "POST", "/", bundleOf("transaction",
			entry(urnA, "POST", "Patient", patient("", "1", `"link":[{"type":"seealso","other":{"reference":"`+urn+`c"}}]`), ""),
			entry(urnB, "POST", "Patient", patient("", "1"), "")), nil, 422, "fullUrl", "Bundle.entry[0].resource.link[0].other.reference", ""},
	}
	for _, tt := range tests {
		a := s.do(tt.method, tt.path, tt.body, tt.headers...)
		if a.status != tt.status {
			t.Errorf("%s: status %d, want %d: %.300s", tt.name, a.status, tt.status, a.body)
			continue
		}
		o := a.outcome(t)
		if !o.says(tt.says) {
			t.Errorf("%s: does not say %q: %.500s", tt.name, tt.says, a.body)
		}
		first := o.Issue[0]
		if tt.expression != "" && (len(first.Expression) != 1 || first.Expression[0] != tt.expression) {
			t.Errorf("%s: expression %v, want %s", tt.name, first.Expression, tt.expression)
		}
		if tt.rule != "" && (len(first.Details.Coding) != 1 || first.Details.Coding[0].Code != tt.rule) {
			t.Errorf("%s: rule %v, want %s", tt.name, first.Details.Coding, tt.rule)
		}
	}
	if a := s.do("POST", "/Patient/p", "{}"); a.header.Get("Allow") != "GET, PUT, PATCH, DELETE, HEAD" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	if h := s.want(200, s.do("GET", "/_history", "")).bundle(t); len(h.Entry) != 1 {
		t.Errorf("what was refused was stored: %d versions", len(h.Entry))
	}
}

// TestCyclesOfReferences: resources of one transaction may point to one another.
func TestCyclesOfReferences(t *testing.T) {
	s := serve(t)
	linked := func(to string) string {
		return patient("", "", `"link":[{"type":"seealso","other":{"reference":"`+to+`"}}]`)
	}
	b := s.want(200, s.do("POST", "/", bundleOf("transaction",
		entry(urn+"a", "POST", "Patient", linked(urn+"b"), ""),
		entry(urn+"b", "POST", "Patient", linked(urn+"a"), ""),
		entry(urn+"c", "POST", "Patient", linked(urn+"c"), "")))).bundle(t)
	where := func(i int) string {
		return strings.TrimSuffix(strings.TrimPrefix(b.Entry[i].Response.Location, s.url+"/"), "/_history/1")
	}
	for from, to := range map[int]int{0: 1, 1: 0, 2: 2} {
		if a := s.do("GET", "/"+where(from), ""); !strings.Contains(a.body, `"reference":"`+where(to)+`"`) {
			t.Errorf("entry %d should point to %s: %s", from, where(to), a.body)
		}
	}
}

// endless gives n bytes of white space, and counts what was taken of it.
type endless struct {
	left  int64
	taken atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	e.taken.Add(n)
	return int(n), nil
}

// TestHugeBody: 200 MB are refused without being held in memory, whether their
// length is said beforehand or not, and also when they come compressed.
func TestHugeBody(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Body = 1 << 20 })
	const size = 200 << 20
	allocated := func(f func()) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	for name, length := range map[string]bool{"length said": true, "chunked": false} {
		body := &endless{left: size}
		used := allocated(func() {
			if status := s.raw(body, length, ""); status != 413 {
				t.Errorf("%s: status %d", name, status)
			}
		})
		if used > 20<<20 || body.taken.Load() > 50<<20 {
			t.Errorf("%s: %d bytes allocated, %d sent", name, used, body.taken.Load())
		}
	}
	for _, encoding := range []string{"gzip", "zstd"} {
		bomb := compressed(t, encoding, &endless{left: size})
		used := allocated(func() {
			if status := s.raw(bytes.NewReader(bomb), true, encoding); status != 413 {
				t.Errorf("%s: status %d", encoding, status)
			}
		})
		if used > 20<<20 {
			t.Errorf("%s: %d bytes allocated for a body of %d", encoding, used, len(bomb))
		}
	}
}

func compressed(t *testing.T, encoding string, r io.Reader) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// raw posts body over a connection of its own, which a server that refuses may
// close before all is sent, and returns the status.
func (s *server) raw(body io.Reader, length bool, encoding string) int {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	head := "POST /fhir/Patient HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/fhir+json\r\n"
	if encoding != "" {
		head += "Content-Encoding: " + encoding + "\r\n"
	}
	return exchange(s.t, conn, head, body, length)
}

// TestBodyEncodings: what comes compressed is read, and what goes out is
// compressed as asked.
func TestBodyEncodings(t *testing.T) {
	s := serve(t)
	long := patient("p", "1", `"name":[{"text":"`+strings.Repeat("a", 2000)+`"}]`)
	for _, encoding := range []string{"gzip", "zstd"} {
		body := compressed(t, encoding, strings.NewReader(long))
		a := s.send("PUT", "/Patient/p", bytes.NewReader(body), "Content-Encoding", encoding)
		if a.status != 201 && a.status != 200 {
			t.Errorf("%s: %d %s", encoding, a.status, a.body)
		}
		if r := s.records.last(); r.BytesIn != int64(len(body)) {
			t.Errorf("%s: %d bytes in, want %d", encoding, r.BytesIn, len(body))
		}
		a = s.do("GET", "/Patient/p", "", "Accept-Encoding", encoding)
		if got := a.header.Get("Content-Encoding"); got != encoding || !strings.Contains(a.header.Get("Vary"), "Accept") {
			t.Errorf("%s: Content-Encoding %q, %v", encoding, got, a.header)
		}
		if plain := decompressed(t, encoding, a.body); !strings.Contains(plain, strings.Repeat("a", 2000)) {
			t.Errorf("%s: got %.100q", encoding, plain)
		}
	}
	if a := s.do("GET", "/Patient/p", "", "Accept-Encoding", "identity"); a.header.Get("Content-Encoding") != "" {
		t.Errorf("identity: %v", a.header)
	}
}

func decompressed(t *testing.T, encoding, body string) string {
	var r io.Reader
	var err error
	if encoding == "gzip" {
		r, err = gzip.NewReader(strings.NewReader(body))
	} else {
		r, err = zstd.NewReader(strings.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}
