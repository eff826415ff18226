package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// person is somebody in the population.
type person struct {
	id             string
	given          string
	father, mother string // the two surnames
	sex            byte   // as a CURP writes it: 'H', 'M' or 'X'
	born           time.Time
	birthIn        int    // place in identity.Entities
	curp           string // "" for a newborn whose birth is not registered yet
	folio          string // number of the certificate of birth, of newborns
	certified      bool   // what was done at birth is in a certificate
	home           home
	tall, heavy    float64 // how the body differs from the median, as a factor near 1
	married        bool
}

// home is where somebody lives.
type home struct {
	entity, town int // places in identity.Entities and in the entity's municipalities
	street       string
	number       int
}

// ages is the shape of the population: of a thousand people, how many are younger than years.
//
// See INEGI, Censo de Población y Vivienda 2020.
var ages = []struct{ below, years int }{
	{80, 5}, {165, 10}, {252, 15}, {339, 20}, {423, 25}, {503, 30}, {577, 35}, {647, 40}, {714, 45},
	{775, 50}, {831, 55}, {877, 60}, {915, 65}, {945, 70}, {967, 75}, {983, 80}, {994, 88}, {1000, 96},
}

// birthday returns a day for somebody of today's population.
func birthday(rng *rand.Rand, today time.Time) time.Time {
	n, from := rng.IntN(1000), 0
	for _, a := range ages {
		if n < a.below {
			return today.AddDate(0, 0, -1-from*365-rng.IntN((a.years-from)*365))
		}
		from = a.years
	}
	return today
}

// person makes anybody but a newborn.
func (p *population) person(rng *rand.Rand, id string) *person {
	sex := byte('M')
	switch n := rng.IntN(1000); {
	case n < 3:
		sex = 'X'
	case n < 490:
		sex = 'H'
	}
	return p.born(rng, id, sex, birthday(rng, p.Date))
}

// mother makes a woman of an age to have a child.
func (p *population) mother(rng *rand.Rand, id string) *person {
	return p.born(rng, id, 'M', p.Date.AddDate(0, 0, -between(rng, 17*365, 41*365)))
}

func (p *population) born(rng *rand.Rand, id string, sex byte, born time.Time) *person {
	who := &person{
		id: id, sex: sex, born: born, given: givenNames(rng, sex),
		father: pick(rng, surnames), mother: pick(rng, surnames),
		tall: 1 + rng.NormFloat64()*0.035, heavy: 1 + max(-0.3, rng.NormFloat64()*0.15),
	}
	if rng.IntN(60) == 0 {
		who.mother = "" // as happens when only one parent registers a birth
	}
	who.home = randomHome(rng)
	who.birthIn = who.home.entity
	if rng.IntN(6) == 0 { // moved from elsewhere
		who.birthIn = weightedEntity(rng)
	}
	who.married = months(born, p.Date) > 22*12 && rng.IntN(100) < 62
	who.curp = p.curp(who)
	return who
}

// curp returns a CURP that nobody else of the population has. It is test data:
// real ones come from RENAPO alone.
func (p *population) curp(who *person) string {
	sixteen := identity.ExpectedCURP(identity.Person{
		Given: who.given, Father: who.father, Mother: who.mother, Born: who.born, Sex: who.sex,
		BirthIn: identity.Entities()[who.birthIn].CURP,
	})
	same := p.curps[sixteen]
	p.curps[sixteen]++
	seventeenth := '0' + same%10
	if who.born.Year() >= 2000 {
		seventeenth = 'A' + same%26
	}
	curp := sixteen + string(rune(seventeenth))
	digit, _ := identity.CURPDigit(curp)
	return curp + string(rune(digit))
}

// newborn makes the child of mother, born some weeks ago.
func (p *population) newborn(rng *rand.Rand, id string, mother *person) *person {
	child := &person{
		id: id, sex: "HM"[rng.IntN(2)], father: pick(rng, surnames), mother: mother.father,
		born: p.Date.AddDate(0, 0, -between(rng, 4, 330)), home: mother.home, birthIn: mother.home.entity,
		tall: 1 + rng.NormFloat64()*0.03, heavy: 1 + rng.NormFloat64()*0.1,
	}
	child.given = givenNames(rng, child.sex)
	child.folio = fmt.Sprintf("9%08d", rng.IntN(100_000_000))
	if child.registered(p.Date) {
		child.curp = p.curp(child)
	}
	return child
}

// registered reports whether the birth is old enough to have reached the civil
// registry. A child has a name and a CURP only from then on.
func (who *person) registered(today time.Time) bool {
	return today.Sub(who.born) > 75*24*time.Hour
}

// folioUse says how much the folio counts: it identifies the child until there is a CURP.
func (who *person) folioUse() string {
	if who.curp == "" {
		return "temp"
	}
	return "old"
}

func givenNames(rng *rand.Rand, sex byte) string {
	if sex == 'M' || sex == 'X' && rng.IntN(2) == 0 {
		return pick(rng, womenNames)
	}
	return pick(rng, menNames)
}

func (who *person) gender() string {
	return map[byte]string{'H': "male", 'M': "female", 'X': "other"}[who.sex]
}

// humanName writes both surnames as family, and each again as an extension, since
// a search by either must find the person.
//
// See https://hl7.org/fhir/R4/extension-humanname-fathers-family.html.
func (who *person) humanName(use, prefix string) object {
	family := strings.TrimSpace(who.father + " " + who.mother)
	parts := list{object{{"url", "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"}, {"valueString", who.father}}}
	if who.mother != "" {
		parts = append(parts, object{{"url", "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"}, {"valueString", who.mother}})
	}
	name := object{{"use", use}, {"text", strings.TrimSpace(prefix + " " + who.given + " " + family)}, {"family", family},
		{"_family", object{{"extension", parts}}}}
	given := list{}
	for _, g := range strings.Fields(who.given) {
		given = append(given, g)
	}
	name = append(name, member{"given", given})
	if prefix != "" {
		name = append(name, member{"prefix", list{prefix}})
	}
	return name
}

func randomHome(rng *rand.Rand) home {
	e := weightedEntity(rng)
	return home{entity: e, town: weightedTown(rng, e), street: pick(rng, streets), number: between(rng, 1, 999)}
}

// weightedEntity returns an entity, the populous ones more often.
func weightedEntity(rng *rand.Rand) int {
	n := rng.IntN(peopleInAll)
	for e := range municipalities {
		if n -= peopleIn(e); n < 0 {
			return e
		}
	}
	return 0
}

func weightedTown(rng *rand.Rand, entity int) int {
	n := rng.IntN(peopleIn(entity))
	for t, m := range municipalities[entity] {
		if n -= m.people; n < 0 {
			return t
		}
	}
	return 0
}

func peopleIn(entity int) int {
	n := 0
	for _, m := range municipalities[entity] {
		n += m.people
	}
	return n
}

// peopleInAll counts the people of all the municipalities of the table, in thousands.
var peopleInAll = func() int {
	n := 0
	for e := range municipalities {
		n += peopleIn(e)
	}
	return n
}()

// address writes the names of entity and municipality with the INEGI keys beside them.
//
// See https://hl7.org/fhir/R4/extension-iso21090-sc-coding.html.
func (h home) address(use string) object {
	entity, town := identity.Entities()[h.entity], municipalities[h.entity][h.town]
	key := func(code, name string) object {
		return object{{"extension", list{object{
			{"url", "http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding"},
			{"valueCoding", coding(identity.SystemINEGI, code, name)},
		}}}}
	}
	return object{{"use", use}, {"type", "physical"},
		{"line", list{fmt.Sprintf("Calle %s %d", h.street, h.number)}},
		{"city", town.name},
		{"district", town.name}, {"_district", key(entity.INEGI+town.key, town.name)},
		{"state", entity.Name}, {"_state", key(entity.INEGI, entity.Name)},
		{"country", "MX"}}
}

// phone returns a number that no subscriber has: those begin with no zero.
func phone(rng *rand.Rand) string {
	n := rng.IntN(10_000_000)
	return fmt.Sprintf("+52 55 0%03d %04d", n/10_000, n%10_000)
}

// patient adds the Patient resource of who. links are added as they are.
func (r *record) patient(who *person, links list, extra ...member) {
	r.known = append(r.known, who)
	at := clinicOf(who)
	identifiers := list{}
	if who.curp != "" {
		identifiers = append(identifiers, testIdentifier("official", identity.SystemCURP, who.curp))
	}
	if who.folio != "" {
		identifiers = append(identifiers, testIdentifier(who.folioUse(), SystemBirth, who.folio))
	}
	identifiers = append(identifiers, testIdentifier("usual", SystemRecord, who.id))
	members := []member{
		{"extension", list{object{
			{"url", "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"},
			{"valueAddress", object{{"state", identity.Entities()[who.birthIn].Name}, {"country", "MX"}}},
		}, object{
			{"extension", list{object{{"url", "code"}, {"valueCodeableConcept", concept("urn:iso:std:iso:3166", "MEX", "Mexico")}}}},
			{"url", "http://hl7.org/fhir/StructureDefinition/patient-nationality"},
		}}},
		{"identifier", identifiers}, {"active", true}, {"name", list{r.nameOf(who)}},
		{"telecom", list{object{{"system", "phone"}, {"value", phone(r.rng)}, {"use", "mobile"}}}},
		{"gender", who.gender()}, {"birthDate", date(who.born)}, {"address", list{who.home.address("home")}},
	}
	if months(who.born, r.today) >= 18*12 {
		code, name := "S", "Never Married"
		if who.married {
			code, name = "M", "Married"
		}
		members = append(members, member{"maritalStatus", concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", code, name)})
	}
	members = append(members, extra...)
	members = append(members,
		member{"communication", list{object{{"language", concept("urn:ietf:bcp:47", "es-MX", "Español (México)")}, {"preferred", true}}}},
		member{"generalPractitioner", list{reference("Practitioner", at.staff(0))}},
		member{"managingOrganization", reference("Organization", at.id())},
		member{"link", links})
	r.put("Patient", who.id, members...)
}

// nameOf returns the name a record shows: a child who is not registered yet goes
// by "RN" (recién nacido) and the mother's surname.
func (r *record) nameOf(who *person) object {
	if who.curp != "" {
		return who.humanName("official", "")
	}
	child := person{given: "RN", father: who.mother}
	return child.humanName("temp", "")
}

// clinicOf returns the health centre near where who lives.
func clinicOf(who *person) facility { return centreOf(who.home.entity, who.home.town) }

// The systems of identifiers that have no national OID.
const (
	SystemRecord = "https://github.com/amate-health/amate/id/expediente"             // number of a clinical record at its facility
	SystemBirth  = "https://github.com/amate-health/amate/id/certificado-nacimiento" // folio of a certificate of birth
)
