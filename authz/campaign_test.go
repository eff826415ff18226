package authz_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/campaign"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// campaignWays are the ways to lists of who is due, to figures, and to a plan.
var campaignWays = []way{
	{route: "$immunization-due", method: "GET", path: "/Patient/$immunization-due?min-age=0&max-age=1440", act: "either"},
	{route: "$immunization-due", method: "GET", path: "/Patient/$immunization-due?max-age=1440&facility=" + clues(0), act: "either"},
	{route: "$immunization-due", method: "GET", path: "/Patient/$immunization-due?max-age=1440&_format=text/csv", act: "either", tells: listed},
	{route: "$immunization-coverage", method: "GET", path: "/$immunization-coverage?by=sex", act: "either", tells: listed},
	{route: "$immunization-plan", method: "GET", path: "/Patient/p1/$immunization-plan", act: "either", tells: named},
	{route: "$immunization-plan", method: "GET", path: "/Patient/{id}/$immunization-plan?_format=text/html", act: "either"},
}

// listed returns the patients of a file.
func listed(a *httptest.ResponseRecorder) (refs []string) {
	for i := range nPatients {
		if ref := fmt.Sprint("Patient/p", i); a.Code == 200 && strings.Contains(a.Body.String(), ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// campaignStore is a store with rows of vaccination.
type campaignStore interface {
	rest.Store
	campaign.Store
	SaveVaccinees(ctx context.Context, all []fhir.Vaccinee) error
	AddVaccineeSchedule(ctx context.Context, v fhir.VaccineeSchedule) error
}

var oneGroup = &schedule.Schedule{Name: "none", Version: "1", Groups: []schedule.Group{{Name: "g", Title: "G"}}}

// campaignOperations are the operations that campaignWays call.
func (w *world) campaignOperations() []operation.Operation {
	library, err := recommend.NewLibrary("none", []*schedule.Schedule{oneGroup}, func(s *schedule.Schedule) (immunization.Assessor, error) { return immunization.New(s) })
	if err != nil {
		w.t.Fatal(err)
	}
	desk := campaign.Desk{
		Store: w.store.(campaignStore), Library: library, Zone: time.UTC, Now: time.Now, Facility: func(context.Context, fhir.Ref) string { return "" },
	}
	return desk.Operations()
}

// vaccinees lets a dose be due to every patient, at one of the establishments, and
// recommends it to them.
func (w *world) vaccinees() {
	store := w.store.(campaignStore)
	shape := recommend.ScheduleRow(oneGroup)
	if err := store.AddVaccineeSchedule(w.t.Context(), shape); err != nil {
		w.t.Fatal(err)
	}
	var all []fhir.Vaccinee
	records, err := store.Records(w.t.Context(), &search.PatientQuery{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range records {
		id := records[i].Patient.Ref.ID
		all = append(all, fhir.Vaccinee{
			Key: records[i].Key, Schedule: shape.Number, Born: 140_000, Soonest: 140_001, Overdue: 140_010, Home: clues(i % nOrgs), Print: 1,
			Due: []byte{1, 1, 1, 2, 2, 9, 0}, Given: []byte{},
		})
		o := object{
			"resourceType": "ImmunizationRecommendation", "id": recommend.ForecastID(id), "patient": reference("Patient/%s", id), "date": "2026-11-22", "meta": w.labels(),
			"recommendation": []any{object{"vaccineCode": []any{object{"text": "g"}}, "forecastStatus": object{"text": "due"}}},
		}
		w.add(o)
		w.put(o)
	}
	if err := store.SaveVaccinees(w.t.Context(), all); err != nil {
		w.t.Fatal(err)
	}
}

// TestCampaignRestricted: lists hold whom the caller may see, with what is recommended to
// them that the caller may see, and nobody else.
func TestCampaignRestricted(t *testing.T) {
	due := 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 9, engines[engine])
		w.vaccinees()
		for range 40 {
			w.also = []rule{{types: []string{"Patient", "Immunization", "ImmunizationRecommendation"}, acts: []string{"read", "search", "$immunization-due", "$immunization-plan"}, restriction: one(w, "all", "all", "all", "own-unit", "own-jurisdiction")}}
			w.policy()
			p := w.caller()
			p.Org = one(w, clues(0), clues(0), clues(1), "")
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "system/*.cruds", "user/*.cruds"))
			w.asking = p
			for _, way := range campaignWays {
				tells := way.tells
				if tells == nil {
					tells = shown
				}
				way.tells = func(a *httptest.ResponseRecorder) []string {
					refs := tells(a)
					if way.route == "$immunization-due" {
						due += len(refs)
						if p.Org == "" && a.Code == 200 {
							t.Fatalf("%s: somebody of no establishment is shown who is due everywhere", way.path)
						}
					}
					return refs
				}
				w.proveWay(p, &way, w.all[w.order[0]])
			}
			if t.Failed() {
				return
			}
		}
	}
	if due < 20 {
		t.Errorf("%d patients were listed, which proves nothing", due)
	}
}
