package schedule_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/telehealth/schedule"
)

// late is an agenda of the same doctor in another zone, open every day from one time to
// another.
func late(id, zone, from, to, more string) string {
	text := strings.NewReplacer("America/Mexico_City", zone, "09:00:00", from, "11:00:00", to).Replace(agenda(id, 1, more))
	return strings.Replace(text, `{"url":"day","valueCode":"mon"},{"url":"day","valueCode":"tue"},`, "", 1)
}

// Somebody who is seen in Tijuana until midnight, and in Mexico City after it, is in one
// place: it is Monday in the one and Tuesday in the other at the same time.
func TestTwoZones(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(late("tijuana", "America/Tijuana", "21:00:00", "00:00:00", ""))
		c.put(late("mexico", "America/Mexico_City", "00:00:00", "02:00:00", ""))
		c.put(late("apart", "America/Mexico_City", "00:00:00", "03:00:00", `,{"url":"after","valueUnsignedInt":60},{"url":"step","valueUnsignedInt":30}`))
		if got := c.free("tijuana"); !strings.Contains(got, "22 23:00, 22 23:30, 23 21:00, 23 21:30") {
			c.Errorf("until midnight, free are %s", got)
		}
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				_, err := c.call("book", "", [][]string{{"schedule=tijuana", "start=2026-11-23T22:30:00-08:00", "patient=ana"}, {"schedule=mexico", "start=2026-11-24T00:30:00-06:00", "patient=luz"}}[i%2]...)
				if err == nil {
					won.Add(1)
				} else if fhir.CodeOf(err) != fhir.Conflict {
					c.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			c.Errorf("%d have the same half hour of one doctor", won.Load())
		}
		for name, taken := range map[string]string{"tijuana": "23 22:30", "mexico": "24 00:30"} {
			if got := c.free(name); strings.Contains(got, taken) {
				c.Errorf("in %s, free are %s", name, got)
			}
		}
		// What is kept clear before a visit reaches over midnight.
		id := c.must("book", "", "schedule=tijuana", "start=2026-11-22T21:30:00-08:00", "patient=ana").TextAt(0, "id") // until 0:00 in Mexico City
		if got := c.free("apart"); strings.Contains(got, "23 00:00") || strings.Contains(got, "23 00:30") || !strings.Contains(got, "23 01:00") {
			c.Errorf("an hour is kept clear after 23 00:00, and free are %s", got)
		}
		c.refused(fhir.Conflict, "book", "", "schedule=apart", "start=2026-11-23T00:30:00-06:00", "patient=luz")
		c.must("cancel", id, "reason=pat")
		c.must("book", "", "schedule=apart", "start=2026-11-23T00:30:00-06:00", "patient=luz")
	})
}

// Who comes too late is told of times that are free, near the one that they wanted, and
// never of one that is not.
func TestAlternatives(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(strings.Replace(late("long", "America/Mexico_City", "08:00:00", "20:00:00", ""), "Practitioner/doc", "Practitioner/other", 1))
		told := func(schedule, start string) string {
			e := c.refused(fhir.Conflict, "book", "", "patient=ana", schedule, start)
			var all []string
			for _, i := range e.Issues[1:] {
				all = append(all, at(i.Diagnostics).Format("02 15:04"))
			}
			return strings.Join(all, ", ")
		}
		c.must("book", "", "schedule=long", "start=2026-11-23T19:30:00-06:00", "patient=ana")
		c.must("book", "", "schedule=long", "start=2026-11-24T08:00:00-06:00", "patient=ana")
		if got := told("schedule=long", "start=2026-11-24T08:00:00-06:00"); got != "24 08:30, 24 09:00, 24 09:30, 24 10:00, 24 10:30" {
			c.Errorf("in the morning they are %s", got)
		}
		if got := told("schedule=long", "start=2026-11-23T19:30:00-06:00"); got != "23 17:00, 23 17:30, 23 18:00, 23 18:30, 23 19:00" {
			c.Errorf("in the evening they are %s", got)
		}
		// Of a day that is full, those of the next ones.
		c.must("book", "", "schedule=s", "start=2026-11-24T09:00:00-06:00", "patient=ana")
		for _, at := range []string{nine, half, ten, "start=2026-11-23T10:30:00-06:00"} {
			c.must("book", "", "schedule=s", at, "patient=luz")
		}
		if got := told("schedule=s", nine); got != "24 09:30, 24 10:00, 24 10:30, 30 09:00, 30 09:30" {
			c.Errorf("of a full day they are %s", got)
		}
		// A hold that is over: the slot is free still, or it is somebody's.
		hold := part(c.must("hold", "", "schedule=long", "start=2026-11-25T09:00:00-06:00"), "hold")
		c.later(6 * time.Minute)
		if e := c.refused(fhir.Conflict, "book", "", "hold="+hold, "patient=ana"); len(e.Issues) != 1 || !strings.Contains(e.Issues[0].Diagnostics, "2026-11-25T09:00:00-06:00 is free still") {
			c.Errorf("it is told %+v", e.Issues)
		}
		c.must("book", "", "schedule=long", "start=2026-11-25T09:00:00-06:00", "patient=ana")
		if e := c.refused(fhir.Conflict, "book", "", "hold="+hold, "patient=ana"); len(e.Issues) != 6 || e.Issues[0].Rule != "hold-over" {
			c.Errorf("it is told %+v", e.Issues)
		}
	})
}

// A Schedule whose rules make no sense is refused when it is written.
func TestCheckAgenda(t *testing.T) {
	for name, w := range map[string]struct{ change, to, want string }{
		"as it is":            {"", "", ""},
		"no zone":             {`{"url":"zone","valueCode":"America/Mexico_City"},`, "", "time zone is needed"},
		"an unknown zone":     {"Mexico_City", "Macondo", "name such as America/Mexico_City"},
		"a zone of no name":   {`"valueCode":"America/Mexico_City"`, `"valueString":"x"`, "name such as America/Mexico_City"},
		"where the server is": {"America/Mexico_City", "Local", "name such as America/Mexico_City"},
		"no length":           {`{"url":"length","valueUnsignedInt":30},`, "", "length"},
		"closes first":        {"11:00:00", "08:00:00", "end is after the start"},
		"never closes":        {`,{"url":"to","valueTime":"11:00:00"}`, "", "end is after the start"},
		"until midnight":      {"11:00:00", "00:00:00", ""},
		"misspelled":          {`"url":"capacity"`, `"url":"capcity"`, `"capcity" is no part of an agenda`},
		"twice":               {`"extension":[{"url":"` + schedule.AgendaURL, `"extension":[{"url":"` + schedule.AgendaURL + `"},{"url":"` + schedule.AgendaURL, "one extension agenda"},
		"no rules":            {schedule.AgendaURL, "http://other", ""},
	} {
		d, err := element.Parse([]byte(strings.Replace(agenda("s", 1, ""), w.change, w.to, 1)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		issues := schedule.Check(d, 0, "Schedule")
		if (w.want == "") != (len(issues) == 0) || w.want != "" && !strings.Contains(issues[0].Details+issues[0].Diagnostics, w.want) {
			t.Errorf("%s: %+v, want %q", name, issues, w.want)
		}
		if more := schedule.Check(d, 0, "Slot"); more != nil {
			t.Errorf("%s: of another type %+v", name, more)
		}
	}
	var _ bundle.Rules = schedule.Check
}

// A series is booked at the same time on the clock of each week, or not at all.
func TestSeries(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(late("tijuana", "America/Tijuana", "09:00:00", "11:00:00", ""))
		// Tijuana sets its clock forward on 14 March 2027.
		book := []string{"schedule=tijuana", "start=2027-03-01T09:00:00-08:00", "patient=ana", "repeat=4"}
		starts := func(d *element.Doc) (all []string) {
			for e := range d.Items(0, "entry") {
				all = append(all, d.TextAt(e, "resource", "start"))
			}
			return all
		}
		other := c.must("book", "", "schedule=tijuana", "start=2027-03-22T09:00:00-07:00", "patient=luz").TextAt(0, "id")
		e := c.refused(fhir.Conflict, "book", "", book...)
		if e.Issues[0].Diagnostics != "it begins at 2027-03-22T09:00:00-07:00" || e.Issues[1].Diagnostics != "2027-03-22T09:30:00-07:00" {
			c.Errorf("of one that is not free, it is told %+v", e.Issues[:2])
		}
		if d := c.must("find", "", "schedule=tijuana", "start=2027-03-01T00:00:00-08:00", "_count=1"); starts(d)[0] != "2027-03-01T09:00:00-08:00" {
			c.Errorf("some of a series that is not booked is taken: %s", d.Source())
		}
		c.must("cancel", other, "reason=pat")
		d := c.must("book", "", book...)
		if got := strings.Join(starts(d), " "); got != "2027-03-01T09:00:00-08:00 2027-03-08T09:00:00-08:00 2027-03-15T09:00:00-07:00 2027-03-22T09:00:00-07:00" {
			c.Errorf("booked are %s", got)
		}
		var ids, together []string
		for e := range d.Items(0, "entry") {
			r := d.Get(e, "resource")
			ids = append(ids, d.TextAt(r, "id"))
			for i := range d.Items(r, "identifier") {
				together = append(together, d.TextAt(i, "value"))
			}
		}
		if len(together) != 4 || together[0] != ids[0] || together[3] != ids[0] {
			c.Errorf("they are known together as %v", together)
		}
		for _, id := range ids {
			if c.read("Slot", id).TextAt(0, "status") != "busy" || c.read("CommunicationRequest", id+"-r0").TextAt(0, "status") != "active" {
				c.Errorf("%s has no Slot of its own, or no reminder", id)
			}
		}
		c.must("cancel", ids[1], "reason=pat") // one of them
		c.must("book", "", "schedule=tijuana", "start=2027-03-08T09:00:00-08:00", "patient=luz")
		if d := c.must("book", "", "schedule=tijuana", "start=2027-05-03T09:00:00-07:00", "patient=ana", "repeat=2", "every=2"); starts(d)[1] != "2027-05-17T09:00:00-07:00" {
			c.Errorf("every other week: %v", starts(d))
		}
		// A hold is of the first of them.
		hold := part(c.must("hold", "", "schedule=s", nine), "hold")
		if d := c.must("book", "", "hold="+hold, "patient=luz", "repeat=2"); starts(d)[1] != "2026-11-30T09:00:00-06:00" {
			c.Errorf("after a hold: %v", starts(d))
		}
		for _, w := range [][]string{{"repeat=1"}, {"repeat=21"}, {"repeat=x"}, {"every=2"}, {"repeat=2", "every=0"}, {"repeat=2", "every=9"}} {
			c.refused(fhir.Invalid, "book", "", append([]string{"schedule=s", half, "patient=luz"}, w...)...)
		}
		c.refused(fhir.Throttled, "book", "", "schedule=tijuana", "start=2027-06-07T09:00:00-07:00", "patient=ana", "repeat=16") // beside 5
	})
}

// A visit that the patient is in is ended, not cancelled: else the record would say that
// what took place did not.
func TestCancelledUnderWay(t *testing.T) {
	onEngines(t, func(c *clinic) {
		under := ""
		c.serve(func(cfg *schedule.Config) {
			cfg.UnderWay = func(_ context.Context, id string) (bool, error) { return id == under, nil }
		})
		id := c.must("book", "", "schedule=s", nine, "patient=ana").TextAt(0, "id")
		under = id
		c.refused(fhir.Conflict, "cancel", id, "reason=pat")
		if got := c.read("Appointment", id).TextAt(0, "status"); got != "booked" {
			c.Errorf("it is %s", got)
		}
		under = ""
		c.must("cancel", id, "reason=pat")
	})
}
