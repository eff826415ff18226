package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// scored returns the series of a series group with the best score, nil for none.
//
// See the CDSi Logic Specification, 8.3 "Classify scorable patient series", table 8-5.
func (a *assessing) scored(all []patientSeries, group int, t *tally) *patientSeries {
	for i := range all {
		all[i].finish = a.finishDate(&all[i])
	}
	switch {
	case t.complete >= 2:
		keep(all, group, func(s *patientSeries) bool { return s.status == Complete })
		a.scoreComplete(all, group)
	case t.inProcess >= 2 && t.complete == 0:
		keep(all, group, (*patientSeries).inProcess)
		a.scoreInProcess(all, group)
	case t.noValid:
		a.scoreNoValid(all, group)
	default:
		// The table has no rule for valid doses without a series complete or in process,
		// such as when all are aged out: those with the most valid doses are kept.
		a.scoreComplete(all, group)
	}
	return a.prioritized(all, group)
}

// keep drops the scorable series of a series group that are not of a kind.
func keep(all []patientSeries, group int, kind func(*patientSeries) bool) {
	for i := range all {
		if s := &all[i]; s.seriesGroup == group {
			s.scorable = s.scorable && kind(s)
		}
	}
}

// prioritized returns the series with the highest score; among those that tie, the one
// with the best preference.
//
// See the CDSi Logic Specification, 8.7 "Select prioritized patient series", rules
// SELECTBEST-1 and SELECTBEST-2.
func (a *assessing) prioritized(all []patientSeries, group int) *patientSeries {
	var best *patientSeries
	for i := range all {
		s := &all[i]
		if s.seriesGroup != group || !s.scorable {
			continue
		}
		if a.tr != nil {
			a.tr.score(s)
		}
		if best == nil || s.score > best.score || s.score == best.score && s.preferredTo(best) {
			best = s
		}
	}
	if best != nil && a.tr != nil {
		a.tr.add("8.7", best.series, "prioritized: the best score, or the best preference among equals")
	}
	return best
}

// preferredTo compares preferences: 1 is the best one, 0 is none and the worst. Series
// that are equal in that, too, go by their place in the schedule.
func (s *patientSeries) preferredTo(other *patientSeries) bool {
	p, q := s.def.Select.Preference, other.def.Select.Preference
	if p == q {
		return s.rank < other.rank
	}
	return p != 0 && (q == 0 || p < q)
}

// award gives points for one condition: yes to the only series for which it is true, tied
// to each of several, no to the others.
func award(all []patientSeries, group, yes, tied, no int, is func(*patientSeries) bool) {
	count := 0
	for i := range all {
		if s := &all[i]; s.seriesGroup == group && s.scorable && is(s) {
			count++
		}
	}
	for i := range all {
		s := &all[i]
		switch {
		case s.seriesGroup != group || !s.scorable:
		case !is(s):
			s.score += no
		case count == 1:
			s.score += yes
		default:
			s.score += tied
		}
	}
}

// scoreComplete scores complete series.
//
// See the CDSi Logic Specification, 8.4 "Complete patient series", table 8-7.
func (a *assessing) scoreComplete(all []patientSeries, group int) {
	most := a.mostValid(all, group)
	award(all, group, 1, 0, -1, func(s *patientSeries) bool { return s.valid == most })
}

// scoreInProcess scores series that have been begun.
//
// See the CDSi Logic Specification, 8.5 "In-process patient series", table 8-9.
func (a *assessing) scoreInProcess(all []patientSeries, group int) {
	most, fewest, first := a.mostValid(all, group), a.fewestLeft(all, group), a.firstFinish(all, group)
	award(all, group, 2, 2, -2, func(s *patientSeries) bool { return s.def.Select.ProductPath && !s.flawed })
	award(all, group, 3, 3, -3, a.completable)
	award(all, group, 2, 0, -2, func(s *patientSeries) bool { return s.valid == most })
	award(all, group, 2, 0, -2, func(s *patientSeries) bool { return len(s.doses)-s.next == fewest })
	award(all, group, 1, 0, -1, func(s *patientSeries) bool { return a.completable(s) && s.finish == first })
}

// scoreNoValid scores series without valid doses.
//
// See the CDSi Logic Specification, 8.6 "No valid doses", table 8-11.
func (a *assessing) scoreNoValid(all []patientSeries, group int) {
	first := a.firstStart(all, group)
	award(all, group, 1, 0, -1, func(s *patientSeries) bool { return !s.earliest.IsZero() && s.earliest == first })
	award(all, group, 1, 1, -1, a.completable)
	award(all, group, -1, -1, 1, func(s *patientSeries) bool { return s.def.Select.ProductPath })
}

// mostValid returns the most valid doses of any scorable series (SELECTB-19).
func (a *assessing) mostValid(all []patientSeries, group int) int {
	most := 0
	for i := range all {
		if s := &all[i]; s.seriesGroup == group && s.scorable {
			most = max(most, s.valid)
		}
	}
	return most
}

// fewestLeft returns the fewest target doses not satisfied of any scorable series
// (SELECTB-5).
func (a *assessing) fewestLeft(all []patientSeries, group int) int {
	fewest := -1
	for i := range all {
		if s := &all[i]; s.seriesGroup == group && s.scorable && (fewest < 0 || len(s.doses)-s.next < fewest) {
			fewest = len(s.doses) - s.next
		}
	}
	return fewest
}

// firstFinish returns the earliest finish of any completable series (SELECTB-11).
func (a *assessing) firstFinish(all []patientSeries, group int) schedule.Date {
	first := schedule.NoDate
	for i := range all {
		if s := &all[i]; s.seriesGroup == group && s.scorable && a.completable(s) {
			if first.IsZero() || s.finish < first {
				first = s.finish
			}
		}
	}
	return first
}

// firstStart returns the earliest start of any scorable series (SELECTB-14).
func (a *assessing) firstStart(all []patientSeries, group int) schedule.Date {
	first := schedule.NoDate
	for i := range all {
		s := &all[i]
		if s.seriesGroup == group && s.scorable && !s.earliest.IsZero() && (first.IsZero() || s.earliest < first) {
			first = s.earliest
		}
	}
	return first
}

// completable applies rule SELECTB-3: the finish is before the maximum age of the last
// target dose.
func (a *assessing) completable(s *patientSeries) bool {
	if s.finish.IsZero() {
		return false
	}
	row := s.doses[len(s.doses)-1].agesOn(a.on)
	return row == nil || row.max == 0 || s.finish < a.ages[row.max]
}

// finishDate returns the forecast finish date (SELECTB-12): the earliest date and the longest
// minimum interval of each target dose after the next one; NoDate without forecast.
func (a *assessing) finishDate(s *patientSeries) schedule.Date {
	d := s.earliest
	if d.IsZero() {
		return d
	}
	for i := s.next + 1; i < len(s.doses); i++ {
		longest := d
		for j := range s.doses[i].intervals {
			if k := &s.doses[i].intervals[j]; k.fromPrevious && inForce(a.on, k.effective, k.cessation) {
				longest = max(longest, d.Add(k.min))
			}
		}
		d = longest
	}
	return d
}
