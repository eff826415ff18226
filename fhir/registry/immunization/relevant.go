package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// createRelevantSeries appends the relevant patient series of an antigen.
//
// See the CDSi Logic Specification, 5.1 "Select relevant patient series".
func (a *assessing) createRelevantSeries(antigen int) {
	p := &a.plan.antigens[antigen]
	for i := range p.series {
		s := &p.series[i]
		if ok, why := a.relevant(s); ok {
			a.series = append(a.series, patientSeries{series: s})
		} else if a.tr != nil {
			a.tr.add("5.1", s, "not relevant: "+why)
		}
	}
}

// relevant reports whether a series is for the person (table 5-5), and why not. Beyond
// CDSi, a series is only for those born within its cohort, at the ages at which it is
// looked at.
func (a *assessing) relevant(s *series) (ok bool, why string) {
	switch {
	case !a.bornWithin(s):
		return false, "born outside the cohort"
	case !a.within(a.on, s.fromAge, s.toAge):
		return false, "not of the age at which it is looked at"
	case !a.ofSex(s):
		return false, "not for this sex"
	case s.def.Type != schedule.Risk:
		return true, ""
	}
	for _, i := range s.indications {
		if a.has[i.obs] && a.within(a.on, i.begin, i.end) {
			return true, ""
		}
	}
	return false, "no indication"
}

// bornWithin reports whether the person is of the cohort of a series.
func (a *assessing) bornWithin(s *series) bool {
	return inForce(a.h.Born, s.def.BornFrom, s.def.BornTo)
}

// ofSex reports whether the sex is one of those that a series requires.
func (a *assessing) ofSex(s *series) bool {
	return s.sexes == 0 || s.sexes&(1<<a.h.Sex) != 0
}
