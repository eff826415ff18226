package demo

import (
	"fmt"
	"time"
)

// life adds a person with visits, findings, diagnoses and vaccinations.
func (r *record) life(who *person) {
	r.patient(who, nil)
	chronic := r.chronic(who)
	days := r.visitDays(who, len(chronic) > 0)
	for n, day := range days {
		e := r.visit(who, n+1, day, chronic)
		if n == len(days)-1 {
			r.note(who, visitID(who, n+1), e)
		}
	}
	r.vaccinations(who)
}

// visitDays returns the days on which who came, the last three years back, in order.
func (r *record) visitDays(who *person, chronic bool) []time.Time {
	age := months(who.born, r.today) / 12
	visits := between(r.rng, 0, 3)
	if chronic || age < 2 || age > 65 {
		visits += between(r.rng, 1, 3)
	}
	from := r.today.AddDate(-3, 0, 0)
	if who.born.After(from) {
		from = who.born.AddDate(0, 0, 7)
	}
	span := int(r.today.Sub(from).Hours() / 24)
	if visits == 0 || span < visits {
		return nil
	}
	days := make([]time.Time, visits)
	for n := range days {
		lo, hi := span*n/visits, span*(n+1)/visits
		days[n] = from.AddDate(0, 0, between(r.rng, lo, hi-1))
	}
	return days
}

func visitID(who *person, n int) string { return fmt.Sprintf("%s-v%d", who.id, n) }

// visit adds an encounter at the health centre, what was measured in it and what
// was diagnosed.
func (r *record) visit(who *person, n int, day time.Time, chronic []diagnosis) encounter {
	id := visitID(who, n)
	at := clinicOf(who)
	start := between(r.rng, 8*60, 17*60)

	why := checkup(who, day)
	conditions := []string{}
	switch {
	case len(chronic) > 0 && r.chance(0.7):
		why = anyOf(r.rng, chronic)
		conditions = append(conditions, chronicID(who, why))
	case r.chance(0.75):
		why = r.acute(who, day)
		conditions = append(conditions, id+"-d")
	}
	e := encounter{
		at: at, staff: 0, class: ambulatory, day: day, start: start, end: start + between(r.rng, 12, 45),
		why: why, conditions: conditions,
	}
	r.encounter(who, id, e)
	r.vitals(who, id, day, start+3, at, hasHypertension(chronic))
	if len(conditions) > 0 && conditions[0] == id+"-d" {
		r.condition(who, id+"-d", id, at, why, day, day.AddDate(0, 0, between(r.rng, 4, 14)))
	}
	return e
}

// class is a kind of encounter, a code of v3-ActCode.
type class struct{ code, name string }

var (
	ambulatory = class{"AMB", "ambulatory"}
	inpatient  = class{"IMP", "inpatient encounter"}
)

// encounter is what the resource Encounter needs to know beside the patient.
type encounter struct {
	at         facility
	staff      int // place in the jobs of at
	class      class
	day        time.Time
	start, end int // minutes after midnight of day; end may be on a later day
	why        diagnosis
	conditions []string // ids of the conditions it dealt with
}

func (r *record) encounter(who *person, id string, e encounter) {
	diagnoses := list{}
	for n, c := range e.conditions {
		diagnoses = append(diagnoses, object{{"condition", reference("Condition", c)}, {"rank", n + 1}})
	}
	r.put("Encounter", id, member{"status", "finished"},
		member{"class", coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", e.class.code, e.class.name)},
		member{"subject", reference("Patient", who.id)},
		member{"participant", list{object{
			{"type", list{concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND", "attender")}},
			{"individual", reference("Practitioner", e.at.staff(e.staff))},
		}}},
		member{"period", object{{"start", instant(e.day, e.start)}, {"end", instant(e.day, e.end)}}},
		member{"reasonCode", list{e.why.concept()}},
		member{"diagnosis", diagnoses},
		member{"location", list{object{{"location", reference("Location", e.at.id())}}}},
		member{"serviceProvider", reference("Organization", e.at.id())})
}
