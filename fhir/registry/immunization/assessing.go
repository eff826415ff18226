package immunization

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// assessing is one assessment under way. It is reused: its lists keep their room.
type assessing struct {
	plan *plan
	h    *History
	on   schedule.Date
	tr   *trace

	ages      []schedule.Date  // by age: the day on which the person reaches it
	observed  []schedule.Date  // by observation: the latest day, NoDate for an unknown one
	has       []bool           // by observation
	given     []given          // doses in order of their days
	unused    []judged         // doses that hold nothing to evaluate
	records   [][]int32        // by antigen: antigen administered records, into given
	verdicts  []verdict        // of all series, in spans
	reached   []schedule.Date  // of all series: when each of its doses was satisfied
	series    []patientSeries  // relevant patient series of all antigens
	ofAntigen []span           // by antigen: its relevant patient series
	prior     []*patientSeries // scratch of the selection
	blend     []*patientSeries // scratch of the vaccine groups
	texts     []string         // scratch of the answer
	cursor    []int            // scratch of the answer, by antigen
}

// given is a dose administered.
type given struct {
	dose    int // into History.Doses
	date    schedule.Date
	vaccine int // number, -1 when the schedule does not know the code
}

// judged is what is said of a dose for one antigen.
type judged struct {
	given   int // into assessing.given
	antigen int // -1 for none
	series  *patientSeries
	verdict verdict
}

// span is a part of a list: from first up to, not including, end.
type span struct{ first, end int }

// verdict is the evaluation of one antigen administered record in one series.
type verdict struct {
	status  Status
	reasons reasons
	number  int // of the target dose, from 1; 0 for none
}

// patientSeries is a relevant patient series with its evaluation and forecast.
type patientSeries struct {
	*series
	verdicts  span // in assessing.verdicts, parallel to the records of the antigen
	reached   int  // in assessing.reached: the first of the series
	evaluated int  // records that were tried, the rest came after the series was complete

	next      int // index of the target dose not satisfied, len(doses) for none
	valid     int // target doses satisfied (SELECTB-21)
	firstGood schedule.Date
	flawed    bool // a dose was not valid

	status SeriesStatus
	why    string
	number int // of the dose forecast (FORECASTDN-1)
	dates

	finish   schedule.Date // SELECTB-12, where series are scored
	score    int
	scorable bool
	best     bool
}

// dates are those of a forecast. wanted and late are the unadjusted recommended and past
// due dates.
type dates struct {
	earliest, recommended, pastDue, latest, wanted, late schedule.Date
}

// newAssessing returns room for assessments by a plan.
func newAssessing(p *plan) *assessing {
	return &assessing{
		plan:      p,
		ages:      make([]schedule.Date, len(p.ages)),
		observed:  make([]schedule.Date, len(p.obs)),
		has:       make([]bool, len(p.obs)),
		records:   make([][]int32, len(p.antigens)),
		ofAntigen: make([]span, len(p.antigens)),
		cursor:    make([]int, len(p.antigens)),
	}
}

// begin takes up a history.
func (a *assessing) begin(h *History, on schedule.Date, tr *trace) {
	a.h, a.on, a.tr = h, on, tr
	a.given, a.unused, a.verdicts = a.given[:0], a.unused[:0], a.verdicts[:0]
	a.reached, a.series = a.reached[:0], a.series[:0]
	for i := range a.records {
		a.records[i] = a.records[i][:0]
	}
	for i, p := range a.plan.ages {
		if p.Set {
			a.ages[i] = h.Born.Add(p)
		}
	}
	clear(a.has)
	clear(a.observed)
	for _, o := range h.Observations {
		if n, ok := a.plan.obs[o.Code]; ok && o.Date <= on && (o.End.IsZero() || on <= o.End) {
			a.has[n] = true
			a.observed[n] = max(a.observed[n], o.Date)
		}
	}
}

// end lets go of what the caller owns.
func (a *assessing) end() {
	a.h, a.tr = nil, nil
}

// organizeHistory breaks the doses into antigen administered records, each antigen's in
// order of their days.
//
// See the CDSi Logic Specification, 4.2 "Organize immunization history".
func (a *assessing) organizeHistory() {
	for i := range a.h.Doses {
		d := &a.h.Doses[i]
		if d.Date > a.on {
			continue
		}
		g := given{dose: i, date: d.Date, vaccine: -1}
		if n, ok := a.plan.byCVX[d.CVX]; ok && a.plan.vaccines[n].known {
			g.vaccine = n
		}
		a.given = append(a.given, g)
	}
	slices.SortFunc(a.given, a.inOrder)
	for i := range a.given {
		a.breakUp(i)
	}
}

// inOrder orders doses by their days. Those of one day are ordered by what they are, so
// that the order in which a history names them does not matter.
func (a *assessing) inOrder(x, y given) int {
	if x.date != y.date {
		return cmp.Compare(x.date, y.date)
	}
	p, q := &a.h.Doses[x.dose], &a.h.Doses[y.dose]
	return cmp.Or(
		cmp.Compare(p.Condition, q.Condition), // a good dose before one that is not
		cmp.Compare(p.CVX, q.CVX),
		cmp.Compare(p.MVX, q.MVX),
		cmp.Compare(p.Volume, q.Volume),
		cmp.Compare(p.ID, q.ID),
	)
}

// breakUp makes the antigen administered records of a dose.
func (a *assessing) breakUp(i int) {
	g := &a.given[i]
	switch {
	case g.date < a.h.Born:
		a.unused = append(a.unused, judged{given: i, antigen: -1, verdict: verdict{status: NotValid, reasons: because(BeforeBirth)}})
		g.vaccine = -1
		return
	case g.vaccine < 0:
		a.unused = append(a.unused, judged{given: i, antigen: -1, verdict: verdict{status: NotValid, reasons: because(Unknown)}})
		return
	}
	used := false
	for _, h := range a.plan.vaccines[g.vaccine].holds {
		if a.within(g.date, h.begin, h.end) {
			a.records[h.antigen] = append(a.records[h.antigen], int32(i))
			used = true
		}
	}
	if !used {
		a.unused = append(a.unused, judged{given: i, antigen: -1, verdict: verdict{status: Extraneous, reasons: because(Unneeded)}})
	}
}

// within reports whether a day is on or after one age and before another; an age that is
// not given is no bound.
func (a *assessing) within(d schedule.Date, begin, end age) bool {
	return (begin == 0 || d >= a.ages[begin]) && (end == 0 || d < a.ages[end])
}

// inForce reports whether a component that is in force between two days is to be used
// (RELEVANT-1 and RELEVANT-2).
func inForce(on, effective, cessation schedule.Date) bool {
	return on >= effective && (cessation.IsZero() || on <= cessation)
}
