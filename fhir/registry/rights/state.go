package rights

import (
	"slices"

	"github.com/amate-health/amate/fhir"
)

// Right is what a request asks for: a code of CodeSystem/arco.
type Right string

// The rights.
const (
	Access        Right = "acceso"        // to see the record, and who looked at it
	Rectification Right = "rectificacion" // to have it corrected
	Cancellation  Right = "cancelacion"   // to have it blocked, and removed when the norms allow it
	Opposition    Right = "oposicion"     // to a use of it other than treatment
	Portability   Right = "portabilidad"  // to take it elsewhere in a form that machines read
)

// rightNames are the rights as people call them.
var rightNames = map[Right]string{
	Access: "Acceso", Rectification: "Rectificación", Cancellation: "Cancelación", Opposition: "Oposición", Portability: "Portabilidad",
}

// State is where a request stands: a code of CodeSystem/arco-estado, which its Task has
// as businessStatus.
type State string

// The states.
const (
	Received  State = "recibida"   // it waits for an answer
	Extended  State = "prorrogada" // likewise, for longer
	Granted   State = "procedente" // it waits for what was granted to be done
	Delayed   State = "diferida"   // likewise, for longer
	Denied    State = "improcedente"
	Executed  State = "ejecutada"
	Withdrawn State = "desistida"
)

// states are what is said of each: the status of its Task, a name, and which decisions
// lead where.
var states = map[State]struct {
	status, name string
	next         map[Decision]State
}{
	Received:  {"requested", "Recibida", map[Decision]State{Extend: Extended, Grant: Granted, Deny: Denied, Withdraw: Withdrawn}},
	Extended:  {"requested", "Plazo de respuesta ampliado", map[Decision]State{Grant: Granted, Deny: Denied, Withdraw: Withdrawn}},
	Granted:   {"accepted", "Procedente", map[Decision]State{Extend: Delayed, Execute: Executed, Withdraw: Withdrawn}},
	Delayed:   {"accepted", "Plazo de ejecución ampliado", map[Decision]State{Execute: Executed, Withdraw: Withdrawn}},
	Denied:    {"rejected", "Improcedente", nil},
	Executed:  {"completed", "Ejecutada", nil},
	Withdrawn: {"cancelled", "Desistida", nil},
}

// Open reports whether something is still owed.
func (s State) Open() bool { return states[s].next != nil }

// Decision is what is done with a request.
type Decision string

// The decisions.
const (
	Extend   Decision = "extend" // the period, once each
	Grant    Decision = "grant"
	Deny     Decision = "deny"     // needs a legal reason
	Execute  Decision = "execute"  // what was granted
	Withdraw Decision = "withdraw" // by who asked
)

var decisions = []Decision{Extend, Grant, Deny, Execute, Withdraw}

// Next returns the state that a decision leads to. A cancellation that was granted has
// blocked the record: it cannot be withdrawn, only lifted by an unblocking.
// Errors: fhir.Conflict, which says what may be decided.
func (r *Regime) Next(right Right, s State, d Decision) (State, error) {
	to, ok := states[s].next[d]
	switch {
	case !ok:
	case s == Granted && d == Extend && r.ExecuteExtension == 0, s == Received && d == Extend && r.AnswerExtension == 0:
		return "", fhir.Errorf(fhir.Conflict, "the law of this server's regime does not extend this period")
	case d == Withdraw && right == Cancellation && (s == Granted || s == Delayed):
		return "", fhir.Errorf(fhir.Conflict, "the record is blocked already: it is unblocked by $arco-unblock")
	default:
		return to, nil
	}
	var may []string
	for _, d := range decisions {
		if _, ok := states[s].next[d]; ok {
			may = append(may, string(d))
		}
	}
	slices.Sort(may)
	if len(may) == 0 {
		return "", fhir.Errorf(fhir.Conflict, "the request is closed (%s)", s)
	}
	return "", fhir.Errorf(fhir.Conflict, "a request that is %s takes one of: %s", s, join(may))
}
