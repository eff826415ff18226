package schedule_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/schedule"
)

// serve has the clinic served with other bounds, and with a visit that has begun.
func (c *clinic) serve(change func(*schedule.Config)) {
	cfg := schedule.Config{Store: held{c.store}, Now: c.time, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }}
	change(&cfg)
	for _, o := range schedule.New(cfg).Operations() {
		c.run[o.Name] = o
	}
}

// A patient has so many bookings before them, and no more until one is cancelled or over.
func TestMostOfPatient(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(agenda("wide", 30, ""))
		book := []string{"schedule=wide", nine, "patient=ana"}
		first := c.must("book", "", book...).TextAt(0, "id")
		for range 19 {
			c.must("book", "", book...)
		}
		c.refused(fhir.Throttled, "book", "", book...)
		c.must("book", "", "schedule=wide", nine, "patient=luz") // who has none
		c.must("cancel", first, "reason=pat")
		c.must("book", "", book...)
		c.refused(fhir.Throttled, "book", "", book...)
		c.later(3 * 24 * time.Hour) // they are over
		c.must("book", "", "schedule=wide", "start=2026-11-30T09:00:00-06:00", "patient=ana")
	})
}

// An app has so many bookings of its own before it, whoever they are for; what others book
// does not count for it.
func TestMostOfApp(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.serve(func(cfg *schedule.Config) { cfg.MostOpenApp = 3 })
		c.put(agenda("wide", 30, ""))
		one := operation.Caller{Principal: "p", Client: "one", Roles: []string{"telehealth-app"}}
		two := operation.Caller{Principal: "p", Client: "two", Roles: []string{"telehealth-app"}}
		nurse := operation.Caller{Principal: "n", User: fhir.Ref{Type: "Practitioner", ID: "doc"}, Roles: []string{"nurse"}}
		book := func(patient int) []string {
			return []string{"schedule=wide", nine, fmt.Sprint("patient=", []string{"ana", "luz"}[patient%2])}
		}
		c.caller = one
		var ids []string
		for i := range 3 {
			ids = append(ids, c.must("book", "", book(i)...).TextAt(0, "id"))
		}
		c.refused(fhir.Throttled, "book", "", book(3)...)
		for _, other := range []operation.Caller{two, nurse} {
			c.caller = other
			c.must("book", "", book(0)...)
		}
		c.caller = one
		c.must("cancel", ids[0], "reason=pat")
		c.must("book", "", book(1)...)
		c.refused(fhir.Throttled, "book", "", book(1)...)
	})
}

// Nobody fills a waiting list; and who is behind many others, who have no time then, is
// offered what becomes free.
func TestMostWaits(t *testing.T) {
	onEngines(t, func(c *clinic) {
		id := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id")
		left := c.must("wait", "", "schedule=s", "patient=ana", "start=2026-11-24T00:00:00-06:00").TextAt(0, "id")
		c.must("cancel", left, "reason=pat")
		if places, err := c.store.Entries(c.Context(), "agenda-place", "s", "", 10); err != nil || len(places) > 0 {
			c.Errorf("who does not wait any more has %d places, %v", len(places), err)
		}
		for i := range 210 {
			who := fmt.Sprintf("w%d", i/10)
			if i%10 == 0 {
				c.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, who))
			}
			c.must("wait", "", "schedule=s", "patient="+who, "start=2026-11-24T00:00:00-06:00")
		}
		c.refused(fhir.Throttled, "wait", "", "schedule=s", "patient=w0", nine)
		luz := c.must("wait", "", "schedule=s", "patient=luz", nine).TextAt(0, "id")
		c.must("cancel", id, "reason=pat")
		if got := c.read("Appointment", luz).TextAt(0, "status"); got != "proposed" {
			c.Errorf("who waits behind 210 others is %s", got)
		}
		c.later(93 * 24 * time.Hour)
		c.must("wait", "", "schedule=s", "patient=w0", "start=2027-03-01T00:00:00-06:00") // the time of the others has passed
	})
}

// Once its visit has begun an Appointment stays with its professional: the people of the
// visit are theirs.
func TestMovedAfterStart(t *testing.T) {
	onEngines(t, func(c *clinic) {
		begun := ""
		c.serve(func(cfg *schedule.Config) {
			cfg.Begun = func(_ context.Context, id string) (bool, error) { return id == begun, nil }
		})
		c.put(`{"resourceType":"Practitioner","id":"other"}`)
		c.put(strings.Replace(agenda("t", 1, ""), "Practitioner/doc", "Practitioner/other", 1))
		id, free := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id"), c.must("book", "", "schedule=s", half, "patient=luz").TextAt(0, "id")
		begun = id
		before := string(c.read("Appointment", id).Source())
		c.refused(fhir.Conflict, "reschedule", id, "schedule=t", nine)
		held := c.must("hold", "", "schedule=t", nine)
		for n := range held.Items(0, "parameter") {
			if held.TextAt(n, "name") == "hold" {
				c.refused(fhir.Conflict, "reschedule", id, "hold="+held.TextAt(n, "valueString"))
			}
		}
		if after := string(c.read("Appointment", id).Source()); after != before {
			c.Errorf("it became %s", after)
		}
		c.must("reschedule", id, "start=2026-11-23T10:00:00-06:00") // later, with the same one
		if d := c.must("reschedule", free, "schedule=t", half); !strings.Contains(string(d.Source()), "Practitioner/other") {
			c.Errorf("one that has not begun: %s", d.Source())
		}
	})
}
