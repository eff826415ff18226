package referral

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
)

// Right is the name of Hold, and of the right to pass it.
const Right = "referral"

// Hold is the rule that the Tasks and ServiceRequests of referrals are written by the
// operations of this package alone, whichever way a write comes: the operations know whose
// turn it is.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: []string{"Task", "ServiceRequest"}, Check: held}
}

func held(before, after *fhir.Resource) error {
	if before != nil && isReferral(before.JSON) {
		return refused(fhir.Conflict, "a referral is changed by its operations on Task/[id]: $accept-referral, $reject-referral, $schedule-referral, $answer-referral, $cancel-referral")
	}
	if isReferral(after.JSON) {
		return refused(fhir.Unprocessable, "a referral is made by Encounter/[id]/$refer, or that of a Patient: leave out the code of "+System)
	}
	return nil
}

// refused names the rule, and the way out.
func refused(code fhir.Code, why string) error { return bundle.Refused(code, Right, why) }

// isReferral reports whether a stored Task or ServiceRequest is of a referral.
func isReferral(json []byte) bool {
	if !element.Mentions(json, System) {
		return false
	}
	d, err := element.Parse(json)
	if err != nil {
		return false
	}
	if codeIn(d, d.Get(0, "code"), System) != "" {
		return true
	}
	for c := range d.Items(0, "category") {
		if codeIn(d, c, System) != "" {
			return true
		}
	}
	return false
}

// codeIn returns the code of a CodeableConcept in a system, "" for none.
func codeIn(d *element.Doc, n element.Node, system string) string {
	for c := range d.Items(n, "coding") {
		if d.TextAt(c, "system") == system {
			return d.TextAt(c, "code")
		}
	}
	return ""
}
