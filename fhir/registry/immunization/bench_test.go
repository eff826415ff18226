package immunization_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// twoYearOld is a child of 24 months with the doses of a schedule, by CVX code and months
// of age.
func twoYearOld(doses map[string][]int) (*immunization.History, schedule.Date) {
	h := &immunization.History{Born: schedule.Day(2023, 3, 10), Sex: immunization.Female}
	at := func(months int) schedule.Date { return h.Born.Add(schedule.Period{Months: months, Set: true}) }
	for cvx, months := range doses {
		for _, m := range months {
			h.Doses = append(h.Doses, immunization.Dose{Date: at(m), CVX: cvx})
		}
	}
	return h, at(24)
}

// BenchmarkAssess assesses a two-year-old's history over a whole schedule.
func BenchmarkAssess(b *testing.B) {
	run := func(name string, engine func(testing.TB) *immunization.Engine, doses map[string][]int) {
		b.Run(name, func(b *testing.B) {
			e := engine(b)
			h, on := twoYearOld(doses)
			b.ReportAllocs()
			for b.Loop() {
				e.Assess(h, on)
			}
		})
	}
	run("mx", mexican, map[string][]int{
		"19": {0}, "08": {0}, "146": {2, 4, 6, 18}, "133": {2, 4, 12}, "116": {2, 4, 6}, "140": {6, 7, 19}, "03": {12, 18},
	})
	run("cdc", american, map[string][]int{
		"08": {0, 2, 6}, "20": {2, 4, 6, 18}, "10": {2, 4, 6}, "48": {2, 4, 6, 15}, "133": {2, 4, 6, 12}, "116": {2, 4, 6},
		"03": {12}, "21": {12}, "83": {12, 18}, "88": {6, 7},
	})
}
