package demo

import (
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

const (
	cvx    = "http://hl7.org/fhir/sid/cvx"
	snomed = "http://snomed.info/sct"
)

// vaccine is a product with what it protects from.
type vaccine struct {
	cvx, name   string
	diseases    []object // SNOMED CT
	route, site string   // codes of v3-RouteOfAdministration and v3-ActSite; site may be ""
	volume      decimal  // mL
}

func disease(code, name string) object { return concept(snomed, code, name) }

var (
	tuberculosis = disease("56717001", "Tuberculosis")
	hepatitisB   = disease("66071002", "Hepatitis B")
	hepatitisA   = disease("40468003", "Hepatitis A")
	diphtheria   = disease("397430003", "Diphtheria")
	pertussis    = disease("27836007", "Pertussis")
	tetanus      = disease("76902006", "Tetanus")
	polio        = disease("398102009", "Poliomyelitis")
	hib          = disease("709410003", "Haemophilus influenzae type b infection")
	rotavirus    = disease("415822001", "Rotavirus infection")
	pneumococcus = disease("16814004", "Pneumococcal infection")
	measles      = disease("14189004", "Measles")
	mumps        = disease("36989005", "Mumps")
	rubella      = disease("36653000", "Rubella")
	influenza    = disease("719590007", "Influenza due to seasonal influenza virus")
	cervical     = disease("363354003", "Cervical cancer")

	bcg        = vaccine{"19", "BCG", []object{tuberculosis}, "IDINJ", "RD", "0.1"}
	hepB       = vaccine{"08", "Hepatitis B", []object{hepatitisB}, "IM", "LT", "0.5"}
	hexavalent = vaccine{"146", "Hexavalente", []object{diphtheria, pertussis, tetanus, polio, hib, hepatitisB}, "IM", "RT", "0.5"}
	rota       = vaccine{"119", "Rotavirus", []object{rotavirus}, "PO", "", "1.5"}
	pcv        = vaccine{"133", "Neumocócica conjugada", []object{pneumococcus}, "IM", "LT", "0.5"}
	flu        = vaccine{"141", "Influenza", []object{influenza}, "IM", "LD", "0.5"}
	mmr        = vaccine{"03", "SRP", []object{measles, mumps, rubella}, "SQ", "LD", "0.5"}
	hepA       = vaccine{"83", "Hepatitis A", []object{hepatitisA}, "IM", "LD", "0.5"}
	dtp        = vaccine{"01", "DPT", []object{diphtheria, pertussis, tetanus}, "IM", "LD", "0.5"}
	hpv        = vaccine{"62", "VPH", []object{cervical}, "IM", "LD", "0.5"}
	td         = vaccine{"09", "Td", []object{tetanus, diphtheria}, "IM", "LD", "0.5"}
	tdap       = vaccine{"115", "Tdpa", []object{tetanus, diphtheria, pertussis}, "IM", "LD", "0.5"}
	ppv        = vaccine{"33", "Neumocócica de polisacáridos", []object{pneumococcus}, "IM", "LD", "0.5"}
)

// dose is a line of the schedule.
type dose struct {
	key     string // ends the id
	vaccine *vaccine
	number  int
	month   int       // age at which it is due
	since   time.Time // given only from this day on; zero for always
	reached float64   // how many of those due get it
}

// The Programa de Vacunación Universal as of 2026, for children. The second SRP
// dose is left to secondMMR, since it goes by the day of birth.
//
// See NOM-036-SSA2-2012 and its yearly guidelines.
var childSchedule = []dose{
	{"bcg", &bcg, 1, 0, time.Time{}, 0.97},
	{"hepb", &hepB, 1, 0, time.Time{}, 0.96},
	{"hexa-1", &hexavalent, 1, 2, hexavalentSince, 0.94},
	{"hexa-2", &hexavalent, 2, 4, hexavalentSince, 0.91},
	{"hexa-3", &hexavalent, 3, 6, hexavalentSince, 0.88},
	{"hexa-4", &hexavalent, 4, 18, hexavalentSince, 0.80},
	{"rota-1", &rota, 1, 2, time.Time{}, 0.90},
	{"rota-2", &rota, 2, 4, time.Time{}, 0.86},
	{"pcv-1", &pcv, 1, 2, time.Time{}, 0.92},
	{"pcv-2", &pcv, 2, 4, time.Time{}, 0.89},
	{"pcv-3", &pcv, 3, 12, time.Time{}, 0.86},
	{"flu-1", &flu, 1, 6, time.Time{}, 0.72},
	{"flu-2", &flu, 2, 7, time.Time{}, 0.65},
	{"mmr-1", &mmr, 1, 12, time.Time{}, 0.90},
	{"hepa", &hepA, 1, 18, day(2025, time.March), 0.80},
	{"dtp", &dtp, 1, 48, time.Time{}, 0.82},
	{"hpv", &hpv, 1, 132, day(2022, time.October), 0.70},
	{"td-1", &td, 1, 180, time.Time{}, 0.45},
}

var (
	hexavalentSince = day(2018, time.January)
	earlyMMRSince   = day(2020, time.July)    // born from here on, the second SRP dose is due at 18 months instead of 6 years
	childrenSince   = day(2010, time.January) // older people have no record of what they got as children
)

func day(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

func secondMMR(who *person) dose {
	d := dose{key: "mmr-2", vaccine: &mmr, number: 2, month: 72, reached: 0.75}
	if !who.born.Before(earlyMMRSince) {
		d.month = 18
	}
	return d
}

// vaccinations adds the doses that who has had: those due, except a few missed and
// some late; adults have a booster and the winter's influenza dose now and then.
func (r *record) vaccinations(who *person) {
	if who.born.Before(childrenSince) {
		r.adultVaccinations(who)
		return
	}
	for _, d := range append(childSchedule[:len(childSchedule):len(childSchedule)], secondMMR(who)) {
		if d.month == 0 && who.certified {
			continue // the certificate of birth tells of these
		}
		given := addMonths(who.born, d.month)
		if d.month > 0 {
			given = given.AddDate(0, 0, r.rng.IntN(12))
			if r.chance(0.15) {
				given = given.AddDate(0, 0, r.rng.IntN(35))
			}
		}
		if r.chance(d.reached) && !given.After(r.today) && !given.Before(d.since) {
			r.immunization(who, d, given)
		}
	}
}

func (r *record) adultVaccinations(who *person) {
	years := months(who.born, r.today) / 12
	if r.chance(0.35) {
		r.immunization(who, dose{key: "td", vaccine: &td, number: 1}, r.today.AddDate(0, 0, -between(r.rng, 30, 3600)))
	}
	if years >= 60 && r.chance(0.5) || r.chance(0.15) {
		winter := time.Date(r.today.Year()-1, time.October, 15, 0, 0, 0, 0, time.UTC)
		r.immunization(who, dose{key: "flu", vaccine: &flu, number: 1}, winter.AddDate(0, 0, r.rng.IntN(120)))
	}
	if years >= 66 && r.chance(0.4) {
		r.immunization(who, dose{key: "ppv", vaccine: &ppv, number: 1}, r.today.AddDate(0, 0, -between(r.rng, 30, 360)))
	}
}

// pregnancyVaccination adds Tdpa, due from week 20 of a pregnancy.
func (r *record) pregnancyVaccination(mother *person, began, ended time.Time) {
	given := began.AddDate(0, 0, 7*20+r.rng.IntN(60))
	if ended.IsZero() {
		ended = r.today
	}
	if given.Before(ended) && r.chance(0.8) {
		r.immunization(mother, dose{key: "tdap", vaccine: &tdap, number: 1}, given)
	}
}

// sites gives v3-ActSite names.
var sites = map[string]string{"RD": "right deltoid", "LD": "left deltoid", "RT": "right thigh", "LT": "left thigh"}

// routes gives v3-RouteOfAdministration names.
var routes = map[string]string{
	"IDINJ": "Injection, intradermal", "IM": "Injection, intramuscular",
	"SQ": "Injection, subcutaneous", "PO": "Swallow, oral",
}

func (r *record) immunization(who *person, d dose, given time.Time) {
	at, nurse := clinicOf(who), 1
	if d.month == 0 && d.number == 1 && who.folio != "" {
		at, nurse = hospitalOf(who.home.entity), 3
	}
	v := d.vaccine
	diseases := list{}
	for _, t := range v.diseases {
		diseases = append(diseases, t)
	}
	var site any
	if v.site != "" {
		site = concept("http://terminology.hl7.org/CodeSystem/v3-ActSite", v.site, sites[v.site])
	}
	r.put("Immunization", who.id+"-"+d.key, member{"status", "completed"},
		member{"vaccineCode", concept(cvx, v.cvx, v.name)},
		member{"patient", reference("Patient", who.id)},
		member{"occurrenceDateTime", date(given)}, member{"recorded", date(given)}, member{"primarySource", true},
		member{"location", reference("Location", at.id())},
		member{"lotNumber", fmt.Sprintf("DEMO%s%02d%c", v.cvx, given.Year()%100, 'A'+rune(r.rng.IntN(6)))},
		member{"expirationDate", date(addMonths(given, 6+r.rng.IntN(18)))},
		member{"site", site},
		member{"route", concept("http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration", v.route, routes[v.route])},
		member{"doseQuantity", quantity(v.volume, "mL", "mL")},
		member{"performer", list{object{
			{"function", concept("http://terminology.hl7.org/CodeSystem/v2-0443", "AP", "Administering Provider")},
			{"actor", reference("Practitioner", at.staff(nurse))},
		}}},
		member{"protocolApplied", list{object{
			{"series", "Programa de Vacunación Universal, " + identity.Entities()[who.home.entity].Name},
			{"targetDisease", diseases}, {"doseNumberPositiveInt", d.number},
		}}})
}
