package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/amate-health/amate/telehealth/schedule"
)

// TestAgendaScopes: who may find, book, move and cancel, and for whom.
func TestAgendaScopes(t *testing.T) {
	t.Parallel()
	s := newRightsScene(t, []string{"--data", t.TempDir()})
	for path, body := range map[string]string{
		"Patient/p":      `{"resourceType":"Patient","id":"p"}`,
		"Patient/q":      `{"resourceType":"Patient","id":"q"}`,
		"Practitioner/d": `{"resourceType":"Practitioner","id":"d"}`,
		"Schedule/s": fmt.Sprintf(`{"resourceType":"Schedule","id":"s","active":true,"actor":[{"reference":"Practitioner/d"}],"extension":[{"url":%q,"extension":[
			{"url":"zone","valueCode":"America/Mexico_City"},{"url":"length","valueUnsignedInt":30},
			{"url":"open","extension":[{"url":"from","valueTime":"00:00:00"},{"url":"to","valueTime":"23:30:00"}]}]}]}`, schedule.AgendaURL),
	} {
		s.must(http.StatusCreated, "system", "PUT", path, body)
	}
	var found struct {
		Entry []struct {
			Resource struct{ Start string }
		}
	}
	list := s.must(http.StatusOK, "patient", "GET", "Appointment/$find?schedule=s&_count=20", "")
	if err := json.Unmarshal([]byte(list), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Entry) != 20 {
		t.Fatalf("a patient finds %d slots", len(found.Entry))
	}
	n := 0
	book := func(want int, who, patient string) string {
		t.Helper()
		n++
		return s.must(want, who, "POST", "Appointment/$book?schedule=s&patient=Patient/"+patient+"&start="+url.QueryEscape(found.Entry[n].Resource.Start), "")
	}
	id := func(body string) string {
		var r struct{ ID string }
		if err := json.Unmarshal([]byte(body), &r); err != nil || r.ID == "" {
			t.Fatalf("%v: %s", err, body)
		}
		return r.ID
	}
	mine, theirs := id(book(http.StatusOK, "patient", "p")), id(book(http.StatusOK, "nurse", "q"))
	for who, want := range map[string]int{"patient": http.StatusUnprocessableEntity, "researcher": http.StatusForbidden, "auditor": http.StatusForbidden, "officer": http.StatusForbidden, "readonly": http.StatusForbidden} {
		if body := book(want, who, "q"); strings.Contains(body, `"Appointment"`) {
			t.Errorf("%s booked: %s", who, body)
		}
	}
	for _, name := range []string{"$cancel?reason=pat", "$reschedule?start=" + url.QueryEscape(found.Entry[19].Resource.Start)} {
		for who, want := range map[string]int{"patient": http.StatusNotFound, "researcher": http.StatusForbidden, "auditor": http.StatusForbidden} {
			s.must(want, who, "POST", "Appointment/"+theirs+"/"+name, "")
		}
	}
	s.must(http.StatusNotFound, "patient", "GET", "Appointment/"+theirs+"/$calendar", "")
	if ics := s.must(http.StatusOK, "patient", "GET", "Appointment/"+mine+"/$calendar?_format=calendar", ""); !strings.HasPrefix(ics, "BEGIN:VCALENDAR\r\n") {
		t.Errorf("the calendar is %.200s", ics)
	}
	s.must(http.StatusForbidden, "patient", "POST", "Schedule/s/$calendar-link", "")
	s.must(http.StatusOK, "nurse", "POST", "Schedule/s/$calendar-link", "")
	if body := s.must(http.StatusOK, "patient", "POST", "Appointment/"+mine+"/$cancel?reason=pat", ""); !strings.Contains(body, `"status":"cancelled"`) {
		t.Errorf("the patient's own is %s", body)
	}
	// By themselves patients and apps write no booking of an agenda.
	if status, body := s.do("system", "PUT", "Appointment/"+theirs, `{"resourceType":"Appointment","id":"`+theirs+`","status":"cancelled","participant":[{"actor":{"reference":"Patient/q"},"status":"accepted"}]}`); status != http.StatusConflict {
		t.Errorf("a plain update of a booking: %d %s", status, body)
	}
}
