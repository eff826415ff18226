package mexico_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// forecasts assesses somebody with no more than what is given.
func forecasts(t *testing.T, born, on schedule.Date, h immunization.History) map[string]*immunization.Forecast {
	t.Helper()
	h.Born = born
	a := engine(t).Assess(&h, on)
	all := map[string]*immunization.Forecast{}
	for i := range a.Forecasts {
		all[a.Forecasts[i].Group] = &a.Forecasts[i]
	}
	return all
}

// The vaccine that is named must be one for the age on the day of the visit.
func TestVaccineForTheAge(t *testing.T) {
	on := schedule.Day(2026, 11, 22)
	for _, c := range []struct {
		age, group string
		want       []string
	}{
		{"0 days", "BCG", []string{"19"}},
		{"0 days", "HepB", []string{"08"}},
		{"2 months", "HepB", []string{"146"}},
		{"2 months", "DTaP", []string{"146"}},
		{"2 months", "Polio", []string{"146"}},
		{"2 months", "Hib", []string{"146"}},
		{"2 months", "Rotavirus", []string{"119"}},
		{"2 months", "Pneumococcal", []string{"133", "216"}},
		{"4 years", "DTaP", []string{"146"}}, // the first one, late
		{"5 years", "DTaP", []string{"01"}},
		{"6 years", "HepB", []string{"08"}},
		{"7 years", "DTaP", []string{"09"}},
		{"12 years", "HepB", []string{"43"}},
		{"12 months", "MMR", []string{"03"}},
		{"9 years", "MMR", []string{"03"}},
		{"10 years", "MMR", []string{"04"}},
		{"18 months", "HepA", []string{"83"}},
		{"11 years", "HPV", []string{"62", "165"}},
		{"1 year", "Influenza", []string{"141", "150", "140"}},
		{"2 years", "COVID-19", []string{"308", "311"}},
		{"65 years", "COVID-19", []string{"309", "312"}},
		{"65 years", "Pneumococcal", []string{"33", "216"}},
	} {
		age, err := schedule.ParsePeriod(c.age)
		if err != nil {
			t.Fatal(err)
		}
		born := on.Add(schedule.Period{Months: -age.Months, Days: -age.Days, Set: true})
		f := forecasts(t, born, on, immunization.History{})[c.group]
		if !slices.Equal(f.CVX, c.want) {
			t.Errorf("%s at %s: %v (%s), want %v", c.group, c.age, f.CVX, f.Status, c.want)
		}
	}
}

// Rules that a reviewer of the schedule asks for at once.
func TestWholeSchedule(t *testing.T) {
	s := engine(t).Schedule()
	unsure := 0
	for _, a := range s.Antigens {
		for _, series := range a.Series {
			if series.Unsure != "" {
				unsure++
			}
			for n, d := range series.Doses {
				for _, list := range [][]schedule.Product{d.Preferable, d.Acceptable} {
					for i, p := range list {
						if slices.Contains(list[:i], p) {
							t.Errorf("%s, %s, dose %d: %v is there twice", a.Name, series.Name, n+1, p)
						}
					}
				}
			}
		}
	}
	if unsure == 0 {
		t.Error("nothing is unsure, though the sources leave much open")
	}
	if len(s.Groups) != 15 {
		t.Errorf("%d groups", len(s.Groups))
	}
	for _, l := range s.Live {
		if l.Previous == "19" || l.Current == "19" {
			t.Errorf("BCG goes with any vaccine, not %v", l)
		}
	}
}

// A child vaccinated on the day of every recommendation has every dose valid, and
// nothing late, ever.
func TestOnTime(t *testing.T) {
	e := engine(t)
	born := schedule.Day(2024, 2, 29)
	h := immunization.History{Born: born}
	for on := born; on < born.Add(schedule.Period{Months: 16 * 12, Set: true}); on++ {
		a := e.Assess(&h, on)
		for i := range a.Forecasts {
			f := &a.Forecasts[i]
			if f.Overdue(on) {
				t.Fatalf("%s is overdue on %s: %+v", f.Group, on, f)
			}
		}
		given := map[string]bool{}
		for i := range a.Forecasts {
			if f := &a.Forecasts[i]; f.Due(on) && !given[f.CVX[0]] {
				given[f.CVX[0]] = true
				h.Doses = append(h.Doses, immunization.Dose{ID: fmt.Sprint(len(h.Doses)), Date: on, CVX: f.CVX[0]})
			}
		}
	}
	counts := map[string]int{}
	for _, d := range h.Doses {
		counts[d.CVX]++
	}
	// Hexavalente at 2, 4, 6 and 18 months, influenza twice and then yearly up to 59
	// months, and so on, as the table of the programme has it.
	want := map[string]int{"19": 1, "08": 1, "146": 4, "119": 2, "133": 3, "03": 2, "83": 1, "01": 1, "62": 1, "09": 1}
	for cvx, n := range want {
		if counts[cvx] != n {
			t.Errorf("CVX %s was given %d times, not %d: %v", cvx, counts[cvx], n, counts)
		}
	}
	for _, v := range e.Assess(&h, born.Add(schedule.Period{Months: 16 * 12, Set: true})).Evaluations {
		// The 18 month hexavalente is one more than hepatitis B needs.
		if v.Status != immunization.Valid && !(v.Antigen == "HepB" && v.Status == immunization.Extraneous) {
			t.Errorf("dose %+v: %s %s %v", h.Doses[v.Dose], v.Antigen, v.Status, v.Reasons)
		}
	}
}
