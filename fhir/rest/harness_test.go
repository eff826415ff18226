package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// open lets everyone do everything.
type open struct{}

func (open) Check(context.Context, *rest.Request) (rest.Decision, error) {
	return rest.Decision{Restriction: search.Unrestricted, Principal: "tester"}, nil
}

// records gathers what an Observer is told.
type records struct {
	mu  sync.Mutex
	all []rest.Record
}

func (r *records) Observe(_ context.Context, rec *rest.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, *rec)
}

func (r *records) last() rest.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[len(r.all)-1]
}

// server is an API over a store of its own, reached by HTTP.
type server struct {
	t       testing.TB
	url     string // of the FHIR base
	api     *rest.API
	store   rest.Store
	records *records
}

// serve starts a server on SQLite; each of change may alter its configuration.
func serve(t testing.TB, change ...func(*rest.Config)) *server {
	t.Helper()
	return serveOn(t, newStore(t), change...)
}

// serveOn starts a server on a store.
func serveOn(t testing.TB, store rest.Store, change ...func(*rest.Config)) *server {
	t.Helper()
	s := &server{t: t, store: store, records: &records{}}
	router := chi.NewRouter()
	h := httptest.NewServer(router)
	t.Cleanup(h.Close)
	s.url = h.URL + "/fhir"
	cfg := rest.Config{
		Store: s.store, Guard: open{}, BaseURL: s.url, CursorKey: bytes.Repeat([]byte{1}, 32),
		Observer: s.records, Software: "Amate test",
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if s.api, err = rest.New(cfg); err != nil {
		t.Fatal(err)
	}
	s.api.Mount(router)
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are given as name, value, name, value. A body is
// FHIR JSON unless a Content-Type says otherwise.
func (s *server) do(method, path, body string, headers ...string) *answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	return s.send(method, path, r, headers...)
}

func (s *server) send(method, path string, body io.Reader, headers ...string) *answer {
	s.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = s.url + path
	}
	req, err := http.NewRequest(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{resp.StatusCode, resp.Header, string(text)}
}

// want fails the test unless the status is the one wanted, and returns a.
func (s *server) want(status int, a *answer) *answer {
	s.t.Helper()
	if a.status != status {
		s.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// put stores a resource at its own type and id.
func (s *server) put(resource string) *answer {
	s.t.Helper()
	var r struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(resource), &r); err != nil {
		s.t.Fatal(err)
	}
	a := s.do("PUT", "/"+r.ResourceType+"/"+r.ID, resource)
	if a.status != 201 && a.status != 200 {
		s.t.Fatalf("put %s: %d %s", resource, a.status, a.body)
	}
	return a
}

// outcome is an OperationOutcome.
type outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Expression                  []string
		Extension                   []struct {
			URL          string
			ValueInteger int
		}
		Details struct {
			Text   string
			Coding []struct{ Code string }
		}
	}
}

// outcome reads the body, which must be an OperationOutcome with an issue.
func (a *answer) outcome(t testing.TB) *outcome {
	t.Helper()
	var o outcome
	if err := json.Unmarshal([]byte(a.body), &o); err != nil || o.ResourceType != "OperationOutcome" || len(o.Issue) == 0 {
		t.Fatalf("status %d: no OperationOutcome: %.300s", a.status, a.body)
	}
	return &o
}

// says reports whether an issue has text in its details or diagnostics.
func (o *outcome) says(text string) bool {
	for _, i := range o.Issue {
		if strings.Contains(i.Details.Text, text) || strings.Contains(i.Diagnostics, text) {
			return true
		}
	}
	return false
}

// set is a Bundle.
type set struct {
	ResourceType string
	Type         string
	Total        *int
	Link         []struct{ Relation, URL string }
	Entry        []struct {
		FullURL  string
		Resource json.RawMessage
		Search   struct{ Mode string }
		Request  struct{ Method, URL string }
		Response struct {
			Status, Location, Etag, LastModified string
			Outcome                              json.RawMessage
		}
	}
}

// bundle reads the body, which must be a Bundle.
func (a *answer) bundle(t testing.TB) *set {
	t.Helper()
	var b set
	if err := json.Unmarshal([]byte(a.body), &b); err != nil || b.ResourceType != "Bundle" {
		t.Fatalf("status %d: no Bundle: %.300s", a.status, a.body)
	}
	return &b
}

// link returns the URL of a relation, or "".
func (b *set) link(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

// ids lists the entries as Type/id, those of another mode than match with it.
func (b *set) ids() []string {
	ids := []string{}
	for _, e := range b.Entry {
		var r struct{ ResourceType, ID string }
		_ = json.Unmarshal(e.Resource, &r)
		id := r.ResourceType + "/" + r.ID
		if e.Search.Mode != "" && e.Search.Mode != "match" {
			id += " " + e.Search.Mode
		}
		ids = append(ids, id)
	}
	return ids
}

// id returns the id of the resource in the body.
func (a *answer) id(t testing.TB) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || r.ID == "" {
		t.Fatalf("no id in %.300s", a.body)
	}
	return r.ID
}

// patient returns a Patient with an identifier.
func patient(id, identifier string, more ...string) string {
	s := `{"resourceType":"Patient"`
	if id != "" {
		s += `,"id":"` + id + `"`
	}
	if identifier != "" {
		s += `,"identifier":[{"system":"http://s","value":"` + identifier + `"}]`
	}
	for _, m := range more {
		s += "," + m
	}
	return s + "}"
}

// observation returns an Observation about a subject.
func observation(id, subject string) string {
	s := `{"resourceType":"Observation",`
	if id != "" {
		s += `"id":"` + id + `",`
	}
	return s + `"status":"final","code":{"text":"x"},"subject":{"reference":"` + subject + `"}}`
}
