package immunization_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
)

// Chapter 7.4, table 7-10.
func TestForecastNeed(t *testing.T) {
	aged := standard(with(`"ages":[{"absMin":"6 weeks","min":"6 weeks","max":"8 months"}]`), with(`"ages":[{"max":"8 months"}],"intervals":[{"fromPrevious":true,"absMin":"4 weeks","min":"4 weeks"}]`))
	season := standard(with(`"season":{"start":"2020-07-01","end":"2021-06-30"}`))
	run(t, []rule{
		{name: "a dose is needed", series: aged, person: person{born: "2020-01-01"}, on: "2020-08-31", forecast: "Not Complete #1 2020-02-12 2020-02-12 - 2020-08-31"},
		{name: "past the maximum age", series: aged, person: person{born: "2020-01-01"}, on: "2020-09-01", forecast: "Aged Out"},
		{name: "cannot be finished in time", series: aged, person: person{born: "2020-01-01", doses: "01 2020-08-04"}, on: "2020-08-05", evaluations: "1 Valid", forecast: "Aged Out"},
		{name: "can be finished in time", series: aged, person: person{born: "2020-01-01", doses: "01 2020-08-03"}, on: "2020-08-05", evaluations: "1 Valid",
			forecast: "Not Complete #2 2020-08-31 2020-08-31 - 2020-08-31"},
		{name: "before the season", series: season, person: person{born: "2020-01-01"}, on: "2020-05-01", forecast: "Not Complete #1 2020-07-01 2020-07-01 - -"},
		{name: "the last day of the season", series: season, person: person{born: "2020-01-01"}, on: "2021-06-30", forecast: "Not Complete #1 2020-07-01 2020-07-01 - -"},
		{name: "after the season", series: season, person: person{born: "2020-01-01"}, on: "2021-07-01", forecast: "Not Recommended"},
	})
}

// A yearly season repeats by month and day, over New Year too.
func TestYearlySeason(t *testing.T) {
	winter := standard(with(`"season":{"start":"2000-10-15","end":"2001-03-31","yearly":true}`))
	year := standard(with(`"season":{"start":"2000-02-29","end":"2000-06-30","yearly":true}`))
	run(t, []rule{
		{name: "in its first part", series: winter, person: person{born: "2020-01-01"}, on: "2023-12-01", forecast: "Not Complete #1 2023-10-15 2023-10-15 - -"},
		{name: "in its second part", series: winter, person: person{born: "2020-01-01"}, on: "2024-03-31", forecast: "Not Complete #1 2023-10-15 2023-10-15 - -"},
		{name: "between two", series: winter, person: person{born: "2020-01-01"}, on: "2024-04-01", forecast: "Not Complete #1 2024-10-15 2024-10-15 - -"},
		{name: "a day that the year lacks", series: year, person: person{born: "2020-01-01"}, on: "2023-01-01", forecast: "Not Complete #1 2023-03-01 2023-03-01 - -"},
	})
}

// Chapter 7.5, rules FORECASTDT-1 to FORECASTDT-6.
func TestForecastDates(t *testing.T) {
	ages := `"ages":[{"min":"2 months","earliestRec":"3 months","latestRec":"4 months","max":"1 year"}]`
	interval := `"intervals":[{"fromPrevious":true,"min":"4 weeks","earliestRec":"8 weeks","latestRec":"13 weeks"}]`
	run(t, []rule{
		{name: "by age", series: standard(with(ages)), person: person{born: "2020-01-01"}, on: "2020-01-01", forecast: "Not Complete #1 2020-03-01 2020-04-01 2020-04-30 2020-12-31"},
		{name: "by interval", series: standard(with(""), with(interval)), person: person{born: "2020-01-01", doses: "01 2020-02-01"}, on: "2020-02-01",
			evaluations: "1 Valid", forecast: "Not Complete #2 2020-02-29 2020-03-28 2020-05-01 -"},
		{name: "the age goes before the interval", series: standard(with(""), with(ages+","+interval)), person: person{born: "2020-01-01", doses: "01 2020-02-01"}, on: "2020-02-01",
			evaluations: "1 Valid", forecast: "Not Complete #2 2020-03-01 2020-04-01 2020-04-30 2020-12-31"},
		{name: "late: no date is before the earliest one", series: standard(with(""), with(ages+","+interval)), person: person{born: "2020-01-01", doses: "01 2020-08-01"}, on: "2020-08-01",
			evaluations: "1 Valid", forecast: "Not Complete #2 2020-08-29 2020-08-29 2020-08-29 2020-12-31"},
		{name: "the latest of several intervals", series: standard(with(""), with(""), with(`"intervals":[{"fromPrevious":true,"min":"8 weeks"},{"fromTargetDose":1,"min":"16 weeks"}]`)),
			person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-03-01"}, on: "2020-03-01",
			evaluations: "1 Valid, 2 Valid", forecast: "Not Complete #3 2020-05-23 2020-05-23 - -"},
		{name: "not before the last dose", series: standard(with(`"ages":[{"absMin":"6 weeks","min":"6 weeks","max":"1 year"}]`)), person: person{born: "2020-01-01", doses: "03 2020-06-01"}, on: "2020-07-01",
			evaluations: "1 Not Valid (wrong vaccine)", forecast: "Not Complete #1 2020-06-01 2020-06-01 - 2020-12-31"},
	})
}

// Chapters 7.2 and 7.3.
func TestImmunityAndContraindications(t *testing.T) {
	s := world(t, standard(`{"preferable":[{"cvx":"01","forecast":true},{"cvx":"02","forecast":true}]}`))
	more := read(t, `{"antigens":[{"name":"A","immunity":{"history":["020"],"births":[{"before":"1957-01-01","except":["055"]},{"before":"1990-01-01","country":"U.S."}]},
		"contraindications":[{"observation":"080","beginAge":"1 year","endAge":"60 years"},{"observation":"081","vaccines":[{"cvx":"01"}]},{"observation":"082","vaccines":[{"cvx":"02","endAge":"50 years"}]}]}]}`).Antigens[0]
	s.Antigens[0].Immunity, s.Antigens[0].Against = more.Immunity, more.Against
	e, err := immunization.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ name, born, observations, on, status, cvx string }{
		{"neither", "1980-01-01", "", "2020-01-01", "Not Complete", "[01 02]"},
		{"illness had", "1980-01-01", "020 2000-01-01", "2020-01-01", "Immune", "[]"},
		{"illness to come", "1980-01-01", "020 2020-01-02", "2020-01-01", "Not Complete", "[01 02]"},
		{"born before", "1956-12-31", "", "2020-01-01", "Immune", "[]"},
		{"born on the day", "1957-01-01", "", "2020-01-01", "Not Complete", "[01 02]"},
		{"born before, with an exception", "1956-12-31", "055", "2020-01-01", "Not Complete", "[01 02]"},
		{"contraindicated", "1980-01-01", "080", "2020-01-01", "Contraindicated", "[]"},
		{"no longer contraindicated", "1960-01-01", "080", "2020-01-01", "Not Complete", "[01 02]"},
		{"not yet contraindicated", "2019-01-02", "080", "2020-01-01", "Not Complete", "[01 02]"},
		{"one vaccine", "1980-01-01", "081", "2020-01-01", "Not Complete", "[02]"},
		{"every vaccine", "1980-01-01", "081, 082", "2020-01-01", "Contraindicated", "[]"},
		{"one vaccine at this age", "1970-01-01", "081, 082", "2020-01-01", "Not Complete", "[02]"},
	} {
		f := e.Assess(person{born: r.born, observations: r.observations}.history(t), on(t, r.on)).Forecasts[0]
		if string(f.Status) != r.status || text(f.CVX) != r.cvx {
			t.Errorf("%s: %s %s, want %s %s", r.name, f.Status, text(f.CVX), r.status, r.cvx)
		}
	}
}

// FORECASTRECVAC-1.
func TestRecommendedVaccines(t *testing.T) {
	flagged := `{"ages":[{"min":"2 months"}],"preferable":[{"cvx":"02","forecast":true,"beginAge":"2 months"},{"cvx":"01","forecast":true,"endAge":"2 months"},{"cvx":"03"}]}`
	plain := `{"preferable":[{"cvx":"02"},{"cvx":"01","beginAge":"1 year"}]}`
	for _, r := range []struct{ name, dose, group, want string }{
		{"flagged, of the age", flagged, "", "[02]"},
		{"none is flagged: the vaccine of the group", plain, "33", "[33]"},
		{"none is flagged: the preferable ones", plain, "", "[02]"},
	} {
		s := world(t, standard(r.dose))
		s.Groups[0].CVX = r.group
		e, err := immunization.New(s)
		if err != nil {
			t.Fatal(err)
		}
		f := e.Assess(person{born: "2020-01-01"}.history(t), on(t, "2020-06-01")).Forecasts[0]
		if text(f.CVX) != r.want {
			t.Errorf("%s: %s, want %s", r.name, text(f.CVX), r.want)
		}
	}
}
