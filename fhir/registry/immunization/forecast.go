package immunization

// Reasons of a forecast, for people who maintain schedules.
const (
	whyComplete        = "the series is complete"
	whyPastHistory     = "not recommended because of past doses"
	whyImmune          = "there is evidence of immunity"
	whyContraindicated = "there is a contraindication"
	whySeason          = "the season is over"
	whyTooOld          = "the maximum age has passed"
	whyTooLate         = "the series cannot be finished before the maximum age"
	whyNeeded          = "a dose is needed"
)

// forecast finds the next target dose, whether it is needed, and its dates.
//
// See the CDSi Logic Specification, chapter 7 "Forecast dates and reasons".
func (a *assessing) forecast(s *patientSeries) {
	for {
		a.skipAhead(s)
		var d *targetDose
		if s.next < len(s.doses) {
			d = &s.doses[s.next]
			s.earliest = a.candidateEarliest(s, d)
		}
		s.status, s.why = a.forecastNeed(s, d)
		if a.tr != nil {
			a.tr.add("7.4", s.series, string(s.status)+": "+s.why)
		}
		if s.status != NotComplete {
			s.dates = dates{}
			return
		}
		if a.skipWhenForecasting(s, s.earliest, "7.6") {
			s.next++ // the dose would not be needed on the day that it is forecast for
			continue
		}
		a.generateDates(s, d)
		// FORECASTDN-1. Version 4.6 leaves out the doses of earlier seasons; CDC's test cases
		// count them, as earlier versions do.
		s.number = s.valid + 1
		return
	}
}

// skipAhead passes over the target doses that can be skipped on the day of the
// assessment.
//
// See the CDSi Logic Specification, 7.1 "Evaluate conditional skip".
func (a *assessing) skipAhead(s *patientSeries) {
	for s.next < len(s.doses) && a.skipWhenForecasting(s, a.on, "7.1") {
		s.next++
	}
}

// forecastNeed says whether another dose is needed. d is the next target dose, nil for
// none.
//
// See the CDSi Logic Specification, 7.4 "Determine forecast need", table 7-10.
func (a *assessing) forecastNeed(s *patientSeries, d *targetDose) (SeriesStatus, string) {
	switch {
	case d == nil && s.valid > 0:
		return Complete, whyComplete
	case d == nil:
		return NotRecommended, whyPastHistory
	case a.immune(s):
		return Immune, whyImmune
	case a.contraindicated(s):
		return Contraindicated, whyContraindicated
	}
	if _, end := a.seasonOf(d); !end.IsZero() && a.on > end {
		return NotRecommended, whySeason
	}
	if row := d.agesOn(a.on); row != nil && row.max != 0 {
		if a.on >= a.ages[row.max] {
			return AgedOut, whyTooOld
		}
		if s.earliest >= a.ages[row.max] {
			return AgedOut, whyTooLate
		}
	}
	return NotComplete, whyNeeded
}

// immune reports whether there is evidence of immunity.
//
// See the CDSi Logic Specification, 7.2 "Determine evidence of immunity", table 7-3. The
// country of birth is not part of a history: where a rule names one it does not apply.
func (a *assessing) immune(s *patientSeries) bool {
	p := &a.plan.antigens[s.antigen].immunity
	for _, o := range p.history {
		if a.has[o] {
			return true
		}
	}
	for i := range p.births {
		if r := &p.births[i]; a.h.Born < r.before && r.country == "" && !a.hasAny(r.except) {
			return true
		}
	}
	return false
}

// hasAny reports whether the person has one of some observations.
func (a *assessing) hasAny(observations []int) bool {
	for _, o := range observations {
		if a.has[o] {
			return true
		}
	}
	return false
}

// contraindicated reports whether the whole antigen, or every preferable vaccine of the
// next target dose, is contraindicated.
//
// See the CDSi Logic Specification, 7.3 "Determine contraindications", tables 7-5 and
// 7-7.
func (a *assessing) contraindicated(s *patientSeries) bool {
	p := &a.plan.antigens[s.antigen]
	for i := range p.against {
		if k := &p.against[i]; a.has[k.obs] && a.within(a.on, k.begin, k.end) {
			return true
		}
	}
	d := &s.doses[s.next]
	for i := range d.preferable {
		if !a.vaccineContraindicated(s, d.preferable[i].vaccine) {
			return false
		}
	}
	return len(d.preferable) > 0
}

// vaccineContraindicated reports whether a vaccine is contraindicated (table 7-6).
func (a *assessing) vaccineContraindicated(s *patientSeries, vaccine int) bool {
	if len(a.h.Observations) == 0 {
		return false
	}
	list := a.plan.antigens[s.antigen].vaccines
	for i := range list {
		if !a.has[list[i].obs] {
			continue
		}
		for _, v := range list[i].vaccines {
			if v.vaccine == vaccine && a.within(a.on, v.begin, v.end) {
				return true
			}
		}
	}
	return false
}
