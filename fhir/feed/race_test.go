package feed_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// hooked is a store to which something happens in the midst of a request.
type hooked struct {
	engine
	searched, read atomic.Pointer[func()] // done once: before a search, before a copy is read
}

func (h *hooked) Search(ctx context.Context, q *search.Query) (*search.Result, error) {
	if do := h.searched.Swap(nil); do != nil {
		(*do)()
	}
	return h.engine.Search(ctx, q)
}

func (h *hooked) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	if do := h.read.Swap(nil); do != nil {
		(*do)()
	}
	return h.engine.Entry(ctx, kind, key)
}

// onBoth runs a test on a world of each engine.
func onBoth(t *testing.T, do func(t *testing.T, w *world)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, open)
			w.put(`{"resourceType":"Patient","id":"p1"}`)
			w.put(`{"resourceType":"Patient","id":"p2"}`)
			do(t, w)
		})
	}
}

func (w *world) observe(id, patient string, value int) {
	w.put(fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/%s"},"valueInteger":%d}`, id, patient, value))
}

// refuse has a patient refuse, or not any more, that clinicians see their record.
func (w *world) refuse(patient, status string) {
	w.put(fmt.Sprintf(`{"resourceType":"Consent","id":"c-%s","status":%q,"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},`+
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"x"},"patient":{"reference":"Patient/%s"},"provision":{"type":"deny"}}`, patient, status, patient))
}

// during sets what is to happen in the midst of the next request.
func during(at *atomic.Pointer[func()], do func()) { at.Store(&do) }

// TestHiddenWhileTold: what has come into view is hidden again before it is told, in the
// answer to a client that asks once more; it is told when it is back.
func TestHiddenWhileTold(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.refuse("p2", "active") // so that consents are looked at by every request
		w.observe("b1", "p1", 1)
		w.refuse("p1", "active")
		c := &client{w: w, who: "clinician"}
		w.same(c)
		w.refuse("p1", "inactive")
		if _, _, err := w.do(t.Context(), c.who, "GET", c.cursor, ""); err != nil { // its answer is lost
			t.Fatal(err)
		}
		during(&w.shown.searched, func() { w.refuse("p1", "active") })
		c.sync(false)
		w.refuse("p1", "inactive")
		w.same(c)
		if c.copy["Observation/b1"] == "" {
			t.Error("what was hidden for a moment has never come")
		}
	})
}

// TestPanelChangesMeanwhile: a Group gets a member after it was read for an answer, and
// before the changes are.
func TestPanelChangesMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		group := func(members ...string) {
			var list []string
			for _, m := range members {
				list = append(list, `{"entity":{"reference":"Patient/`+m+`"}}`)
			}
			w.put(`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[` + strings.Join(list, ",") + `]}`)
		}
		w.observe("b2", "p2", 1)
		group("p1")
		c := &client{w: w, who: "system", scope: "group=g"}
		w.same(c)
		w.observe("b1", "p1", 1)
		during(&w.shown.read, func() { group("p1", "p2") })
		c.sync(false)
		w.same(c)
		if c.copy["Observation/b2"] == "" {
			t.Error("the record of the new member is not there")
		}
	})
}

// TestMovedFromFormerMember: somebody leaves a Group, and what was theirs is moved to one who
// never was in it, both after it was asked how far the feed goes and before the Group is read.
func TestMovedFromFormerMember(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.put(`{"resourceType":"Patient","id":"p3"}`)
		w.observe("b2", "p2", 1)
		w.put(`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p1"}},{"entity":{"reference":"Patient/p2"}}]}`)
		c := &client{w: w, who: "system", scope: "group=g"}
		w.same(c)
		w.observe("b1", "p1", 1)
		during(&w.inside.searched, func() {
			w.put(`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p1"}}]}`)
			w.observe("b2", "p3", 2)
		})
		c.sync(false)
		w.same(c)
		if c.copy["Observation/b2"] != "" {
			t.Error("what was moved away from a former member is still there")
		}
	})
}

// TestRefusedMeanwhile: the first patient refuses after it was found that nobody does, and
// before the changes are read.
func TestRefusedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.observe("b1", "p1", 1)
		c := &client{w: w, who: "clinician"}
		w.same(c)
		w.observe("b2", "p2", 1)
		during(&w.shown.read, func() { w.refuse("p1", "active") })
		c.sync(false)
		w.same(c)
		if c.copy["Observation/b1"] != "" {
			t.Error("what was refused is still there")
		}
	})
}

// TestSnapshotPageTwice: a page of the beginning is lost, and when it is asked for again,
// something is hidden that was on it, for a moment.
func TestSnapshotPageTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.observe("b1", "p1", 1)
		c := &client{w: w, who: "clinician", cursor: w.url + "/$changes?_type=Observation,Patient&_count=1"}
		c.scope = "_type=Observation"
		c.sync(false) // the first page, of Observations
		delete(c.copy, "Observation/b1")
		w.observe("b3", "p2", 1)
		for range 10 { // all pages of the beginning, whose answers are lost
			cursor := c.cursor
			status, body, err := w.do(t.Context(), c.who, "GET", cursor, "")
			if err != nil || status != 200 {
				t.Fatal(status, err)
			}
			if !strings.Contains(string(body), `"Patient"`) {
				break
			}
			w.refuse("p1", "active")
			w.refuse("p2", "active")
			c.sync(false)
			w.refuse("p1", "inactive")
			w.refuse("p2", "inactive")
		}
		for quiet := 0; quiet < 2; {
			if c.sync(false); c.caught {
				quiet++
			}
		}
		for _, ref := range []string{"Patient/p1", "Patient/p2", "Observation/b3"} {
			if c.copy[ref] == "" {
				t.Errorf("%s is not there: %v", ref, c.copy)
			}
		}
	})
}

// TestManyTargets: a resource refers to more others than a change lists.
func TestManyTargets(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := &client{w: w, who: "system", scope: "patient=p1"}
		w.same(c)
		var entries []string
		for n := range 600 {
			entries = append(entries, fmt.Sprintf(`{"item":{"reference":"Observation/x%d"}}`, n))
		}
		w.put(`{"resourceType":"List","id":"l","status":"current","mode":"working","subject":{"reference":"Patient/p1"},"entry":[` + strings.Join(entries, ",") + `]}`)
		for quiet := 0; quiet < 2; {
			if c.sync(false); c.caught {
				quiet++
			}
		}
		if c.copy["List/l"] == "" {
			t.Error("a List of many is not there")
		}
	})
}
