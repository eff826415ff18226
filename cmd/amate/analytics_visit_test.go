package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// tabled looks at what analysts see of visits: of one that took place, one in which the
// consent was withdrawn, and one to which nobody came.
func (c *consulting) tabled() {
	c.Helper()
	const missed = "cita-sin-nadie"
	at := time.Now().UTC()
	c.put("Appointment/"+missed, fmt.Sprintf(`"status":"booked","start":%q,"end":%q,"participant":[{"actor":{"reference":"Patient/p1"},"status":"accepted"},{"actor":{"reference":"Practitioner/dr"},"status":"accepted"}]`,
		at.Format(time.RFC3339), at.Add(30*time.Minute).Format(time.RFC3339)))
	c.must(http.StatusOK, visitDoctor, "POST", "Appointment/"+missed+"/$start-visit", "")
	c.must(http.StatusOK, visitDoctor, "POST", "Encounter/"+missed+"/$end-visit", "")
	status, out, errs := amate(append([]string{"token", "--role", "analyst"}, c.where...)...)
	if status != exitDone {
		c.Fatal(errs)
	}
	s := tablesOf{c.T, c.base, strings.TrimSpace(out)}
	now := time.Now().UTC()
	age := now.AddDate(0, -3, -26).Year() - 1956 // born on the 27th of April
	band := fmt.Sprintf("%d-%d", age/5*5, age/5*5+4)
	const joined = `FROM amate_telehealth_visits v JOIN amate_patients p ON p.patient_id = v.patient_id JOIN amate_encounters e ON e.encounter_id = v.visit_id AND e.class = 'VR' AND e.facility_id = v.facility_id
WHERE v.status <> 'planned'`
	s.settles(`SELECT v.status, v.month, v.age_band, v.minutes < 10 AS short, v.appointment_id LIKE 'Appointment/%' AS booked, v.practitioner_id LIKE 'Practitioner/%' AS seen, v.facility_id LIKE 'Organization/%' AS placed, p.birth_year `+joined,
		c.line(`{"status":"finished","month":"`+now.Format("2006-01")+`","age_band":"`+band+`","short":true,"booked":true,"seen":true,"placed":true,"birth_year":1956}`),
		c.line(`{"status":"cancelled","month":"`+now.Format("2006-01")+`","age_band":"`+band+`","short":true,"booked":true,"seen":true,"placed":true,"birth_year":1956}`),
		c.line(`{"status":"cancelled","month":"`+now.Format("2006-01")+`","age_band":null,"short":null,"booked":true,"seen":true,"placed":true,"birth_year":1956}`))
	s.settles(`SELECT count(DISTINCT practitioner_id) AS n FROM amate_telehealth_visits`, `{"n":1}`)
	s.anonymous("Hernández", "Pérez", lifePatientCURP, "Xalapa", "2281234567", "Rosa", "1234567", missed, lifeClinic, "Asma")
}
