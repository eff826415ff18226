package demo

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"time"
)

// ReferenceDate is "today" in the lives of the population unless Options says otherwise.
var ReferenceDate = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// Options says which population to make.
type Options struct {
	Patients int       // how many people, newborns included
	Seed     uint64    // another seed, other people; the facilities stay the same
	Date     time.Time // nothing happens after this day; ReferenceDate when zero
}

// Bundle is one transaction.
type Bundle struct {
	JSON     []byte // a Bundle of type transaction; every entry is a PUT at a fixed id
	Patients int    // people in it
	Entries  int    // resources in it
}

// Population yields transactions in the order in which they must be applied:
// first the facilities and those who work there, then a bundle a household.
func Population(o Options) iter.Seq[Bundle] {
	if o.Date.IsZero() {
		o.Date = ReferenceDate
	}
	return func(yield func(Bundle) bool) {
		if o.Patients <= 0 {
			return
		}
		for _, staffed := range staffed() {
			if !yield(staffed.transaction()) {
				return
			}
		}
		pop := &population{Options: o, curps: map[string]byte{}}
		for household, patients := uint64(0), 0; patients < o.Patients; household++ {
			r := pop.household(household, patients)
			b := r.transaction()
			patients += b.Patients
			if !yield(b) {
				return
			}
		}
	}
}

// PatientID returns the logical id of the n-th person of the population of seed;
// the first is 1.
func PatientID(seed uint64, n int) string {
	return "mx" + strconv.FormatUint(seed, 10) + "-" + strconv.Itoa(n)
}

// population is what is remembered from one household to the next.
type population struct {
	Options
	curps map[string]byte // how many people have these first 16 characters of a CURP
}

// household makes one household: a person, or a mother and her newborn. before
// is the number of people made so far.
func (p *population) household(number uint64, before int) *record {
	rng := rand.New(rand.NewPCG(p.Seed, number))
	r := &record{rng: rng, today: p.Date}
	// What kind of household it is follows from its number, so that every
	// population of some size has births in it.
	if number%12 != 5 {
		r.life(p.person(rng, PatientID(p.Seed, before+1)))
		return r
	}
	mother := p.mother(rng, PatientID(p.Seed, before+1))
	if before+2 > p.Patients {
		r.pregnancy(mother, nil)
		return r
	}
	r.pregnancy(mother, p.newborn(rng, PatientID(p.Seed, before+2), mother))
	return r
}
