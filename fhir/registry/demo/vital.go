package demo

import (
	"math"
	"strconv"
	"time"
)

const loinc = "http://loinc.org"

// growth is a curve through points of age, in months, and a median.
type growth []struct{ month, median float64 }

func (g growth) at(month float64) float64 {
	for i := 1; i < len(g); i++ {
		if month < g[i].month {
			a, b := g[i-1], g[i]
			return a.median + (b.median-a.median)*(month-a.month)/(b.month-a.month)
		}
	}
	return g[len(g)-1].median
}

// Medians of both sexes up to puberty, then of each; rounded from the WHO standards
// and the national survey of health and nutrition.
var (
	weightOf = map[byte]growth{
		'H': {{0, 3.3}, {3, 6.1}, {6, 7.8}, {12, 9.6}, {24, 12.2}, {60, 18.3}, {120, 32}, {168, 51}, {216, 66}, {480, 78}, {960, 72}},
		'M': {{0, 3.2}, {3, 5.8}, {6, 7.3}, {12, 9.0}, {24, 11.6}, {60, 17.9}, {120, 32}, {168, 49}, {216, 57}, {480, 70}, {960, 64}},
	}
	heightOf = map[byte]growth{
		'H': {{0, 49.9}, {3, 61.4}, {6, 67.6}, {12, 75.7}, {24, 87}, {60, 109}, {120, 138}, {168, 160}, {216, 170}, {720, 168}, {960, 165}},
		'M': {{0, 49.1}, {3, 59.8}, {6, 65.7}, {12, 74}, {24, 85.7}, {60, 108}, {120, 138}, {168, 156}, {216, 158}, {720, 156}, {960, 152}},
	}
	pulse       = growth{{0, 140}, {12, 115}, {60, 95}, {144, 82}, {216, 74}}
	respiration = growth{{0, 44}, {12, 28}, {60, 23}, {144, 19}, {216, 16}}
	systolic    = growth{{36, 92}, {72, 97}, {144, 108}, {216, 116}, {480, 121}, {840, 134}}
)

// body returns weight in kg and height in cm of who on day.
func (who *person) body(day time.Time) (weight, height float64) {
	curve := who.sex
	if curve == 'X' {
		curve = 'M'
	}
	m := float64(months(who.born, day))
	heavy := 1 + (who.heavy-1)*min(1, 0.5+m/240) // people differ less when small
	return weightOf[curve].at(m) * heavy * who.tall * who.tall, heightOf[curve].at(m) * who.tall
}

// vitals adds what is measured in every visit.
//
// See https://hl7.org/fhir/R4/observation-vitalsigns.html.
func (r *record) vitals(who *person, encounter string, day time.Time, minute int, at facility, hypertension bool) {
	m := float64(months(who.born, day))
	weight, height := who.body(day)
	weight *= 1 + r.rng.NormFloat64()*0.01
	o := observation{who: who, encounter: encounter, when: instant(day, minute), at: at, category: "vital-signs", categoryName: "Vital Signs"}
	number := func(key, code, name string, v float64, digits int, unit, ucum string) {
		o.key, o.code, o.name = key, code, name
		r.observe(o, member{"valueQuantity", quantity(round(v, digits), unit, ucum)})
	}
	if m >= 36 {
		up := systolic.at(m) + r.rng.NormFloat64()*7
		if hypertension {
			up += 14
		}
		down := up*0.52 + 14 + r.rng.NormFloat64()*5
		o.key, o.code, o.name = "bp", "85354-9", "Blood pressure panel with all children optional"
		r.observe(o, member{"component", list{
			object{{"code", concept(loinc, "8480-6", "Systolic blood pressure")}, {"valueQuantity", quantity(round(up, 0), "mmHg", "mm[Hg]")}},
			object{{"code", concept(loinc, "8462-4", "Diastolic blood pressure")}, {"valueQuantity", quantity(round(down, 0), "mmHg", "mm[Hg]")}},
		}})
	}
	number("hr", "8867-4", "Heart rate", pulse.at(m)+r.rng.NormFloat64()*8, 0, "/min", "/min")
	number("rr", "9279-1", "Respiratory rate", respiration.at(m)+r.rng.NormFloat64()*2, 0, "/min", "/min")
	number("temp", "8310-5", "Body temperature", 36.6+math.Abs(r.rng.NormFloat64())*0.4, 1, "Cel", "Cel")
	number("spo2", "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", 99-math.Abs(r.rng.NormFloat64())*2, 0, "%", "%")
	number("weight", "29463-7", "Body weight", weight, 1, "kg", "kg")
	number("height", "8302-2", "Body height", height, 1, "cm", "cm")
	if m >= 24 {
		number("bmi", "39156-5", "Body mass index (BMI) [Ratio]", weight/(height*height/10000), 1, "kg/m2", "kg/m2")
	}
}

// round writes v with so many digits after the point.
func round(v float64, digits int) decimal {
	return decimal(strconv.FormatFloat(v, 'f', digits, 64))
}

// observation is what all observations of a visit share, with the one at hand.
type observation struct {
	who                    *person
	encounter, when        string
	at                     facility
	category, categoryName string
	key                    string // ends the id
	code, name             string // LOINC
}

// observe adds an Observation with a value, or components instead of one.
func (r *record) observe(o observation, value member) {
	r.put("Observation", o.encounter+"-"+o.key, member{"status", "final"},
		member{"category", list{concept("http://terminology.hl7.org/CodeSystem/observation-category", o.category, o.categoryName)}},
		member{"code", concept(loinc, o.code, o.name)},
		member{"subject", reference("Patient", o.who.id)},
		member{"encounter", reference("Encounter", o.encounter)},
		member{"effectiveDateTime", o.when},
		member{"performer", list{reference("Practitioner", o.at.staff(0))}},
		value)
}
