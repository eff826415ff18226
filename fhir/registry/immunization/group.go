package immunization

import (
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// groupForecast is the forecast of a vaccine group from best patient series of one kind.
type groupForecast struct {
	status SeriesStatus
	dates
	number   int
	followed *patientSeries   // nil for none
	from     []*patientSeries // the best series, one for each antigen that has one
}

// forecastGroup returns the forecast of a vaccine group. Best series of the risk type are
// not blended with standard ones; of the forecasts that a person may then have, the one
// to act upon is given; when both are due, that of the risk.
//
// See the CDSi Logic Specification, chapter 9 "Identify and evaluate vaccine group".
func (a *assessing) forecastGroup(g *group) groupForecast {
	standard := a.groupForecastOf(g, false)
	risk := a.groupForecastOf(g, true)
	switch {
	case risk.followed == nil:
		return standard
	case standard.followed == nil:
		return risk
	}
	now, then := a.urgency(risk.status, risk.followed), a.urgency(standard.status, standard.followed)
	bothDue := risk.recommended <= a.on && standard.recommended <= a.on
	if now > then || now == then && (bothDue || risk.recommended <= standard.recommended) {
		return risk
	}
	return standard
}

// urgency orders forecasts by how much there is to do for the person now. A series that
// is begun at a later age (such as one for those of 50 years and more) comes after one
// of an age that is reached, unless that can no longer be completed.
func (a *assessing) urgency(status SeriesStatus, s *patientSeries) int {
	if status == NotComplete && s.minToStart != 0 && a.on < a.ages[s.minToStart] {
		status = later
	}
	return slices.Index([]SeriesStatus{NotRecommended, AgedOut, later, Immune, Complete, Contraindicated, NotComplete}, status)
}

// later stands for a series that is not complete and of a later age.
const later SeriesStatus = "later"

// groupForecastOf blends the best series of one kind (FORECASTVG-1).
func (a *assessing) groupForecastOf(g *group, risk bool) groupForecast {
	first := len(a.blend)
	for _, n := range g.antigens {
		if s := a.bestOf(n, risk); s != nil {
			a.blend = append(a.blend, s)
		}
	}
	f := groupForecast{from: a.blend[first:len(a.blend):len(a.blend)]}
	if len(f.from) == 0 {
		return f
	}
	f.status = groupStatus(f.from)
	f.followed = a.follow(f.from)
	if f.status == NotComplete {
		a.groupDates(g, &f)
	}
	return f
}

// bestOf returns the best series of an antigen that is of one kind, nil for none. Of
// several, it is the one with the most to do, the sooner one among equals.
func (a *assessing) bestOf(antigen int, risk bool) *patientSeries {
	var best *patientSeries
	at := a.ofAntigen[antigen]
	for i := at.first; i < at.end; i++ {
		s := &a.series[i]
		if !s.best || (s.def.Type == schedule.Risk) != risk {
			continue
		}
		if best == nil || a.moreUrgent(s, best) {
			best = s
		}
	}
	return best
}

// moreUrgent reports whether there is more to do for s than for another series, or the
// same sooner.
func (a *assessing) moreUrgent(s, other *patientSeries) bool {
	if p, q := a.urgency(s.status, s), a.urgency(other.status, other); p != q {
		return p > q
	}
	return s.recommended < other.recommended
}

// follow returns the series that a group forecast names: the one to complete first.
func (a *assessing) follow(from []*patientSeries) *patientSeries {
	followed := from[0]
	for _, s := range from[1:] {
		if a.moreUrgent(s, followed) {
			followed = s
		}
	}
	return followed
}

// groupStatus returns the vaccine group status: that of the one antigen (SINGLEANTVG-1),
// or by table 9-4.
func groupStatus(from []*patientSeries) SeriesStatus {
	for _, status := range []SeriesStatus{Contraindicated, AgedOut, NotRecommended, NotComplete} {
		for _, s := range from {
			if s.status == status {
				return status
			}
		}
	}
	for _, s := range from {
		if s.status != Immune {
			return Complete
		}
	}
	return Immune
}

// groupDates sets the dates and the dose number of a vaccine group forecast.
//
// See the CDSi Logic Specification, rules FORECASTVG-2 to FORECASTVG-6, FORECASTDN-2,
// SINGLEANTVG-2 and MULTIANTVG-1.
func (a *assessing) groupDates(g *group, f *groupForecast) {
	sooner := func(to *schedule.Date, d schedule.Date) {
		if !d.IsZero() && (to.IsZero() || d < *to) {
			*to = d
		}
	}
	first, last, priority := schedule.NoDate, schedule.NoDate, false
	for _, s := range f.from {
		if s.status != NotComplete {
			continue
		}
		sooner(&first, s.earliest)
		last = max(last, s.earliest)
		priority = priority || s.isPriority()
		sooner(&f.recommended, s.recommended)
		sooner(&f.pastDue, s.pastDue)
		sooner(&f.latest, s.latest)
		sooner(&f.wanted, s.wanted)
		sooner(&f.late, s.late)
		if f.number == 0 || g.def.Whole && s.number < f.number || !g.def.Whole && s.number > f.number {
			f.number = s.number
		}
	}
	switch {
	case len(g.antigens) == 1: // SINGLEANTVG-2
		f.earliest = first
	case priority: // MULTIANTVG-1
		f.earliest = max(first, a.lastGiven(g))
	default:
		f.earliest = last
	}
	f.recommended = max(f.recommended, f.earliest)
	if !f.pastDue.IsZero() {
		f.pastDue = max(f.pastDue, f.earliest)
	}
}

// isPriority applies rule FORECASTPRIORITY-1: every preferable interval of the target
// dose forecast overrides, and there is one.
func (s *patientSeries) isPriority() bool {
	d := &s.doses[s.next]
	for i := range d.intervals {
		if !d.intervals[i].override {
			return false
		}
	}
	return len(d.intervals) > 0
}

// lastGiven returns the day of the last dose of a vaccine of the group.
func (a *assessing) lastGiven(g *group) schedule.Date {
	for i := len(a.given) - 1; i >= 0; i-- {
		if v := a.given[i].vaccine; v >= 0 && g.vaccines.has(v) {
			return a.given[i].date
		}
	}
	return schedule.NoDate
}
