package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

func TestWaitingList(t *testing.T) {
	onEngines(t, func(c *clinic) {
		first := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id")
		luz := c.must("wait", "", "schedule=s", "patient=luz", nine, "end=2026-11-23T11:00:00-06:00").TextAt(0, "id")
		ana := c.must("wait", "", "schedule=s", "patient=ana", nine, "end=2026-11-23T11:00:00-06:00").TextAt(0, "id")
		late := c.must("wait", "", "schedule=s", "patient=ana", "start=2026-11-24T00:00:00-06:00", "end=2026-11-25T11:00:00-06:00").TextAt(0, "id")
		status := func(id string) string { return c.read("Appointment", id).TextAt(0, "status") }
		c.must("cancel", first, "reason=no puede")
		if status(luz) != "proposed" || status(ana) != "waitlist" || status(late) != "waitlist" {
			c.Fatalf("they are %s, %s and %s", status(luz), status(ana), status(late))
		}
		if got := c.free("s"); !strings.HasPrefix(got, "23 09:30") {
			c.Errorf("what is offered is free: %s", got)
		}
		c.refused(fhir.Conflict, "book", "", "waiting=Appointment/"+ana)
		// She lets it pass: the next one is asked, and she goes on waiting.
		c.later(3 * time.Hour)
		c.refused(fhir.Conflict, "book", "", "waiting=Appointment/"+luz)
		if err := c.service.Lapse(c.Context(), testBase); err != nil {
			c.Fatal(err)
		}
		if status(luz) != "waitlist" || status(ana) != "proposed" {
			c.Fatalf("they are %s and %s", status(luz), status(ana))
		}
		d := c.must("book", "", "waiting="+ana)
		if d.TextAt(0, "id") != ana || d.TextAt(0, "status") != "booked" || d.TextAt(0, "start") != "2026-11-23T09:00:00-06:00" {
			c.Errorf("booked is %s", d.Source())
		}
		if err := c.service.Lapse(c.Context(), testBase); err != nil || status(ana) != "booked" {
			c.Errorf("%v, %s", err, status(ana))
		}
		c.must("cancel", late, "reason=pat")
		c.must("cancel", ana, "reason=pat")
		if status(late) != "cancelled" || status(luz) != "proposed" {
			c.Errorf("they are %s and %s", status(late), status(luz))
		}
	})
}

// A slot that was held and not booked is offered to who waits, as one that is given back.
func TestHoldLapses(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.must("hold", "", "schedule=s", nine)
		booked := part(c.must("hold", "", "schedule=s", half), "hold")
		luz := c.must("wait", "", "schedule=s", "patient=luz", nine, "end=2026-11-23T10:00:00-06:00").TextAt(0, "id")
		c.must("book", "", "hold="+booked, "patient=ana")
		for _, w := range []struct {
			later time.Duration
			want  string
		}{{0, "waitlist"}, {6 * time.Minute, "proposed"}, {time.Minute, "proposed"}} {
			c.later(w.later)
			if err := c.service.Lapse(c.Context(), testBase); err != nil {
				c.Fatal(err)
			}
			if got := c.read("Appointment", luz).TextAt(0, "status"); got != w.want {
				c.Errorf("%s later it is %s, want %s", w.later, got, w.want)
			}
		}
		if d := c.must("book", "", "waiting="+luz); d.TextAt(0, "start") != "2026-11-23T09:00:00-06:00" {
			c.Errorf("booked is %s", d.Source())
		}
	})
}
