package schedule

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// appointment is what is read of an Appointment.
type appointment struct {
	Ref    fhir.Ref
	Status string
	Span
	Agenda string // reference to the Schedule that it was booked in; "" for none
	Waits  string // reference to the Schedule that it waits for; "" for none
	Window Span   // when somebody on the waiting list has time
	json   []byte
}

// readAppointment reads an Appointment.
func readAppointment(r *fhir.Resource) (*appointment, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	a := &appointment{Ref: r.Ref, Status: d.TextAt(0, "status"), json: r.JSON}
	a.Start, _ = time.Parse(time.RFC3339, d.TextAt(0, "start"))
	a.End, _ = time.Parse(time.RFC3339, d.TextAt(0, "end"))
	for ext := range d.Items(0, "extension") {
		switch d.TextAt(ext, "url") {
		case OfURL:
			a.Agenda = d.TextAt(ext, "valueReference", "reference")
		case WindowURL:
			a.Waits = d.TextAt(ext, "valueReference", "reference")
		}
	}
	for p := range d.Items(0, "requestedPeriod") {
		a.Window.Start, a.Window.End, _ = period(d, p)
	}
	return a, nil
}

// patient returns the id of the first Patient who takes part, "" for none.
func (a *appointment) patient() string {
	d, err := element.Parse(a.json)
	if err != nil {
		return ""
	}
	for p := range d.Items(0, "participant") {
		if id, ok := strings.CutPrefix(d.TextAt(p, "actor", "reference"), "Patient/"); ok {
			return id
		}
	}
	return ""
}
