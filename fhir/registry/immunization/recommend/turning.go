package recommend

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// turning holds the days at which a schedule may say something else of a person though
// nothing new is known: ages, times after a dose or an observation, days of the calendar.
type turning struct {
	ages   []schedule.Period
	after  []schedule.Period // after a dose or observation
	days   []schedule.Date   // ascending
	yearly []schedule.Date   // of which month and day count, each year
}

// longest is after how many days an assessment is made again at the latest.
const longest = 366

// turningOf collects them from all rules.
func turningOf(s *schedule.Schedule) *turning {
	t := &turning{}
	for i := range s.Antigens {
		a := &s.Antigens[i]
		for _, c := range a.Against {
			t.ageRange(c.Begin, c.End)
			t.products(c.Vaccines)
		}
		for j := range a.Series {
			t.series(&a.Series[j])
		}
	}
	for _, v := range s.Vaccines {
		for _, h := range v.Antigens {
			t.ageRange(h.Begin, h.End)
		}
	}
	for _, c := range s.Live {
		t.after = append(t.after, c.Begin, c.MinEnd, c.End)
	}
	t.ages, t.after = distinct(t.ages), distinct(t.after)
	slices.Sort(t.days)
	t.days = slices.Compact(t.days)
	return t
}

func distinct(all []schedule.Period) []schedule.Period {
	slices.SortFunc(all, func(a, b schedule.Period) int {
		return cmp.Or(cmp.Compare(a.Months, b.Months), cmp.Compare(a.Days, b.Days))
	})
	return slices.DeleteFunc(slices.Compact(all), func(p schedule.Period) bool { return !p.Set })
}

func (t *turning) ageRange(all ...schedule.Period) { t.ages = append(t.ages, all...) }

func (t *turning) products(all []schedule.Product) {
	for i := range all {
		t.ageRange(all[i].Begin, all[i].End)
	}
}

func (t *turning) day(all ...schedule.Date) {
	for _, d := range all {
		if !d.IsZero() {
			t.days = append(t.days, d, d+1)
		}
	}
}

func (t *turning) series(s *schedule.Series) {
	t.ageRange(s.Select.MinAgeToStart, s.Select.MaxAgeToStart, s.FromAge, s.ToAge)
	for _, i := range s.Indications {
		t.ageRange(i.Begin, i.End)
	}
	for i := range s.Doses {
		t.dose(&s.Doses[i])
	}
}

func (t *turning) dose(d *schedule.TargetDose) {
	for _, a := range d.Ages {
		t.ageRange(a.AbsoluteMin, a.Min, a.EarliestRecommended, a.LatestRecommended, a.Max)
		t.day(a.Effective, a.Cessation)
	}
	for _, list := range [][]schedule.Interval{d.Intervals, d.Allowable} {
		for _, v := range list {
			t.after = append(t.after, v.AbsoluteMin, v.Min, v.EarliestRecommended, v.LatestRecommended)
			t.day(v.Effective, v.Cessation)
		}
	}
	t.products(d.Preferable)
	t.products(d.Acceptable)
	for _, s := range d.Skips {
		for _, set := range s.Sets {
			t.day(set.Effective, set.Cessation)
			for _, c := range set.Conditions {
				t.day(c.Start, c.End)
				t.ageRange(c.BeginAge, c.EndAge)
				t.after = append(t.after, c.Interval)
			}
		}
	}
	for _, day := range []schedule.Date{d.Season.Start, d.Season.End} {
		if d.Season.Yearly && !day.IsZero() {
			t.yearly = append(t.yearly, day, day+1)
		} else {
			t.day(day)
		}
	}
}

// again returns the first day after on from which the assessment of h may be another,
// though h stays as it is; at most longest days later.
func (t *turning) again(h *immunization.History, a *immunization.Assessment) schedule.Date {
	on, next := a.On, a.On+longest
	consider := func(d schedule.Date) {
		if d > on && d < next {
			next = d
		}
	}
	after := func(from schedule.Date, periods []schedule.Period) {
		for _, p := range periods {
			if soonest, latest := bounds(from, p); latest >= on && soonest < next {
				d := from.Add(p)
				consider(d)
				consider(d + 1)
			}
		}
	}
	after(h.Born, t.ages)
	for i := range h.Doses {
		consider(h.Doses[i].Date)
		after(h.Doses[i].Date, t.after)
	}
	for _, o := range h.Observations {
		consider(o.Date)
		if !o.Date.IsZero() {
			after(o.Date, t.after)
		}
		if !o.End.IsZero() {
			consider(o.End)
			consider(o.End + 1)
		}
	}
	for i := range a.Forecasts {
		for _, d := range []schedule.Date{a.Forecasts[i].Earliest, a.Forecasts[i].Recommended, a.Forecasts[i].PastDue, a.Forecasts[i].Latest} {
			if !d.IsZero() {
				consider(d)
				consider(d + 1)
			}
		}
	}
	t.calendar(on, consider)
	return next
}

// bounds returns days between which from.Add(p) lies, without looking at the calendar.
func bounds(from schedule.Date, p schedule.Period) (soonest, latest schedule.Date) {
	day := from + schedule.Date(p.Days)
	return day + schedule.Date(28*p.Months), day + schedule.Date(31*p.Months+31)
}

// calendar considers fixed days and those of each year.
func (t *turning) calendar(on schedule.Date, consider func(schedule.Date)) {
	if i, _ := slices.BinarySearch(t.days, on+1); i < len(t.days) {
		consider(t.days[i])
	}
	if len(t.yearly) == 0 {
		return
	}
	year := on.Time().Year()
	for _, d := range t.yearly {
		at := d.Time()
		consider(schedule.Day(year, at.Month(), at.Day()))
		consider(schedule.Day(year+1, at.Month(), at.Day()))
	}
}
