package immunization_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// world is a small schedule: antigen A in the group G, its vaccines 01 and 02; antigen B
// in the group H, its vaccine 09; vaccine 03 holds both; 99 is no vaccine of anything.
func world(t testing.TB, series string) *schedule.Schedule {
	t.Helper()
	return read(t, `{"name":"test","version":"1",
		"groups":[{"name":"G","antigens":["A"]},{"name":"H","antigens":["B"]}],
		"antigens":[{"name":"A","series":[`+series+`]},
			{"name":"B","series":[{"name":"b","group":"H","type":"Standard","select":{"default":true,"seriesGroup":"1"},"doses":[{"preferable":[{"cvx":"09"},{"cvx":"03"}]}]}]}],
		"vaccines":[{"cvx":"01","antigens":[{"antigen":"A"}]},{"cvx":"02","antigens":[{"antigen":"A"}]},
			{"cvx":"03","antigens":[{"antigen":"B"},{"antigen":"A"}]},{"cvx":"09","antigens":[{"antigen":"B"}]}]}`)
}

// standard is a series for everybody with some doses, as JSON.
func standard(doses ...string) string {
	return `{"name":"s","group":"G","type":"Standard","select":{"default":true,"seriesGroup":"1"},"doses":[` + strings.Join(doses, ",") + `]}`
}

// with returns a target dose of vaccine 01 with further elements, as JSON.
func with(elements string) string {
	if elements != "" {
		elements += ","
	}
	return `{` + elements + `"preferable":[{"cvx":"01"}],"acceptable":[{"cvx":"02"}]}`
}

// read reads a schedule.
func read(t testing.TB, text string) *schedule.Schedule {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	s := new(schedule.Schedule)
	if err := d.Decode(s); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return s
}

// on reads a day.
func on(t testing.TB, day string) schedule.Date {
	t.Helper()
	d, err := schedule.ParseDate(day)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// person is a history as a table writes it: doses "01 2020-03-01" with "/expired" for a
// condition and "@MVX" for a manufacturer, observations "123 2020-01-01", parted by
// commas.
type person struct {
	born, doses, observations string
	sex                       immunization.Sex
}

func (p person) history(t testing.TB) *immunization.History {
	t.Helper()
	h := &immunization.History{Born: on(t, p.born), Sex: p.sex}
	for i, text := range split(p.doses) {
		f := strings.Fields(text)
		cvx, condition, _ := strings.Cut(f[0], "/")
		cvx, mvx, _ := strings.Cut(cvx, "@")
		h.Doses = append(h.Doses, immunization.Dose{
			ID: fmt.Sprint(i), CVX: cvx, MVX: mvx, Condition: immunization.Reason(condition), Date: on(t, f[1]),
		})
	}
	for _, text := range split(p.observations) {
		code, day, dated := strings.Cut(text, " ")
		o := immunization.Observation{Code: code}
		if dated {
			o.Date = on(t, day)
		}
		h.Observations = append(h.Observations, o)
	}
	return h
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ", ")
}

// evaluations writes the evaluations for one antigen: "1 Valid, 2 Not Valid (too soon)",
// where the number is that of the target dose.
func evaluations(a *immunization.Assessment, antigen string) string {
	var out []string
	for _, e := range a.Evaluations {
		if e.Antigen != antigen {
			continue
		}
		text := fmt.Sprintf("%d %s", e.Number, e.Status)
		for _, r := range e.Reasons {
			text += " (" + string(r) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// forecast writes the forecast of a group: status, number, earliest, recommended, past
// due and latest day.
func forecast(a *immunization.Assessment, group string) string {
	for _, f := range a.Forecasts {
		if f.Group != group {
			continue
		}
		if f.Number == 0 && f.Earliest.IsZero() && f.Recommended.IsZero() && f.PastDue.IsZero() && f.Latest.IsZero() {
			return string(f.Status)
		}
		text := fmt.Sprintf("%s #%d", f.Status, f.Number)
		for _, d := range []schedule.Date{f.Earliest, f.Recommended, f.PastDue, f.Latest} {
			if d.IsZero() {
				text += " -"
			} else {
				text += " " + d.String()
			}
		}
		return text
	}
	return "no such group"
}

// rule is one row of a table of rules.
type rule struct {
	name   string
	series string // of antigen A
	person
	on          string
	evaluations string // for antigen A
	forecast    string // of group G; "" when the row is not about it
}

// run holds the engine to rows.
func run(t *testing.T, rows []rule) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			e, err := immunization.New(world(t, r.series))
			if err != nil {
				t.Fatal(err)
			}
			h := r.history(t)
			a := e.Assess(h, on(t, r.on))
			if got := evaluations(a, "A"); got != r.evaluations {
				t.Errorf("evaluations: %s\nwant: %s", got, r.evaluations)
			}
			if got := forecast(a, "G"); r.forecast != "" && got != r.forecast {
				t.Errorf("forecast: %s\nwant: %s", got, r.forecast)
			}
			if t.Failed() {
				t.Log(e.Explain(h, on(t, r.on)))
			}
		})
	}
}
