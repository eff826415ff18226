package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// preferableInterval reports whether all preferable intervals are kept; none is kept.
//
// See the CDSi Logic Specification, 6.5 "Evaluate preferable interval", table 6-18.
func (a *assessing) preferableInterval(s *patientSeries, d *targetDose, n int) bool {
	return a.intervalsKept(s, d.intervals, n, "6.5")
}

// allowableInterval reports whether there are allowable intervals and all are kept.
//
// See the CDSi Logic Specification, 6.6 "Evaluate allowable interval", table 6-21.
func (a *assessing) allowableInterval(s *patientSeries, d *targetDose, n int) bool {
	date := a.given[a.records[s.antigen][n]].date
	for i := range d.allowable {
		if inForce(date, d.allowable[i].effective, d.allowable[i].cessation) {
			return a.intervalsKept(s, d.allowable, n, "6.6")
		}
	}
	return false
}

// intervalsKept reports whether the n-th record is no earlier than the absolute minimum
// of every interval in force.
func (a *assessing) intervalsKept(s *patientSeries, list []interval, n int, chapter string) bool {
	date := a.given[a.records[s.antigen][n]].date
	kept := true
	for i := range list {
		k := &list[i]
		if !inForce(date, k.effective, k.cessation) || !k.absMin.Set {
			continue
		}
		from := a.referenceDate(s, k, n)
		if from.IsZero() {
			continue
		}
		ok := date >= from.Add(k.absMin)
		if a.tr != nil {
			a.tr.interval(chapter, s, a, n, k, from, date, ok)
		}
		if !ok {
			kept = false
		}
	}
	return kept
}

// referenceDate returns the day that an interval is counted from, for the n-th record of
// the antigen (or for the forecast, when n is the number of records); NoDate for none.
//
// See the CDSi Logic Specification, rules CALCDTINT-1, -2, -8 and -9.
func (a *assessing) referenceDate(s *patientSeries, k *interval, n int) schedule.Date {
	switch {
	case k.fromPrevious:
		return a.previousDose(s, n)
	case k.fromTarget > 0:
		return a.reached[s.reached+k.fromTarget-1]
	case k.fromRecent != nil:
		return a.mostRecent(s, k.fromRecent, n)
	case k.fromObs >= 0 && a.has[k.fromObs]:
		return a.observed[k.fromObs]
	}
	return schedule.NoDate
}

// previousDose returns the day of the last record before the n-th that is valid or not
// valid and no inadvertent administration (CALCDTINT-1).
func (a *assessing) previousDose(s *patientSeries, n int) schedule.Date {
	records := a.records[s.antigen]
	for i := min(n, s.evaluated) - 1; i >= 0; i-- {
		v := &a.verdicts[s.verdicts.first+i]
		if v.status == Valid || v.status == NotValid && v.reasons != asInadvertent {
			return a.given[records[i]].date
		}
	}
	return schedule.NoDate
}

// mostRecent returns the day of the last dose of some vaccines before the n-th record
// that is no inadvertent administration in the series (CALCDTINT-8). The dose may be of
// another antigen.
func (a *assessing) mostRecent(s *patientSeries, vaccines set, n int) schedule.Date {
	records := a.records[s.antigen]
	before := len(a.given)
	if n < len(records) {
		before = int(records[n])
	}
	for i := before - 1; i >= 0; i-- {
		if g := &a.given[i]; g.vaccine >= 0 && vaccines.has(g.vaccine) && !a.inadvertent(s, i) {
			return g.date
		}
	}
	return schedule.NoDate
}

// inadvertent reports whether a dose was an inadvertent administration in a series.
func (a *assessing) inadvertent(s *patientSeries, i int) bool {
	for n, r := range a.records[s.antigen] {
		if int(r) == i {
			return n < s.evaluated && a.verdicts[s.verdicts.first+n].reasons == asInadvertent
		}
	}
	return false
}

// impactedByConflict reports whether another vaccine was given too shortly before the
// n-th record, in any antigen.
//
// See the CDSi Logic Specification, 6.7 "Evaluate vaccine conflict", rules
// CALCDTCONFLICT-1, CALCDTCONFLICT-2 and CONFLICT-3.
func (a *assessing) impactedByConflict(s *patientSeries, n int) bool {
	at := int(a.records[s.antigen][n])
	current := &a.given[at]
	harmful, conflicts := a.plan.vaccines[current.vaccine].harmful, a.plan.vaccines[current.vaccine].conflicts
	if harmful == nil {
		return false
	}
	for i := at - 1; i >= 0; i-- {
		g := &a.given[i]
		if !harmful.has(g.vaccine) {
			continue
		}
		for j := range conflicts {
			c := &conflicts[j]
			if c.previous != g.vaccine {
				continue
			}
			end := c.minEnd
			if a.notValidIn(s, i) {
				end = c.end
			}
			from, until := g.date.Add(c.begin), g.date.Add(end)
			if a.tr != nil {
				a.tr.conflict(s, a, n, i, from, until)
			}
			if current.date >= from && current.date < until {
				return true
			}
		}
	}
	return false
}

// notValidIn reports whether a dose has an evaluation status in the series other than
// Valid. A dose of other antigens has none there.
func (a *assessing) notValidIn(s *patientSeries, i int) bool {
	for n, r := range a.records[s.antigen] {
		if int(r) == i {
			v := &a.verdicts[s.verdicts.first+n]
			return v.status != "" && v.status != Valid
		}
	}
	return false
}
