package campaign

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

var coverageParams = []string{"date", "born-from", "born-until", "by", "vaccine", "sex", "facility", "municipality", "state", "denominator"}

// mostCohorts bounds how many years of birth one report goes over.
const mostCohorts = 20

// coverage answers $immunization-coverage.
func (d *Desk) coverage(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	r, err := d.report(ctx, call)
	if err != nil {
		return nil, err
	}
	if call.Media == mediaCSV {
		return &operation.Answer{Media: mediaCSV, Raw: r.csv()}, nil
	}
	return &operation.Answer{JSON: r.measureReport()}, nil
}

// report counts what a call asks for.
func (d *Desk) report(ctx context.Context, call *operation.Call) (*Report, error) {
	f := formOf(call, coverageParams...)
	a := Asked{Statistic: !runs(&call.Caller)}
	today := d.today()
	a.On = f.date("date", today)
	if a.Statistic && !f.given("date") {
		a.On = monthEnd(today)
	}
	year := a.On.Time().Year()
	a.From, a.To = f.span("born-from", false, schedule.Day(year-5, time.January, 1)), f.span("born-until", true, a.On)
	a.By, a.Vaccines = f.list("by", len(dimensions)), f.list("vaccine", 30)
	a.Sex = uint8(max(0, slices.Index(sexes, f.one("sex", "", "female", "male"))))
	a.Population = f.one("denominator", "registered", "population") == "population"
	a.check(f, today)
	if f.err != nil {
		return nil, f.err
	}
	var err error
	if a.area, err = d.areaOf(ctx, f, !a.Statistic); err != nil {
		return nil, err
	}
	restriction := call.Restriction
	if a.Statistic {
		restriction = search.Unrestricted // of figures that tell of nobody
	}
	return d.counted(ctx, a, restriction)
}

// counted counts, against a population where that is asked for, and hides what is to be.
func (d *Desk) counted(ctx context.Context, a Asked, restriction *search.Restriction) (*Report, error) {
	slices.SortFunc(a.By, func(x, y string) int { return slices.Index(dimensions, x) - slices.Index(dimensions, y) })
	r, err := d.count(ctx, a, restriction)
	if err != nil {
		return nil, err
	}
	if a.Population {
		if err := d.populate(ctx, r); err != nil {
			return nil, err
		}
	}
	r.hide()
	return r, nil
}

// given reports whether a parameter is there.
func (f *form) given(name string) bool { return len(f.call.In.All(name)) > 0 }

// check refuses what does not fit together.
func (a *Asked) check(f *form, today schedule.Date) {
	for _, by := range a.By {
		if !slices.Contains(dimensions, by) {
			f.fail("by", by, "is of year, month, state, municipality, facility, sex")
		}
	}
	fine := slices.Contains(a.By, byMonth) || slices.Contains(a.By, byFacility)
	switch {
	case a.On > today:
		f.fail("date", a.On.String(), "is a day that has come: nobody knows what will be given")
	case a.To < a.From:
		f.fail("born-until", a.To.String(), "is before born-from")
	case a.To.Time().Year()-a.From.Time().Year() >= mostCohorts:
		f.fail("born-from", a.From.String(), "and born-until are of 20 years at most")
	case a.Statistic && a.On != monthEnd(a.On+1):
		f.fail("date", a.On.String(), "is the last day of a month, for whoever sees statistics alone: else two days would tell of one person")
	case a.Statistic && (fine || f.given("facility")):
		f.fail("by", "", "and facility do not split the population up by facility or month of birth for whoever sees statistics alone")
	case a.Statistic && (!yearBegins(a.From) || !yearBegins(a.To+1) && a.To != a.On):
		f.fail("born-from", a.From.String(), "and born-until are of whole years, for whoever sees statistics alone")
	case a.Population && (!yearBegins(a.From) || !yearBegins(a.To+1)):
		f.fail("denominator", "population", "is of whole years of birth: born-from and born-until must be")
	case a.Population && (fine || f.given("facility")):
		f.fail("denominator", "population", "is known of municipalities and years of birth, not of facilities and months")
	}
}

func yearBegins(d schedule.Date) bool { return d.Time().YearDay() == 1 }

// monthEnd is the last day of the month before that of a day.
func monthEnd(d schedule.Date) schedule.Date {
	t := d.Time()
	return schedule.Day(t.Year(), t.Month(), 1) - 1
}

// span reads the first or last day of a year, month or day.
func (f *form) span(name string, last bool, otherwise schedule.Date) schedule.Date {
	text := f.text(name)
	if text == "" {
		return otherwise
	}
	for _, layout := range []string{"2006", "2006-01", time.DateOnly} {
		t, err := time.Parse(layout, text)
		if err != nil || t.Year() < 1900 || t.Year() > 9000 {
			continue
		}
		switch {
		case last && len(layout) == 4:
			t = t.AddDate(1, 0, -1)
		case last && len(layout) == 7:
			t = t.AddDate(0, 1, -1)
		}
		return schedule.DateOf(t)
	}
	f.fail(name, text, "is a year, a month or a day of birth")
	return otherwise
}

// populationKind is of the entries that hold populations from elsewhere, by year of birth.
const populationKind = "immunization-population"

// populate adds the populations of the parts of a report.
func (d *Desk) populate(ctx context.Context, r *Report) error {
	years := map[int32]*Population{}
	for year := r.From.Time().Year(); year <= r.To.Time().Year(); year++ {
		e, err := d.Store.Entry(ctx, populationKind, strconv.Itoa(year))
		if fhir.CodeOf(err) == fhir.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		p, err := readPopulation(e.Value)
		if err != nil {
			return err
		}
		years[int32(year)] = p
	}
	ask := func(c *Cell) {
		c.Population = 0
		for year := int32(r.From.Time().Year()); year <= int32(r.To.Time().Year()); year++ {
			if slices.Contains(r.By, byYear) && c != r.Total && c.Key.Period != year {
				continue
			}
			n, ok := -1, false
			if p := years[year]; p != nil {
				n, ok = p.of(r, c)
			}
			if !ok {
				c.Population = -1
				return
			}
			c.Population += n
		}
	}
	for _, c := range r.Cells {
		ask(c)
	}
	ask(r.Total)
	return nil
}
