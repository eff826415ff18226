package schedule_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/telehealth/schedule"
)

// meddled is a store in which somebody writes just before the next that does.
type meddled struct {
	schedule.Store
	meddle *func()
}

func (m meddled) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	if first := *m.meddle; first != nil {
		*m.meddle = nil
		first()
	}
	return m.Store.Apply(ctx, b)
}

// TestWrittenMeanwhile: an Appointment is moved and cancelled although somebody writes it
// between the look at it and the change; what they wrote is kept.
func TestWrittenMeanwhile(t *testing.T) {
	onEngines(t, func(c *clinic) {
		var meddle func()
		c.service.Store = meddled{c.service.Store, &meddle}
		id := c.must("book", "", "schedule=Schedule/s", "start=2026-11-23T09:00:00-06:00", "patient=Patient/ana").TextAt(0, "id")
		remark := func(words string) func() {
			return func() {
				d := c.read("Appointment", id)
				e := d.Edit(0)
				e.Set(0, "comment", fmt.Sprintf("%q", words))
				if err := c.put(string(e.AppendTo(nil))); err != nil {
					c.Fatal(err)
				}
			}
		}
		meddle = remark("uno")
		d := c.must("reschedule", id, "start=2026-11-23T10:00:00-06:00")
		if d.TextAt(0, "comment") != "uno" || !at(d.TextAt(0, "start")).Equal(at("2026-11-23T10:00:00-06:00")) {
			c.Errorf("moved it is %s", d.Source())
		}
		meddle = remark("dos")
		d = c.must("cancel", id, "reason=pat")
		if d.TextAt(0, "comment") != "dos" || d.TextAt(0, "status") != "cancelled" {
			c.Errorf("cancelled it is %s", d.Source())
		}
	})
}

// TestCancelledAtOnce: of several who cancel an Appointment at once, each is told that it is.
func TestCancelledAtOnce(t *testing.T) {
	onEngines(t, func(c *clinic) {
		id := c.must("book", "", "schedule=Schedule/s", "start=2026-11-23T09:00:00-06:00", "patient=Patient/ana").TextAt(0, "id")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if d, err := c.call("cancel", id, "reason=pat"); err != nil || d.TextAt(0, "status") != "cancelled" {
					c.Errorf("%v, code %d", err, fhir.CodeOf(err))
				}
			})
		}
		all.Wait()
	})
}
