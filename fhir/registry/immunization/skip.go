package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// skipWhenEvaluating reports whether the target dose under way can be skipped, as seen
// on the day of the n-th record.
//
// See the CDSi Logic Specification, 6.2 "Evaluate conditional skip".
func (a *assessing) skipWhenEvaluating(s *patientSeries, n int) bool {
	for i := range s.doses[s.next].skips {
		k := &s.doses[s.next].skips[i]
		date := a.given[a.records[s.antigen][n]].date
		if k.evaluation && a.skipMet(s, k, skipping{reference: date, anchor: date, n: n, chapter: "6.2"}) {
			return true
		}
	}
	return false
}

// skipWhenForecasting reports whether the next target dose can be skipped, as seen on a
// day: the assessment date (7.1), or the earliest date of the forecast (7.6).
func (a *assessing) skipWhenForecasting(s *patientSeries, reference schedule.Date, chapter string) bool {
	for i := range s.doses[s.next].skips {
		k := &s.doses[s.next].skips[i]
		if k.forecast && a.skipMet(s, k, skipping{reference: reference, anchor: a.on, n: len(a.records[s.antigen]), chapter: chapter}) {
			return true
		}
	}
	return false
}

// skipping is from where a conditional skip is looked at.
type skipping struct {
	reference schedule.Date // CONDSKIP-2
	anchor    schedule.Date // on which a set must be in force
	n         int           // records of the antigen before this one have been given
	chapter   string
}

// skipMet combines the sets of a skip (table 6-11). A set out of force is not there.
func (a *assessing) skipMet(s *patientSeries, k *skip, w skipping) bool {
	sets, met := 0, 0
	for i := range k.sets {
		t := &k.sets[i]
		if !inForce(w.anchor, t.effective, t.cessation) {
			continue
		}
		sets++
		if a.setMet(s, t, w) {
			met++
			if a.tr != nil {
				a.tr.skip(s, w, t)
			}
		}
	}
	if k.any {
		return met > 0
	}
	return sets > 0 && met == sets
}

// setMet combines the conditions of a set (table 6-10).
func (a *assessing) setMet(s *patientSeries, t *skipSet, w skipping) bool {
	for i := range t.conditions {
		if met := a.conditionMet(s, &t.conditions[i], w); met == t.any {
			return met
		}
	}
	return !t.any && len(t.conditions) > 0
}

// conditionMet evaluates one condition (tables 6-6 to 6-9).
func (a *assessing) conditionMet(s *patientSeries, q *condition, w skipping) bool {
	switch q.kind {
	case byAge: // table 6-6
		return a.within(w.reference, q.beginAge, q.endAge)
	case byCompletedSeries: // table 6-7
		return a.completed(s, q.groups)
	case byInterval: // table 6-8, CALCDTSKIP-5
		if w.n == 0 {
			return false
		}
		previous := a.given[a.records[s.antigen][w.n-1]].date
		return w.reference >= previous.Add(q.interval)
	default: // table 6-9
		count := a.conditionalDoses(s, q, w)
		switch q.logic {
		case moreThan:
			return count > q.count
		case exactly:
			return count == q.count
		default:
			return count < q.count
		}
	}
}

// conditionalDoses counts the doses that a condition is about (CONDSKIP-1): valid ones
// are looked for in the series, any ones in the whole history, before the record that is
// being evaluated.
func (a *assessing) conditionalDoses(s *patientSeries, q *condition, w skipping) int {
	count := 0
	records := a.records[s.antigen]
	if q.valid {
		for n, r := range records[:w.n] {
			if a.verdicts[s.verdicts.first+n].status == Valid && a.counts(&a.given[r], q) {
				count++
			}
		}
		return count
	}
	before := len(a.given)
	if w.n < len(records) {
		before = int(records[w.n])
	}
	if q.vaccines == nil { // every vaccine of the antigen
		for _, r := range records[:w.n] {
			if a.counts(&a.given[r], q) {
				count++
			}
		}
		return count
	}
	for i := range a.given[:before] {
		if a.counts(&a.given[i], q) {
			count++
		}
	}
	return count
}

// counts reports whether a dose is of a vaccine, an age and a day that a condition
// counts.
func (a *assessing) counts(g *given, q *condition) bool {
	return g.vaccine >= 0 && (q.vaccines == nil || q.vaccines.has(g.vaccine)) &&
		a.within(g.date, q.beginAge, q.endAge) &&
		g.date >= q.start && (q.end.IsZero() || g.date < q.end)
}

// completed reports whether a relevant patient series of some series groups of the
// antigen is complete. It has been evaluated already: see antigen.series.
func (a *assessing) completed(s *patientSeries, groups []int) bool {
	for i := range a.series {
		other := &a.series[i]
		if other.antigen != s.antigen || other.status != Complete {
			continue
		}
		for _, g := range groups {
			if other.seriesGroup == g {
				return true
			}
		}
	}
	return false
}
