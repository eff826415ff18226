package feed_test

import (
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/feed"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// kept counts the entries of copies.
func (w *world) kept() (n int) {
	w.t.Helper()
	for _, kind := range []string{"changes", "changes-of", "changes-set", "changes-log"} {
		entries, err := w.engine.Entries(w.t.Context(), kind, "", "", 10_000)
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

func (w *world) housekeep(since time.Time, first fhir.Mark) feed.Kept {
	w.t.Helper()
	all, err := feed.Housekeep(w.t.Context(), w.engine, since, first, "", func(string, feed.Kept) error { return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestHousekeep: a copy that is asked for stays, and one that nobody asks for goes with
// all that was kept of it; who comes all the same begins anew, and ends with the same.
func TestHousekeep(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, open)
			for _, r := range []string{organization, plainPatient, plainObservation} {
				w.put(r)
			}
			c := w.follow("clinician", "organization=o0")
			w.put(`{"resourceType":"Observation","id":"n1","status":"final","code":{"text":"of nobody"}}`)
			w.put(`{"resourceType":"Observation","id":"b3","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`)
			c.becomes("Patient/p1", "Observation/b1", "Observation/b3")
			if all := w.housekeep(time.Now().Add(-time.Hour), fhir.Mark{}); all != (feed.Kept{Copies: 1}) {
				t.Fatalf("a copy that is in use: %+v", all)
			}
			before := w.kept()
			start, err := w.engine.Feed().End(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.put(`{"resourceType":"Observation","id":"n2","status":"final","code":{"text":"of nobody"}}`)
			end := start
			for end == start {
				if end, err = w.engine.Feed().End(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if all := w.housekeep(time.Now().Add(-time.Hour), end); all.Copies != 1 || all.Logs == 0 || w.kept() != before-all.Logs {
				t.Fatalf("logs that no cursor leads to: %+v", all)
			}
			w.put(`{"resourceType":"Observation","id":"b4","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`)
			c.becomes("Patient/p1", "Observation/b1", "Observation/b3", "Observation/b4")

			if all := w.housekeep(time.Now().Add(time.Hour), fhir.Mark{}); all.Removed != 1 || w.kept() != 0 {
				t.Fatalf("an abandoned copy: %+v, and %d entries are left", all, w.kept())
			}
			w.put(`{"resourceType":"Observation","id":"b1","status":"cancelled","code":{"text":"x"}}`)
			c.copy["Patient/nobody"] = "what a client has besides goes when it begins anew"
			c.becomes("Patient/p1", "Observation/b3", "Observation/b4")
		})
	}
}

// TestForgottenChanges: a client whose cursor is from before what the change feed still
// has begins anew; one that has followed goes on.
func TestForgottenChanges(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, open)
			for _, r := range []string{organization, plainPatient, plainObservation} {
				w.put(r)
			}
			late, current := w.follow("clinician", "organization=o0"), w.follow("clinician", "patient=p1")
			w.put(`{"resourceType":"Observation","id":"b1","status":"final","code":{"text":"y"},"subject":{"reference":"Patient/p1"}}`)
			w.put(`{"resourceType":"Observation","id":"b3","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`)
			current.becomes("Patient/p1", "Observation/b1", "Observation/b3")
			for removed := 0; removed == 0; { // until those who began before have ended
				var err error
				if _, removed, err = store.PruneFeed(t.Context(), w.engine, time.Now().Add(time.Hour), 1000); err != nil {
					t.Fatal(err)
				}
			}
			w.put(`{"resourceType":"Observation","id":"b4","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`)
			late.copy["Patient/nobody"] = "goes when it begins anew"
			current.copy["Patient/nobody"] = "stays"
			late.becomes("Patient/p1", "Observation/b1", "Observation/b3", "Observation/b4")
			current.becomes("Patient/p1", "Observation/b1", "Observation/b3", "Observation/b4", "Patient/nobody")
		})
	}
}

// TestPurge: what is removed for good is dropped from every copy that still had it, and
// nothing is told of it.
func TestPurge(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, open)
			for _, r := range []string{organization, plainPatient, plainObservation} {
				w.put(r)
			}
			w.put(`{"resourceType":"Patient","id":"p2","managingOrganization":{"reference":"Organization/o0"}}`)
			var clients []*client
			for _, who := range []string{"system", "clinician"} {
				for _, scope := range []string{"", "patient=p1", "organization=o0", "_type=Observation,Patient"} {
					clients = append(clients, w.follow(who, scope))
				}
			}
			stale := *clients[2]
			refs := []fhir.Ref{{Type: "Observation", ID: "b1"}, {Type: "Patient", ID: "p1"}}
			index := func(r *fhir.Resource) (search.Index, error) {
				doc, err := element.Parse(r.JSON)
				if err != nil {
					return search.Index{}, err
				}
				return search.Extract(doc, 0, w.url)
			}
			if done, err := w.engine.Purge(t.Context(), refs, index); err != nil || done.Resources != 2 {
				t.Fatalf("%+v %v", done, err)
			}
			for _, c := range append(clients, &stale) {
				if c.scope == "patient=p1" {
					c.becomes()
				} else {
					c.becomes("Patient/p2")
				}
			}
		})
	}
}
