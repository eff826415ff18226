package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// Sex is the sex that a rule of a schedule looks at.
type Sex uint8

// Sexes. A rule that demands one is not met by SexUnknown.
const (
	SexUnknown Sex = iota
	Female
	Male
)

// History is what is known of one person on the day of an assessment. The order of its
// lists does not matter.
type History struct {
	Born         schedule.Date // never NoDate
	Sex          Sex
	Doses        []Dose
	Observations []Observation
}

// Dose is a vaccine that was administered.
type Dose struct {
	ID   string        // of the caller's choice: how an [Evaluation] names it
	Date schedule.Date // never NoDate
	CVX  string        // two digits or more: "08"
	MVX  string        // manufacturer; "" when unknown
	// Volume in mL as a decimal; "" when unknown.
	Volume string
	// Condition says why the dose itself is no good, whatever the schedule says: it was
	// expired, recalled, badly stored, given in part. "" for a good dose.
	Condition Reason
}

// Observation is a fact about a person that a schedule asks for: an illness had, a
// pregnancy, a transplant. Code is of the schedule's own list (CDSi observation codes).
type Observation struct {
	Code string
	Date schedule.Date // of its begin; NoDate when unknown
	End  schedule.Date // last day on which it holds, as of a pregnancy; NoDate for no end
}
