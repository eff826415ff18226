package demo

import (
	"iter"
	"math/rand/v2"
)

// People yields the Patients of a population without anything of their lives, for
// measurements that need a great many. Their ids are those of PatientID, but they are
// not the people of Population. No two share a telephone more often than people do.
func People(o Options) iter.Seq[[]byte] {
	if o.Date.IsZero() {
		o.Date = ReferenceDate
	}
	return func(yield func([]byte) bool) {
		pop := &population{Options: o, curps: map[string]byte{}}
		for n := 1; n <= o.Patients; n++ {
			rng := rand.New(rand.NewPCG(o.Seed, uint64(n)))
			r := &record{rng: rng, today: o.Date}
			r.patient(pop.person(rng, PatientID(o.Seed, n)), nil)
			entry := r.entries[0].(object)
			if !yield(appendJSON(nil, entry[0].value)) {
				return
			}
		}
	}
}
