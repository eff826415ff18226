package immunization_test

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// A schedule that contradicts itself is refused, with the place named.
func TestNewRefuses(t *testing.T) {
	for _, r := range []struct {
		name  string
		spoil func(*schedule.Schedule)
		want  string
	}{
		{"antigen twice", func(s *schedule.Schedule) { s.Antigens[1].Name = "A" }, `"A"`},
		{"group twice", func(s *schedule.Schedule) { s.Groups[1].Name = "G" }, `"G"`},
		{"group of an unknown antigen", func(s *schedule.Schedule) { s.Groups[0].Antigens = []string{"Z"} }, `"Z"`},
		{"antigen in two groups", func(s *schedule.Schedule) { s.Groups[1].Antigens = []string{"A", "B"} }, `"A"`},
		{"antigen in no group", func(s *schedule.Schedule) { s.Groups[1].Antigens = nil }, `"B"`},
		{"vaccine twice", func(s *schedule.Schedule) { s.Vaccines[1].CVX = "01" }, "01"},
		{"vaccine without code", func(s *schedule.Schedule) { s.Vaccines[1].CVX = "" }, "CVX"},
		{"vaccine of an unknown antigen", func(s *schedule.Schedule) { s.Vaccines[0].Antigens[0].Antigen = "Z" }, `"Z"`},
		{"series of an unknown group", func(s *schedule.Schedule) { s.Antigens[0].Series[0].Group = "Z" }, `"Z"`},
		{"series of another group", func(s *schedule.Schedule) { s.Antigens[0].Series[0].Group = "H" }, `"H"`},
		{"series of an unknown type", func(s *schedule.Schedule) { s.Antigens[0].Series[0].Type = "Z" }, `"Z"`},
		{"series without doses", func(s *schedule.Schedule) { s.Antigens[0].Series[0].Doses = nil }, `"s"`},
		{"interval from no dose", func(s *schedule.Schedule) {
			s.Antigens[0].Series[0].Doses[0].Intervals = []schedule.Interval{{FromTargetDose: 2}}
		}, "target dose 2"},
		{"context", func(s *schedule.Schedule) { s.Antigens[0].Series[0].Doses[0].Skips = []schedule.Skip{{Context: "Z"}} }, `"Z"`},
		{"condition", func(s *schedule.Schedule) {
			s.Antigens[0].Series[0].Doses[0].Skips = []schedule.Skip{{Context: "Both", Sets: []schedule.SkipSet{{Conditions: []schedule.Condition{{Type: "Z"}}}}}}
		}, `"Z"`},
		{"comparison", func(s *schedule.Schedule) {
			s.Antigens[0].Series[0].Doses[0].Skips = []schedule.Skip{{Context: "Both", Sets: []schedule.SkipSet{{Conditions: []schedule.Condition{{Type: schedule.ByCountAge, Logic: "zz"}}}}}}
		}, `"zz"`},
	} {
		s := world(t, standard(with("")))
		r.spoil(s)
		if _, err := immunization.New(s); err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: %v, which does not name %s", r.name, err, r.want)
		}
	}
}

// An explanation says the same as the assessment, and names rules, dates and doses.
func TestExplain(t *testing.T) {
	e, err := immunization.New(world(t, standard(with(ages), with(`"intervals":[{"fromPrevious":true,"absMin":"4 weeks - 4 days","min":"4 weeks"}]`))))
	if err != nil {
		t.Fatal(err)
	}
	h := person{born: "2020-01-10", doses: "01 2020-03-05, 02 2020-03-08, 01 2020-03-20"}.history(t)
	x := e.Explain(h, on(t, "2020-05-01"))
	if got, want := evaluations(x.Assessment, "A"), evaluations(e.Assess(h, on(t, "2020-05-01")), "A"); got != want {
		t.Errorf("explained %s, assessed %s", got, want)
	}
	all := x.String()
	for _, want := range []string{
		"A: s\n",
		"dose of 2020-03-05 (CVX 01) for target dose 1: too young: Not Valid; absolute minimum 2020-03-06, minimum 2020-03-10, maximum before 2021-01-10",
		"dose of 2020-03-08 (CVX 02) for target dose 1: valid age in the grace period",
		"allowable vaccine",
		"dose of 2020-03-20 (CVX 01) for target dose 2: too soon; from 2020-03-08: absolute minimum 2020-04-01 (24 days), minimum 2020-04-05",
		"minimum interval: 2020-04-17",
		"best series",
		"B: b\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the explanation:\n%s", want, all)
		}
	}
	if of := x.Of(&e.Schedule().Groups[0]); strings.Contains(of, "B: b") || !strings.Contains(of, "A: s") {
		t.Errorf("the explanation of one group:\n%s", of)
	}
	for _, s := range x.Steps {
		if s.Dose >= len(h.Doses) || s.Rule == "" || s.Antigen == "" || s.Series == "" || s.Text == "" {
			t.Errorf("step %+v", s)
		}
	}
}
