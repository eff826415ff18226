package demo

import (
	"math/rand/v2"
	"strings"
	"time"
)

// Country is what a demonstration has beside the lives of its population: what happens
// through the operations of a server, told as what they are called with.
type Country struct {
	People []Somebody // the population, in the order of their ids
	Births []Birth    // in the order in which they are certified
}

// Somebody is a person of a population, as whoever acts for them has to know them.
type Somebody struct {
	ID           string // of the Patient
	Born         time.Time
	Visits       int    // how often they came to their health centre, as Encounter/ID-v1 and so on
	Hypertension bool   // has it, as Condition/ID-I10
	Clinic       string // CLUES of their health centre
	Doctor       string // id of the Practitioner there
}

// Years returns the age of s on a day.
func (s *Somebody) Years(on time.Time) int { return months(s.Born, on) / 12 }

// NewCountry returns the country of a population that Population makes of the same o, as of
// now, with as many births as asked for.
func NewCountry(o Options, births int, now time.Time) *Country {
	if o.Date.IsZero() {
		o.Date = ReferenceDate
	}
	c := &Country{}
	pop := &population{Options: o, curps: map[string]byte{}}
	for household := uint64(0); len(c.People) < o.Patients; household++ {
		r := pop.household(household, len(c.People))
		for _, who := range r.known {
			c.People = append(c.People, r.somebody(who))
		}
	}
	c.Births = pop.births(rand.New(rand.NewPCG(o.Seed, 1<<32)), births, now)
	return c
}

func (r *record) somebody(who *person) Somebody {
	at := clinicOf(who)
	s := Somebody{ID: who.id, Born: who.born, Clinic: at.clues(), Doctor: at.staff(0)}
	for _, e := range r.entries {
		resource := e.(object)[0].value.(object)
		typ, id := resource[0].value.(string), resource[1].value.(string)
		switch {
		case typ == "Encounter" && strings.HasPrefix(id, who.id+"-v"):
			s.Visits++
		case typ == "Condition" && id == who.id+"-I10":
			s.Hypertension = true
		}
	}
	return s
}
