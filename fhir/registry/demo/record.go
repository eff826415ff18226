package demo

import (
	"math/rand/v2"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// record gathers the resources of one transaction.
type record struct {
	rng      *rand.Rand
	today    time.Time // nothing is recorded after it
	entries  list
	patients int
	known    []*person // whose Patients are in it
}

// put adds a resource. Its type and id come first, its tag after them.
func (r *record) put(typ, id string, members ...member) {
	resource := object{{"resourceType", typ}, {"id", id},
		{"meta", object{{"tag", list{coding(identity.SystemTest, "HTEST", "test health data")}}}}}
	r.entries = append(r.entries, object{
		{"resource", append(resource, members...)},
		{"request", object{{"method", "PUT"}, {"url", typ + "/" + id}}},
	})
	if typ == "Patient" {
		r.patients++
	}
}

// transaction returns what was gathered as a Bundle.
func (r *record) transaction() Bundle {
	b := object{{"resourceType", "Bundle"}, {"type", "transaction"}, {"entry", r.entries}}
	return Bundle{JSON: appendJSON(nil, b), Patients: r.patients, Entries: len(r.entries)}
}

// chance is true once in a while: p is between 0 and 1.
func (r *record) chance(p float64) bool { return r.rng.Float64() < p }

// between returns a number from lo to hi, both included.
func between(rng *rand.Rand, lo, hi int) int { return lo + rng.IntN(hi-lo+1) }

// pick returns an item; those at the front come up more often, as common names do.
func pick[T any](rng *rand.Rand, items []T) T {
	f := rng.Float64()
	return items[int(f*f*float64(len(items)))]
}

// anyOf returns an item; all are equally likely.
func anyOf[T any](rng *rand.Rand, items []T) T { return items[rng.IntN(len(items))] }

// addMonths adds calendar months. A day that the month does not have becomes the
// first of the next one, as the rules for vaccination dates say (CDSi, CALCDT-5).
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	if day := first.AddDate(0, 0, t.Day()-1); day.Month() == first.Month() {
		return day
	}
	return first.AddDate(0, 1, 0)
}

// months returns the full months from born to day.
func months(born, day time.Time) int {
	n := (day.Year()-born.Year())*12 + int(day.Month()) - int(born.Month())
	if day.Day() < born.Day() {
		n--
	}
	return n
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

// instant writes a time of day in the time of central Mexico, which has had no
// summer time since 2022.
func instant(day time.Time, minutes int) string {
	return day.Add(time.Duration(minutes)*time.Minute).Format("2006-01-02T15:04:05") + "-06:00"
}
