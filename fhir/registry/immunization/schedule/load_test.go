package schedule_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// small is a schedule in a folder.
func small() fstest.MapFS {
	text := map[string]string{
		"schedule.json": `{"name": "xx", "version": "1", "from": "2026-01-01", "groups": [
			{"name": "BCG", "antigens": ["Tuberculosis"]}, {"name": "MMR", "antigens": ["Measles", "Rubella"]}]}`,
		"vaccines.json": `[{"cvx": "19", "name": "BCG", "antigens": [{"antigen": "Tuberculosis"}]},
			{"cvx": "04", "name": "SR", "antigens": [{"antigen": "Measles"}, {"antigen": "Rubella"}]}]`,
		"conflicts.json":             `[{"previous": ["04", "19"], "current": ["04"], "begin": "1 day", "minEnd": "24 days", "end": "28 days", "source": "a"}]`,
		"observations.json":          `[{"code": "guarderia", "codes": ["http://example.org|g"]}]`,
		"antigens/tuberculosis.json": antigenText("Tuberculosis", "BCG", "19"),
		"antigens/measles.json":      antigenText("Measles", "MMR", "04"),
		"antigens/rubella.json":      antigenText("Rubella", "MMR", "04"),
	}
	files := fstest.MapFS{}
	for name, s := range text {
		files[name] = &fstest.MapFile{Data: []byte(s)}
	}
	return files
}

func antigenText(name, group, cvx string) string {
	return `{"name": "` + name + `", "contraindications": [{"observation": "guarderia"}], "series": [
		{"name": "s", "group": "` + group + `", "type": "Standard", "source": "a norm", "bornFrom": "2020-07-01", "select": {"seriesGroup": "1"},
		 "doses": [{"ages": [{"absMin": "12 months - 4 days", "min": "12 months", "max": "5 years"}], "preferable": [{"cvx": "` + cvx + `"}]},
		           {"intervals": [{"fromPrevious": true, "absMin": "24 days", "min": "4 weeks"}], "preferable": [{"cvx": "` + cvx + `"}]}]},
		{"name": "o", "group": "` + group + `", "type": "Standard", "source": "a norm", "bornTo": "2020-06-30", "select": {"seriesGroup": "1"},
		 "doses": [{"preferable": [{"cvx": "` + cvx + `"}]}]}]}`
}

func TestLoad(t *testing.T) {
	s, err := schedule.Load(small())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Antigens) != 3 || s.Antigens[0].Name != "Tuberculosis" || s.Antigens[2].Name != "Rubella" || len(s.Live) != 2 || len(s.Observations) != 1 {
		t.Errorf("%+v", s)
	}
	if s.Live[1] != (schedule.Conflict{Previous: "19", Current: "04", Begin: schedule.Days(1), MinEnd: schedule.Days(24), End: schedule.Days(28)}) {
		t.Errorf("%+v", s.Live[1])
	}
	for _, optional := range []string{"conflicts.json"} {
		files := small()
		delete(files, optional)
		if _, err := schedule.Load(files); err != nil {
			t.Errorf("without %s: %v", optional, err)
		}
	}
	if !schedule.IsFolder(small()) || schedule.IsFolder(fstest.MapFS{}) {
		t.Error("what a folder of a schedule is")
	}
}

// Each fault, put into a schedule that is right, must be told with its place.
func TestFaults(t *testing.T) {
	const measles = "antigens/measles.json"
	for name, c := range map[string]struct{ file, old, new, want string }{
		"no such file":           {"vaccines.json", "", "", "vaccines.json"},
		"no JSON":                {measles, "}", "", measles + ": line 6"},
		"unknown member":         {measles, `"type"`, `"kind"`, `unknown field "kind"`},
		"two values":             {"vaccines.json", `"Rubella"}]}]`, `"Rubella"}]}] []`, "more than one JSON value"},
		"no period":              {measles, "12 months", "12 moons", `"moons" is not a unit`},
		"name of the file":       {measles, `"name": "Measles"`, `"name": "Mumps"`, "is called mumps.json"},
		"antigens in the head":   {"schedule.json", `"version"`, `"antigens": [{"name": "x", "series": []}], "version"`, "files of their own"},
		"no version":             {"schedule.json", `"version": "1", `, "", "needs a name and a version"},
		"ends before it begins":  {"schedule.json", `"from"`, `"to": "2025-01-01", "from"`, "before it begins"},
		"unknown antigen":        {"schedule.json", `"Measles", "Rubella"`, `"Measles", "Rubella", "Mumps"`, `group "MMR": "Mumps" is no antigen`},
		"antigen in two groups":  {"schedule.json", `["Tuberculosis"]`, `["Tuberculosis", "Rubella"]`, `"Rubella" is in the group "BCG", too`},
		"antigen in no group":    {"schedule.json", `"Measles", "Rubella"`, `"Measles"`, `antigen "Rubella": it is in no vaccine group`},
		"group twice":            {"schedule.json", `"name": "MMR"`, `"name": "BCG"`, "used twice"},
		"vaccine of what":        {"vaccines.json", `"Rubella"`, `"Mumps"`, `vaccine 04: it holds "Mumps"`},
		"vaccine twice":          {"vaccines.json", `"19"`, `"04"`, "it is there twice"},
		"no CVX code":            {"vaccines.json", `"19"`, `"9"`, "no CVX code"},
		"unknown CVX":            {measles, `"cvx": "04"`, `"cvx": "05"`, `antigen "Measles", series "s", dose 1: the CVX code "05" is not among`},
		"vaccine of another":     {measles, `"cvx": "04"`, `"cvx": "19"`, `dose 1: the vaccine 19 does not hold "Measles"`},
		"series without doses":   {measles, `"doses": [{"preferable": [{"cvx": "04"}]}]`, `"doses": []`, `series "o": it has no doses`},
		"dose without vaccine":   {measles, `"doses": [{"preferable": [{"cvx": "04"}]}]`, `"doses": [{"preferable": []}]`, `dose 1: it names no vaccine`},
		"min over max":           {measles, `"max": "5 years"`, `"max": "11 months"`, `min is 1 year, which is more than max, 11 months`},
		"min is max":             {measles, `"max": "5 years"`, `"max": "1 year"`, "is not less than max"},
		"absolute min over min":  {measles, `"12 months - 4 days"`, `"13 months"`, "absMin is 13 months"},
		"interval upside down":   {measles, `"24 days"`, `"5 weeks"`, "an interval: absMin is 5 weeks"},
		"interval from nothing":  {measles, `"fromPrevious": true, `, "", "counted from one of"},
		"interval from itself":   {measles, `"fromPrevious": true`, `"fromTargetDose": 2`, "none before it"},
		"no source":              {measles, `"source": "a norm", "bornTo"`, `"bornTo"`, `series "o": it has no source`},
		"no type":                {measles, `"Standard"`, `"Normal"`, `"Normal" is no type`},
		"risk of nothing":        {measles, `"Standard"`, `"Risk"`, "has no indications"},
		"no group of series":     {measles, `"seriesGroup": "1"`, `"seriesGroup": ""`, "it has no seriesGroup"},
		"series of another":      {measles, `"group": "MMR"`, `"group": "BCG"`, `it is of the vaccine group "BCG"`},
		"series twice":           {measles, `"name": "o"`, `"name": "s"`, "used twice"},
		"cohorts overlap":        {measles, `"2020-06-30"`, `"2020-07-01"`, `the cohorts of the series "s" and "o" overlap`},
		"cohort upside down":     {measles, `"bornTo"`, `"bornFrom": "2021-01-01", "bornTo"`, "the cohort ends on 2020-06-30"},
		"unknown observation":    {measles, `"guarderia"`, `"guardería"`, "neither an observation of the schedule"},
		"observation of no kind": {"observations.json", `"code"`, `"kind": "rumour", "code"`, `of no kind "rumour"`},
		"observation of no code": {"observations.json", `http://example.org|g`, `g`, `is not "system|code"`},
		"conflict of what":       {"conflicts.json", `["04"], "begin"`, `["05"], "begin"`, `conflict of 05 after 04: the CVX code "05"`},
		"conflict twice":         {"conflicts.json", `["04", "19"]`, `["04", "04"]`, "it is there twice"},
		"conflict upside down":   {"conflicts.json", `"28 days"`, `"2 days"`, "minEnd is 24 days"},
		"sex":                    {measles, `"bornTo"`, `"sex": ["F"], "bornTo"`, `"F" is no sex`},
		"recurring in between":   {measles, `"intervals"`, `"season": {"start": "2025-10-01"}, "intervals"`, "the season needs a start and an end"},
		"skip of nothing":        {measles, `"intervals"`, `"skips": [{"context": "Now", "sets": []}], "intervals"`, `a skip of no context "Now"`},
		"skip that counts":       {measles, `"intervals"`, `"skips": [{"context": "Both", "sets": [{"conditions": [{"type": "Vaccine Count by Age"}]}]}], "intervals"`, "needs logic"},
		"never reached":          {measles, `"ages"`, `"recurring": true, "ages"`, "no dose after it is ever reached"},
		"looked at":              {measles, `"bornTo"`, `"fromAge": "10 years", "toAge": "7 years", "bornTo"`, "fromAge is 10 years"},
	} {
		t.Run(name, func(t *testing.T) {
			files := small()
			if c.old == "" {
				delete(files, c.file)
			} else {
				text := string(files[c.file].Data)
				if !strings.Contains(text, c.old) {
					t.Fatalf("%s has no %s", c.file, c.old)
				}
				n := 1
				if c.old == "}" { // the last one
					text, n = strings.TrimSuffix(text, "}"), 0
				}
				files[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, c.old, c.new, n))}
			}
			_, err := schedule.Load(files)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for name, file := range small() {
		f.Add(name, file.Data)
	}
	for _, name := range []string{"schedule.json", "conflicts.json", "antigens/influenza.json", "antigens/pertussis.json"} {
		if text, err := os.ReadFile("mexico/2026/" + name); err == nil {
			f.Add(strings.Replace(name, "influenza", "measles", 1), text)
		}
	}
	f.Add("antigens/measles.json", []byte(`{"name":"Measles","series":[{"doses":[{"ages":[{"min":"-99999 months"}],"skips":[{"sets":[{}]}]}]}]}`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		if !fs.ValidPath(name) {
			return
		}
		files := small()
		files[name] = &fstest.MapFile{Data: text}
		if s, err := schedule.Load(files); err == nil && s.Check() != nil {
			t.Fatal("it was loaded, and is not right")
		}
	})
}
