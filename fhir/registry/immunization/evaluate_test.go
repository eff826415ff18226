package immunization_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
)

// Chapter 4.2 and 6.1: what is evaluated at all.
func TestDosesThatAreNotEvaluated(t *testing.T) {
	run(t, []rule{
		{name: "a later dose is passed over", series: standard(with("")), person: person{born: "2020-01-01", doses: "01 2021-01-02"},
			on: "2021-01-01", forecast: "Not Complete #1 2020-01-01 2020-01-01 - -"},
		{name: "a bad dose does not count", series: standard(with("")), person: person{born: "2020-01-01", doses: "01/expired 2020-03-01"},
			on: "2021-01-01", evaluations: "1 Sub-standard (expired)", forecast: "Not Complete #1 2020-03-01 2020-03-01 - -"},
		{name: "a bad dose after the last one", series: standard(with("")), person: person{born: "2020-01-01", doses: "01 2020-03-01, 01/storage 2020-04-01"},
			on: "2021-01-01", evaluations: "1 Valid, 0 Sub-standard (storage)", forecast: "Complete"},
		{name: "more than the series needs", series: standard(with("")), person: person{born: "2020-01-01", doses: "01 2020-03-01, 01 2020-04-01"},
			on: "2021-01-01", evaluations: "1 Valid, 0 Extraneous (not needed)", forecast: "Complete"},
	})
	e, err := immunization.New(world(t, standard(with(""))))
	if err != nil {
		t.Fatal(err)
	}
	a := e.Assess(person{born: "2020-01-01", doses: "01 2019-12-31, 77 2020-02-01"}.history(t), on(t, "2021-01-01"))
	if got := evaluations(a, ""); got != "0 Not Valid (before birth), 0 Not Valid (unknown vaccine)" {
		t.Errorf("evaluations: %s", got)
	}
}

// Chapter 4.2: a vaccine that holds an antigen between two ages only.
func TestAgeDependentAssociation(t *testing.T) {
	s := world(t, standard(with("")))
	s.Vaccines[0].Antigens[0].Begin.Months, s.Vaccines[0].Antigens[0].Begin.Set = 12, true
	e, err := immunization.New(s)
	if err != nil {
		t.Fatal(err)
	}
	a := e.Assess(person{born: "2020-01-01", doses: "01 2020-12-31, 01 2021-01-01"}.history(t), on(t, "2021-06-01"))
	if got := evaluations(a, "A"); got != "1 Valid" {
		t.Errorf("evaluations: %s", got)
	}
	if got := evaluations(a, ""); got != "0 Extraneous (not needed)" {
		t.Errorf("evaluations of the dose without antigen: %s", got)
	}
}

const ages = `"ages":[{"absMin":"2 months - 4 days","min":"2 months","earliestRec":"2 months","latestRec":"3 months","max":"12 months"}]`

// Chapter 6.4, table 6-15.
func TestEvaluateAge(t *testing.T) {
	row := func(name, day, want string) rule {
		return rule{name: name, series: standard(with(ages)), person: person{born: "2020-01-10", doses: "01 " + day}, on: "2022-01-01", evaluations: want}
	}
	run(t, []rule{
		row("the day before the absolute minimum", "2020-03-05", "1 Not Valid (too young)"),
		row("the absolute minimum", "2020-03-06", "1 Valid"),
		row("the minimum", "2020-03-10", "1 Valid"),
		row("the day before the maximum", "2021-01-09", "1 Valid"),
		row("the maximum", "2021-01-10", "1 Extraneous (too old)"),
	})
	two := `"ages":[{"absMin":"1 month","cessation":"2020-06-30"},{"absMin":"6 months","effective":"2020-07-01"}]`
	run(t, []rule{ // 3.3: the row in force on the day of the dose
		{name: "the old row", series: standard(with(two)), person: person{born: "2020-05-01", doses: "01 2020-06-30"}, on: "2022-01-01", evaluations: "1 Valid"},
		{name: "the new row", series: standard(with(two)), person: person{born: "2020-05-01", doses: "01 2020-07-01"}, on: "2022-01-01", evaluations: "1 Not Valid (too young)"},
	})
}

// Chapter 6.3: an inadvertent dose does not count, and no interval is counted from it.
func TestInadvertentVaccine(t *testing.T) {
	run(t, []rule{{
		name:   "inadvertent",
		series: standard(with(""), `{"inadvertent":["02"],"preferable":[{"cvx":"01"}],"intervals":[{"fromPrevious":true,"absMin":"28 days","min":"28 days"}]}`),
		person: person{born: "2020-01-01", doses: "01 2020-02-01, 02 2020-02-28, 01 2020-02-29"}, on: "2021-01-01",
		evaluations: "1 Valid, 2 Not Valid (inadvertent administration), 2 Valid", forecast: "Complete",
	}})
}

// Chapters 6.5 and 6.6.
func TestEvaluateInterval(t *testing.T) {
	previous := `"intervals":[{"fromPrevious":true,"absMin":"28 days - 4 days","min":"28 days"}]`
	target := `"intervals":[{"fromPrevious":true,"absMin":"28 days","min":"28 days"},{"fromTargetDose":1,"absMin":"4 months","min":"4 months"}]`
	both := target + `,"allowableIntervals":[{"fromTargetDose":1,"absMin":"3 months"}]`
	three := func(last string) string { return standard(with(""), with(previous), with(last)) }
	run(t, []rule{
		{name: "too soon", series: standard(with(""), with(previous)), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-02-24"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Not Valid (too soon)"},
		{name: "grace", series: standard(with(""), with(previous)), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-02-25"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Valid"},
		{name: "counted from a dose that was not valid", series: standard(with(""), with(previous)),
			person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-02-20, 01 2020-03-01"},
			on:     "2021-01-01", evaluations: "1 Valid, 2 Not Valid (too soon), 2 Not Valid (too soon)", forecast: "Not Complete #2 2020-03-29 2020-03-29 - -"},
		{name: "not counted from a dose that was no good", series: standard(with(""), with(previous)),
			person: person{born: "2020-01-01", doses: "01 2020-02-01, 01/expired 2020-02-20, 01 2020-03-01"},
			on:     "2021-01-01", evaluations: "1 Valid, 2 Sub-standard (expired), 2 Valid", forecast: "Complete"},
		{name: "from a target dose, all must be kept", series: three(target), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-03-01, 01 2020-05-31"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Valid, 3 Not Valid (too soon)"},
		{name: "from a target dose, kept", series: three(target), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-03-01, 01 2020-06-01"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Valid, 3 Valid"},
		{name: "the allowable interval instead", series: three(both), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-03-01, 01 2020-05-01"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Valid, 3 Valid"},
		{name: "nor the allowable interval", series: three(both), person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-03-01, 01 2020-04-30"},
			on: "2021-01-01", evaluations: "1 Valid, 2 Valid, 3 Not Valid (too soon)"},
		{name: "a row out of force", series: standard(with(""), with(`"intervals":[{"fromPrevious":true,"absMin":"1 year","min":"1 year","effective":"2021-01-01"}]`)),
			person: person{born: "2020-01-01", doses: "01 2020-02-01, 01 2020-02-02"}, on: "2020-12-31", evaluations: "1 Valid, 2 Valid"},
		{name: "from the latest of some vaccines, of another antigen too", series: standard(with(`"intervals":[{"fromMostRecent":["09"],"absMin":"8 weeks","min":"8 weeks"}]`)),
			person: person{born: "2020-01-01", doses: "09 2020-02-01, 01 2020-03-01"}, on: "2020-12-31", evaluations: "1 Not Valid (too soon)"},
		{name: "from an observation", series: standard(with(`"intervals":[{"fromObservation":"170","absMin":"10 days","min":"10 days","earliestRec":"20 days","latestRec":"30 days"}]`)),
			person: person{born: "2020-01-01", observations: "170 2020-03-01, 170 2020-06-01"}, on: "2020-12-31",
			forecast: "Not Complete #1 2020-06-11 2020-06-21 2020-06-30 -"},
	})
}

// All reasons against a dose are told.
func TestSeveralReasons(t *testing.T) {
	run(t, []rule{{
		name:   "too young, too soon, and of the wrong vaccine",
		series: standard(with(""), with(`"ages":[{"absMin":"1 year"}],"intervals":[{"fromPrevious":true,"absMin":"28 days"}]`)),
		person: person{born: "2020-01-01", doses: "01 2020-02-01, 03 2020-02-02"}, on: "2021-01-01",
		evaluations: "1 Valid, 2 Not Valid (too young) (too soon) (wrong vaccine)",
	}})
}

// Chapters 6.8 and 6.9.
func TestEvaluateVaccine(t *testing.T) {
	dose := `{"preferable":[{"cvx":"01","mvx":"SKB","beginAge":"1 year","endAge":"2 years"}],"acceptable":[{"cvx":"02","beginAge":"1 year - 4 days","endAge":"2 years"}]}`
	row := func(name, given, want string) rule {
		return rule{name: name, series: standard(dose), person: person{born: "2020-01-01", doses: given}, on: "2022-06-01", evaluations: want}
	}
	run(t, []rule{
		row("preferable", "01@SKB 2021-01-01", "1 Valid"),
		row("of another manufacturer", "01@MSD 2021-01-01", "1 Not Valid (wrong vaccine)"),
		row("too young for the preferable", "01@SKB 2020-12-31", "1 Not Valid (wrong vaccine)"),
		row("allowable", "02 2020-12-28", "1 Valid"),
		row("too young for the allowable", "02 2020-12-27", "1 Not Valid (wrong vaccine)"),
		row("too old for the allowable", "02 2022-01-01", "1 Not Valid (wrong vaccine)"),
		row("neither", "03 2021-01-01", "1 Not Valid (wrong vaccine)"),
	})
}

// Chapter 6.7.
func TestEvaluateConflict(t *testing.T) {
	conflicts := read(t, `{"liveConflicts":[
		{"previous":"09","current":"01","begin":"1 day","minEnd":"28 days","end":"30 days"},
		{"previous":"01","current":"01","begin":"1 day","minEnd":"24 days","end":"28 days"}]}`).Live
	series := standard(with(`"ages":[{"absMin":"1 year"}]`), with(""))
	for _, r := range []struct{ name, doses, want, forecast string }{
		{"on the same day", "09 2021-02-01, 01 2021-02-01", "1 Valid", "Not Complete #2 2021-03-03 2021-03-03 - -"},
		{"the day after", "09 2021-02-01, 01 2021-02-02", "1 Not Valid (live conflict)", "Not Complete #1 2021-03-03 2021-03-03 - -"},
		{"the last day", "09 2021-02-01, 01 2021-02-28", "1 Not Valid (live conflict)", ""},
		{"after it", "09 2021-02-01, 01 2021-03-01", "1 Valid", "Not Complete #2 2021-03-29 2021-03-29 - -"},
		{"after a valid dose", "01 2021-02-01, 01 2021-02-25", "1 Valid, 2 Valid", "Complete"},
		{"after one that was not valid", "01 2020-12-25, 01 2021-01-21", "1 Not Valid (too young), 1 Not Valid (live conflict)", ""},
		{"long after one that was not valid", "01 2020-12-25, 01 2021-01-22", "1 Not Valid (too young), 1 Valid", ""},
	} {
		s := world(t, series)
		s.Live = conflicts
		e, err := immunization.New(s)
		if err != nil {
			t.Fatal(err)
		}
		a := e.Assess(person{born: "2020-01-01", doses: r.doses}.history(t), on(t, "2021-06-01"))
		if got := evaluations(a, "A"); got != r.want {
			t.Errorf("%s: evaluations %s, want %s", r.name, got, r.want)
		}
		if got := forecast(a, "G"); r.forecast != "" && got != r.forecast {
			t.Errorf("%s: forecast %s, want %s", r.name, got, r.forecast)
		}
	}
}

// Chapter 4.4, step 5: a recurring dose is followed by itself.
func TestRecurringDose(t *testing.T) {
	run(t, []rule{{
		name: "every ten years", series: standard(with(""), with(`"recurring":true,"intervals":[{"fromPrevious":true,"absMin":"10 years","min":"10 years"}]`)),
		person: person{born: "1980-01-01", doses: "01 1990-01-01, 01 2000-01-01, 01 2010-01-01"}, on: "2015-01-01",
		evaluations: "1 Valid, 2 Valid, 2 Valid", forecast: "Not Complete #4 2020-01-01 2020-01-01 - -",
	}})
}
