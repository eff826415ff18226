package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/subscription"
)

func flag(id, patient string, n int) string {
	return fmt.Sprintf(`{"resourceType":"Flag","id":%q,"status":"active","code":{"text":"aviso %d"},"subject":{"reference":"Patient/%s"}}`, id, n, patient)
}

// TestLife: handshake, events with the filter, deletion, what is told of each.
func TestLife(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		e := newEndpoint(t)
		id := w.subscribe("clinic", asked{topic: "alert", filter: "Flag?patient=Patient/p1", endpoint: e.web.URL + "/x", header: "Authorization: Bearer SECRETO-1"})
		w.put("system", flag("f1", "p1", 1))
		w.put("system", flag("f2", "p2", 1))
		w.put("system", flag("f1", "p1", 2))
		e.has("Flag/f1")
		if status, body := w.do("system", "DELETE", "/Flag/f1", ""); status >= 300 {
			t.Fatalf("%d %s", status, body)
		}
		w.put("system", flag("f3", "p1", 1))
		events := e.has("Flag/f3")
		if slices.ContainsFunc(events, func(e told) bool { return e.focus == "Flag/f2" }) {
			t.Errorf("the filter let another patient through: %v", events)
		}
		at := slices.IndexFunc(events, func(e told) bool { return e.deleted })
		if at < 0 || events[at].focus != "Flag/f1" || events[at].resource != nil {
			t.Errorf("the deletion is not told: %+v", events)
		}
		for i, ev := range events {
			if ev.number != strconv.Itoa(i+1) {
				t.Errorf("event %d has the number %s", i+1, ev.number)
			}
		}
		e.mu.Lock()
		if n := e.all[0]; n.typ != "handshake" || len(n.events) > 0 || n.header.Get("Authorization") != "Bearer SECRETO-1" || n.total != "0" {
			t.Errorf("the handshake was %s with header %q", n.raw, n.header)
		}
		e.mu.Unlock()
		for _, path := range []string{"/Subscription/" + id, "/Subscription/" + id + "/_history", "/Subscription?_id=" + id} {
			if _, body := w.do("system", "GET", path, ""); strings.Contains(string(body), "SECRETO") {
				t.Errorf("%s shows the header: %s", path, body)
			}
		}
		w.catchUp(t, id)
	})
}

// catchUp checks what $events and $status say after TestLife.
func (w *world) catchUp(t *testing.T, id string) {
	status, body := w.do("clinic", "GET", "/Subscription/"+id+"/$events?eventsSinceNumber=1&content=id-only", "")
	n, err := read(body)
	if status != 200 || err != nil || n.typ != "query-event" {
		t.Fatalf("$events: %d %s", status, body)
	}
	if last := n.events[len(n.events)-1]; last.focus != "Flag/f3" || last.number != n.total || last.resource != nil {
		t.Errorf("$events ends with %+v of %s", last, n.total)
	}
	if status, _ := w.do("system", "GET", "/Subscription/"+id+"/$events", ""); status != 403 {
		t.Errorf("$events of another's Subscription: %d", status)
	}
	if status, _ := w.do("clinician", "GET", "/Subscription/"+id+"/$events", ""); status != 404 {
		t.Errorf("$events of one that is not seen: %d", status)
	}
	if status, body := w.do("clinic", "GET", "/Subscription/"+id+"/$status", ""); status != 200 || !strings.Contains(string(body), `"valueString":"`+n.total+`"`) {
		t.Errorf("$status: %d %s", status, body)
	}
	if status, body := w.do("clinician", "GET", "/Subscription", ""); status != 200 || strings.Contains(string(body), id) {
		t.Errorf("another sees it: %d %s", status, body)
	}
	if status, _ := w.do("clinic", "DELETE", "/Subscription/"+id, ""); status >= 300 {
		t.Errorf("its owner cannot delete it: %d", status)
	}
}

// TestDownForAnHour: a subscriber that is away misses nothing, in the order of each resource,
// and is active again.
func TestDownForAnHour(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		e := newEndpoint(t)
		id := w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL, count: 7})
		w.put("system", flag("f0", "p1", 0))
		e.has("Flag/f0")
		e.set(true)
		var refs []string
		for n := range 40 {
			w.put("system", flag(fmt.Sprintf("g%d", n), "p1", n))
			refs = append(refs, fmt.Sprintf("Flag/g%d", n))
			if n%10 == 0 {
				w.clock.advance(15 * time.Minute)
			}
		}
		for range 6 { // the tries fail one after another
			calls := e.called()
			w.step(6*time.Minute, func() bool { return e.called() > calls })
		}
		w.until(id, "error")
		e.set(false)
		w.step(6*time.Minute, func() bool { return len(e.events()) > 1 })
		events := e.has(refs...)
		w.until(id, "active")
		last := 0
		for _, ev := range events {
			n, _ := strconv.Atoi(ev.number)
			if n < last {
				t.Errorf("event %d comes after %d", n, last)
			}
			last = n
		}
	})
}

// step moves the clock on until something holds: by one step each second at most, so that on
// a slow machine no week goes by until then.
func (w *world) step(by time.Duration, f func() bool) {
	var last time.Time
	eventually(func() bool {
		if time.Since(last) >= time.Second {
			w.clock.advance(by)
			last = time.Now()
		}
		return f()
	})
}

func (e *endpoint) called() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

// TestOneHangs: of 50 endpoints one hangs, and the others are told all the same.
func TestOneHangs(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		bad := newEndpoint(t)
		w.subscribe("clinic", asked{topic: "alert", endpoint: bad.web.URL})
		bad.mu.Lock()
		bad.hang = make(chan struct{})
		bad.mu.Unlock()
		t.Cleanup(func() { close(bad.hang) })
		all := make([]*endpoint, 49)
		for i := range all {
			all[i] = newEndpoint(t)
			if status, body := w.do("clinic", "POST", "/Subscription", asked{topic: "alert", endpoint: all[i].web.URL}.json()); status != 201 {
				t.Fatalf("%d %s", status, body)
			}
		}
		for _, e := range all {
			if !eventually(func() bool { return e.called() > 0 }) {
				t.Fatal("no handshake")
			}
		}
		eventually(func() bool {
			_, body := w.do("clinic", "GET", "/Subscription?status=active&_summary=count", "")
			return strings.Contains(string(body), `"total":50`)
		})
		for n := range 5 {
			w.put("system", flag(fmt.Sprintf("f%d", n), "p1", n))
		}
		for _, e := range all {
			e.has("Flag/f0", "Flag/f1", "Flag/f2", "Flag/f3", "Flag/f4")
		}
	})
}

// TestOrder: under writers side by side, the versions of each resource come in their order.
func TestOrder(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		e := newEndpoint(t)
		w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL, count: 3})
		const writers, each = 6, 12
		var all sync.WaitGroup
		var refs []string
		for n := range writers {
			refs = append(refs, fmt.Sprintf("Flag/z%d", n))
			all.Go(func() {
				for i := range each {
					w.do("system", "PUT", fmt.Sprintf("/Flag/z%d", n), flag(fmt.Sprintf("z%d", n), "p1", i))
				}
			})
		}
		all.Wait()
		final := fmt.Sprintf("aviso %d", each-1)
		ok := eventually(func() bool {
			last := map[string]string{}
			for _, ev := range e.events() {
				last[ev.focus] = text(ev)
			}
			return !slices.ContainsFunc(refs, func(ref string) bool { return last[ref] != final })
		})
		if !ok {
			t.Fatalf("not all last versions came: %+v", e.events())
		}
		last, number := map[string]int{}, 0
		for _, ev := range e.events() {
			n, err := strconv.Atoi(strings.TrimPrefix(text(ev), "aviso "))
			at, _ := strconv.Atoi(ev.number)
			if err != nil || n < last[ev.focus] || at < number {
				t.Errorf("%s: %q after %d, event %d after %d", ev.focus, text(ev), last[ev.focus], at, number)
			}
			last[ev.focus], number = n, at
		}
	})
}

func text(e told) string {
	code, _ := e.resource["code"].(map[string]any)
	s, _ := code["text"].(string)
	return s
}

// TestRights: what is sent is what its subscriber may see when it is sent.
func TestRights(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		mine, theirs := newEndpoint(t), newEndpoint(t)
		w.subscribe("patient", asked{topic: "alert", endpoint: mine.web.URL})
		id := w.subscribe("clinician", asked{topic: "alert", endpoint: theirs.web.URL})
		w.put("system", flag("a1", "p1", 1))
		w.put("system", flag("a2", "p2", 1))
		w.put("system", flag("a3", "p1", 1))
		mine.has("Flag/a1", "Flag/a3")
		theirs.has("Flag/a1", "Flag/a2", "Flag/a3")

		// A refusal of consent comes between the write and the delivery.
		theirs.set(true)
		w.put("system", flag("b1", "p1", 1))
		w.put("system", flag("b2", "p2", 1))
		calls := theirs.called()
		eventually(func() bool { return theirs.called() > calls })
		w.put("system", `{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"coding":[{"code":"OPTIN"}]},"patient":{"reference":"Patient/p1"},"provision":{"type":"deny"}}`)
		theirs.set(false)
		w.clock.advance(10 * time.Minute)
		w.put("system", flag("a1", "p1", 2)) // it was told before: now it is gone for them
		w.put("system", flag("b3", "p2", 1))
		events := theirs.has("Flag/b2", "Flag/b3")
		gone := false
		for _, ev := range events {
			if ev.focus == "Flag/b1" {
				t.Errorf("it was told of what its patient refuses: %+v", ev)
			}
			gone = gone || ev.focus == "Flag/a1" && ev.deleted
			if ev.focus == "Flag/a1" && text(ev) == "aviso 2" {
				t.Errorf("it was shown what its patient refuses")
			}
		}
		if !gone {
			t.Errorf("what it was shown before and may not see any more is not told to be gone: %+v", events)
		}
		mine.has("Flag/b1")
		for _, ev := range mine.events() {
			if strings.HasSuffix(ev.focus, "2") || ev.focus == "Flag/b3" {
				t.Errorf("a patient was told of another: %+v", ev)
			}
		}
		w.alter("clinician", nil)
		w.put("system", flag("b4", "p2", 1))
		w.until(id, "off")
		if slices.ContainsFunc(theirs.events(), func(e told) bool { return e.focus == "Flag/b4" }) {
			t.Error("somebody without an account was told")
		}
	})
}

// TestKilled: a server that dies after the subscriber has confirmed, and before that is
// noted, is followed by one that sends it again; nothing is lost.
func TestKilled(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		e := newEndpoint(t)
		w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL})
		w.put("system", flag("f1", "p1", 1))
		e.has("Flag/f1")
		w.stop()
		w.change = func(c *subscription.Config) { c.Store = dying{c.Store} }
		w.server = w.serve()
		w.put("system", flag("f2", "p1", 1))
		e.has("Flag/f2")
		w.stop()
		before := len(e.events())
		w.change = nil
		w.server = w.serve()
		w.put("system", flag("f3", "p1", 1))
		again := e.has("Flag/f3")[before:]
		if again[0].focus != "Flag/f2" || again[0].number != "2" {
			t.Errorf("what was not noted to be confirmed is not sent again: %+v", again)
		}
		if last := again[len(again)-1]; last.focus != "Flag/f3" || last.number != "3" {
			t.Errorf("the next event is %+v", last)
		}
	})
}

// dying is the store of a process that dies each time before it notes what was confirmed.
type dying struct{ subscription.Store }

func (d dying) Put(ctx context.Context, entries ...fhir.Entry) error {
	if len(entries) == 1 && entries[0].Kind == "subscription" {
		return errors.New("killed")
	}
	return d.Store.Put(ctx, entries...)
}

// TestTwoServers: two servers of one database share the Subscriptions; when one goes, the
// other takes its share, and in all nothing is lost.
func TestTwoServers(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var all []*endpoint
		for range 12 {
			e := newEndpoint(t)
			w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL})
			all = append(all, e)
		}
		first, second := w.server, w.serve()
		shared := eventually(func() bool {
			w.clock.advance(5 * time.Second)
			time.Sleep(50 * time.Millisecond)
			a, _ := first.svc.Lag()
			b, _ := second.svc.Lag()
			return a+b == 12 && a > 0 && b > 0
		})
		if !shared {
			a, _ := first.svc.Lag()
			b, _ := second.svc.Lag()
			t.Fatalf("one serves %d, the other %d", a, b)
		}
		second.put("system", flag("f1", "p1", 1))
		for _, e := range all {
			e.has("Flag/f1")
		}
		first.stop()
		w.server = second
		second.put("system", flag("f2", "p1", 1))
		w.clock.advance(5 * time.Second)
		for _, e := range all {
			events := e.has("Flag/f2")
			if len(events) > 4 {
				t.Errorf("2 events came %d times", len(events))
			}
		}
	})
}
