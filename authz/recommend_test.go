package authz_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// forecastWays are the ways to ask which vaccines are due: of who is in the call, and of
// a Patient.
var forecastWays = []way{
	{route: "$immds-forecast", method: "POST", path: "/$immds-forecast", body: `{"resourceType":"Parameters","parameter":[{"name":"patient","resource":{"resourceType":"Patient","id":"nobody","birthDate":"2025-01-01"}}]}`, act: "either"},
	{route: "$immunization-status", method: "GET", path: "/Patient/p1/$immunization-status", act: "either", tells: named},
	{route: "$immunization-status", method: "GET", path: "/Patient/p2/$immunization-status?explain=true", act: "either", tells: named},
	{route: "$immunization-status", method: "POST", path: "/Patient/{id}/$immunization-status?date=2026-01-01", act: "either", tells: named},
}

// recordStore is a store that reads whole records.
type recordStore interface {
	rest.Store
	Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error)
}

// forecastOperations are the operations that forecastWays call.
func (w *world) forecastOperations() []operation.Operation {
	all := []*schedule.Schedule{{Name: "none", Version: "1", Groups: []schedule.Group{{Name: "g", Title: "G"}}}}
	library, err := recommend.NewLibrary("none", all, func(s *schedule.Schedule) (immunization.Assessor, error) { return immunization.New(s) })
	if err != nil {
		w.t.Fatal(err)
	}
	desk := recommend.Desk{Store: w.store.(recordStore), Library: library, Zone: time.UTC, Now: time.Now}
	return desk.Operations()
}

// TestForecastRestricted: what is due is told of whom the caller may see, and of nobody
// else.
func TestForecastRestricted(t *testing.T) {
	told := 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 8, engines[engine])
		for range 30 {
			w.also = []rule{{types: []string{"Patient", "Immunization"}, acts: []string{"read", "search", "$immunization-status", "$immds-forecast"}, restriction: one(w, "all", "all", "all", "own-compartment", "own-unit", "wards")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "system/*.cruds", "patient/*.cruds", "user/*.cruds"))
			w.asking = p
			for _, way := range forecastWays {
				if patient, ok := strings.CutPrefix(way.path, "/Patient/p"); ok {
					way.tells = func(a *httptest.ResponseRecorder) []string {
						refs := named(a)
						if a.Code == 200 || a.Code == 422 { // without a full date of birth
							told++
							refs = append(refs, "Patient/p"+patient[:1])
						}
						return refs
					}
				}
				w.proveWay(p, &way, w.all[w.order[0]])
			}
			if t.Failed() {
				return
			}
		}
	}
	if told < 10 {
		t.Errorf("%d patients were told of, which proves nothing", told)
	}
}
