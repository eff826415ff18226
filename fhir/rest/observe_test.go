package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

func TestRecords(t *testing.T) {
	s := serve(t)
	body := patient("secretid", "secretvalue")
	tests := []struct {
		method, path, body string
		want               rest.Record
	}{
		{"PUT", "/Patient/secretid", body, rest.Record{Interaction: rest.Update, Type: "Patient", Status: 201}},
		{"GET", "/Patient/secretid", "", rest.Record{Interaction: rest.Read, Type: "Patient", Status: 200}},
		{"GET", "/Patient?identifier=secretvalue", "", rest.Record{Interaction: rest.SearchType, Type: "Patient", Status: 200}},
		{"GET", "/Patient/othersecretid", "", rest.Record{Interaction: rest.Read, Type: "Patient", Status: 404, Code: fhir.NotFound}},
		{"GET", "/Secret/secretid", "", rest.Record{Status: 404, Code: fhir.UnknownType}},
		{"POST", "/", bundleOf("transaction", entry("", "DELETE", "Patient/secretid", "", "")), rest.Record{Interaction: rest.Transaction, Status: 200, Entries: 1}},
		{"GET", "/metadata", "", rest.Record{Interaction: rest.Capabilities, Status: 200}},
	}
	for _, tt := range tests {
		a := s.do(tt.method, tt.path, tt.body)
		r := s.records.last()
		if r.Interaction != tt.want.Interaction || r.Type != tt.want.Type || r.Status != tt.want.Status || r.Code != tt.want.Code || r.Entries != tt.want.Entries || r.Method != tt.method {
			t.Errorf("%s %s: %+v, want %+v", tt.method, tt.path, r, tt.want)
		}
		if r.BytesIn != int64(len(tt.body)) || r.BytesOut != int64(len(a.body)) || r.Duration <= 0 || r.Err != nil {
			t.Errorf("%s %s: %+v, got %d bytes", tt.method, tt.path, r, len(a.body))
		}
		if r.ID == "" || r.ID != a.header.Get("X-Request-Id") {
			t.Errorf("%s %s: id %q, header %q", tt.method, tt.path, r.ID, a.header.Get("X-Request-Id"))
		}
		if tt.want.Type != "" && r.Principal != "tester" {
			t.Errorf("%s %s: principal %q", tt.method, tt.path, r.Principal)
		}
		if text := fmt.Sprintf("%+v", r); strings.Contains(strings.ToLower(text), "secret") {
			t.Errorf("%s %s: the record tells: %s", tt.method, tt.path, text)
		}
	}
	if n := len(s.records.all); n != len(tests) {
		t.Errorf("%d records for %d requests", n, len(tests))
	}
}

func TestRequestID(t *testing.T) {
	s := serve(t)
	for id, kept := range map[string]bool{
		"0193a5f0-0000-7000-8000-000000000001": true,
		"4bf92f3577b34da6a3ce929d0e0e4736":     true,
		"GUAS180406MTCZGFA7":                   false, // a CURP
		"short":                                false,
		"with space in it":                     false,
		"<script>alert(1)</script>":            false,
		strings.Repeat("a", 65):                false,
	} {
		if got := s.do("GET", "/metadata", "", "X-Request-Id", id).header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q: got %q", id, got)
		}
	}
}
