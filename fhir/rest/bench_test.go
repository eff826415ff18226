package rest_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// still is a store that answers every read at once with the same resource, so
// that a benchmark sees what the API itself costs.
type still struct {
	rest.Store
	resource fhir.Resource
}

func (s *still) Read(context.Context, fhir.Ref) (fhir.Resource, error) { return s.resource, nil }

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	n      int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { s.n += len(b); return len(b), nil }
func (s *sink) WriteHeader(int)             {}

// BenchmarkRead is what a read costs beside the store and the socket.
func BenchmarkRead(b *testing.B) {
	json := []byte(patient("p", "1", `"name":[{"text":"`+strings.Repeat("a", 1000)+`"}]`))
	store := &still{resource: fhir.Resource{Ref: fhir.Ref{Type: "Patient", ID: "p", Version: 1}, Updated: time.Now(), JSON: json}}
	api, err := rest.New(rest.Config{Store: store, Guard: open{}, BaseURL: "http://127.0.0.1/fhir", CursorKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	h := api.Handler()
	r := httptest.NewRequest("GET", "http://127.0.0.1/fhir/Patient/p", nil)
	w := &sink{}
	b.ReportAllocs()
	for b.Loop() {
		w.header = http.Header{}
		h.ServeHTTP(w, r)
	}
	if w.n < b.N*len(json) {
		b.Fatalf("%d bytes were sent", w.n)
	}
}

// BenchmarkCreate is a create from the socket to the file: parsed, validated,
// indexed, stored, and on the disk.
func BenchmarkCreate(b *testing.B) {
	s := serve(b)
	body := observation("", "Patient/p")
	b.ReportAllocs()
	for b.Loop() {
		if a := s.do("POST", "/Observation", body); a.status != 201 {
			b.Fatal(a.body)
		}
	}
}
