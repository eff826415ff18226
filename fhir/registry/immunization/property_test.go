package immunization_test

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/cdsi"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
	"github.com/amate-health/amate/fhir/samples"
)

// mexican returns an engine of Mexico's schedule.
func mexican(t testing.TB) *immunization.Engine {
	t.Helper()
	shelf, err := mexico.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	e, err := immunization.New(shelf[len(shelf)-1])
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// american returns an engine of CDC's data.
func american(t testing.TB) *immunization.Engine {
	t.Helper()
	s, err := cdsi.Load(samples.Path(t, "cdsi"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := immunization.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// forEach runs a test for each schedule.
func forEach(t *testing.T, test func(*testing.T, *immunization.Engine)) {
	t.Run("mx", func(t *testing.T) { test(t, mexican(t)) })
	t.Run("cdc", func(t *testing.T) { test(t, american(t)) })
}

// anyHistory draws a person of up to 20 years with up to 14 doses of the vaccines of a
// schedule, some of which are no good or before birth.
func anyHistory(t *rapid.T, s *schedule.Schedule) (*immunization.History, schedule.Date) {
	h := &immunization.History{
		Born: schedule.Day(2006, 1, 1) + schedule.Date(rapid.IntRange(0, 6_000).Draw(t, "born")),
		Sex:  immunization.Sex(rapid.IntRange(0, 2).Draw(t, "sex")),
	}
	for i := range rapid.IntRange(0, 14).Draw(t, "doses") {
		d := immunization.Dose{
			ID: fmt.Sprint(i), CVX: rapid.SampledFrom(s.Vaccines).Draw(t, "vaccine").CVX,
			Date: h.Born + schedule.Date(rapid.OneOf(rapid.IntRange(-3, 800), rapid.IntRange(0, 6_000)).Draw(t, "age")),
		}
		if rapid.IntRange(0, 19).Draw(t, "bad") == 0 {
			d.Condition = immunization.Expired
		}
		h.Doses = append(h.Doses, d)
	}
	if codes := observationsOf(s); len(codes) > 0 {
		for range rapid.IntRange(-3, 2).Draw(t, "observations") {
			h.Observations = append(h.Observations, immunization.Observation{Code: rapid.SampledFrom(codes).Draw(t, "observation"), Date: h.Born})
		}
	}
	return h, h.Born + schedule.Date(rapid.IntRange(0, 7_300).Draw(t, "on"))
}

// observationsOf returns the observation codes that a schedule asks for.
func observationsOf(s *schedule.Schedule) []string {
	var codes []string
	for _, a := range s.Antigens {
		codes = append(codes, a.Immunity.History...)
		for _, k := range a.Against {
			codes = append(codes, k.Observation)
		}
		for _, r := range a.Series {
			for _, i := range r.Indications {
				codes = append(codes, i.Observation)
			}
		}
	}
	return codes
}

// byDose writes what an assessment says of each dose by its ID, and its forecasts.
func byDose(h *immunization.History, a *immunization.Assessment) []string {
	var out []string
	for _, e := range a.Evaluations {
		id := h.Doses[e.Dose].ID
		e.Dose = 0
		out = append(out, fmt.Sprintf("%s %+v", id, e))
	}
	slices.Sort(out)
	for _, f := range a.Forecasts {
		out = append(out, fmt.Sprintf("%+v", f))
	}
	return out
}

// An assessment depends on nothing but the history, as a set, and the day.
func TestAssessIsPure(t *testing.T) { forEach(t, assessIsPure) }

func assessIsPure(t *testing.T, e *immunization.Engine) {
	rapid.Check(t, func(t *rapid.T) {
		h, day := anyHistory(t, e.Schedule())
		want := byDose(h, e.Assess(h, day))
		other := *h
		other.Doses = rapid.Permutation(h.Doses).Draw(t, "order")
		if got := byDose(&other, e.Assess(&other, day)); !slices.Equal(got, want) {
			t.Fatalf("in another order:\n%v\nin the first:\n%v", got, want)
		}
		if got := byDose(h, e.Explain(h, day).Assessment); !slices.Equal(got, want) {
			t.Fatalf("explained:\n%v\nassessed:\n%v", got, want)
		}
	})
}

// Many goroutines get the answers of one.
func TestAssessAtOnce(t *testing.T) { forEach(t, assessAtOnce) }

func assessAtOnce(t *testing.T, e *immunization.Engine) {
	type question struct {
		h    *immunization.History
		on   schedule.Date
		want *immunization.Assessment
	}
	var all []question
	rapid.Check(t, func(t *rapid.T) {
		h, day := anyHistory(t, e.Schedule())
		all = append(all, question{h, day, e.Assess(h, day)})
	})
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for _, q := range all {
				if got := e.Assess(q.h, q.on); !reflect.DeepEqual(got, q.want) {
					t.Errorf("%+v, want %+v", got, q.want)
				}
			}
		}()
	}
	wait.Wait()
}

// A valid dose stays valid when a later dose of other antigens is added.
func TestLaterDosesOfOthersChangeNothing(t *testing.T) { forEach(t, laterDosesOfOthersChangeNothing) }

func laterDosesOfOthersChangeNothing(t *testing.T, e *immunization.Engine) {
	s := e.Schedule()
	holds := map[string][]string{}
	for _, v := range s.Vaccines {
		for _, a := range v.Antigens {
			holds[v.CVX] = append(holds[v.CVX], a.Antigen)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		h, day := anyHistory(t, s)
		before := e.Assess(h, day)
		added := rapid.SampledFrom(s.Vaccines).Draw(t, "added").CVX
		last := h.Born
		for _, d := range h.Doses {
			last = max(last, d.Date)
		}
		more := *h
		more.Doses = append(slices.Clone(h.Doses), immunization.Dose{ID: "added", CVX: added, Date: last + schedule.Date(rapid.IntRange(0, 400).Draw(t, "later"))})
		after := e.Assess(&more, day)
		for _, v := range before.Evaluations {
			if v.Status != immunization.Valid || slices.Contains(holds[added], v.Antigen) {
				continue
			}
			n := slices.IndexFunc(after.Evaluations, func(w immunization.Evaluation) bool { return w.Dose == v.Dose && w.Antigen == v.Antigen })
			if n < 0 || after.Evaluations[n].Status != immunization.Valid {
				t.Fatalf("%+v is no longer valid after CVX %s of %s", v, added, more.Doses[len(h.Doses)].Date)
			}
		}
	})
}

// No dose is forecast before birth, before its absolute minimum age, or before the last
// dose of the series; and the dates are in order.
func TestForecastsAreNotTooEarly(t *testing.T) { forEach(t, forecastsAreNotTooEarly) }

func forecastsAreNotTooEarly(t *testing.T, e *immunization.Engine) {
	doses := map[string][]schedule.TargetDose{} // by series
	for _, a := range e.Schedule().Antigens {
		for _, s := range a.Series {
			doses[s.Name] = s.Doses
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		h, day := anyHistory(t, e.Schedule())
		for _, f := range e.Assess(h, day).Forecasts {
			if f.Status != immunization.NotComplete {
				if f.Number != 0 || !f.Earliest.IsZero() || !f.Recommended.IsZero() || !f.PastDue.IsZero() || f.CVX != nil {
					t.Fatalf("nothing is due, yet %+v", f)
				}
				continue
			}
			if f.Number < 1 || f.Earliest < h.Born || f.Earliest < youngest(doses[f.Series], h.Born) || f.Recommended < f.Earliest {
				t.Fatalf("born %s: %+v", h.Born, f)
			}
			if !f.PastDue.IsZero() && f.PastDue < f.Earliest || !f.Latest.IsZero() && f.Latest < f.Earliest {
				t.Fatalf("born %s: %+v", h.Born, f)
			}
		}
	})
}

// youngest returns the earliest absolute minimum age of any of some doses: which of them
// is forecast depends on what is skipped.
func youngest(doses []schedule.TargetDose, born schedule.Date) schedule.Date {
	first := schedule.NoDate
	for _, d := range doses {
		at := born
		for i, row := range d.Ages {
			if day := born.Add(row.AbsoluteMin); i == 0 || day < at {
				at = day
			}
		}
		if first.IsZero() || at < first {
			first = at
		}
	}
	return first
}
