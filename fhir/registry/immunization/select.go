package immunization

import "github.com/amate-health/amate/fhir/registry/immunization/schedule"

// selectBestSeries marks the best of the relevant patient series of an antigen: one for
// each series group first, then those that are not redundant.
//
// See the CDSi Logic Specification, chapter 8 "Select best patient series".
func (a *assessing) selectBestSeries(antigen int, all []patientSeries) {
	a.prior = a.prior[:0]
	for g := range a.plan.antigens[antigen].groups {
		if s := a.prioritize(all, g); s != nil {
			a.prior = append(a.prior, s)
		}
	}
	for _, s := range a.prior {
		s.best = a.bestSeries(s)
		if a.tr != nil {
			if s.best {
				a.tr.add("8.8", s.series, "best series of its series group")
			} else {
				a.tr.add("8.8", s.series, "prioritized, yet made redundant by an equivalent series group")
			}
		}
	}
}

// prioritize returns the prioritized patient series of a series group, nil for none.
func (a *assessing) prioritize(all []patientSeries, group int) *patientSeries {
	t := a.preFilter(all, group)
	if s, rule := t.onePrioritized(); s != nil {
		if a.tr != nil {
			a.tr.add("8.2", s.series, rule)
		}
		return s
	}
	return a.scored(all, group, &t)
}

// tally counts the series of a series group.
type tally struct {
	scorable, complete, inProcess, defaults            int
	theScorable, theComplete, theInProcess, theDefault *patientSeries
	noValid                                            bool // no scorable series has valid doses
}

// preFilter marks the scorable patient series of a series group and counts them.
//
// See the CDSi Logic Specification, 8.1 "Pre-filter patient series", table 8-2.
func (a *assessing) preFilter(all []patientSeries, group int) tally {
	w := weigh(all, group)
	t := tally{noValid: true}
	for i := range all {
		s := &all[i]
		if s.seriesGroup != group {
			continue
		}
		if s.def.Select.Default {
			t.defaults++
			t.theDefault = s
		}
		if s.scorable = a.isScorable(s, w); !s.scorable {
			continue
		}
		t.scorable++
		t.theScorable = s
		if s.valid > 0 {
			t.noValid = false
		}
		if s.status == Complete {
			t.complete++
			t.theComplete = s
		}
		if s.inProcess() {
			t.inProcess++
			t.theInProcess = s
		}
	}
	return t
}

// weight is what the filter asks of a series group as a whole.
type weight struct {
	allContraindicated bool
	anyValid           bool
	hasDefault         bool
	priority           string // the highest: "A" before "B"
}

// weigh looks at the relevant patient series of a series group.
func weigh(all []patientSeries, group int) weight {
	w := weight{allContraindicated: true}
	for i := range all {
		s := &all[i]
		if s.seriesGroup != group {
			continue
		}
		w.allContraindicated = w.allContraindicated && s.status == Contraindicated
		w.anyValid = w.anyValid || s.valid > 0
		w.hasDefault = w.hasDefault || s.def.Select.Default
		if p := s.def.Select.Priority; w.priority == "" || p != "" && p < w.priority {
			w.priority = p
		}
	}
	return w
}

// isScorable applies rules SELECTB-24 and SELECTSCORE-2.
func (a *assessing) isScorable(s *patientSeries, w weight) bool {
	candidate := s.status != Contraindicated || w.allContraindicated
	switch s.def.Type {
	case schedule.EvaluationOnly:
		return s.status == Complete
	case schedule.Risk:
		return candidate && s.def.Select.Priority == w.priority
	}
	if s.valid > 0 {
		return candidate && (s.maxToStart == 0 || s.firstGood < a.ages[s.maxToStart])
	}
	return candidate && !w.anyValid && !w.hasDefault
}

// inProcess applies rule SELECTB-16.
func (s *patientSeries) inProcess() bool { return s.valid > 0 && s.status == NotComplete }

// onePrioritized returns the series that is superior to the others without scoring, and
// why; nil when there is none.
//
// See the CDSi Logic Specification, 8.2 "Identify one prioritized patient series", table
// 8-3.
func (t *tally) onePrioritized() (s *patientSeries, rule string) {
	switch {
	case t.scorable == 0 && t.defaults == 1:
		return t.theDefault, "prioritized: nothing to score, the default series"
	case t.scorable == 1:
		return t.theScorable, "prioritized: the one series that can be scored"
	case t.scorable > 1 && t.complete == 1:
		return t.theComplete, "prioritized: the one complete series"
	case t.scorable > 1 && t.complete == 0 && t.inProcess == 1:
		return t.theInProcess, "prioritized: the one series in process"
	case t.scorable > 1 && t.complete == 0 && t.inProcess == 0 && t.defaults == 1:
		return t.theDefault, "prioritized: none is complete or in process, the default series"
	}
	return nil, ""
}

// bestSeries reports whether a prioritized patient series is a best one.
//
// See the CDSi Logic Specification, 8.8 "Determine best patient series", table 8-14.
func (a *assessing) bestSeries(s *patientSeries) bool {
	if s.status == Complete {
		return true
	}
	for _, other := range a.prior {
		if !s.equivalentTo(other) {
			continue
		}
		if other.status == Complete || s.def.Type != schedule.Risk && other.def.Type == schedule.Risk {
			return false
		}
	}
	return s.def.Type != schedule.EvaluationOnly
}

// equivalentTo reports whether other is of a series group that is equivalent to that of
// s.
func (s *patientSeries) equivalentTo(other *patientSeries) bool {
	for _, g := range s.equivalent {
		if g == other.seriesGroup && other != s {
			return true
		}
	}
	return false
}
