package schedule

import (
	"fmt"
	"slices"
)

// antigenOf checks an antigen.
func (c *checker) antigenOf(a *Antigen) {
	c.in(fmt.Sprintf("antigen %q", a.Name), func() {
		if c.group[a.Name] == "" {
			c.fail("it is in no vaccine group")
		}
		for _, o := range a.Immunity.History {
			c.observed(o)
		}
		for _, b := range a.Immunity.Births {
			for _, o := range b.Except {
				c.observed(o)
			}
		}
		for _, k := range a.Against {
			c.observed(k.Observation)
			c.ascending("contraindication "+k.Observation, named{"beginAge", k.Begin}, named{"endAge", k.End})
			for _, p := range k.Vaccines {
				c.known(p.CVX)
			}
		}
		if len(a.Series) == 0 {
			c.fail("it has no series")
		}
		names := map[string]bool{}
		for i := range a.Series {
			c.in(fmt.Sprintf("series %q", a.Series[i].Name), func() {
				if names[a.Series[i].Name] {
					c.fail("the name is used twice")
				}
				names[a.Series[i].Name] = true
				c.series(a, &a.Series[i])
			})
		}
		c.cohorts(a)
	})
}

func (c *checker) series(a *Antigen, s *Series) {
	switch {
	case s.Name == "":
		c.fail("it has no name")
	case s.Source == "":
		c.fail("it has no source")
	case s.Group != c.group[a.Name]:
		c.fail("it is of the vaccine group %q, its antigen of %q", s.Group, c.group[a.Name])
	}
	switch s.Type {
	case Risk:
		if len(s.Indications) == 0 {
			c.fail("it is for a risk and has no indications")
		}
	case Standard, EvaluationOnly:
		if len(s.Indications) > 0 {
			c.fail("it has indications and is not of the type Risk")
		}
	default:
		c.fail("%q is no type: it is Standard, Risk or Evaluation Only", s.Type)
	}
	for _, i := range s.Indications {
		c.observed(i.Observation)
		c.ascending("indication "+i.Observation, named{"beginAge", i.Begin}, named{"endAge", i.End})
	}
	for _, sex := range s.Sex {
		if !slices.Contains([]string{"Female", "Male", "Unknown", "Transgender"}, sex) {
			c.fail("%q is no sex: it is Female, Male, Unknown or Transgender", sex)
		}
	}
	if !s.BornFrom.IsZero() && !s.BornTo.IsZero() && s.BornTo < s.BornFrom {
		c.fail("the cohort ends on %s, before it begins on %s", s.BornTo, s.BornFrom)
	}
	c.ascending("the ages at which it is looked at", named{"fromAge", s.FromAge}, named{"toAge", s.ToAge})
	c.ascending("the ages to start", named{"minAgeToStart", s.Select.MinAgeToStart}, named{"maxAgeToStart", s.Select.MaxAgeToStart})
	if s.Select.SeriesGroup == "" {
		c.fail("it has no seriesGroup")
	}
	if len(s.Doses) == 0 {
		c.fail("it has no doses")
	}
	for i := range s.Doses {
		c.in(fmt.Sprintf("dose %d", i+1), func() { c.dose(a, s, i) })
	}
}

// dose checks a target dose.
func (c *checker) dose(a *Antigen, s *Series, n int) {
	d := &s.Doses[n]
	if d.Recurring && n != len(s.Doses)-1 {
		c.fail("it recurs, so that no dose after it is ever reached")
	}
	for i, r := range d.Ages {
		c.ascending("the ages", named{"absMin", r.AbsoluteMin}, named{"min", r.Min}, named{"earliestRec", r.EarliestRecommended}, named{"latestRec", r.LatestRecommended}, named{"max", r.Max})
		if r.Min.Set && r.Max.Set && r.Min.length() == r.Max.length() {
			c.fail("the ages: min %s is not less than max %s", r.Min, r.Max)
		}
		for _, o := range d.Ages[:i] {
			if overlap(r.Effective, r.Cessation, o.Effective, o.Cessation) {
				c.fail("two rows of ages hold on the same day")
			}
		}
	}
	for _, list := range [][]Interval{d.Intervals, d.Allowable} {
		for i := range list {
			c.interval(&list[i], n)
		}
	}
	if len(d.Preferable) == 0 {
		c.fail("it names no vaccine to give")
	}
	for _, list := range [][]Product{d.Preferable, d.Acceptable} {
		for _, p := range list {
			if c.known(p.CVX) && !slices.ContainsFunc(c.vaccine[p.CVX].Antigens, func(h Holds) bool { return h.Antigen == a.Name }) {
				c.fail("the vaccine %s does not hold %q", p.CVX, a.Name)
			}
			c.ascending("the ages of the vaccine "+p.CVX, named{"beginAge", p.Begin}, named{"endAge", p.End})
		}
	}
	for _, cvx := range d.Inadvertent {
		c.known(cvx)
	}
	if d.Season.Start.IsZero() != d.Season.End.IsZero() {
		c.fail("the season needs a start and an end")
	}
	for i := range d.Skips {
		c.skip(&d.Skips[i])
	}
}

func (c *checker) interval(k *Interval, n int) {
	from := 0
	for _, set := range []bool{k.FromPrevious, k.FromTargetDose != 0, len(k.FromMostRecent) > 0, k.FromObservation != ""} {
		if set {
			from++
		}
	}
	if from != 1 {
		c.fail("an interval is counted from one of fromPrevious, fromTargetDose, fromMostRecent and fromObservation, not from %d", from)
	}
	if k.FromTargetDose < 0 || k.FromTargetDose > n {
		c.fail("an interval from target dose %d, which is none before it", k.FromTargetDose)
	}
	for _, cvx := range k.FromMostRecent {
		c.known(cvx)
	}
	if k.FromObservation != "" {
		c.observed(k.FromObservation)
	}
	c.ascending("an interval", named{"absMin", k.AbsoluteMin}, named{"min", k.Min}, named{"earliestRec", k.EarliestRecommended}, named{"latestRec", k.LatestRecommended})
}

func (c *checker) skip(k *Skip) {
	if !slices.Contains([]string{"Evaluation", "Forecast", "Both"}, k.Context) {
		c.fail("a skip of no context %q: it is Evaluation, Forecast or Both", k.Context)
	}
	if len(k.Sets) == 0 {
		c.fail("a skip without sets of conditions")
	}
	for _, set := range k.Sets {
		if len(set.Conditions) == 0 {
			c.fail("a skip with a set without conditions")
		}
		for _, q := range set.Conditions {
			switch q.Type {
			case ByAge, ByInterval, ByCountAge, ByCountDate, CompletedSeries:
			default:
				c.fail("a skip with a condition of no type %q", q.Type)
			}
			if counts := q.Type == ByCountAge || q.Type == ByCountDate; counts && !slices.Contains([]string{"greater than", "equal to", "less than"}, q.Logic) {
				c.fail("a skip that counts needs logic: greater than, equal to or less than, not %q", q.Logic)
			}
			c.ascending("a skip", named{"beginAge", q.BeginAge}, named{"endAge", q.EndAge})
			for _, cvx := range q.CVX {
				c.known(cvx)
			}
		}
	}
}

// cohorts reports series of one kind and group for cohorts that share some births and
// not others: one of them was meant to begin where the other ends.
func (c *checker) cohorts(a *Antigen) {
	for i := range a.Series {
		for j := range i {
			s, o := &a.Series[i], &a.Series[j]
			if s.Type != o.Type || s.Select.SeriesGroup != o.Select.SeriesGroup || s.BornFrom == o.BornFrom && s.BornTo == o.BornTo {
				continue
			}
			bounded := !(s.BornFrom.IsZero() && s.BornTo.IsZero()) && !(o.BornFrom.IsZero() && o.BornTo.IsZero())
			if bounded && overlap(s.BornFrom, s.BornTo, o.BornFrom, o.BornTo) {
				c.fail("the cohorts of the series %q and %q overlap", o.Name, s.Name)
			}
		}
	}
}

// overlap reports whether two spans of days share one; NoDate is no bound.
func overlap(from, to, otherFrom, otherTo Date) bool {
	return (to.IsZero() || otherFrom <= to) && (otherTo.IsZero() || from <= otherTo)
}
