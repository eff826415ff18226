package authz_test

import (
	"context"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/rest"
)

// doseWays are the ways to record a dose, which tells of the patient and of who gave it. In
// these worlds they only look at what would be recorded; there are no doses.
var doseWays = []way{
	{route: "$record-dose", method: "POST", path: "/Immunization/$record-dose", body: dosed("p1", "d0"), act: "either", tells: named},
	{route: "$record-dose", method: "POST", path: "/Immunization/$record-dose", body: dosed("p2", "d1"), act: "either", tells: named},
	{route: "$record-dose", method: "POST", path: "/Immunization/$record-dose", body: `{"resourceType":"Parameters","parameter":[{"name":"patient","valueIdentifier":{"system":"http://n","value":"SECRETO-N1"}},{"name":"vaccine","valueString":"08"},{"name":"lot","valueString":"X"},{"name":"origin","valueString":"record"},{"name":"preview","valueBoolean":true}]}`, act: "either", tells: named},
	{route: "$amend-dose", method: "POST", path: "/Immunization/{id}/$amend-dose?reason=x", act: "either"},
	{route: "$refute-dose", method: "POST", path: "/Immunization/{id}/$refute-dose?reason=x", act: "either"},
	{route: "$report-esavi", method: "POST", path: "/AdverseEvent/$report-esavi?event=x&immunization=Immunization/{id}", act: "either"},
	{route: "$esavi-by-lot", method: "GET", path: "/AdverseEvent/$esavi-by-lot", act: "either"},
	{route: "$recall-lot", method: "POST", path: "/Medication/$recall-lot?lot=X", act: "either"},
	{route: "$lot-recipients", method: "GET", path: "/Medication/$lot-recipients?lot=X", act: "either"},
}

// dosed is what a nurse says of a dose.
func dosed(patient, performer string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/` + patient + `"}},{"name":"performer","valueReference":{"reference":"Practitioner/` + performer + `"}},
	{"name":"vaccine","valueString":"08"},{"name":"lot","valueString":"X"},{"name":"origin","valueString":"record"},{"name":"preview","valueBoolean":true}]}`
}

var namedIn = regexp.MustCompile(`"reference":"((?:Patient|Practitioner|Location)/[^"]+)"`)

// named returns whom an answer names.
func named(a *httptest.ResponseRecorder) (refs []string) {
	if a.Code != 200 {
		return shown(a)
	}
	for _, m := range namedIn.FindAllStringSubmatch(a.Body.String(), -1) {
		refs = append(refs, m[1])
	}
	return append(refs, shown(a)...)
}

// doses is a store that doses are recorded in.
type doses struct{ rest.Store }

func (doses) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

// doseOperations are the operations that doseWays call.
func (w *world) doseOperations() []operation.Operation {
	engine, err := immunization.New(&schedule.Schedule{Name: "none", Version: "1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return dose.New(dose.Config{
		Store: doses{w.store}, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Now: time.Now,
		Assessor: func(schedule.Date) (immunization.Assessor, error) { return engine, nil },
	}).Operations()
}

// TestDoseRestricted: doses are recorded of whom the caller may see, and of nobody else.
func TestDoseRestricted(t *testing.T) {
	recorded := 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 6, engines[engine])
		for range 25 {
			w.also = []rule{{types: []string{"Patient", "Practitioner", "Immunization"}, acts: []string{"read", "$record-dose", "$amend-dose"}, restriction: one(w, "all", "all", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "system/*.cruds", "patient/*.cruds", "user/*.cruds"))
			w.asking = p
			for _, way := range doseWays {
				if way.tells != nil {
					way.tells = func(a *httptest.ResponseRecorder) []string {
						refs := named(a)
						if slices.ContainsFunc(refs, func(ref string) bool { return typeOf(w.all[ref]) == "Patient" }) {
							recorded++
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
	if recorded < 10 {
		t.Errorf("%d doses could be recorded, which proves nothing", recorded)
	}
}
