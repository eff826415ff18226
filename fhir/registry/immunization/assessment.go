package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// Assessor evaluates doses and forecasts the next ones by one version of a schedule.
// It is safe for use by many goroutines.
type Assessor interface {
	// Assess is a pure function of its arguments and the version of the schedule.
	// Doses after the day of the assessment are passed over.
	Assess(h *History, on schedule.Date) *Assessment
	Schedule() *schedule.Schedule
}

// Assessment is what a history means on a day.
type Assessment struct {
	On       schedule.Date
	Schedule string // name of the schedule, "mx"
	Version  string // of the schedule
	// Evaluations says of each dose and each antigen in it whether it counts, ordered by
	// the day of the dose, then by its antigen.
	Evaluations []Evaluation
	// Forecasts holds one entry for each vaccine group of the schedule, in its order.
	Forecasts []Forecast
}

// Status is the outcome of an evaluation (CDSi "evaluation status").
type Status string

// Statuses of a dose.
const (
	Valid       Status = "Valid"
	NotValid    Status = "Not Valid"
	Extraneous  Status = "Extraneous"   // beyond what the series needs
	SubStandard Status = "Sub-standard" // the dose itself was no good
)

// Reason says why a dose does not count.
type Reason string

// Reasons, of CDSi's evaluation reasons.
const (
	TooYoung    Reason = "too young"
	TooOld      Reason = "too old"
	TooSoon     Reason = "too soon"      // the interval is too short
	Conflict    Reason = "live conflict" // another live vaccine was given too shortly before
	Inadvertent Reason = "inadvertent administration"
	WrongType   Reason = "wrong vaccine" // neither preferable nor allowable here
	WrongSex    Reason = "wrong sex"
	Expired     Reason = "expired"
	Recalled    Reason = "recalled"
	BadStorage  Reason = "storage"
	Partial     Reason = "partial dose"
	BeforeBirth Reason = "before birth"
	Unknown     Reason = "unknown vaccine" // the schedule does not know the CVX code
	Unneeded    Reason = "not needed"      // the series is complete, or the person is past it
)

// Evaluation is what one dose means for one antigen.
type Evaluation struct {
	Dose    int    // index into History.Doses
	Antigen string // by schedule.Antigen.Name; "" when the vaccine is unknown
	Group   string // by schedule.Group.Name
	Series  string // the series that it was judged in
	Number  int    // of the target dose that it satisfied or was tried for, from 1; 0 for none
	Of      int    // doses of that series
	Status  Status
	Reasons []Reason // nil for a valid dose
}

// SeriesStatus is how far a person is with a vaccine group (CDSi "patient series
// status").
type SeriesStatus string

// Statuses of a series.
const (
	NotComplete     SeriesStatus = "Not Complete"
	Complete        SeriesStatus = "Complete"
	Immune          SeriesStatus = "Immune"
	Contraindicated SeriesStatus = "Contraindicated"
	AgedOut         SeriesStatus = "Aged Out"
	NotRecommended  SeriesStatus = "Not Recommended"
)

// Forecast is what is due in one vaccine group.
type Forecast struct {
	Group  string // by schedule.Group.Name
	Status SeriesStatus
	Why    string // short reason, for people who maintain schedules
	// Antigens of the group that still need doses, by name.
	Antigens []string
	Series   string // the series that was followed
	Number   int    // of the next dose, from 1; 0 when none is due
	Of       int    // doses of the series
	// Earliest, Recommended, PastDue and Latest are the days of the next dose: the first
	// on which it counts, on which it should be given, from which it is overdue, and the
	// last on which it may be given. NoDate for none; all are none when nothing is due.
	Earliest, Recommended, PastDue, Latest schedule.Date
	// CVX names the vaccines to give, the preferred one first.
	CVX []string
}

// Due reports whether a dose should be given on a day.
func (f *Forecast) Due(on schedule.Date) bool {
	return f.Status == NotComplete && !f.Recommended.IsZero() && f.Recommended <= on && (f.Latest.IsZero() || on <= f.Latest)
}

// Overdue reports whether a dose should have been given before a day.
func (f *Forecast) Overdue(on schedule.Date) bool {
	return f.Due(on) && !f.PastDue.IsZero() && f.PastDue < on
}
