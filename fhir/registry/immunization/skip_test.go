package immunization_test

import "testing"

// skipping returns a series of two doses of which the first has a conditional skip.
func skipping(context, more, sets string) string {
	if more != "" {
		more += ","
	}
	return standard(with(`"skips":[{"context":"`+context+`",`+more+`"sets":[`+sets+`]}]`), with(""))
}

// Chapter 6.2, by type of condition, in evaluation.
func TestConditionalSkip(t *testing.T) {
	age := `{"conditions":[{"type":"Age","beginAge":"7 months","endAge":"12 months"}]}`
	interval := `{"conditions":[{"type":"Interval","interval":"6 months"}]}`
	row := func(name, series, doses, want string) rule {
		return rule{name: name, series: series, person: person{born: "2020-01-01", doses: doses}, on: "2022-01-01", evaluations: want}
	}
	count := func(condition string) string {
		return standard(with(""), with(`"skips":[{"context":"Evaluation","sets":[{"conditions":[{`+condition+`}]}]}]`), with(""), with(""))
	}
	run(t, []rule{
		row("before the age", skipping("Evaluation", "", age), "01 2020-07-31", "1 Valid"),
		row("at the age", skipping("Evaluation", "", age), "01 2020-08-01", "2 Valid"),
		row("past the age", skipping("Evaluation", "", age), "01 2021-01-01", "1 Valid"),
		row("not for a forecast only", skipping("Forecast", "", age), "01 2020-08-01", "1 Valid"),
		row("both", skipping("Both", "", age), "01 2020-08-01", "2 Valid"),
		row("an interval needs a dose before", skipping("Both", "", interval), "01 2020-08-01", "1 Valid"),
		row("interval too short", standard(with(""), with(`"skips":[{"context":"Both","sets":[`+interval+`]}]`), with("")),
			"01 2020-01-01, 01 2020-06-30", "1 Valid, 2 Valid"),
		row("interval", standard(with(""), with(`"skips":[{"context":"Both","sets":[`+interval+`]}]`), with("")),
			"01 2020-01-01, 01 2020-07-01", "1 Valid, 3 Valid"),
		row("count greater than", count(`"type":"Vaccine Count by Age","count":0,"logic":"greater than","valid":true,"cvx":["01"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 3 Valid"),
		row("count of other vaccines", count(`"type":"Vaccine Count by Age","count":0,"logic":"greater than","valid":true,"cvx":["02"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 2 Valid"),
		row("count of an age", count(`"type":"Vaccine Count by Age","count":1,"logic":"equal to","beginAge":"2 months","cvx":["01"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 2 Valid"),
		row("count of all, of another antigen too", count(`"type":"Vaccine Count by Date","count":1,"logic":"equal to","cvx":["09"]`),
			"09 2020-02-01, 01 2020-02-02, 01 2020-03-01", "1 Valid, 3 Valid"),
		row("count from a day to before another", count(`"type":"Vaccine Count by Date","count":1,"logic":"equal to","start":"2020-02-01","end":"2020-02-02","cvx":["01"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 3 Valid"),
		row("the last day does not count", count(`"type":"Vaccine Count by Date","count":1,"logic":"equal to","start":"2020-01-01","end":"2020-02-01","cvx":["01"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 2 Valid"),
		row("fewer than", count(`"type":"Vaccine Count by Age","count":2,"logic":"less than","cvx":["01"]`),
			"01 2020-02-01, 01 2020-03-01", "1 Valid, 3 Valid"),
		row("a dose that is not valid does not count", standard(with(`"ages":[{"absMin":"1 month"}]`),
			with(`"skips":[{"context":"Evaluation","sets":[{"conditions":[{"type":"Vaccine Count by Age","count":1,"logic":"greater than","valid":true,"cvx":["01"]}]}]}]`), with("")),
			"01 2020-01-15, 01 2020-02-01, 01 2020-03-01", "1 Not Valid (too young), 1 Valid, 2 Valid"),
	})
}

// Tables 6-10 and 6-11: how conditions and sets are combined.
func TestCombinedSkip(t *testing.T) {
	yes, no := `{"type":"Age","beginAge":"0 days"}`, `{"type":"Age","beginAge":"90 years"}`
	set := func(any, conditions string) string { return `{"any":` + any + `,"conditions":[` + conditions + `]}` }
	row := func(name, more, sets, want string) rule {
		return rule{name: name, series: skipping("Both", more, sets), person: person{born: "2020-01-01", doses: "01 2020-08-01"}, on: "2022-01-01", evaluations: want}
	}
	const skipped, kept = "2 Valid", "1 Valid"
	run(t, []rule{
		row("all conditions, one is not met", "", set("false", yes+","+no), kept),
		row("all conditions", "", set("false", yes+","+yes), skipped),
		row("any condition", "", set("true", no+","+yes), skipped),
		row("any condition, none is met", "", set("true", no+","+no), kept),
		row("all sets, one is not met", "", set("false", yes)+","+set("false", no), kept),
		row("any set", `"any":true`, set("false", yes)+","+set("false", no), skipped),
		row("any set, none is met", `"any":true`, set("false", no)+","+set("false", no), kept),
		row("a set out of force", "", `{"effective":"2021-01-01","conditions":[`+yes+`]}`, kept),
		row("a set in force", "", `{"effective":"2020-08-01","cessation":"2020-08-01","conditions":[`+yes+`]}`, skipped),
	})
}

// Table 6-7: a series group with a complete series, whatever the order of the series.
func TestSkipAfterCompletedSeries(t *testing.T) {
	asks := `{"name":"asks","group":"G","type":"Standard","select":{"default":true,"seriesGroup":"2"},"doses":[` +
		with(`"skips":[{"context":"Both","sets":[{"conditions":[{"type":"Completed Series","seriesGroups":["1"]}]}]}]`) + `]}`
	run(t, []rule{
		{name: "complete", series: asks + "," + standard(with("")), person: person{born: "2020-01-01", doses: "01 2020-08-01"},
			on: "2022-01-01", evaluations: "1 Valid", forecast: "Complete"},
		{name: "not complete", series: asks + "," + standard(with(""), with("")), person: person{born: "2020-01-01", doses: "01 2020-08-01"},
			on: "2022-01-01", evaluations: "1 Valid", forecast: "Not Complete #2 2020-08-01 2020-08-01 - -"},
	})
}

// Chapters 7.1 and 7.6: seen on the day of the assessment, then on the day forecast.
func TestSkipInForecast(t *testing.T) {
	old := `"skips":[{"context":"Forecast","sets":[{"conditions":[{"type":"Age","beginAge":"12 months"}]}]}]`
	month := `,"intervals":[{"fromPrevious":true,"absMin":"4 weeks","min":"4 weeks"}]`
	quarter := `"intervals":[{"fromPrevious":true,"absMin":"8 weeks","min":"8 weeks"}]`
	series := standard(with(""), with(old+month), with(quarter))
	run(t, []rule{
		{name: "still young on the day forecast", series: series, person: person{born: "2020-01-01", doses: "01 2020-11-01"},
			on: "2020-11-01", evaluations: "1 Valid", forecast: "Not Complete #2 2020-11-29 2020-11-29 - -"},
		{name: "old on the day forecast", series: series, person: person{born: "2020-01-01", doses: "01 2020-12-08"},
			on: "2020-12-08", evaluations: "1 Valid", forecast: "Not Complete #2 2021-02-02 2021-02-02 - -"},
		{name: "old on the day of the assessment", series: series, person: person{born: "2020-01-01", doses: "01 2020-11-01"},
			on: "2021-01-01", evaluations: "1 Valid", forecast: "Not Complete #2 2020-12-27 2020-12-27 - -"},
		{name: "nothing is left", series: standard(with(""), with(old)), person: person{born: "2020-01-01", doses: "01 2020-11-01"},
			on: "2021-01-01", evaluations: "1 Valid", forecast: "Complete"},
		{name: "nothing was needed", series: standard(with(old)), person: person{born: "2020-01-01"}, on: "2021-01-01", forecast: "Not Recommended"},
	})
}
