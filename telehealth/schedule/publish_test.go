package schedule_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// fetch reads an address, and returns what it answers.
func (c *clinic) fetch(h http.Handler, path string) (int, string) {
	c.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	b, err := io.ReadAll(w.Body)
	if err != nil {
		c.Fatal(err)
	}
	return w.Code, string(b)
}

func TestCalendars(t *testing.T) {
	onEngines(t, func(c *clinic) {
		id := c.must("book", "", "schedule=s", nine, "patient=ana", "reason=SECRETO").TextAt(0, "id")
		c.must("hold", "", "schedule=s", ten)
		a, err := c.run["calendar-link"].Run(c.Context(), &operation.Call{Type: "Schedule", ID: "s", In: operation.NewInputs(nil, nil), Base: testBase, Restriction: c.only})
		if err != nil {
			t.Fatal(err)
		}
		d, err := element.Parse(a.JSON)
		if err != nil {
			t.Fatal(err)
		}
		link := ""
		for p := range d.Items(0, "parameter") {
			link += d.TextAt(p, "valueUrl")
		}
		path, ok := strings.CutPrefix(link, "http://h")
		if !ok || !strings.HasPrefix(path, "/calendar/") {
			c.Fatalf("the link is %q", link)
		}
		calendars := c.service.Calendars()
		code, ics := c.fetch(calendars, path)
		if code != 200 || strings.Count(ics, "BEGIN:VEVENT\r\n") != 2 || !strings.Contains(ics, "DTSTART:20261123T150000Z\r\n") || !strings.Contains(ics, "SUMMARY:Ocupado\r\n") {
			c.Errorf("%d\n%s", code, ics)
		}
		for _, secret := range []string{"SECRETO", "ana", id} {
			if strings.Contains(ics, secret) {
				c.Errorf("the calendar tells %q", secret)
			}
		}
		one, err := c.run["calendar"].Run(c.Context(), &operation.Call{Type: "Appointment", ID: id, In: operation.NewInputs(nil, nil), Base: testBase, Restriction: c.only})
		if err != nil || one.Media != "text/calendar" || !strings.Contains(string(one.Raw), "UID:"+id+"@amate\r\n") || strings.Contains(string(one.Raw), "SECRETO") {
			c.Errorf("%v\n%s", err, one.Raw)
		}
		for _, path := range []string{"/calendar/none.ics", "/calendar/", "/calendar/" + strings.TrimSuffix(strings.TrimPrefix(path, "/calendar/"), ".ics"), "/calendar/../s.ics"} {
			if code, _ := c.fetch(calendars, path); code != 404 {
				c.Errorf("%s: %d", path, code)
			}
		}
		if _, err := c.run["calendar-link"].Run(c.Context(), &operation.Call{Type: "Schedule", ID: "s", In: operation.NewInputs(nil, nil), Base: testBase, Restriction: &search.Restriction{}}); fhir.CodeOf(err) != fhir.Unprocessable {
			c.Errorf("an agenda that is not shown: %v", err)
		}
		if _, err := c.run["calendar-link"].Run(c.Context(), &operation.Call{Type: "Schedule", ID: "s", In: operation.NewInputs([]search.Param{{Name: "revoke", Value: "true"}}, nil),
			Base: testBase, Restriction: c.only}); err != nil {
			c.Error(err)
		}
		if code, _ := c.fetch(calendars, path); code != 404 {
			c.Errorf("a link that was revoked: %d", code)
		}
	})
}

func TestPublication(t *testing.T) {
	onEngines(t, func(c *clinic) {
		c.put(`{"resourceType":"Location","id":"here","name":"Centro de Salud Uno","description":"SECRETO"}`)
		c.put(strings.Replace(agenda("open", 2, `,{"url":"public","valueBoolean":true},{"url":"link","valueUrl":"https://citas.example/"},{"url":"phone","valueString":"800 000 0000"}`),
			`"actor":[`, `"actor":[{"reference":"Location/here"},`, 1))
		c.must("book", "", "schedule=open", nine, "patient=ana", "reason=SECRETO")
		p := c.service.Publisher("https://amate.example")
		code, manifest := c.fetch(p, "/scheduling/$bulk-publish")
		for _, name := range []string{"locations", "schedules", "slots"} {
			if code != 200 || !strings.Contains(manifest, `"https://amate.example/scheduling/`+name+`.ndjson"`) {
				c.Errorf("%d %s", code, manifest)
			}
		}
		_, places := c.fetch(p, "/scheduling/locations.ndjson")
		_, schedules := c.fetch(p, "/scheduling/schedules.ndjson")
		_, slots := c.fetch(p, "/scheduling/slots.ndjson")
		if places != `{"id":"here","name":"Centro de Salud Uno","resourceType":"Location"}`+"\n" || strings.Count(schedules, "\n") != 1 || !strings.Contains(schedules, `"id":"open"`) {
			c.Errorf("published are\n%s%s", places, schedules)
		}
		lines := strings.Split(strings.TrimSpace(slots), "\n")
		if len(lines) != 24 || !strings.Contains(lines[0], `"2026-11-23T09:00:00-06:00"`) || !strings.Contains(lines[0], `"valueInteger":1`) || !strings.Contains(lines[1], `"valueInteger":2`) ||
			!strings.Contains(lines[0], `"valueUrl":"https://citas.example/"`) {
			c.Errorf("%d slots, the first are\n%s\n%s", len(lines), lines[0], lines[1])
		}
		for _, secret := range []string{"SECRETO", "Patient", "ana"} {
			if strings.Contains(places+schedules+slots, secret) {
				c.Errorf("it is published that %q", secret)
			}
		}
		if code, _ := c.fetch(p, "/scheduling/appointments.ndjson"); code != 404 {
			c.Errorf("something else: %d", code)
		}
	})
}
