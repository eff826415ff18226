package immunization_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
)

// several is a schedule of one vaccine group of antigens A, B and C, each with a series;
// vaccine 10 holds all, 11 to 13 one each.
func several(t *testing.T, whole bool, series ...string) *immunization.Engine {
	t.Helper()
	var antigens []string
	for i, s := range series {
		name := string(rune('A' + i))
		antigens = append(antigens, fmt.Sprintf(`{"name":%q,"series":[{"name":"of %s","group":"G","type":"Standard","select":{"default":true,"seriesGroup":"1"},"doses":[%s]}]}`, name, name, s))
	}
	e, err := immunization.New(read(t, fmt.Sprintf(`{"name":"test","version":"1","groups":[{"name":"G","antigens":["A","B","C"],"whole":%t,"cvx":"10"}],"antigens":[%s],
		"vaccines":[{"cvx":"10","antigens":[{"antigen":"A"},{"antigen":"B"},{"antigen":"C"}]},{"cvx":"11","antigens":[{"antigen":"A"}]},
			{"cvx":"12","antigens":[{"antigen":"B"}]},{"cvx":"13","antigens":[{"antigen":"C"}]}]}`, whole, strings.Join(antigens, ","))))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Chapter 9.
func TestMultipleAntigenGroup(t *testing.T) {
	dose := func(more string) string {
		return `{` + more + `"preferable":[{"cvx":"10"},{"cvx":"11"},{"cvx":"12"},{"cvx":"13"}]}`
	}
	plain := dose("")
	month := func(more string) string {
		return dose(`"intervals":[{"fromPrevious":true,"absMin":"28 days","min":"28 days","earliestRec":"2 months","latestRec":"3 months"` + more + `}],`)
	}
	old := dose(`"ages":[{"max":"1 month"}],`)
	for _, r := range []struct {
		name         string
		whole        bool
		series       []string
		doses        string
		want, number string // antigens that need doses
	}{
		{"complete", false, []string{plain, plain, plain}, "10 2020-02-01", "Complete", "[]"},
		{"one is aged out", false, []string{plain, old, plain}, "", "Aged Out", "[]"},
		{"one is not complete", false, []string{plain, plain, plain}, "11 2020-02-01, 13 2020-02-01", "Not Complete #1 2020-01-01 2020-01-01 - -", "[B]"},
		{"the latest of the earliest dates, the earliest of the others", false,
			[]string{plain + "," + month(""), plain + "," + month(""), plain + "," + month("")}, "11 2020-02-01, 12 2020-03-01, 13 2020-03-10",
			"Not Complete #2 2020-04-07 2020-04-07 2020-04-30 -", "[A B C]"},
		{"the largest number", false, []string{plain + "," + plain, plain + "," + plain, plain}, "11 2020-02-01, 13 2020-02-01", "Not Complete #2 2020-02-01 2020-02-01 - -", "[A B]"},
		{"the smallest number of a whole group", true, []string{plain + "," + plain, plain + "," + plain, plain}, "11 2020-02-01, 13 2020-02-01", "Not Complete #1 2020-02-01 2020-02-01 - -", "[A B]"},
		{"a priority forecast: the earliest date, not before the last dose", false,
			[]string{plain + "," + month(`,"override":true`), plain + "," + month(""), plain + "," + month("")}, "11 2020-02-01, 12 2020-03-05, 13 2020-03-10",
			"Not Complete #2 2020-03-10 2020-04-01 2020-04-30 -", "[A B C]"},
	} {
		e := several(t, r.whole, r.series...)
		a := e.Assess(person{born: "2020-01-01", doses: r.doses}.history(t), on(t, "2020-06-01"))
		if got := forecast(a, "G"); got != r.want || text(a.Forecasts[0].Antigens) != r.number {
			t.Errorf("%s: %s %v, want %s %s", r.name, got, a.Forecasts[0].Antigens, r.want, r.number)
		}
	}
}

// Table 9-4 by status, and evaluations for each antigen in the order of the schedule.
func TestGroupStatus(t *testing.T) {
	plain := `{"preferable":[{"cvx":"10"}]}`
	e := several(t, false, plain, plain, plain)
	s := e.Schedule()
	for i := range s.Antigens {
		s.Antigens[i].Immunity.History = []string{"02" + fmt.Sprint(i)}
	}
	s.Antigens[2].Against = read(t, `{"antigens":[{"name":"C","contraindications":[{"observation":"080"}]}]}`).Antigens[0].Against
	e, err := immunization.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ observations, doses, want string }{
		{"", "", "Not Complete"},
		{"020", "", "Not Complete"},
		{"020, 021, 022", "", "Immune"},
		{"020", "10 2020-02-01", "Complete"},
		{"020, 080", "", "Contraindicated"},
	} {
		a := e.Assess(person{born: "2020-01-01", doses: r.doses, observations: r.observations}.history(t), on(t, "2020-06-01"))
		if got := string(a.Forecasts[0].Status); got != r.want {
			t.Errorf("%s %s: %s, want %s", r.observations, r.doses, got, r.want)
		}
		for i := range a.Evaluations {
			if want := string(rune('A' + i)); a.Evaluations[i].Antigen != want || a.Evaluations[i].Group != "G" || a.Evaluations[i].Of != 1 {
				t.Errorf("evaluation %d: %+v", i, a.Evaluations[i])
			}
		}
	}
}
