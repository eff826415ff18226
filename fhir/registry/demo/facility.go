package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// facility is a hospital or a health centre. Which ones there are, and who works
// there, is the same in every population.
type facility struct {
	entity   int // place in identity.Entities
	number   int // 0 is the hospital of the entity, the others are health centres
	hospital bool
}

// centres is the number of health centres of each entity.
const centres = 2

// job is a post at a facility.
type job struct {
	key       string // part of the id of who has it
	role      string // a code of practitioner-role
	specialty string
}

var (
	hospitalJobs = []job{
		{"1", "doctor", "Ginecología y obstetricia"}, {"2", "doctor", "Pediatría"},
		{"3", "doctor", "Medicina interna"}, {"4", "nurse", "Enfermería"},
	}
	centreJobs = []job{{"1", "doctor", "Medicina general"}, {"2", "nurse", "Enfermería"}}
)

func (f facility) jobs() []job {
	if f.hospital {
		return hospitalJobs
	}
	return centreJobs
}

// clues has the form of a CLUES, with a number that none has been given.
func (f facility) clues() string {
	return fmt.Sprintf("%sSSA9%02d%02d0", identity.Entities()[f.entity].CURP, f.entity+1, f.number)
}

func (f facility) id() string { return "clues-" + f.clues() }

func (f facility) name() string {
	town := municipalities[f.entity][f.number].name
	if f.hospital {
		return "Hospital General de " + town + " (demostración)"
	}
	return "Centro de Salud " + town + " (demostración)"
}

// cedula has the form of a cédula profesional, with a number that none has been given.
func (f facility) cedula(j job) string {
	return fmt.Sprintf("9%02d%02d00%s", f.entity+1, f.number, j.key)
}

// FirstFacility returns the logical id of the Organization that every population begins with.
func FirstFacility() string { return hospitalOf(0).id() }

// CLUES returns the CLUES of the first facility.
func CLUES() string { return hospitalOf(0).clues() }

// Doctor returns the id of a Practitioner of the first facility.
func Doctor() string { return hospitalOf(0).staff(0) }

// Nurse returns the id of another Practitioner of the first facility.
func Nurse() string { return hospitalOf(0).staff(len(hospitalOf(0).jobs()) - 1) }

// staff returns the id of who has the n-th job of f.
func (f facility) staff(n int) string { return "cedula-" + f.cedula(f.jobs()[n]) }

// bornBefore returns when who has the n-th job of f was born. It takes nothing from the
// record's generator, so that the names of those who come after stay.
func bornBefore(f facility, n int) time.Time {
	rng := rand.New(rand.NewPCG(uint64(f.entity), uint64(10*f.number+n)))
	return day(1990, time.January).AddDate(0, 0, -rng.IntN(25*365))
}

// curp returns the CURP of somebody who works at f. Its letters are those of the name, so
// that two have the same only where name and day of birth are the same.
func (f facility) curp(who *person) string {
	curp := identity.ExpectedCURP(identity.Person{
		Given: who.given, Father: who.father, Mother: who.mother, Born: who.born, Sex: who.sex, BirthIn: identity.Entities()[f.entity].CURP,
	}) + "9"
	digit, _ := identity.CURPDigit(curp)
	return curp + string(rune(digit))
}

func hospitalOf(entity int) facility { return facility{entity: entity, hospital: true} }

func centreOf(entity, n int) facility { return facility{entity: entity, number: 1 + n%centres} }

// staffed makes all facilities with their staff, a transaction for every eight entities.
func staffed() []*record {
	var all []*record
	for e := range identity.Entities() {
		if e%8 == 0 {
			all = append(all, &record{rng: rand.New(rand.NewPCG(0, uint64(e)))})
		}
		r := all[len(all)-1]
		r.facility(hospitalOf(e))
		for n := range centres {
			r.facility(centreOf(e, n))
		}
	}
	return all
}

func (r *record) facility(f facility) {
	identifiers := list{testIdentifier("official", identity.SystemCLUES, f.clues())}
	kind, kindName := "PC", "Primary care clinic"
	if f.hospital {
		kind, kindName = "HOSP", "Hospital"
	}
	home := home{entity: f.entity, town: f.number, street: pick(r.rng, streets), number: between(r.rng, 1, 400)}
	telecom := list{object{{"system", "phone"}, {"value", phone(r.rng)}, {"use", "work"}}}
	r.put("Organization", f.id(), member{"identifier", identifiers}, member{"active", true},
		member{"type", list{concept("http://terminology.hl7.org/CodeSystem/organization-type", "prov", "Healthcare Provider")}},
		member{"name", f.name()}, member{"telecom", telecom}, member{"address", list{home.address("work")}})
	r.put("Location", f.id(), member{"identifier", identifiers}, member{"status", "active"},
		member{"name", f.name()}, member{"mode", "instance"},
		member{"type", list{concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", kind, kindName)}},
		member{"telecom", telecom}, member{"address", home.address("work")},
		member{"managingOrganization", reference("Organization", f.id())})
	for n, j := range f.jobs() {
		r.practitioner(f, n, j)
	}
}

func (r *record) practitioner(f facility, n int, j job) {
	who := person{father: pick(r.rng, surnames), mother: pick(r.rng, surnames), sex: "HM"[r.rng.IntN(2)]}
	who.given = givenNames(r.rng, who.sex)
	prefix := ""
	if j.role == "doctor" {
		prefix = map[byte]string{'H': "Dr.", 'M': "Dra."}[who.sex]
	}
	who.born = bornBefore(f, n)
	r.put("Practitioner", f.staff(n),
		member{"identifier", list{
			testIdentifier("official", identity.SystemCedula, f.cedula(j)), testIdentifier("official", identity.SystemCURP, f.curp(&who)),
		}},
		member{"active", true}, member{"name", list{who.humanName("official", prefix)}}, member{"gender", who.gender()},
		member{"birthDate", date(who.born)},
		member{"qualification", list{object{
			{"identifier", list{testIdentifier("official", identity.SystemCedula, f.cedula(j))}},
			{"code", object{{"text", j.specialty}}},
		}}})
	r.put("PractitionerRole", f.staff(n), member{"active", true},
		member{"practitioner", reference("Practitioner", f.staff(n))},
		member{"organization", reference("Organization", f.id())},
		member{"code", list{concept("http://terminology.hl7.org/CodeSystem/practitioner-role", j.role, map[string]string{"doctor": "Doctor", "nurse": "Nurse"}[j.role])}},
		member{"specialty", list{object{{"text", j.specialty}}}},
		member{"location", list{reference("Location", f.id())}})
}
