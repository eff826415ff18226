package cdsi

import (
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// antigen converts an antigen.
func (c *converter) antigen(d *antigenData) schedule.Antigen {
	a := schedule.Antigen{Name: strings.TrimSpace(d.Name), Title: strings.TrimSpace(d.Name)}
	if key(a.Name) == "" {
		c.fail("targetDisease", d.Name, fmt.Errorf("it is missing"))
	}
	for _, h := range d.Immunity.History {
		a.Immunity.History = append(a.Immunity.History, given(h.Code))
	}
	for _, b := range d.Immunity.Births {
		r := schedule.BirthRule{Before: c.date("immunityBirthDate", b.Before), Country: given(b.Country)}
		for _, x := range b.Exclusion {
			r.Except = append(r.Except, given(x.Code))
		}
		a.Immunity.Births = append(a.Immunity.Births, r)
	}
	c.in("contraindication", func() {
		for _, list := range [][]contraindicationData{d.Contraindications.Group, d.Contraindications.Vaccine} {
			for _, k := range list {
				if given(k.Observation) != "" {
					a.Against = append(a.Against, schedule.Contraindication{
						Observation: given(k.Observation), Text: strings.TrimSpace(k.Text),
						Begin: c.period("beginAge", k.Begin), End: c.period("endAge", k.End), Vaccines: c.products(k.Vaccines),
					})
				}
			}
		}
	})
	for i := range d.Series {
		c.in(fmt.Sprintf("series %.80q", d.Series[i].Name), func() { a.Series = append(a.Series, c.series(&d.Series[i])) })
	}
	return a
}

// series converts an antigen series.
func (c *converter) series(d *seriesData) schedule.Series {
	s := schedule.Series{
		Name: strings.TrimSpace(d.Name), Group: strings.TrimSpace(d.Group), Type: schedule.SeriesType(strings.TrimSpace(d.Type)),
		Select: schedule.Select{
			Default: isYes(d.Select.Default), ProductPath: isYes(d.Select.ProductPath),
			SeriesGroup: given(d.Select.Group), GroupName: given(d.Select.GroupName), Equivalent: list(d.Equivalent),
			Priority: given(d.Select.Priority), Preference: c.number("seriesPreference", d.Select.Preference),
			MinAgeToStart: c.period("minAgeToStart", d.Select.MinAge), MaxAgeToStart: c.period("maxAgeToStart", d.Select.MaxAge),
		},
	}
	if key(s.Group) == "" {
		c.fail("vaccineGroup", d.Group, fmt.Errorf("it is missing"))
	}
	switch s.Type {
	case schedule.Standard, schedule.Risk, schedule.EvaluationOnly:
	default:
		c.fail("seriesType", d.Type, fmt.Errorf("it is none of Standard, Risk and Evaluation Only"))
	}
	for _, g := range d.Gender {
		if given(g) != "" {
			s.Sex = append(s.Sex, given(g))
		}
	}
	for _, i := range d.Indications {
		if given(i.Observation.Code) != "" {
			s.Indications = append(s.Indications, schedule.Indication{
				Observation: given(i.Observation.Code), Text: strings.TrimSpace(i.Text),
				Begin: c.period("indication/beginAge", i.Begin), End: c.period("indication/endAge", i.End),
			})
		}
	}
	for i := range d.Doses {
		c.in(d.Doses[i].Number, func() { s.Doses = append(s.Doses, c.dose(&d.Doses[i])) })
	}
	return s
}

// dose converts a target dose.
func (c *converter) dose(d *doseData) schedule.TargetDose {
	t := schedule.TargetDose{
		Intervals: c.intervals("interval", d.Intervals), Allowable: c.intervals("allowableInterval", d.Allowable),
		Preferable: c.products(d.Preferable), Acceptable: c.products(d.Acceptable),
		Recurring: isYes(d.Recurring),
		Season: schedule.Season{
			Start: c.date("seasonalRecommendation/startDate", d.Season.Start),
			End:   c.date("seasonalRecommendation/endDate", d.Season.End),
		},
	}
	for _, r := range d.Ages {
		if r != (ageData{}) {
			t.Ages = append(t.Ages, schedule.Age{
				AbsoluteMin: c.period("absMinAge", r.AbsoluteMin), Min: c.period("minAge", r.Min),
				EarliestRecommended: c.period("earliestRecAge", r.Earliest), LatestRecommended: c.period("latestRecAge", r.Latest),
				Max:       c.period("maxAge", r.Max),
				Effective: c.date("age/effectiveDate", r.Effective), Cessation: c.date("age/cessationDate", r.Cessation),
			})
		}
	}
	for _, p := range c.products(d.Inadvertent) {
		t.Inadvertent = append(t.Inadvertent, p.CVX)
	}
	for i := range d.Skips {
		if given(d.Skips[i].Context) != "" {
			t.Skips = append(t.Skips, c.skip(&d.Skips[i]))
		}
	}
	return t
}

// intervals converts intervals; those that say nothing are left out.
func (c *converter) intervals(element string, list []intervalData) []schedule.Interval {
	var out []schedule.Interval
	c.in(element, func() {
		for _, d := range list {
			k := schedule.Interval{
				FromPrevious: isYes(d.FromPrevious), FromTargetDose: c.number("fromTargetDose", d.FromTargetDose),
				FromMostRecent: c.codes("fromMostRecent", d.FromMostRecent), FromObservation: given(d.FromObs.Code),
				AbsoluteMin: c.period("absMinInt", d.AbsoluteMin), Min: c.period("minInt", d.Min),
				EarliestRecommended: c.period("earliestRecInt", d.Earliest), LatestRecommended: c.period("latestRecInt", d.Latest),
				Override:  strings.EqualFold(given(d.Priority), "override") || isYes(d.Priority),
				Effective: c.date("effectiveDate", d.Effective), Cessation: c.date("cessationDate", d.Cessation),
			}
			if k.FromPrevious || k.FromTargetDose > 0 || k.FromMostRecent != nil || k.FromObservation != "" {
				out = append(out, k)
			}
		}
	})
	return out
}

// products converts vaccines; those without CVX code stand for none and are left out.
func (c *converter) products(list []productData) []schedule.Product {
	var out []schedule.Product
	for _, d := range list {
		if given(d.CVX) != "" {
			out = append(out, schedule.Product{
				CVX: c.cvx("cvx", d.CVX), MVX: given(d.MVX), Trade: given(d.Trade),
				Begin: c.period("beginAge", d.Begin), End: c.period("endAge", d.End),
				Volume: given(d.Volume), Forecast: isYes(d.Forecast),
			})
		}
	}
	return out
}

// skip converts a conditional skip.
func (c *converter) skip(d *skipData) schedule.Skip {
	k := schedule.Skip{Context: given(d.Context), Any: strings.EqualFold(given(d.Logic), "or")}
	switch k.Context {
	case "Evaluation", "Forecast", "Both":
	default:
		c.fail("conditionalSkip/context", d.Context, fmt.Errorf("it is none of Evaluation, Forecast and Both"))
	}
	for _, set := range d.Sets {
		s := schedule.SkipSet{
			Any: strings.EqualFold(given(set.Logic), "or"), Text: strings.TrimSpace(set.Text),
			Effective: c.date("set/effectiveDate", set.Effective), Cessation: c.date("set/cessationDate", set.Cessation),
		}
		for i := range set.Conditions {
			s.Conditions = append(s.Conditions, c.condition(&set.Conditions[i]))
		}
		k.Sets = append(k.Sets, s)
	}
	return k
}

// conditions are the types of conditions by their names in small letters.
var conditions = map[string]schedule.ConditionType{
	"age": schedule.ByAge, "interval": schedule.ByInterval, "completed series": schedule.CompletedSeries,
	"vaccine count by age": schedule.ByCountAge, "vaccine count by date": schedule.ByCountDate,
	"vaccine count by date and age": schedule.ByCountAge, "vaccine count by age and date": schedule.ByCountAge,
}

// condition converts a condition of a skip. Both kinds of counts look at ages and dates.
func (c *converter) condition(d *conditionData) schedule.Condition {
	q := schedule.Condition{
		Type:  conditions[strings.ToLower(given(d.Type))],
		Start: c.date("condition/startDate", d.Start), End: c.date("condition/endDate", d.End),
		BeginAge: c.period("condition/beginAge", d.BeginAge), EndAge: c.period("condition/endAge", d.EndAge),
		Interval: c.period("condition/interval", d.Interval), Count: c.number("doseCount", d.Count),
		Logic: strings.ToLower(given(d.Logic)), Valid: strings.EqualFold(given(d.DoseType), "valid"),
		CVX: c.codes("vaccineTypes", d.Vaccines), Groups: list(d.Groups),
	}
	if q.Type == "" {
		c.fail("conditionType", d.Type, fmt.Errorf("it is unknown"))
	}
	return q
}
