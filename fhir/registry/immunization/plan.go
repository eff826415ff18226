package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// plan is a schedule made ready for assessments: names are numbers, and each age that it
// mentions has a place in one table.
type plan struct {
	vaccines []vaccine      // by number
	byCVX    map[string]int // CVX code to number
	antigens []antigen
	groups   []group
	ages     []schedule.Period // by number of [age]; 0 is not set
	obs      map[string]int    // observation code to number
}

// age is the number of an age in plan.ages. The zero value is no age.
type age int

// vaccine is a product type.
type vaccine struct {
	cvx       string
	known     bool // the schedule says which antigens it holds
	holds     []holds
	conflicts []conflict // that may harm a dose of it
	harmful   set        // the previous vaccines of conflicts; nil for none
}

// holds is an antigen of a vaccine between two ages.
type holds struct {
	antigen    int
	begin, end age
}

// conflict is that a vaccine given before harms the one that has it.
type conflict struct {
	previous           int
	begin, minEnd, end schedule.Period
}

// antigen is what the series are about.
type antigen struct {
	def      *schedule.Antigen
	group    int // its vaccine group
	immunity immunity
	against  []contraindication // the whole antigen
	vaccines []contraindication // some vaccines
	// series in the order in which they are evaluated: those that ask whether others are
	// complete come after them.
	series []series
	groups []string // names of the series groups, in their order
}

// immunity is evidence of immunity other than by doses.
type immunity struct {
	history []int // observations
	births  []birthRule
}

type birthRule struct {
	before  schedule.Date
	country string
	except  []int // observations
}

// contraindication is a reason against the antigen, or against some vaccines.
type contraindication struct {
	obs        int
	begin, end age
	vaccines   []contraindicated
}

type contraindicated struct {
	vaccine    int
	begin, end age
}

// series is an antigen series.
type series struct {
	def         *schedule.Series
	antigen     int
	group       int
	sexes       uint8 // bit 1<<Sex; 0 for any
	seriesGroup int   // into antigen.groups
	equivalent  []int // series groups
	indications []indication
	minToStart  age
	maxToStart  age
	fromAge     age // at which it is looked at
	toAge       age
	doses       []targetDose
	rank        int // place in the schedule
}

type indication struct {
	obs        int
	begin, end age
}

// targetDose is a dose of a series.
type targetDose struct {
	ages        []ageRow
	intervals   []interval
	allowable   []interval
	preferable  []product
	acceptable  []product
	inadvertent set
	skips       []skip
	recurring   bool
	season      schedule.Season
}

// ageRow is a row of ages that holds between two days.
type ageRow struct {
	absMin, min, earliest, latest, max age
	effective, cessation               schedule.Date
}

// interval is the time since something.
type interval struct {
	fromPrevious                  bool
	fromTarget                    int // from 1; 0 for none
	fromRecent                    set // nil for none
	fromObs                       int // -1 for none
	absMin, min, earliest, latest schedule.Period
	override                      bool
	effective, cessation          schedule.Date
}

// product is a vaccine between two ages.
type product struct {
	vaccine    int
	mvx        string
	begin, end age
	forecast   bool
}

// skip is one conditional skip of a target dose.
type skip struct {
	evaluation, forecast bool // contexts
	any                  bool
	sets                 []skipSet
}

type skipSet struct {
	any                  bool
	text                 string
	effective, cessation schedule.Date
	conditions           []condition
}

type condition struct {
	kind       conditionKind
	start, end schedule.Date
	beginAge   age
	endAge     age
	interval   schedule.Period
	count      int
	logic      countLogic
	valid      bool
	vaccines   set // nil for every vaccine
	groups     []int
}

type conditionKind uint8

const (
	byAge conditionKind = iota
	byInterval
	byCount
	byCompletedSeries
)

type countLogic uint8

const (
	moreThan countLogic = iota
	exactly
	fewerThan
)

// group is a vaccine group.
type group struct {
	def      *schedule.Group
	antigens []int
	vaccines set // that hold one of the antigens
}

// set is a set of vaccines by number.
type set []uint64

// newSet returns an empty set for n vaccines.
func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return i >= 0 && i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }
