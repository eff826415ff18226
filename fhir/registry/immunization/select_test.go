package immunization_test

import (
	"fmt"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
)

// text writes a list.
func text(list []string) string { return fmt.Sprint(list) }

// path returns a series as JSON: its select element and doses.
func path(name, kind, choice, more string, doses ...string) string {
	s := `{"name":"` + name + `","group":"G","type":"` + kind + `","select":{` + choice + `},"doses":[`
	for i, d := range doses {
		if i > 0 {
			s += ","
		}
		s += d
	}
	s += `]`
	if more != "" {
		s += "," + more
	}
	return s + `}`
}

// Chapter 5.1: sex, indication and, beyond CDSi, cohort.
func TestRelevantSeries(t *testing.T) {
	girls := path("girls", "Standard", `"default":true,"seriesGroup":"1"`, `"sex":["Female"]`, with(""))
	risk := path("risk", "Risk", `"seriesGroup":"1","priority":"A"`, `"indications":[{"observation":"007","beginAge":"2 years","endAge":"60 years"}]`, with(""))
	cohort := path("cohort", "Standard", `"default":true,"seriesGroup":"1"`, `"bornFrom":"2020-01-01","bornTo":"2020-12-31"`, with(""))
	for _, r := range []struct {
		name, series string
		person
		on, evaluation, status string
	}{
		{"for girls", girls, person{born: "2020-01-01", sex: immunization.Female, doses: "01 2020-02-01"}, "2021-01-01", "1 Valid", "Complete"},
		{"not for boys", girls, person{born: "2020-01-01", sex: immunization.Male, doses: "01 2020-02-01"}, "2021-01-01", "0 Not Valid (wrong sex)", "Not Recommended"},
		{"nor without a sex", girls, person{born: "2020-01-01", doses: "01 2020-02-01"}, "2021-01-01", "0 Not Valid (wrong sex)", "Not Recommended"},
		{"at risk", risk, person{born: "2000-01-01", observations: "007", doses: "01 2020-02-01"}, "2021-01-01", "1 Valid", "Complete"},
		{"not at risk", risk, person{born: "2000-01-01", doses: "01 2020-02-01"}, "2021-01-01", "0 Extraneous (not needed)", "Not Recommended"},
		{"not at risk any more", risk, person{born: "1960-01-01", observations: "007"}, "2021-01-01", "", "Not Recommended"},
		{"at risk later", risk, person{born: "2000-01-01", observations: "007 2021-01-02"}, "2021-01-01", "", "Not Recommended"},
		{"first of the cohort", cohort, person{born: "2020-01-01"}, "2021-01-01", "", "Not Complete"},
		{"last of the cohort", cohort, person{born: "2020-12-31"}, "2021-01-01", "", "Not Complete"},
		{"born too early", cohort, person{born: "2019-12-31"}, "2021-01-01", "", "Not Recommended"},
		{"born too late", cohort, person{born: "2021-01-01"}, "2021-01-01", "", "Not Recommended"},
	} {
		e, err := immunization.New(world(t, r.series))
		if err != nil {
			t.Fatal(err)
		}
		a := e.Assess(r.history(t), on(t, r.on))
		if got := evaluations(a, "A"); got != r.evaluation {
			t.Errorf("%s: evaluations %s, want %s", r.name, got, r.evaluation)
		}
		if got := a.Forecasts[0]; string(got.Status) != r.status {
			t.Errorf("%s: %s (%s), want %s", r.name, got.Status, got.Why, r.status)
		}
	}
}

// Chapter 8: which series is followed.
func TestSelectBestSeries(t *testing.T) {
	one, two := `{"preferable":[{"cvx":"01"}]}`, `{"preferable":[{"cvx":"02"}]}`
	aged := func(max string) string { return `{"ages":[{"max":"` + max + `"}],"preferable":[{"cvx":"01"}]}` }
	late := `{"ages":[{"max":"8 months"}],"intervals":[{"fromPrevious":true,"min":"1 year"}],"preferable":[{"cvx":"01"}]}`
	after := func(min string) string {
		return `{"intervals":[{"fromPrevious":true,"min":"` + min + `"}],"preferable":[{"cvx":"01"}]}`
	}
	std := func(name, choice string, doses ...string) string {
		return path(name, "Standard", `"seriesGroup":"1",`+choice, "", doses...)
	}
	risk := func(name, choice string, doses ...string) string {
		return path(name, "Risk", choice, `"indications":[{"observation":"007"}]`, doses...)
	}
	first := std("first", `"default":true,"preference":1`, one, one)
	for _, r := range []struct{ name, series, doses, observations, want string }{
		{"8.2 nothing to score: the default", first + "," + std("second", `"preference":2`, two), "", "", "first Not Complete"},
		{"8.2 the one with valid doses", first + "," + std("second", `"preference":2`, two, two), "02 2020-02-01", "", "second Not Complete"},
		{"8.2 the one complete", first + "," + std("second", `"preference":2`, one), "01 2020-02-01", "", "second Complete"},
		{"8.1 too old to start", first + "," + std("second", `"preference":2,"maxAgeToStart":"1 month"`, one), "01 2020-02-01", "", "first Not Complete"},
		{"8.1 young enough to start", first + "," + std("second", `"preference":2,"maxAgeToStart":"1 month + 1 day"`, one), "01 2020-02-01", "", "second Complete"},
		{"8.4 the most valid doses", std("short", `"preference":1`, one) + "," + std("long", `"preference":2`, one, one), "01 2020-02-01, 01 2020-03-01", "", "long Complete"},
		{"8.7 equal scores: the preference", std("x", `"preference":2`, one, one) + "," + std("y", `"preference":1`, one, one), "01 2020-02-01", "", "y Not Complete"},
		{"8.7 no preference is the last", std("x", `"default":false`, one, one) + "," + std("y", `"preference":9`, one, one), "01 2020-02-01", "", "y Not Complete"},
		{"8.5 closest to completion", std("long", `"preference":1`, one, one, one) + "," + std("short", `"preference":2`, one, one), "01 2020-02-01", "", "short Not Complete"},
		{"8.5 a product path with all valid doses", std("any", `"preference":1`, one, one) + "," + std("product", `"preference":2,"productPath":true`, one, one), "01 2020-02-01", "", "product Not Complete"},
		{"8.5 a product path with a dose not valid", std("any", `"preference":1`, one, one) + "," + std("product", `"preference":2,"productPath":true`, one, one), "01 2020-02-01, 03 2020-03-01", "", "any Not Complete"},
		{"8.5 completable", std("x", `"preference":2`, one, one, one, one) + "," + std("y", `"preference":1`, one, one, late), "01 2020-01-10", "", "x Not Complete"},
		{"8.5 the earliest finish", std("x", `"preference":2`, one, one, after("1 month")) + "," + std("y", `"preference":1`, one, one, after("6 months")), "01 2020-01-10", "", "x Not Complete"},
		{"8.5 the most valid doses", std("x", `"preference":2`, one, two, one) + "," + std("y", `"preference":1`, one, one), "01 2020-02-01, 02 2020-03-01", "", "x Not Complete"},
		{"8.6 no default: completable", std("x", `"preference":1,"productPath":true`, one) + "," + std("y", `"preference":2`, one), "", "", "y Not Complete"},
		{"8.8 risk before standard of an equivalent group", std("s", `"default":true`, one) + "," + risk("r", `"seriesGroup":"2","priority":"A"`, one, one), "", "007", "r Not Complete"},
		{"8.8 risk before standard of an equivalent group, sooner or not", path("s", "Standard", `"default":true,"seriesGroup":"1","equivalentGroups":["2"]`, "", one) + "," +
			risk("r", `"seriesGroup":"2","priority":"A"`, `{"ages":[{"min":"3 years"}],"preferable":[{"cvx":"01"}]}`), "", "007", "r Not Complete"},
		{"9 standard and risk of groups that are not equivalent: the sooner one", path("s", "Standard", `"default":true,"seriesGroup":"1"`, "", one) + "," +
			risk("r", `"seriesGroup":"2","priority":"A"`, `{"ages":[{"min":"3 years"}],"preferable":[{"cvx":"01"}]}`), "", "007", "s Not Complete"},
		{"8.8 complete in an equivalent group", `{"name":"s","group":"G","type":"Standard","select":{"default":true,"seriesGroup":"1","equivalentGroups":["2"]},"doses":[` + two + `]},` +
			risk("r", `"seriesGroup":"2","priority":"A"`, one), "01 2020-02-01", "007", "r Complete"},
		{"8.1 the risk of the highest priority", risk("low", `"seriesGroup":"2","priority":"B"`, one) + "," + risk("high", `"seriesGroup":"2","priority":"A"`, one, one), "01 2020-02-01", "007", "high Not Complete"},
		{"8.1 evaluation only, complete", first + "," + path("seen", "Evaluation Only", `"seriesGroup":"1"`, "", two), "02 2020-02-01", "", "seen Complete"},
		{"8.1 evaluation only, not complete", first + "," + path("seen", "Evaluation Only", `"seriesGroup":"1"`, "", two, two), "02 2020-02-01", "", "first Not Complete"},
		{"9 a series of a later age waits", std("child", `"default":true`, one) + "," + path("adult", "Standard", `"default":true,"seriesGroup":"2","minAgeToStart":"50 years"`, "", one), "01 2020-02-01", "", "child Complete"},
		{"9 a series of a later age, when nothing else is left", std("child", `"default":true`, aged("5 months")) + "," + path("adult", "Standard", `"default":true,"seriesGroup":"2","minAgeToStart":"50 years"`, "", one), "", "", "adult Not Complete"},
	} {
		e, err := immunization.New(world(t, r.series))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		h := person{born: "2020-01-01", doses: r.doses, observations: r.observations}.history(t)
		f := e.Assess(h, on(t, "2020-06-01")).Forecasts[0]
		if got := f.Series + " " + string(f.Status); got != r.want {
			t.Errorf("%s: %s, want %s\n%s", r.name, got, r.want, e.Explain(h, on(t, "2020-06-01")))
		}
	}
}
