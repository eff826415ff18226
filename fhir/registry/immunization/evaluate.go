package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// evaluateHistory walks the target doses of a series and the antigen administered
// records together, until either are used up.
//
// See the CDSi Logic Specification, 4.4 "Evaluate and forecast all relevant patient
// series", figure 4-6.
func (a *assessing) evaluateHistory(s *patientSeries) {
	records := a.records[s.antigen]
	first := len(a.verdicts)
	s.verdicts = span{first, first + len(records)}
	for range records {
		a.verdicts = append(a.verdicts, verdict{})
	}
	s.reached = len(a.reached)
	for range s.doses {
		a.reached = append(a.reached, schedule.NoDate)
	}
	for s.evaluated < len(records) && s.next < len(s.doses) {
		n := s.evaluated
		v := a.evaluateRecord(s, n)
		if v.status == "" { // the target dose was skipped: the next one is tried
			s.next++
			continue
		}
		v.number = s.next + 1
		a.verdicts[first+n] = v
		s.evaluated++
		if v.status == Valid {
			a.satisfy(s, a.given[records[n]].date)
		} else if v.status == NotValid {
			s.flawed = true
		}
	}
	a.leaveRest(s)
}

// satisfy notes that the target dose under way is satisfied, and goes on to the next; a
// recurring dose is followed by itself.
func (a *assessing) satisfy(s *patientSeries, on schedule.Date) {
	s.valid++
	if s.firstGood.IsZero() {
		s.firstGood = on
	}
	a.reached[s.reached+s.next] = on
	if !s.doses[s.next].recurring {
		s.next++
	}
}

// leaveRest evaluates the records after the last target dose as extraneous.
func (a *assessing) leaveRest(s *patientSeries) {
	records := a.records[s.antigen]
	for n := s.evaluated; n < len(records); n++ {
		v := verdict{status: Extraneous, reasons: asUnneeded}
		if c := a.h.Doses[a.given[records[n]].dose].Condition; c != "" {
			v = verdict{status: SubStandard}
		}
		a.verdicts[s.verdicts.first+n] = v
		if a.tr != nil {
			a.tr.dose("4.4", s, a, n, "no target dose is left: "+string(v.status))
		}
	}
}

// evaluateRecord evaluates the n-th record against the target dose under way. A verdict
// without status means that the target dose is skipped.
//
// See the CDSi Logic Specification, chapter 6.
func (a *assessing) evaluateRecord(s *patientSeries, n int) verdict {
	g := &a.given[a.records[s.antigen][n]]
	if c := a.h.Doses[g.dose].Condition; c != "" { // 6.1, table 6-3
		if a.tr != nil {
			a.tr.dose("6.1", s, a, n, "the dose itself was no good: "+string(c))
		}
		return verdict{status: SubStandard}
	}
	if a.skipWhenEvaluating(s, n) { // 6.2
		return verdict{}
	}
	d := &s.doses[s.next]
	if d.inadvertent.has(g.vaccine) { // 6.3, table 6-13
		if a.tr != nil {
			a.tr.dose("6.3", s, a, n, "inadvertent vaccine for this target dose")
		}
		return verdict{status: NotValid, reasons: asInadvertent}
	}
	return a.satisfyTargetDose(s, d, n)
}

// satisfyTargetDose says whether the conditions 6.4 to 6.9 are met, with all reasons
// against the dose.
//
// See the CDSi Logic Specification, 6.10 "Satisfy target dose", table 6-31.
func (a *assessing) satisfyTargetDose(s *patientSeries, d *targetDose, n int) verdict {
	against := a.evaluateAge(s, d, n)
	if against == asTooOld {
		return verdict{status: Extraneous, reasons: against}
	}
	if !a.preferableInterval(s, d, n) && !a.allowableInterval(s, d, n) {
		against |= asTooSoon
	}
	if a.impactedByConflict(s, n) {
		against |= asConflict
	}
	if !a.preferableVaccine(s, d, n) && !a.allowableVaccine(s, d, n) {
		against |= asWrongType
	}
	if against != 0 {
		return verdict{status: NotValid, reasons: against}
	}
	if a.tr != nil {
		a.tr.dose("6.10", s, a, n, "satisfies the target dose: Valid")
	}
	return verdict{status: Valid}
}

// evaluateAge returns the reason too young, or too old, or none for a valid age.
//
// See the CDSi Logic Specification, 6.4 "Evaluate age", table 6-15.
func (a *assessing) evaluateAge(s *patientSeries, d *targetDose, n int) reasons {
	date := a.given[a.records[s.antigen][n]].date
	row := d.agesOn(date)
	if row == nil {
		return 0
	}
	var reason reasons
	switch {
	case row.absMin != 0 && date < a.ages[row.absMin]:
		reason = asTooYoung
	case row.max != 0 && date >= a.ages[row.max]:
		reason = asTooOld
	}
	if a.tr != nil {
		a.tr.age(s, a, n, row, date, reason)
	}
	return reason
}

// agesOn returns the row of ages in force on a day, nil for none.
func (d *targetDose) agesOn(on schedule.Date) *ageRow {
	for i := range d.ages {
		if inForce(on, d.ages[i].effective, d.ages[i].cessation) {
			return &d.ages[i]
		}
	}
	return nil
}

// preferableVaccine reports whether the vaccine is one of the preferable ones.
//
// See the CDSi Logic Specification, 6.8, table 6-26. The volume never makes a dose not
// valid. A history has no trade names, so that the manufacturer stands for them.
func (a *assessing) preferableVaccine(s *patientSeries, d *targetDose, n int) bool {
	g := &a.given[a.records[s.antigen][n]]
	for i := range d.preferable {
		p := &d.preferable[i]
		if p.vaccine == g.vaccine && a.within(g.date, p.begin, p.end) && (p.mvx == "" || p.mvx == a.h.Doses[g.dose].MVX) {
			if a.tr != nil {
				a.tr.dose("6.8", s, a, n, "preferable vaccine")
			}
			return true
		}
	}
	return false
}

// allowableVaccine reports whether the vaccine is one of the allowable ones.
//
// See the CDSi Logic Specification, 6.9, table 6-29.
func (a *assessing) allowableVaccine(s *patientSeries, d *targetDose, n int) bool {
	g := &a.given[a.records[s.antigen][n]]
	for i := range d.acceptable {
		p := &d.acceptable[i]
		if p.vaccine == g.vaccine && a.within(g.date, p.begin, p.end) {
			if a.tr != nil {
				a.tr.dose("6.9", s, a, n, "allowable vaccine")
			}
			return true
		}
	}
	if a.tr != nil {
		a.tr.dose("6.9", s, a, n, "neither a preferable nor an allowable vaccine at this age: Not Valid")
	}
	return false
}
