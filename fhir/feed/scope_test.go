package feed_test

import (
	"fmt"
	"testing"
)

// TestOtherPatientsEncounter: what was done in an encounter of an establishment is that
// establishment's, even if it is about somebody else than the encounter: a newborn. So
// whatever shows or hides the record of that patient matters to a copy.
func TestOtherPatientsEncounter(t *testing.T) {
	for name, open := range engines {
		for _, known := range []bool{false, true} { // from the beginning, that the encounter is of the establishment
			t.Run(fmt.Sprint(name, "/", known), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 1, open)
				encounter := func(org string) {
					w.put(`{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"serviceProvider":{"reference":"Organization/` + org + `"}}`)
				}
				for _, org := range []string{"o1", "o2"} {
					w.put(`{"resourceType":"Organization","id":"` + org + `","name":"x"}`)
				}
				for _, patient := range []string{"p1", "p2"} {
					w.put(`{"resourceType":"Patient","id":"` + patient + `","managingOrganization":{"reference":"Organization/o2"}}`)
				}
				if encounter("o2"); known {
					encounter("o1")
				}
				w.put(`{"resourceType":"Observation","id":"b1","status":"final","code":{"text":"x"},"encounter":{"reference":"Encounter/e1"},"subject":{"reference":"Patient/p2"}}`)
				consent := `{"resourceType":"Consent","id":"c1","status":%q,"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
					`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"x"},"patient":{"reference":"Patient/p2"},"provision":{"type":"deny"}}`
				w.put(fmt.Sprintf(consent, "active"))
				c := &client{w: w, who: "clinician", scope: "organization=o1"}
				w.same(c)
				encounter("o1")
				w.same(c)
				w.put(fmt.Sprintf(consent, "inactive"))
				w.same(c)
				if c.copy["Observation/b1"] == "" {
					t.Error("the newborn's result is not there")
				}
				w.put(`{"resourceType":"Patient",` + `"meta":{` + blocked + `"source":"urn:x"},` + `"id":"p2","managingOrganization":{"reference":"Organization/o2"}}`)
				w.same(c)
				if c.copy["Observation/b1"] != "" {
					t.Error("the blocked newborn's result is still there")
				}
				w.put(`{"resourceType":"Patient","id":"p2","managingOrganization":{"reference":"Organization/o2"}}`)
				w.same(c)
				w.remove("Encounter/e1")
				w.same(c)
			})
		}
	}
}
