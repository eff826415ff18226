package campaign

import (
	"cmp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// Vaccine is what coverage is counted of: a vaccine group, of which a dose is had when all
// its antigens have it, or one antigen.
type Vaccine struct {
	Name, Title string
	Doses       int // of the routine series, at most

	antigens []*schedule.Antigen
}

// target is one dose of a vaccine.
type target struct {
	vaccine *Vaccine
	number  int
	started int  // index of the target of dose 1
	zero    bool // who lacks it has had no dose of the vaccine that stands for access to any
}

// groupNamed returns the vaccine group of a name or alias; nil for none.
func groupNamed(s *schedule.Schedule, name string) *schedule.Group {
	name = search.Fold(name)
	for i := range s.Groups {
		g := &s.Groups[i]
		if search.Fold(g.Name) == name || slices.ContainsFunc(g.Aliases, func(a string) bool { return search.Fold(a) == name }) {
			return g
		}
	}
	return nil
}

func unknownVaccine(s *schedule.Schedule, name string) error {
	var names []string
	for _, g := range s.Groups {
		names = append(names, g.Name)
	}
	return fhir.Errorf(fhir.Invalid, "the schedule has no such vaccine group").With("%.50q; it has %s", name, strings.Join(names, ", ")).At("vaccine")
}

// vaccinesOf returns what is counted: what is named, or every group with a routine series.
// Vaccines of every season have no dose number that all of a cohort should have.
func vaccinesOf(s *schedule.Schedule, names []string) (all []*Vaccine, err error) {
	antigen := func(name string) *schedule.Antigen {
		i := slices.IndexFunc(s.Antigens, func(a schedule.Antigen) bool { return a.Name == name })
		if i < 0 {
			return nil
		}
		return &s.Antigens[i]
	}
	ofGroup := func(g *schedule.Group) *Vaccine {
		v := &Vaccine{Name: g.Name, Title: cmp.Or(g.Title, g.Name)}
		for _, name := range g.Antigens {
			v.add(antigen(name))
		}
		return v
	}
	if names == nil {
		for i := range s.Groups {
			if v := ofGroup(&s.Groups[i]); v.Doses > 0 {
				all = append(all, v)
			}
		}
		return all, nil
	}
	for _, name := range names {
		v := &Vaccine{}
		if i := slices.IndexFunc(s.Antigens, func(a schedule.Antigen) bool { return search.Fold(a.Name) == search.Fold(name) }); i >= 0 {
			v = &Vaccine{Name: s.Antigens[i].Name, Title: cmp.Or(s.Antigens[i].Title, s.Antigens[i].Name)}
			v.add(&s.Antigens[i])
		} else if g := groupNamed(s, name); g != nil {
			v = ofGroup(g)
		} else {
			return nil, unknownVaccine(s, name)
		}
		if v.Doses == 0 {
			return nil, fhir.Errorf(fhir.Invalid, "this vaccine is not counted: no dose of it is for all of a cohort at some age").With("%.50q", name).At("vaccine")
		}
		all = append(all, v)
	}
	return all, nil
}

// add adds an antigen, nil for none.
func (v *Vaccine) add(a *schedule.Antigen) {
	if a == nil {
		return
	}
	v.antigens = append(v.antigens, a)
	for i := range a.Series {
		// Each series that somebody is counted by is so for those at the bounds of its cohort.
		for _, born := range []schedule.Date{a.Series[i].BornFrom, a.Series[i].BornTo} {
			if s := routineFor(a, max(1, born)); s != nil {
				v.Doses = max(v.Doses, aged(s))
			}
		}
	}
}

// routine reports whether a series is one that everybody begins as a child.
func routine(s *schedule.Series) bool {
	return s.Type == schedule.Standard && !s.FromAge.Set && len(s.Sex) == 0 && len(s.Doses) > 0 && s.Doses[0].Season == (schedule.Season{}) && aged(s) > 0
}

// aged is how many doses of a series everybody should have had at some age.
func aged(s *schedule.Series) int {
	for i := range s.Doses {
		if d := &s.Doses[i]; d.Recurring || !lateAge(d).Set {
			return i
		}
	}
	return len(s.Doses)
}

// lateAge is the age from which a dose is overdue; not set where no age is recommended.
func lateAge(d *schedule.TargetDose) schedule.Period {
	for _, a := range d.Ages {
		switch {
		case a.LatestRecommended.Set:
			return a.LatestRecommended
		case a.EarliestRecommended.Set:
			return schedule.Period{Months: a.EarliestRecommended.Months + 1, Days: a.EarliestRecommended.Days, Set: true}
		}
	}
	return schedule.Period{}
}

// routineFor is the series that those born on a day are counted by; nil for none.
func routineFor(a *schedule.Antigen, born schedule.Date) (found *schedule.Series) {
	for i := range a.Series {
		s := &a.Series[i]
		if !routine(s) || !s.BornFrom.IsZero() && born < s.BornFrom || !s.BornTo.IsZero() && born > s.BornTo {
			continue
		}
		if found == nil || s.Select.Default && !found.Select.Default {
			found = s
		}
	}
	return found
}

// targetsOf lists the doses of vaccines. zero names the antigen of which a person without
// any dose is a zero-dose child: the first of diphtheria, tetanus and pertussis.
func targetsOf(all []*Vaccine) (targets []target) {
	for _, v := range all {
		first := len(targets)
		for n := 1; n <= v.Doses; n++ {
			zero := n == 1 && slices.ContainsFunc(v.antigens, func(a *schedule.Antigen) bool { return a.Name == "Pertussis" })
			targets = append(targets, target{vaccine: v, number: n, started: first, zero: zero})
		}
	}
	return targets
}

// term says when a dose is overdue for those born on one day, and which antigens make it.
type term struct {
	late     schedule.Date // NoDate where the dose is not for them
	antigens []string
}

// termsOf returns the terms of targets for those born on a day.
func termsOf(targets []target, born schedule.Date) []term {
	terms := make([]term, len(targets))
	for i := range targets {
		t, n := &terms[i], targets[i].number
		for _, a := range targets[i].vaccine.antigens {
			if s := routineFor(a, born); s != nil && aged(s) >= n {
				t.late = max(t.late, born.Add(lateAge(&s.Doses[n-1])))
				t.antigens = append(t.antigens, a.Name)
			}
		}
	}
	return terms
}
