package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/plan"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// country is a small world with a schedule of its own: each vaccine group needs a
// number of doses, the first at an age and the others after an interval in days.
type country []rule

type rule struct {
	group               string
	doses, age, between int
	cvx                 []string
	latest              int // age in days at which it is too late; 0 for never
}

var vaccines = []schedule.Vaccine{
	{CVX: "146", Antigens: []schedule.Holds{{Antigen: "DTaP"}, {Antigen: "Polio"}}},
	{CVX: "20", Antigens: []schedule.Holds{{Antigen: "DTaP"}}},
	{CVX: "10", Antigens: []schedule.Holds{{Antigen: "Polio"}}},
	{CVX: "119", Antigens: []schedule.Holds{{Antigen: "Rota"}}},
}

func (c country) Schedule() *schedule.Schedule {
	s := &schedule.Schedule{Vaccines: vaccines}
	for _, r := range c {
		s.Groups = append(s.Groups, schedule.Group{Name: r.group, Antigens: []string{r.group}})
	}
	return s
}

func (c country) Assess(h *immunization.History, on schedule.Date) *immunization.Assessment {
	a := &immunization.Assessment{On: on}
	for _, r := range c {
		f := immunization.Forecast{Group: r.group, Status: immunization.NotComplete, CVX: r.cvx, Number: 1, Of: r.doses}
		f.Earliest = h.Born + schedule.Date(r.age)
		for _, d := range h.Doses {
			for _, v := range vaccines {
				for _, holds := range v.Antigens {
					if v.CVX == d.CVX && holds.Antigen == r.group && d.Date >= f.Earliest && d.Date <= on {
						f.Number++
						f.Earliest = d.Date + schedule.Date(r.between)
					}
				}
			}
		}
		f.Recommended, f.PastDue = f.Earliest+7, f.Earliest+30
		if r.latest > 0 {
			f.Latest = h.Born + schedule.Date(r.latest)
		}
		switch {
		case f.Number > r.doses:
			f = immunization.Forecast{Group: r.group, Status: immunization.Complete}
		case !f.Latest.IsZero() && on > f.Latest:
			f = immunization.Forecast{Group: r.group, Status: immunization.AgedOut}
		}
		a.Forecasts = append(a.Forecasts, f)
	}
	return a
}

var world = country{
	{group: "DTaP", doses: 3, age: 42, between: 28, cvx: []string{"146", "20"}},
	{group: "Polio", doses: 2, age: 42, between: 28, cvx: []string{"146", "10"}},
	{group: "Rota", doses: 2, age: 42, between: 28, cvx: []string{"119"}, latest: 230},
}

// written writes a plan as one line: the day after birth of each visit and its vaccines.
func written(born schedule.Date, visits []plan.Visit) string {
	var all []string
	for _, v := range visits {
		var gives []string
		for _, g := range v.Gives {
			text := g.CVX + "="
			for i, to := range g.Groups {
				if i > 0 {
					text += "+"
				}
				text += fmt.Sprintf("%s%d", to.Group, to.Number)
				if to.Overdue {
					text += "!"
				}
			}
			gives = append(gives, text)
		}
		all = append(all, fmt.Sprintf("%d: %s", v.Date-born, strings.Join(gives, " ")))
	}
	return strings.Join(all, "; ")
}

func TestCatchUp(t *testing.T) {
	born := schedule.Day(2025, 3, 15)
	for _, c := range []struct {
		name string
		from int // age in days
		o    plan.Options
		want string
	}{
		{"from birth on, each dose on its day", 0, plan.Options{},
			"49: 119=Rota1 146=DTaP1+Polio1; 84: 119=Rota2 146=DTaP2+Polio2; 119: 20=DTaP3"},
		{"late: no day is lost until they are up to date", 200, plan.Options{},
			"200: 119=Rota1! 146=DTaP1!+Polio1!; 228: 119=Rota2 146=DTaP2+Polio2; 256: 20=DTaP3"},
		{"too late for one of them", 400, plan.Options{},
			"400: 146=DTaP1!+Polio1!; 428: 146=DTaP2+Polio2; 456: 20=DTaP3"},
		{"the recommended day would be too late", 196, plan.Options{Only: []string{"Rota"}}, "196: 119=Rota1!; 224: 119=Rota2"},
		{"in time, but hardly", 60, plan.Options{Only: []string{"Rota"}}, "60: 119=Rota1; 95: 119=Rota2"},
		{"one group", 0, plan.Options{Only: []string{"Polio"}}, "49: 10=Polio1; 84: 10=Polio2"},
		{"without the combined vaccine", 400, plan.Options{Refused: []string{"146"}, Until: born + 440},
			"400: 10=Polio1! 20=DTaP1!; 428: 10=Polio2 20=DTaP2"},
		{"without any vaccine", 400, plan.Options{Refused: []string{"146", "10", "20"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &immunization.History{Born: born}
			got := written(born, plan.CatchUp(world, h, born+schedule.Date(c.from), c.o))
			if got != c.want {
				t.Errorf("the plan is\n%s\nwant\n%s", got, c.want)
			}
			if len(h.Doses) != 0 {
				t.Error("the history that was given was changed")
			}
		})
	}
}

// A schedule by which a dose stays due for ever must not make a plan without end.
func TestCatchUpEnds(t *testing.T) {
	never := country{{group: "DTaP", doses: 1 << 30, age: 0, between: 1, cvx: []string{"20"}}}
	if n := len(plan.CatchUp(never, &immunization.History{Born: 1000}, 2000, plan.Options{})); n == 0 || n > 60 {
		t.Errorf("%d visits", n)
	}
}
