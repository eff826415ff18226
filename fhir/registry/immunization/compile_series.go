package immunization

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// fillAntigens compiles each antigen with its series.
func (c *compiler) fillAntigens() error {
	for i := range c.s.Antigens {
		def, a := &c.s.Antigens[i], &c.p.antigens[i]
		a.def = def
		c.immunity(def, a)
		for j := range def.Against {
			c.contraindication(&def.Against[j], a)
		}
		for j := range def.Series {
			s, err := c.series(&def.Series[j], i, j)
			if err != nil {
				return fmt.Errorf("antigen %q, series %q: %w", def.Name, def.Series[j].Name, err)
			}
			a.series = append(a.series, s)
		}
		slices.SortStableFunc(a.series, func(x, y series) int { return asksForOthers(&x) - asksForOthers(&y) })
	}
	return nil
}

// asksForOthers returns 1 when a dose of s is skipped after another series is complete.
func asksForOthers(s *series) int {
	asks := 0
	for i := range s.def.Doses {
		eachCondition(&s.def.Doses[i], func(q *schedule.Condition) {
			if q.Type == schedule.CompletedSeries {
				asks = 1
			}
		})
	}
	return asks
}

func (c *compiler) immunity(def *schedule.Antigen, a *antigen) {
	for _, code := range def.Immunity.History {
		a.immunity.history = append(a.immunity.history, c.observation(code))
	}
	for _, b := range def.Immunity.Births {
		r := birthRule{before: b.Before, country: b.Country}
		for _, code := range b.Except {
			r.except = append(r.except, c.observation(code))
		}
		a.immunity.births = append(a.immunity.births, r)
	}
}

func (c *compiler) contraindication(def *schedule.Contraindication, a *antigen) {
	k := contraindication{obs: c.observation(def.Observation), begin: c.age(def.Begin), end: c.age(def.End)}
	for _, v := range def.Vaccines {
		k.vaccines = append(k.vaccines, contraindicated{vaccine: c.p.byCVX[v.CVX], begin: c.age(v.Begin), end: c.age(v.End)})
	}
	if k.vaccines == nil {
		a.against = append(a.against, k)
	} else {
		a.vaccines = append(a.vaccines, k)
	}
}

// sexes maps the required genders of CDSi. A history has no gender other than these, so
// what else is required is met by nobody.
var sexes = map[string]Sex{"Unknown": SexUnknown, "Female": Female, "Male": Male}

// series compiles one antigen series, the rank-th of its antigen.
// Errors: its group is not that of the antigen, its type is unknown, or a dose is wrong.
func (c *compiler) series(def *schedule.Series, antigen, rank int) (series, error) {
	s := series{def: def, antigen: antigen, rank: rank,
		minToStart: c.age(def.Select.MinAgeToStart), maxToStart: c.age(def.Select.MaxAgeToStart),
		fromAge: c.age(def.FromAge), toAge: c.age(def.ToAge)}
	var ok bool
	if s.group, ok = c.group[def.Group]; !ok {
		return s, fmt.Errorf("%q is no vaccine group of the schedule", def.Group)
	}
	if s.group != c.p.antigens[antigen].group {
		return s, fmt.Errorf("it is of the vaccine group %q, its antigen is not", def.Group)
	}
	switch def.Type {
	case schedule.Standard, schedule.Risk, schedule.EvaluationOnly:
	default:
		return s, fmt.Errorf("%q is no type of series", def.Type)
	}
	for _, name := range def.Sex {
		s.sexes |= 1 << 7 // somebody is asked for
		if sex, ok := sexes[name]; ok {
			s.sexes |= 1 << sex
		}
	}
	s.seriesGroup = c.seriesGroup(antigen, def.Select.SeriesGroup)
	for _, name := range def.Select.Equivalent {
		s.equivalent = append(s.equivalent, c.seriesGroup(antigen, name))
	}
	for _, i := range def.Indications {
		s.indications = append(s.indications, indication{obs: c.observation(i.Observation), begin: c.age(i.Begin), end: c.age(i.End)})
	}
	if len(def.Doses) == 0 {
		return s, fmt.Errorf("it has no doses")
	}
	for i := range def.Doses {
		d, err := c.dose(&def.Doses[i], antigen, len(def.Doses))
		if err != nil {
			return s, fmt.Errorf("dose %d: %w", i+1, err)
		}
		s.doses = append(s.doses, d)
	}
	return s, nil
}

// seriesGroup returns the number of a series group of an antigen.
func (c *compiler) seriesGroup(antigen int, name string) int {
	a := &c.p.antigens[antigen]
	n := slices.Index(a.groups, name)
	if n < 0 {
		n = len(a.groups)
		a.groups = append(a.groups, name)
	}
	return n
}

// dose compiles a target dose of a series of of doses.
func (c *compiler) dose(def *schedule.TargetDose, antigen, of int) (targetDose, error) {
	d := targetDose{recurring: def.Recurring, season: def.Season, inadvertent: c.setOf(def.Inadvertent)}
	for _, r := range def.Ages {
		d.ages = append(d.ages, ageRow{
			absMin: c.age(r.AbsoluteMin), min: c.age(r.Min), earliest: c.age(r.EarliestRecommended),
			latest: c.age(r.LatestRecommended), max: c.age(r.Max), effective: r.Effective, cessation: r.Cessation,
		})
	}
	var err error
	if d.intervals, err = c.intervals(def.Intervals, of); err != nil {
		return d, err
	}
	if d.allowable, err = c.intervals(def.Allowable, of); err != nil {
		return d, err
	}
	d.preferable, d.acceptable = c.products(def.Preferable), c.products(def.Acceptable)
	for i := range def.Skips {
		k, err := c.skip(&def.Skips[i], antigen)
		if err != nil {
			return d, fmt.Errorf("conditional skip %d: %w", i+1, err)
		}
		d.skips = append(d.skips, k)
	}
	return d, nil
}

func (c *compiler) products(list []schedule.Product) []product {
	var out []product
	for _, p := range list {
		out = append(out, product{vaccine: c.p.byCVX[p.CVX], mvx: p.MVX, begin: c.age(p.Begin), end: c.age(p.End), forecast: p.Forecast})
	}
	return out
}

// intervals compiles the intervals of a dose of a series of of doses.
func (c *compiler) intervals(list []schedule.Interval, of int) ([]interval, error) {
	var out []interval
	for n, i := range list {
		if i.FromTargetDose < 0 || i.FromTargetDose > of {
			return nil, fmt.Errorf("interval %d: the series has no target dose %d", n+1, i.FromTargetDose)
		}
		k := interval{
			fromPrevious: i.FromPrevious, fromTarget: i.FromTargetDose, fromRecent: c.setOf(i.FromMostRecent), fromObs: -1,
			absMin: i.AbsoluteMin, min: i.Min, earliest: i.EarliestRecommended, latest: i.LatestRecommended,
			override: i.Override, effective: i.Effective, cessation: i.Cessation,
		}
		if i.FromObservation != "" {
			k.fromObs = c.observation(i.FromObservation)
		}
		out = append(out, k)
	}
	return out, nil
}

func (c *compiler) skip(def *schedule.Skip, antigen int) (skip, error) {
	k := skip{any: def.Any}
	switch def.Context {
	case "Evaluation":
		k.evaluation = true
	case "Forecast":
		k.forecast = true
	case "Both":
		k.evaluation, k.forecast = true, true
	default:
		return k, fmt.Errorf("%q is no context", def.Context)
	}
	for i := range def.Sets {
		s := skipSet{any: def.Sets[i].Any, text: def.Sets[i].Text, effective: def.Sets[i].Effective, cessation: def.Sets[i].Cessation}
		for j := range def.Sets[i].Conditions {
			q, err := c.condition(&def.Sets[i].Conditions[j], antigen)
			if err != nil {
				return k, fmt.Errorf("set %d, condition %d: %w", i+1, j+1, err)
			}
			s.conditions = append(s.conditions, q)
		}
		k.sets = append(k.sets, s)
	}
	return k, nil
}

func (c *compiler) condition(def *schedule.Condition, antigen int) (condition, error) {
	q := condition{
		start: def.Start, end: def.End, beginAge: c.age(def.BeginAge), endAge: c.age(def.EndAge),
		interval: def.Interval, count: def.Count, valid: def.Valid, vaccines: c.setOf(def.CVX),
	}
	switch def.Type {
	case schedule.ByAge:
		q.kind = byAge
	case schedule.ByInterval:
		q.kind = byInterval
	case schedule.ByCountAge, schedule.ByCountDate:
		q.kind = byCount
	case schedule.CompletedSeries:
		q.kind = byCompletedSeries
	default:
		return q, fmt.Errorf("%q is no type of condition", def.Type)
	}
	for _, name := range def.Groups {
		q.groups = append(q.groups, c.seriesGroup(antigen, name))
	}
	switch logic := strings.ToLower(def.Logic); logic {
	case "greater than", "":
		q.logic = moreThan
	case "equal to", "equal":
		q.logic = exactly
	case "less than":
		q.logic = fewerThan
	default:
		return q, fmt.Errorf("%q is no comparison of counts", logic)
	}
	return q, nil
}
