package schedule_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

const nine, half, ten = "start=2026-11-23T09:00:00-06:00", "start=2026-11-23T09:30:00-06:00", "start=2026-11-23T10:00:00-06:00"

func TestBooking(t *testing.T) {
	onEngines(t, func(c *clinic) {
		if got := c.free("s"); got != "23 09:00, 23 09:30, 23 10:00, 23 10:30, 24 09:00, 24 09:30, 24 10:00, 24 10:30" {
			c.Fatalf("free are %s", got)
		}
		hold := part(c.must("hold", "", "schedule=Schedule/s", nine), "hold")
		if got := c.free("s"); !strings.HasPrefix(got, "23 09:30, ") {
			c.Errorf("with one held, free are %s", got)
		}
		c.refused(fhir.Conflict, "book", "", "schedule=s", nine, "patient=Patient/luz")
		d := c.must("book", "", "hold="+hold, "patient=ana", "reason=Control", "virtual=true")
		id := d.TextAt(0, "id")
		if d.TextAt(0, "status") != "booked" || d.TextAt(0, "start") != "2026-11-23T09:00:00-06:00" || d.TextAt(0, "end") != "2026-11-23T09:30:00-06:00" {
			c.Errorf("booked is %s", d.Source())
		}
		c.refused(fhir.Conflict, "book", "", "hold="+hold, "patient=luz") // once
		if slot := c.read("Slot", id); slot.TextAt(0, "status") != "busy" || slot.TextAt(0, "schedule", "reference") != "Schedule/s" {
			c.Errorf("the slot is %s", slot.Source())
		}
		if r := c.read("CommunicationRequest", id+"-r0"); r.TextAt(0, "status") != "active" || r.TextAt(0, "occurrenceDateTime") != "2026-11-22T15:00:00Z" {
			c.Errorf("the reminder is %s", r.Source())
		}
		e := c.refused(fhir.Conflict, "hold", "", "schedule=s", nine)
		var others []string
		for _, i := range e.Issues[1:] {
			others = append(others, i.Diagnostics[11:16])
		}
		if got := strings.Join(others, " "); got != "09:30 10:00 10:30 09:00 09:30" {
			c.Errorf("the alternatives are %s", got)
		}

		// It moves, within the day and to another one, and back.
		c.must("reschedule", id, half)
		if got := c.free("s"); !strings.HasPrefix(got, "23 09:00, 23 10:00, ") {
			c.Errorf("after it moved, free are %s", got)
		}
		d = c.must("reschedule", id, "start=2026-11-24T10:00:00-06:00")
		if d.TextAt(0, "start") != "2026-11-24T10:00:00-06:00" || d.TextAt(0, "status") != "booked" {
			c.Errorf("moved it is %s", d.Source())
		}
		if got := c.free("s"); got != "23 09:00, 23 09:30, 23 10:00, 23 10:30, 24 09:00, 24 09:30, 24 10:30" {
			c.Errorf("after it moved to another day, free are %s", got)
		}
		d = c.must("cancel", id, "reason=pat")
		if d.TextAt(0, "status") != "cancelled" {
			c.Errorf("cancelled it is %s", d.Source())
		}
		c.must("cancel", id, "reason=pat") // the answer was lost
		c.refused(fhir.Conflict, "reschedule", id, nine)
		if got := c.free("s"); len(strings.Split(got, ", ")) != 8 {
			c.Errorf("after it was cancelled, free are %s", got)
		}
		if slot := c.read("Slot", id); slot.TextAt(0, "status") != "entered-in-error" {
			c.Errorf("the slot is %s", slot.Source())
		}

		// A hold that nobody books expires.
		hold = part(c.must("hold", "", "schedule=s", nine), "hold")
		c.later(6 * time.Minute)
		c.refused(fhir.Conflict, "book", "", "hold="+hold, "patient=ana")
		c.must("book", "", "schedule=s", nine, "patient=luz")

		// What others have booked takes time as well.
		if err := c.put(`{"resourceType":"Appointment","id":"theirs","status":"booked","start":"2026-11-23T10:10:00-06:00","end":"2026-11-23T10:20:00-06:00",
			"participant":[{"actor":{"reference":"Practitioner/doc"},"status":"accepted"}]}`); err != nil {
			c.Fatal(err)
		}
		if got := c.free("s"); !strings.HasPrefix(got, "23 09:30, 23 10:30, ") {
			c.Errorf("beside an appointment of elsewhere, free are %s", got)
		}
		c.refused(fhir.Conflict, "book", "", "schedule=s", ten, "patient=ana")
	})
}

// Nobody is in two places: what is booked in one agenda of theirs is taken in the other.
func TestTwoAgendas(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(agenda("t", 2, ""))
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				_, err := c.call("book", "", "schedule="+[]string{"s", "t"}[i%2], nine, "patient=ana")
				if err == nil {
					won.Add(1)
				} else if fhir.CodeOf(err) != fhir.Conflict {
					c.Error(err)
				}
			})
		}
		wg.Wait()
		// Two may be in a group of the second one, but never one in each.
		s, g := c.free("s"), c.free("t")
		if strings.Contains(s, "23 09:00") || won.Load() == 0 || won.Load() > 2 {
			c.Errorf("%d have it; free are %s and %s", won.Load(), s, g)
		}
		id := c.must("book", "", "schedule=s", half, "patient=ana").TextAt(0, "id")
		if got := c.free("t"); !strings.Contains(got, "23 10:00") || strings.Contains(got, "23 09:30") {
			c.Errorf("in the other agenda, free are %s", got)
		}
		d := c.must("reschedule", id, "schedule=t", ten)
		if !strings.Contains(string(d.Source()), `"Schedule/t"`) || strings.Contains(string(d.Source()), `"Schedule/s"`) {
			c.Errorf("moved to another agenda it is %s", d.Source())
		}
		if got := c.free("s"); !strings.Contains(got, "23 09:30") || strings.Contains(got, "23 10:00") {
			c.Errorf("after that, free are %s", got)
		}
	})
}

// Two hundred want one slot: one has it, and the others are told what else there is.
func TestOneWinner(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(strings.Replace(agenda("group", 3, ""), "Practitioner/doc", "HealthcareService/talk", 1))
		for name, want := range map[string]int32{"s": 1, "group": 3} {
			var won, lost atomic.Int32
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					_, err := c.call("book", "", "schedule="+name, nine, "patient=ana")
					var e *fhir.Error
					switch {
					case err == nil:
						won.Add(1)
					case fhir.CodeOf(err) == fhir.Conflict:
						if e, _ = err.(*fhir.Error); e != nil && len(e.Issues) > 1 {
							lost.Add(1)
						} else {
							c.Errorf("%s: told only %v", name, err)
						}
					default:
						c.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			if won.Load() != want || lost.Load() != 200-want {
				c.Errorf("%s: %d have the slot, %d have another one to choose", name, won.Load(), lost.Load())
			}
		}
	})
}

// Who else takes part is somebody whom the caller sees, and never another Patient, in whose
// record the Appointment would be then.
func TestCompanions(t *testing.T) {
	onEngines(t, func(c *clinic) {
		if err := c.put(`{"resourceType":"Practitioner","id":"nurse"}`); err != nil {
			c.Fatal(err)
		}
		book := func(who string) []string { return []string{"schedule=s", nine, "patient=ana", "participant=" + who} }
		c.refused(fhir.Invalid, "book", "", book("Patient/ben")...)
		c.refused(fhir.Invalid, "book", "", book("Practitioner")...)
		c.refused(fhir.Unprocessable, "book", "", book("Practitioner/nobody")...)
		c.refused(fhir.Invalid, "book", "", append(book("Practitioner/nurse"), strings.Split(strings.Repeat("participant=Practitioner/nurse ", 10), " ")[:10]...)...)
		if d := c.must("book", "", book("Practitioner/nurse")...); !strings.Contains(string(d.Source()), `"Practitioner/nurse"`) {
			c.Errorf("it is booked without them: %s", d.Source())
		}
	})
}

// What is booked in an agenda is changed by its operations alone.
func TestHold(t *testing.T) {
	onEngines(t, func(c *clinic) {
		id := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id")
		was := string(c.read("Appointment", id).Source())
		for name, change := range map[string][2]string{
			"another time":   {`"start":"2026-11-23T09:00`, `"start":"2026-11-23T08:00`},
			"cancelled":      {`"status":"booked"`, `"status":"cancelled"`},
			"another agenda": {`Schedule/s`, `Schedule/t`},
		} {
			if err := c.put(strings.Replace(was, change[0], change[1], 1)); fhir.CodeOf(err) != fhir.Conflict {
				c.Errorf("%s: %v", name, err)
			}
		}
		if err := c.put(strings.Replace(was, id, "forged", 1)); fhir.CodeOf(err) != fhir.Conflict {
			c.Errorf("one that was not booked: %v", err)
		}
		if err := c.put(strings.Replace(was, `"status":"booked"`, `"status":"fulfilled"`, 1)); err != nil {
			c.Errorf("that it took place: %v", err)
		}
		c.refused(fhir.Conflict, "cancel", id, "reason=pat")
		if err := c.put(was); fhir.CodeOf(err) != fhir.Conflict {
			c.Errorf("booked anew after it took place: %v", err)
		}
		if err := c.put(strings.Replace(was, `"status":"booked"`, `"status":"arrived"`, 1)); err != nil {
			c.Errorf("they are there still: %v", err)
		}

		// What had no slot, or gave it back, gets none by being written in two steps.
		for _, first := range []string{"proposed", "waitlist", "cancelled"} {
			other := strings.Replace(was, id, "forged-"+first, 1)
			if err := c.put(strings.Replace(other, `"status":"booked"`, `"status":"`+first+`"`, 1)); err != nil {
				c.Errorf("%s: %v", first, err)
			}
			for _, then := range []string{"booked", "pending", "arrived"} {
				if err := c.put(strings.Replace(other, `"status":"booked"`, `"status":"`+then+`"`, 1)); fhir.CodeOf(err) != fhir.Conflict {
					c.Errorf("%s, then %s: %v", first, then, err)
				}
			}
		}
	})
}

func TestBadInput(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(`{"resourceType":"Schedule","id":"bare","actor":[{"reference":"Practitioner/doc"}]}`)
		c.put(agenda("odd", 1, `,{"url":"zone","valueCode":"Mars/Olympus"}`))
		c.put(strings.Replace(agenda("asleep", 1, ""), `"active":true`, `"active":false`, 1))
		c.put(strings.Replace(agenda("over", 1, ""), `"active":true`, `"planningHorizon":{"end":"2026-11-20"}`, 1))
		nobody := &search.Restriction{}
		for _, w := range []struct {
			code   fhir.Code
			name   string
			params []string
		}{
			{fhir.Invalid, "find", nil},
			{fhir.Invalid, "find", []string{"schedule=s", "start=2026-11-23"}},
			{fhir.Invalid, "find", []string{"schedule=s", "end=2026-11-21T00:00:00Z"}},
			{fhir.Invalid, "find", []string{"schedule=s", "end=2028-11-21T00:00:00Z"}},
			{fhir.Invalid, "find", []string{"schedule=s", "_count=0"}},
			{fhir.Invalid, "find", []string{"sechdule=s"}},
			{fhir.Unprocessable, "find", []string{"schedule=none"}},
			{fhir.Unprocessable, "find", []string{"schedule=bare"}},
			{fhir.Unprocessable, "find", []string{"schedule=odd"}},
			{fhir.Invalid, "hold", []string{"schedule=s"}},
			{fhir.Invalid, "hold", []string{nine}},
			{fhir.Unprocessable, "hold", []string{"schedule=s", "start=2026-11-23T09:10:00-06:00"}},
			{fhir.Unprocessable, "hold", []string{"schedule=s", "start=2026-11-22T09:00:00-06:00"}},
			{fhir.Unprocessable, "hold", []string{"schedule=s", "start=2026-11-16T09:00:00-06:00"}},
			{fhir.Unprocessable, "hold", []string{"schedule=asleep", nine}},
			{fhir.Unprocessable, "hold", []string{"schedule=over", nine}},
			{fhir.Invalid, "book", []string{"schedule=s", nine}},
			{fhir.Unprocessable, "book", []string{"schedule=s", nine, "patient=nobody"}},
			{fhir.Invalid, "book", []string{"schedule=s", nine, "patient=Practitioner/doc"}},
			{fhir.Invalid, "book", []string{"schedule=s", nine, "patient=ana", "virtual=maybe"}},
			{fhir.Invalid, "book", []string{"hold=x", "patient=ana"}},
			{fhir.Invalid, "book", []string{"hold=x.s.now", "patient=ana"}},
			{fhir.Conflict, "book", []string{"hold=x.s.20261123T150000Z", "patient=ana"}},
			{fhir.Unprocessable, "book", []string{"waiting=none"}},
		} {
			c.refused(w.code, w.name, "", w.params...)
		}
		id := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id")
		c.refused(fhir.Invalid, "cancel", id)
		c.refused(fhir.NotFound, "cancel", "none", "reason=pat")
		c.only = nobody // who sees nothing
		for _, w := range [][]string{{"book", "", "schedule=s", half, "patient=ana"}, {"wait", "", "schedule=s", half, "patient=ana"}} {
			c.refused(fhir.Unprocessable, w[0], w[1], w[2:]...)
		}
		c.refused(fhir.NotFound, "cancel", id, "reason=pat")
		c.refused(fhir.NotFound, "reschedule", id, half)
		// Nobody holds a day shut.
		c.only, c.caller = search.Unrestricted, operation.Caller{Principal: "p", User: fhir.Ref{Type: "Patient", ID: "ana"}}
		c.put(agenda("big", 9, ""))
		for range 5 {
			c.must("hold", "", "schedule=big", half)
		}
		c.refused(fhir.Throttled, "hold", "", "schedule=big", half)
	})
}
