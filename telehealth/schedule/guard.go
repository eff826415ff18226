package schedule

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// Right is the right to change when an Appointment of an agenda is, and whether it takes
// place: that of the operations of this package.
const Right = "agenda"

// Hold keeps Appointments of agendas to their slots, whichever way they are written: what
// is booked moves by $reschedule and ends by $cancel, so that an agenda always knows what
// is taken. What happens at the visit is written as ever.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: []string{"Appointment"}, Check: check}
}

// settled are the statuses of an Appointment that had its slot, and whose visit is over.
var settled = []string{"fulfilled", "noshow"}

// attended are the statuses that an Appointment of an agenda may take by itself.
var attended = []string{"booked", "arrived", "checked-in", "fulfilled", "noshow"}

func check(before, after *fhir.Resource) error {
	var was, is appointment
	if before != nil && len(before.JSON) > 0 {
		k, err := readAppointment(before)
		if err != nil {
			return err
		}
		was = *k
	}
	if len(after.JSON) > 0 {
		k, err := readAppointment(after)
		if err != nil {
			return err
		}
		is = *k
	}
	ours := slices.Contains(live, was.Status) && was.Agenda != ""
	switch {
	case !ours && is.Agenda != "" && slices.Contains(live, is.Status) && !reopened(&was, &is):
		return refusal("an Appointment is booked in an agenda by $book", "Appointment.extension")
	case !ours:
		return nil
	case len(after.JSON) == 0:
		return refusal("an Appointment of an agenda is cancelled before it is deleted: by $cancel", "Appointment")
	case is.Agenda != was.Agenda:
		return refusal("an Appointment moves to another agenda by $reschedule", "Appointment.extension")
	case !is.Start.Equal(was.Start) || !is.End.Equal(was.End):
		return refusal("an Appointment of an agenda moves by $reschedule", "Appointment.start")
	case !slices.Contains(attended, is.Status) && is.Status != was.Status:
		return refusal("an Appointment of an agenda is cancelled by $cancel", "Appointment.status")
	}
	return nil
}

// reopened reports whether an Appointment only goes back to what it was before its visit
// was over: somebody came after all. It still has its slot then.
func reopened(was, is *appointment) bool {
	return slices.Contains(settled, was.Status) && (is.Status == "arrived" || is.Status == "checked-in") &&
		is.Agenda == was.Agenda && is.Start.Equal(was.Start) && is.End.Equal(was.End)
}

func refusal(text, at string) error {
	return fhir.Errorf(fhir.Conflict, "%s", text).At(at)
}
