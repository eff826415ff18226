package giis

import "slices"

// Referrals as this server makes them: the category of a ServiceRequest says which it is.
const (
	systemReferral  = "https://github.com/amate-health/amate/fhir/CodeSystem/referral"
	categoryRefer   = "referral"
	categoryCounter = "counter-referral"

	// SystemCause holds the codes of variable 101, as a reason of a referral.
	SystemCause = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-referido-por"
)

// otherCause is the code of variable 101 that the guide allows for every patient and
// all personnel: what is not said more closely is reported by it.
const otherCause = "5"

// of reports whether a request is a referral of a category.
func (r *request) of(category string) bool {
	return slices.ContainsFunc(r.Category, func(c concept) bool { return c.code(systemReferral) == category })
}

// referredBy returns variable 101: why the patient was sent to another establishment from
// the visit; "" when they were not.
func (v *visit) referredBy() string {
	cause := ""
	for _, r := range v.requests {
		if !r.of(categoryRefer) {
			continue
		}
		if cause == "" {
			cause = otherCause
		}
		for i := range r.ReasonCode {
			if c := r.ReasonCode[i].code(SystemCause); c != "" {
				return c
			}
		}
	}
	return cause
}

// counterReferred returns variable 102: the patient was sent back from the visit to who had
// referred them. Who is sent on to another establishment is not (the guide allows one of
// the two).
func (v *visit) counterReferred() string {
	back := slices.ContainsFunc(v.requests, func(r *request) bool { return r.of(categoryCounter) })
	return wrong(back && !v.row.is(vReferred, "1-9"), "1")
}
