package visit_test

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/room"
)

// TestHelp: a clinician sees where the patient is and whom to call, also what is told later;
// nobody else does.
func TestHelp(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.opened()
		enter := func(who operation.Caller, params ...string) (*room.Ticket, string) {
			t.Helper()
			_, token, _ := p.link(p.must(who, "join", "a", params...))
			ticket, secret, err := p.other.Enter(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			return ticket, secret
		}
		dr, secret := enter(doctor)
		if dr.Help != nil {
			t.Errorf("before anything was told: %+v", dr.Help)
		}
		p.must(app, "start-visit", "a", "place=Xalapa", "emergency-name=Rosa", "emergency-phone=228")
		p.must(doctor, "start-visit", "a", "emergency-relationship=hermana", "language=nah")
		dr, err := p.one.Resume(t.Context(), secret)
		if err != nil || dr.Help == nil || *dr.Help != (room.Help{Place: "Xalapa", Name: "Rosa", Phone: "228", Relationship: "hermana"}) {
			t.Errorf("the clinician is told %+v, %v", dr, err)
		}
		if patient, _ := enter(ana); patient.Help != nil {
			t.Errorf("the patient is told %+v", patient.Help)
		}
	})
}

// TestEndedUnheld: who ends a visit into which nobody was let is told why it has no note,
// and nobody is under way in it before or after.
func TestEndedUnheld(t *testing.T) {
	onEngines(t, func(p *practice) {
		under := func(want bool) {
			t.Helper()
			if got, err := p.other.UnderWay(t.Context(), "a"); got != want || err != nil {
				t.Errorf("under way: %t, %v", got, err)
			}
		}
		under(false)
		p.opened()
		under(false)
		if text := string(p.must(doctor, "end-visit", "a").Source()); !strings.Contains(text, `"cancelled"`) || !strings.Contains(text, "nobody of the patient's side was let in") {
			t.Errorf("the end is %s", text)
		}
	})
	onEngines(t, func(p *practice) {
		p.met()
		if got, err := p.other.UnderWay(t.Context(), "a"); !got || err != nil {
			t.Errorf("with the patient in it, under way: %t, %v", got, err)
		}
		if text := string(p.must(doctor, "end-visit", "a").Source()); strings.Contains(text, `"reason"`) {
			t.Errorf("the end is %s", text)
		}
		if got, err := p.other.UnderWay(t.Context(), "a"); got || err != nil {
			t.Errorf("after its end, under way: %t, %v", got, err)
		}
	})
}
