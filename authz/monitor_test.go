package authz_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/telehealth/monitor"
)

// measureWays are the ways to send what was measured, and to what came of it. In these
// worlds nothing is stored: each reading is of the future.
var measureWays = []way{
	{route: "$measurements", method: "POST", path: "/Observation/$measurements", body: sentOf("p1"), act: "either", tells: toldOf("Patient/p1")},
	{route: "$measurements", method: "POST", path: "/Observation/$measurements", body: sentOf("p2"), act: "either", tells: toldOf("Patient/p2")},
	{route: "$measurements", method: "GET", path: "/Patient/p1/$measurements", act: "either", tells: toldOf("Patient/p1")},
	{route: "$measurements", method: "GET", path: "/Patient/p2/$measurements?code=8867-4", act: "either", tells: toldOf("Patient/p2")},
	{route: "$monitoring-templates", method: "GET", path: "/Goal/$monitoring-templates", act: "either"},
	{route: "$acknowledge", method: "POST", path: "/Task/{id}/$acknowledge", act: "either"},
	{route: "$close-alert", method: "POST", path: "/Task/{id}/$close-alert?note=x", act: "either"},
}

// sentOf is what an app sends of a patient.
func sentOf(patient string) string {
	return `{"patient":"Patient/` + patient + `","readings":[{"id":"1","code":"8867-4","value":70,"unit":"/min","at":"2999-01-01T00:00:00Z"}]}`
}

// toldOf returns whom an answer tells of, which is nobody where the call is refused.
func toldOf(ref string) func(a *httptest.ResponseRecorder) []string {
	return func(a *httptest.ResponseRecorder) []string {
		if a.Code == 200 {
			return []string{ref}
		}
		return shown(a)
	}
}

// measured is a store that measurements come into.
type measured struct{ rest.Store }

func (measured) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (measured) Entries(context.Context, string, string, string, int) ([]fhir.Entry, error) {
	return nil, nil
}

func (measured) Put(context.Context, ...fhir.Entry) error { return nil }

func (measured) Remove(context.Context, string, string, int64) error { return nil }

// measureOperations are the operations that measureWays call.
func (w *world) measureOperations() []operation.Operation {
	return monitor.New(monitor.Config{Store: measured{w.store}, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Now: time.Now}).Operations()
}

// TestMeasurementsRestricted: measurements are taken of whom the sender sees, and shown of
// whom the caller sees.
func TestMeasurementsRestricted(t *testing.T) {
	taken, refused := 0, 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 8, engines[engine])
		for range 25 {
			w.also = []rule{{types: []string{"Patient", "Observation", "Task"}, acts: []string{"read", "$measurements", "$acknowledge", "$close-alert"}, restriction: one(w, "all", "own-compartment", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "patient/*.cruds", "user/*.cruds", "patient/*.rs"))
			w.asking = p
			for _, way := range measureWays {
				if tells := way.tells; tells != nil {
					way.tells = func(a *httptest.ResponseRecorder) []string {
						switch a.Code {
						case 200:
							taken++
						case 403, 404, 422:
							refused++
						}
						return tells(a)
					}
				}
				w.proveWay(p, &way, w.all[w.order[0]])
			}
			if t.Failed() {
				return
			}
		}
	}
	if taken < 10 || refused < 10 {
		t.Errorf("%d answers and %d refusals, which proves nothing", taken, refused)
	}
}
