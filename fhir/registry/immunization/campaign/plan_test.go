package campaign

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// planOf returns the visits of a plan: "2026-11-22: 119 146".
func planOf(t *testing.T, w *town, id, query string) string {
	t.Helper()
	a, err := w.call("immunization-plan", query, func(c *operation.Call) { c.Type, c.ID = "Patient", id })
	if err != nil {
		t.Fatal(err)
	}
	var care struct {
		Activity []struct {
			Detail struct {
				Code            struct{ Coding []struct{ Code string } }
				ScheduledPeriod struct{ Start string }
			}
		}
	}
	if err := json.Unmarshal(a.JSON, &care); err != nil {
		t.Fatal(err)
	}
	var all []string
	last := ""
	for _, v := range care.Activity {
		if day := v.Detail.ScheduledPeriod.Start; day != last {
			all, last = append(all, day+":"), day
		}
		all = append(all, v.Detail.Code.Coding[0].Code)
	}
	return strings.Join(all, " ")
}

// TestPlan: a child of fourteen months without any dose, by Mexico's schedule.
func TestPlan(t *testing.T) {
	w := newTown(t)
	w.child("c", 425, "09015", one, "female")
	whole := planOf(t, w, "c", "until=2027-06-30&vaccine=hexavalente,MMR,PCV,BCG")
	if !strings.HasPrefix(whole, "2026-11-22: 03 133 146 19") {
		t.Errorf("%s", whole)
	}
	few := planOf(t, w, "c", "until=2027-06-30&vaccine=hexavalente,MMR,PCV,BCG&max-per-visit=2")
	for visit := range strings.SplitSeq(few, ": ") {
		if n := len(strings.Fields(strings.TrimRight(visit, "0123456789-"))); n > 2 {
			t.Errorf("%d vaccines at a visit: %s", n, few)
		}
	}
	if !strings.Contains(few, "19") || !strings.Contains(few, "03") {
		t.Errorf("%s", few)
	}
	if text := planOf(t, w, "c", "vaccine=MMR&unavailable=03,04,94"); strings.Contains(text, "03") {
		t.Errorf("%s", text)
	}
	for _, query := range []string{"date=2026-01-01", "until=2026-01-01", "until=2099-01-01", "vaccine=x", "unavailable=abc", "max-per-visit=x", "a=b"} {
		if _, err := w.call("immunization-plan", query, func(c *operation.Call) { c.Type, c.ID = "Patient", "c" }); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", query, err)
		}
	}
	for media, want := range map[string]string{mediaHTML: "Plan de vacunación", mediaPDF: "%PDF-"} {
		a, err := w.call("immunization-plan", "", func(c *operation.Call) { c.Type, c.ID, c.Media = "Patient", "c", media })
		if err != nil || !strings.Contains(string(a.Raw), want) {
			t.Errorf("%s: %v", media, err)
		}
	}
}

// TestPlanNeedsAll: without a dose that the caller may not see there is no plan.
func TestPlanNeedsAll(t *testing.T) {
	w := newTown(t)
	w.child("c", 200, "09015", one, "female", newborn...)
	as := func(c *operation.Call) { restricted(c); c.Type, c.ID = "Patient", "c" }
	if _, err := w.call("immunization-plan", "", as); err != nil {
		t.Error(err)
	}
	w.hidden["c-0"] = true
	if _, err := w.call("immunization-plan", "", as); fhir.CodeOf(err) != fhir.Forbidden {
		t.Error(err)
	}
	w.hidden["c"] = true
	if _, err := w.call("immunization-plan", "", as); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
}

// TestReminders: one for each child and day, revoked when the dose is given, active again
// when it is taken back, and left alone once it was sent.
func TestReminders(t *testing.T) {
	w := street(t)
	refuse := ""
	r := &Reminders{
		Store: w, Zone: time.UTC, Now: func() time.Time { return w.now }, Days: 30, Log: slog.New(slog.DiscardHandler),
		Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Write: func(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
			for i := range b.Changes {
				if b.Changes[i].Ref.ID == refuse {
					return nil, fhir.Errorf(fhir.Conflict, "held")
				}
			}
			return w.apply(ctx, b)
		},
	}
	run := func(want Reminded) {
		t.Helper()
		got, err := r.Run(t.Context())
		if err != nil || got != want {
			t.Errorf("%+v, want %+v: %v", got, want, err)
		}
	}
	var due visit
	all, err := r.wanted(t.Context(), w.desk().today())
	if err != nil || len(all) != 4 { // the child at school is too old
		t.Fatal(all, err)
	}
	for id, v := range all {
		if v.patient == "due" {
			due, refuse = v, id
		}
	}
	run(Reminded{Written: 3, Refused: 1})
	refuse = ""
	run(Reminded{Written: 1})
	run(Reminded{})
	ref := fhir.Ref{Type: "CommunicationRequest", ID: ReminderID("due", due.day)}
	text := string(w.resources[ref].JSON)
	if due.day.String() != "2026-11-13" || !strings.Contains(text, `"occurrenceDateTime":"2026-11-13"`) || !strings.Contains(text, `"active"`) || strings.Contains(strings.ToLower(text), "hexavalente") {
		t.Error(text)
	}
	// Everything that is due is given: the reminder goes, and comes back with the next dose.
	for i, cvx := range []string{"146", "119", "133"} {
		w.give("due", "given-"+string(rune('a'+i)), cvx, w.now)
	}
	w.keep("due")
	run(Reminded{Revoked: 1})
	if text := string(w.resources[ref].JSON); !strings.Contains(text, `"status":"revoked"`) {
		t.Error(text)
	}
	given := w.records["due"]
	w.records["due"] = given[:len(given)-3]
	w.keep("due")
	run(Reminded{Written: 1})
	w.put(ref, strings.Replace(string(w.resources[ref].JSON), `"active"`, `"completed"`, 1))
	run(Reminded{})
	if found, err := w.Search(t.Context(), &search.Query{Type: "CommunicationRequest", Restriction: search.Unrestricted}); err != nil || len(found.Matches) != 3 {
		t.Errorf("%d reminders: %v", len(found.Matches), err)
	}
}
