package immunization

import (
	"sync"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Engine evaluates and forecasts by one schedule, compiled once. It is the [Assessor]
// of this package and is safe for use by many goroutines.
type Engine struct {
	schedule *schedule.Schedule
	plan     *plan
	spare    sync.Pool // of *assessing
}

var _ Assessor = (*Engine)(nil)

// New compiles a schedule, which is not to be changed afterwards.
// Errors: the schedule contradicts itself, such as a series of a group or a vaccine of
// an antigen that it does not have; the error names the place.
func New(s *schedule.Schedule) (*Engine, error) {
	p, err := compile(s)
	if err != nil {
		return nil, err
	}
	return &Engine{schedule: s, plan: p}, nil
}

// Schedule returns the schedule of the engine.
func (e *Engine) Schedule() *schedule.Schedule { return e.schedule }

// Assess evaluates every dose of h and forecasts each vaccine group on a day.
//
// See the CDSi Logic Specification, chapter 4 "Processing model".
func (e *Engine) Assess(h *History, on schedule.Date) *Assessment {
	return e.assess(h, on, nil)
}

// assess runs the steps of chapter 4. tr is nil when nobody asks for the reasons.
func (e *Engine) assess(h *History, on schedule.Date, tr *trace) *Assessment {
	a, _ := e.spare.Get().(*assessing)
	if a == nil {
		a = newAssessing(e.plan)
	}
	a.begin(h, on, tr)
	a.organizeHistory()
	for i := range e.plan.antigens {
		a.assessAntigen(i)
	}
	answer := a.answer(e.schedule)
	a.end()
	e.spare.Put(a)
	return answer
}

// assessAntigen creates the relevant patient series of an antigen (4.3), evaluates and
// forecasts each (4.4), and selects the best ones (4.5).
func (a *assessing) assessAntigen(antigen int) {
	first := len(a.series)
	a.createRelevantSeries(antigen)
	for i := first; i < len(a.series); i++ {
		s := &a.series[i]
		a.evaluateHistory(s)
		a.forecast(s)
	}
	a.ofAntigen[antigen] = span{first, len(a.series)}
	a.selectBestSeries(antigen, a.series[first:])
}
