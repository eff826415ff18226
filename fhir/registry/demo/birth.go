package demo

import (
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// pregnancy adds a woman with her pregnancy: over, with her child, or still going
// on when child is nil.
func (r *record) pregnancy(mother, child *person) {
	weeks := 37 + between(r.rng, 0, 4)
	if r.chance(0.08) {
		weeks = between(r.rng, 32, 36)
	}
	var began time.Time // the last menstrual period
	if child != nil {
		began = child.born.AddDate(0, 0, -7*weeks-between(r.rng, 0, 6))
	} else {
		began = r.today.AddDate(0, 0, -7*between(r.rng, 10, 38))
	}
	links := list{}
	if child != nil {
		links = append(links, object{{"other", reference("RelatedPerson", motherOf(child))}, {"type", "seealso"}})
	}
	r.patient(mother, links)

	ended, pregnancyID := time.Time{}, mother.id+"-pregnancy"
	if child != nil {
		ended = child.born
	}
	r.condition(mother, pregnancyID, "", clinicOf(mother), prenatalCare, began.AddDate(0, 0, 42), ended)
	r.prenatal(mother, pregnancyID, began, ended)
	if child != nil {
		r.birth(mother, child, pregnancyID, weeks)
	}
	r.vaccinations(mother)
	r.pregnancyVaccination(mother, began, ended)
}

// prenatal adds the visits of a pregnancy, about every five weeks.
func (r *record) prenatal(mother *person, pregnancyID string, began, ended time.Time) {
	if ended.IsZero() {
		ended = r.today
	}
	at := clinicOf(mother)
	week := between(r.rng, 7, 13)
	for n := 1; ; n++ {
		day := began.AddDate(0, 0, week*7)
		if !day.Before(ended) {
			return
		}
		id := fmt.Sprintf("%s-p%d", mother.id, n)
		start := between(r.rng, 8*60, 16*60)
		r.encounter(mother, id, encounter{at: at, class: ambulatory, day: day, start: start, end: start + 30,
			why: prenatalCare, conditions: []string{pregnancyID}})
		r.vitals(mother, id, day, start+5, at, false)
		o := observation{who: mother, encounter: id, when: instant(day, start+10), at: at, category: "exam", categoryName: "Exam",
			key: "weeks", code: "11885-1", name: "Gestational age Estimated from last menstrual period"}
		r.observe(o, member{"valueQuantity", quantity(decimal(fmt.Sprint(week)), "wk", "wk")})
		week += between(r.rng, 4, 6)
	}
}

// birth adds the delivery and the child: measured, linked to the mother, vaccinated.
func (r *record) birth(mother, child *person, pregnancyID string, weeks int) {
	at := hospitalOf(mother.home.entity)
	how := vaginalBirth
	if r.chance(0.45) {
		how = caesarean
	}
	minute := between(r.rng, 0, 24*60-1)
	delivery := mother.id + "-delivery"
	conditions := []string{delivery + "-d", pregnancyID}
	r.condition(mother, delivery+"-d", delivery, at, how, child.born, child.born)
	if r.chance(0.06) {
		conditions = append(conditions, delivery+"-d2")
		r.condition(mother, delivery+"-d2", delivery, at, preeclampsia, child.born.AddDate(0, 0, -1), child.born.AddDate(0, 0, 20))
	}
	r.encounter(mother, delivery, encounter{at: at, class: inpatient, day: child.born, start: minute - 360,
		end: minute + 2*24*60, why: how, conditions: conditions})

	r.patient(child, nil, member{"multipleBirthBoolean", false})
	r.related(mother, child)
	r.newbornFindings(child, at, minute, weeks)
	r.vaccinations(child)
	if age := months(child.born, r.today); age >= 1 {
		day := child.born.AddDate(0, 0, 28*between(r.rng, 1, age))
		r.visit(child, 1, day, nil)
	}
}

// motherOf returns the id of the RelatedPerson that stands for the mother of child.
func motherOf(child *person) string { return child.id + "-mother" }

// related says who the mother of child is. A RelatedPerson cannot refer to a
// Patient: the mother's Patient.link refers to it, and both carry her CURP.
//
// See https://hl7.org/fhir/R4/patient.html#maternity.
func (r *record) related(mother, child *person) {
	r.put("RelatedPerson", motherOf(child),
		member{"identifier", list{testIdentifier("official", identity.SystemCURP, mother.curp)}}, member{"active", true},
		member{"patient", reference("Patient", child.id)},
		member{"relationship", list{concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MTH", "mother")}},
		member{"name", list{mother.humanName("official", "")}}, member{"gender", mother.gender()},
		member{"birthDate", date(mother.born)}, member{"address", list{mother.home.address("home")}})
}

// newbornFindings adds the stay of the child in hospital and what the certificate
// of birth asks for.
func (r *record) newbornFindings(child *person, at facility, minute, weeks int) {
	id := child.id + "-birth"
	grams := 3150*child.heavy - float64(max(0, 39-weeks))*190 + r.rng.NormFloat64()*150
	conditions := []string{}
	if grams < 2500 {
		conditions = append(conditions, id+"-d")
		r.condition(child, id+"-d", id, at, lowWeight, child.born, time.Time{})
	}
	r.encounter(child, id, encounter{at: at, staff: 1, class: inpatient, day: child.born, start: minute,
		end: minute + 2*24*60, why: liveborn, conditions: conditions})
	o := observation{who: child, encounter: id, when: instant(child.born, minute+10), at: at, category: "exam", categoryName: "Exam"}
	add := func(key, code, name string, value member) {
		o.key, o.code, o.name = key, code, name
		r.observe(o, value)
	}
	apgar := between(r.rng, 6, 9)
	add("weight", "8339-4", "Birth weight Measured", member{"valueQuantity", quantity(round(grams, 0), "g", "g")})
	add("length", "89269-5", "Body height Measured --at birth", member{"valueQuantity", quantity(round(50*child.tall-float64(max(0, 39-weeks)), 1), "cm", "cm")})
	add("weeks", "11884-4", "Gestational age Estimated", member{"valueQuantity", quantity(decimal(fmt.Sprint(weeks)), "wk", "wk")})
	add("apgar1", "9272-6", "1 minute Apgar Score", member{"valueInteger", apgar})
	add("apgar5", "9274-2", "5 minute Apgar Score", member{"valueInteger", min(10, apgar+between(r.rng, 0, 2))})
}
