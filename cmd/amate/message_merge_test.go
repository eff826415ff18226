package main

import (
	"strings"
	"testing"
)

// TestMessageMerges: an A40 of a sender that may merge makes two Patients one: what is said
// of one is about the other from then on. Of a sender that may not, it is only a link.
func TestMessageMerges(t *testing.T) {
	t.Parallel()
	messageStores(t, func(t *testing.T, where []string) {
		registerSenderAs(t, where, "system", "adt", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		registerSender(t, where, "lab", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		c := startClinic(t, where)
		token := c.token(t, "system")
		l := c.dial(t)
		id := func(number string) string {
			t.Helper()
			found := c.found(t, token, "Patient?identifier=urn:h1|"+number)
			if len(found) != 1 {
				t.Fatalf("%d Patients have %s", len(found), number)
			}
			return found[0]["id"].(string)
		}
		about := func(patient, want string, n int) {
			t.Helper()
			all := c.found(t, token, "Observation?patient="+patient)
			if len(all) != n {
				t.Errorf("%d results are found with %s, want %d", len(all), patient, n)
			}
			for _, o := range all {
				if got := o["subject"].(map[string]any)["reference"]; got != "Patient/"+want {
					t.Errorf("a result is about %v, want %s", got, want)
				}
			}
		}
		for i, app := range []string{"LAB", "ADT"} {
			prior, left := "P"+app, "S"+app
			control := func(n string) string { return app + n }
			from := func(message string) string { return strings.Replace(message, "|LAB|", "|"+app+"|", 1) }
			l.ask("AA", from(adt("A28", control("1"), left+"^^^H1", "", "")))
			l.ask("AA", strings.Replace(oru(app, control("2"), 1, "F"+app, "13.5"), "E000001", prior, 1))
			source, target := id(prior), id(left)
			about(source, source, 5)
			l.ask("AA", from(adt("A40", control("3"), left+"^^^H1", "", "MRG|"+prior+"^^^H1\r")))
			if i == 0 {
				about(source, source, 5)
				about(target, target, 0)
				continue
			}
			about(target, target, 5)
			l.ask("AA", strings.Replace(oru(app, control("4"), 1, "G"+app, "13.5"), "E000001", prior, 1))
			about(target, target, 10)
		}
	})
}
