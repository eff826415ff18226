package authz_test

import (
	"context"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/prescription"
	"github.com/amate-health/amate/fhir/rest"
)

// prescriptionWays are the ways to prescribe, which tell who somebody is and what they are
// allergic to; nobody in these worlds has a prescription.
var prescriptionWays = []way{
	{route: "$draft-prescription", method: "POST", path: "/Patient/p1/$draft-prescription", body: prescribed, act: "either", tells: about("p1")},
	{route: "$draft-prescription", method: "POST", path: "/Patient/p2/$draft-prescription", body: prescribed, act: "either", tells: about("p2")},
	{route: "$draft-prescription", method: "POST", path: "/Encounter/{id}/$draft-prescription", body: prescribed, act: "either"},
	{route: "$print-prescription", method: "GET", path: "/Composition/{id}/$print-prescription?_format=text/html", act: "either"},
	{route: "$find-prescription", method: "POST", path: "/Composition/$find-prescription?code=AAAAAAAAAAAAAAAAAAAAAA", act: "either"},
	{route: "$dispense", method: "POST", path: "/Composition/$dispense?code=AAAAAAAAAAAAAAAAAAAAAA", act: "either"},
	{route: "$cancel-prescription", method: "POST", path: "/Composition/{id}/$cancel-prescription?reason=prueba", act: "either"},
}

const prescribed = `{"resourceType":"Parameters","parameter":[{"name":"medication","resource":{"resourceType":"MedicationRequest","status":"draft","intent":"order","medicationReference":{"reference":"#m"}}}]}`

// papers is a store in which nothing was prescribed.
type papers struct{ rest.Store }

func (papers) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

// prescriptionOperations are the operations that prescriptionWays call.
func (w *world) prescriptionOperations() []operation.Operation {
	return prescription.Operations(prescription.Config{
		Store: papers{w.store}, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Ring: prescription.NewRing(&pocket{all: map[string]fhir.Entry{}}),
		Page: func(token string) string { return "https://h/verify/" + token }, Now: time.Now,
	})
}

// TestPrescriptionsRestricted: nobody learns by prescribing what they may not see.
func TestPrescriptionsRestricted(t *testing.T) {
	told, refused := 0, 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 9, engines[engine])
		for range 25 {
			acts := []string{"read", "$draft-prescription", "$print-prescription", "$find-prescription", "$dispense", "$cancel-prescription"}
			w.also = []rule{{types: []string{"Patient", "Encounter", "Composition"}, acts: acts, restriction: one(w, "all", "all", "all", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "patient/*.cruds", "user/*.cruds", "patient/*.rs"))
			w.asking = p
			w.proveAll(p, prescriptionWays, &told, &refused)
			if t.Failed() {
				return
			}
		}
	}
	if told < 5 || refused < 10 {
		t.Errorf("%d answers and %d refusals, which proves nothing", told, refused)
	}
}
