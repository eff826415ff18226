package feed_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow returns a client that has caught up.
func (w *world) follow(who, scope string) *client {
	w.t.Helper()
	c := &client{w: w, who: who, scope: scope}
	c.catchUp()
	return c
}

func (c *client) catchUp() {
	c.w.t.Helper()
	c.caught = false
	for n := 0; !c.caught; n++ {
		if c.sync(false); n > 1000 || c.w.t.Failed() {
			c.w.t.Fatalf("%s %s never catches up", c.who, c.scope)
		}
	}
}

// becomes fails unless a client, within a while, has exactly these apart from
// Organizations: what was written just now need not be told at once.
func (c *client) becomes(refs ...string) {
	c.w.t.Helper()
	slices.Sort(refs)
	for try := 0; ; try++ {
		c.catchUp()
		got := slices.DeleteFunc(slices.Sorted(maps.Keys(c.copy)), func(ref string) bool { return strings.HasPrefix(ref, "Organization/") })
		if slices.Equal(got, refs) {
			return
		}
		if try > 200 {
			c.w.t.Fatalf("%s %s has %q, want %q", c.who, c.scope, got, refs)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const (
	plainPatient     = `{"resourceType":"Patient","id":"p1","managingOrganization":{"reference":"Organization/o0"}}`
	plainObservation = `{"resourceType":"Observation","id":"b1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`
	organization     = `{"resourceType":"Organization","id":"o0","name":"x"}`
)

func denial(period string) string {
	return `{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"x"},"patient":{"reference":"Patient/p1"},` +
		`"provision":{"type":"deny",` + period + `"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]}}`
}

// TestFirstOfItsKind: a database in which nothing is blocked and nobody refuses anything
// asks less of the guard. That changes with the first label, and with the first Consent,
// under copies that have caught up; also under one that waits meanwhile.
func TestFirstOfItsKind(t *testing.T) {
	for engine, open := range engines {
		for name, first := range map[string]struct {
			write, undo string
			stay, more  []string // what is left, and what there is more in the end
			who         []string
		}{
			"label": {
				strings.Replace(plainPatient, `"id":`, `"meta":{`+blocked+`"source":"urn:x"},"id":`, 1), plainPatient,
				nil, nil, []string{"system", "clinician"},
			},
			"consent": {denial(""), strings.Replace(denial(""), `"active"`, `"inactive"`, 1), []string{"Patient/p1", "Consent/c1"}, []string{"Consent/c1"}, []string{"clinician"}},
		} {
			for _, wait := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/wait=%t", engine, name, wait), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, 1, open)
					for _, r := range []string{organization, plainPatient, plainObservation} {
						w.put(r)
					}
					var clients []*client
					for _, who := range first.who {
						for _, scope := range []string{"", "patient=p1", "organization=o0"} {
							c := w.follow(who, scope)
							c.becomes("Patient/p1", "Observation/b1")
							clients = append(clients, c)
						}
					}
					done := make(chan struct{})
					if wait {
						c := clients[0]
						c.cursor += "&wait=30"
						go func() { defer close(done); c.sync(false) }()
						time.Sleep(50 * time.Millisecond) // by then it waits; else it is as without
					} else {
						close(done)
					}
					w.put(first.write)
					<-done
					clients[0].cursor = strings.Replace(clients[0].cursor, "&wait=30", "", 1)
					if text := fmt.Sprint(clients[0].copy); wait && strings.Contains(text, "bloqueado") {
						t.Errorf("the one who waits is shown what is blocked: %s", text)
					}
					for _, c := range clients {
						c.becomes(first.stay...)
					}
					w.put(first.undo)
					for _, c := range clients {
						c.becomes(append([]string{"Patient/p1", "Observation/b1"}, first.more...)...)
					}
				})
			}
		}
	}
}

// TestConsentBeginsAndEnds: by the time alone, while nobody writes anything, a Consent
// comes to say something, and ends to. As soon as a search knows of it, so does a copy.
func TestConsentBeginsAndEnds(t *testing.T) {
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for within := 1500 * time.Millisecond; !beginsAndEnds(t, open, within); within *= 3 { // a slow machine was not in time
				if within > 2*time.Minute {
					t.Fatal("nobody ever asked while the Consent was good")
				}
			}
		})
	}
}

// beginsAndEnds has a Consent begin, and end as long after that again; false when nothing was
// asked in between.
func beginsAndEnds(t *testing.T, open func(testing.TB) engine, within time.Duration) bool {
	w := newWorld(t, 1, open)
	for _, r := range []string{organization, plainPatient, plainObservation} {
		w.put(r)
	}
	begins := time.Now().Add(within).Truncate(time.Millisecond)
	ends := begins.Add(within)
	over := ends.Add(10 * time.Millisecond) // the millisecond that is its end belongs to it
	at := func(in time.Time) string { return in.UTC().Format("2006-01-02T15:04:05.000Z") }
	w.put(denial(fmt.Sprintf(`"period":{"start":%q,"end":%q},`, at(begins), at(ends))))
	clients := []*client{w.follow("clinician", ""), w.follow("clinician", "patient=p1"), w.follow("clinician", "organization=o0")}
	met := false
	for {
		asked := time.Now()
		status, _, err := w.do(context.Background(), "clinician", "GET", "/Observation/b1", "")
		answered := time.Now()
		if err != nil {
			t.Fatal(err)
		}
		good := asked.After(begins) && answered.Before(ends)
		if refused := status == 404; refused != good && (good || answered.Before(begins) || asked.After(over)) {
			t.Fatalf("%s after it begins, of %s, the answer is %d", answered.Sub(begins), within, status)
		}
		turned := good && !met
		met = met || good
		for _, c := range clients {
			c.catchUp() // they are answered from memory
		}
		if turned && time.Now().Before(ends) || asked.After(over) {
			for _, c := range clients {
				if has := c.copy["Observation/b1"] != ""; has != (status == 200) {
					t.Errorf("the Observation answers %d, and %s has it: %t", status, c.scope, has)
				}
			}
		}
		if asked.After(over) {
			return met
		}
		time.Sleep(20 * time.Millisecond)
	}
}
