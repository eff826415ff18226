package rest

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		method, path string
		interaction  Interaction
		ref          string
		code         fhir.Code
	}{
		{"GET", "/metadata", Capabilities, "/", 0},
		{"GET", "/$versions", Versions, "/", 0},
		{"POST", "/", Batch, "/", 0},
		{"GET", "/", SearchSystem, "/", 0},
		{"GET", "/_history", HistorySystem, "/", 0},
		{"GET", "/Patient", SearchType, "Patient/", 0},
		{"HEAD", "/Patient/1", Read, "Patient/1", 0},
		{"GET", "/Patient/", SearchType, "Patient/", 0},
		{"POST", "/Patient/_search", SearchType, "Patient/", 0},
		{"POST", "/_search", SearchSystem, "/", 0},
		{"POST", "/Patient", Create, "Patient/", 0},
		{"PUT", "/Patient", Update, "Patient/", 0},
		{"DELETE", "/Patient/a-b.C9", Delete, "Patient/a-b.C9", 0},
		{"PATCH", "/Patient/1", Patch, "Patient/1", 0},
		{"GET", "/Patient/1/_history", HistoryInstance, "Patient/1", 0},
		{"GET", "/Patient/_history", HistoryType, "Patient/", 0},
		{"GET", "/Patient/1/_history/7", VRead, "Patient/1/_history/7", 0},
		{"GET", "/Patient/%31", Read, "Patient/1", 0},
		{"GET", "/Pacient/1", "", "", fhir.UnknownType},
		{"GET", "/patient", "", "", fhir.UnknownType},
		{"GET", "/Resource/1", "", "", fhir.UnknownType},
		{"GET", "/Patient/1/_history/x", "", "", fhir.NotFound},
		{"GET", "/Patient/1/_history/0", "", "", fhir.NotFound},
		{"GET", "/Patient/a_b", "", "", fhir.Invalid},
		{"GET", "/Patient/..%2f..%2fetc", "", "", fhir.Invalid},
		{"GET", "/Patient/..%2F..", "", "", fhir.Invalid},
		{"GET", "/Patient/%00", "", "", fhir.Invalid},
		{"GET", "/Patient/1/2/3", "", "", fhir.NotFound},
		{"GET", "/../etc/passwd", "", "", fhir.UnknownType},
		{"GET", "/Patient/1/Observation", SearchType, "Observation/", 0},
		{"POST", "/Patient/1/Observation/_search", SearchType, "Observation/", 0},
		{"GET", "/Patient/1/*", SearchSystem, "/", 0},
		{"GET", "/Device/1/%2a", SearchSystem, "/", 0},
		{"GET", "/Patient/1/..", "", "", fhir.UnknownType},
		{"GET", "/Patient/1/%2F", "", "", fhir.UnknownType},
		{"GET", "/Location/1/Observation", "", "", fhir.NotFound},
		{"GET", "/Patient/1/Organization", "", "", fhir.Invalid},
		{"GET", "/Patient/$everything", "", "", fhir.NotFound},
		{"POST", "/metadata", "", "", fhir.NotAllowed},
		{"DELETE", "/_history", "", "", fhir.NotAllowed},
		{"POST", "/Patient/1", "", "", fhir.NotAllowed},
		{"BREW", "/Patient/1", "", "", fhir.NotAllowed},
	}
	r := newRouter(nil)
	for _, tt := range tests {
		req := &Request{}
		err := r.match(req, tt.method, tt.path)
		if tt.code != 0 {
			if fhir.CodeOf(err) != tt.code {
				t.Errorf("%s %s: %v, want code %d", tt.method, tt.path, err, tt.code)
			}
			continue
		}
		if err != nil || req.Interaction != tt.interaction || req.ref().String() != tt.ref && req.Type+"/"+req.ID != tt.ref {
			t.Errorf("%s %s: %s %v, %v; want %s %s", tt.method, tt.path, req.Interaction, req.ref(), err, tt.interaction, tt.ref)
		}
	}
	if got := r.allowed("/Patient/1"); !slices.Equal(got, []string{"GET", "PUT", "PATCH", "DELETE", "HEAD"}) {
		t.Errorf("allowed: %v", got)
	}
}

func TestEveryRouteIsPerformed(t *testing.T) {
	for _, r := range routes {
		if _, ok := interact[r.interaction]; !ok && r.interaction != Batch {
			t.Errorf("%s %s: nothing performs %s", r.method, r.pattern, r.interaction)
		}
	}
}
