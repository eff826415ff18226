package referral

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// Code systems of referrals. Mexico has none for them.
const (
	System      = "https://github.com/amate-health/amate/fhir/CodeSystem/referral"       // of ServiceRequest.category and Task.code
	StateSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/referral-state" // of Task.businessStatus
	PartSystem  = "https://github.com/amate-health/amate/fhir/CodeSystem/referral-part"  // of what Task.input and Task.output are

	codeReferral = "referral"
	codeCounter  = "counter-referral"
)

// State is how far a referral has come: a code of StateSystem.
type State string

// The states.
const (
	Sent      State = "sent"      // the receiving establishment has to accept or reject it
	Accepted  State = "accepted"  // it has to be scheduled, or the patient comes without an appointment
	Scheduled State = "scheduled" // there is an appointment
	Answering State = "answering" // the note of the counter-referral is written, and not signed yet
	Answered  State = "answered"  // it is: the patient goes back
	Rejected  State = "rejected"  // the receiving establishment does not take the patient
	Cancelled State = "cancelled" // the sending establishment took it back
)

// overdue is the code that stands beside the state when its time has run out.
const overdue = "overdue"

// kept are the states in the words of FHIR, Task.status and ServiceRequest.status.
//
// See https://hl7.org/fhir/R4/valueset-task-status.html.
var kept = map[State]struct{ task, request, display string }{
	Sent:      {"requested", "active", "Enviada"},
	Accepted:  {"accepted", "active", "Aceptada"},
	Scheduled: {"in-progress", "active", "Programada"},
	Answering: {"in-progress", "active", "Contrarreferencia por firmar"},
	Answered:  {"completed", "completed", "Contrarreferida"},
	Rejected:  {"rejected", "revoked", "Rechazada"},
	Cancelled: {"cancelled", "revoked", "Cancelada"},
}

// States lists the states, in the order in which they come.
func States() []State {
	return []State{Sent, Accepted, Scheduled, Answering, Answered, Rejected, Cancelled}
}

// Open reports whether somebody still has to act.
func (s State) Open() bool { return slices.Contains([]State{Sent, Accepted, Scheduled, Answering}, s) }

// side is an establishment of a referral.
type side uint8

const (
	sender side = iota
	receiver
)

// step is what takes a referral from one state to another.
type step struct {
	name string // of the operation
	from []State
	to   State
	by   side
}

// The steps. A referral that was accepted can still be rejected, when there turns out to
// be no room; one with an appointment is not: the appointment is cancelled first, or the
// patient is seen.
var (
	accepting  = step{"$accept-referral", []State{Sent}, Accepted, receiver}
	rejecting  = step{"$reject-referral", []State{Sent, Accepted}, Rejected, receiver}
	scheduling = step{"$schedule-referral", []State{Accepted, Scheduled}, Scheduled, receiver}
	answering  = step{"$answer-referral", []State{Accepted, Scheduled, Answering}, Answering, receiver}
	closing    = step{"$answer-referral with a note", []State{Answering}, Answered, receiver}
	cancelling = step{"$cancel-referral", []State{Sent, Accepted, Scheduled}, Cancelled, sender}
)

// steps are all of them.
var steps = []*step{&accepting, &rejecting, &scheduling, &answering, &closing, &cancelling}

// take returns the state after a step. Errors: fhir.Conflict, which names the state that
// the referral is in.
func (s *step) take(at State) (State, error) {
	if slices.Contains(s.from, at) {
		return s.to, nil
	}
	var names []string
	for _, f := range s.from {
		names = append(names, string(f))
	}
	return at, fhir.Errorf(fhir.Conflict, "the referral is %s: %s is for one that is %s", at, s.name, strings.Join(names, " or ")).At("Task.businessStatus")
}
