package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Birth is a birth that is to be certified, and what becomes of the certificate.
type Birth struct {
	Certified time.Time // when, which is late for some
	Facility  string    // CLUES of the hospital
	Certifier string    // id of the Practitioner
	Mother    string    // her name: to whom it is handed over
	Void      string    // why it is withdrawn; "" for one that stands

	// Of those that the civil registry has registered: when, under which number and name, at
	// which office. Zero and "" for others.
	Registered      time.Time
	Acta, Oficialia string
	Name            []byte // HumanName
	CURP            string // "" until RENAPO assigned it

	claim object
	child *person
	seed  uint64
	today time.Time
}

// central is the time of most of Mexico.
var central = time.FixedZone("", -6*60*60)

// hospitals are the entities, of identity.Entities, in whose hospitals births are certified.
// The first is that of the establishment that a demonstration acts for.
var hospitals = []int{0, 8, 0, 13, 0, 19}

// births makes n births of the last year, a few of them yesterday. One in five is certified
// late; those of more than two months ago are registered.
func (p *population) births(rng *rand.Rand, n int, now time.Time) []Birth {
	var all []Birth
	for i := range n {
		days := 1 + i*330/n + rng.IntN(8)
		born := now.In(central).AddDate(0, 0, -days)
		born = time.Date(born.Year(), born.Month(), born.Day(), rng.IntN(24), rng.IntN(60), 0, 0, central)
		delay := time.Duration(between(rng, 2, 9)) * time.Hour
		if i%5 == 3 && days > 4 {
			delay = time.Duration(between(rng, 3, min(days-1, 75))) * 24 * time.Hour
		}
		if most := now.Sub(born) - 10*time.Minute; delay > most {
			delay = most
		}
		at := hospitalOf(hospitals[i%len(hospitals)])
		all = append(all, p.certified(rng, at, born, born.Add(delay), now))
	}
	if len(all) > 3 {
		all[2].Void = "Se certificó por error con datos de otra madre"
		all[2].Registered, all[2].CURP = time.Time{}, ""
	}
	slices.SortStableFunc(all, func(a, b Birth) int { return cmp.Compare(a.Certified.Unix(), b.Certified.Unix()) })
	return all
}

// certified makes one birth at a hospital.
func (p *population) certified(rng *rand.Rand, at facility, born, when, now time.Time) Birth {
	mother := p.mother(rng, "")
	mother.home.entity, mother.home.town = at.entity, weightedTown(rng, at.entity)
	child := &person{sex: "HM"[rng.IntN(2)], father: pick(rng, surnames), mother: mother.father, birthIn: at.entity,
		born: time.Date(born.Year(), born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)}
	child.given = givenNames(rng, child.sex)
	row := sinacRow(rng, mother.home, at, child)
	row.SetDate(sinac.MotherBorn, mother.born)
	row[sinac.BornAt] = born.Format("15:04")
	for _, c := range []sinac.Column{sinac.Born, sinac.Sex, sinac.MotherAge, sinac.Certified} {
		row[c] = "" // they follow
	}
	b := Birth{Certified: when, Facility: at.clues(), Certifier: at.staff(0), Mother: mother.humanName("official", "")[1].value.(string)}
	child.home, child.certified = mother.home, true
	b.child, b.seed, b.today = child, rng.Uint64(), p.Date
	b.claim = claimOf(&row, mother, child, rng.IntN(5) > 0, at)
	if registered := born.AddDate(0, 0, between(rng, 40, 70)); registered.After(when) && registered.Before(now) {
		b.Registered = registered
		b.Acta = fmt.Sprintf("%05d", rng.IntN(100_000))
		b.Oficialia = "Oficialía 1, " + municipalities[at.entity][at.number].name
		b.Name = appendJSON(nil, child.humanName("official", ""))
		if rng.IntN(4) > 0 {
			b.CURP = p.curp(child)
		}
	}
	return b
}

// Claim returns the Parameters of $birth-certify, with the certificate of who signs, in base64.
func (b *Birth) Claim(certificate string) []byte {
	parts := b.claim[1].value.(list)
	parts = append(parts[:len(parts):len(parts)], object{{"name", "certificate"}, {"valueBase64Binary", certificate}})
	return appendJSON(nil, object{b.claim[0], {"parameter", parts}})
}

// Address returns where the child lives: a list of Address.
func (b *Birth) Address() []byte { return appendJSON(nil, list{b.child.home.address("home")}) }

// Vaccinations returns the doses that the child, whose Patient has this id, has had since
// birth, as a transaction; nil for none yet.
func (b *Birth) Vaccinations(id string) []byte {
	child := *b.child
	child.id = id
	r := &record{rng: rand.New(rand.NewPCG(b.seed, 0)), today: b.today}
	r.vaccinations(&child)
	if len(r.entries) == 0 {
		return nil
	}
	return r.transaction().JSON
}

func claimOf(row *sinac.Row, mother, child *person, father bool, at facility) object {
	tag := object{{"tag", list{coding(identity.SystemTest, "HTEST", "test health data")}}}
	parts := list{}
	for c := range sinac.Column(sinac.Columns) {
		if row[c] != "" {
			parts = append(parts, object{{"name", c.String()}, {"valueString", row[c]}})
		}
	}
	add := func(name string, resource object) {
		parts = append(parts, object{{"name", name}, {"resource", resource}})
	}
	add("mother", object{{"resourceType", "Patient"}, {"meta", tag},
		{"identifier", list{testIdentifier("official", identity.SystemCURP, mother.curp)}}, {"active", true},
		{"name", list{mother.humanName("official", "")}}, {"gender", "female"}, {"birthDate", date(mother.born)},
		{"address", list{mother.home.address("home")}}})
	add("newborn", object{{"resourceType", "Patient"}, {"meta", tag}, {"gender", child.gender()}, {"birthDate", date(child.born)}})
	if father {
		dad := person{given: givenNames(rand.New(rand.NewPCG(2, uint64(child.born.Unix()))), 'H'), father: child.father, mother: mother.mother}
		add("father", object{{"resourceType", "RelatedPerson"}, {"meta", tag}, {"patient", object{{"display", "recién nacido"}}},
			{"name", list{dad.humanName("official", "")}}, {"gender", "male"}})
	}
	parts = append(parts, object{{"name", "certifier"}, {"valueReference", reference("Practitioner", at.staff(0))}})
	return object{{"resourceType", "Parameters"}, {"parameter", parts}}
}

// sinacRow makes what is counted of a birth at a facility.
func sinacRow(rng *rand.Rand, home home, at facility, child *person) (r sinac.Row) {
	entities := identity.Entities()
	set := func(c sinac.Column, lo, hi int) int {
		n := between(rng, lo, hi)
		r.SetInt(c, n)
		return n
	}
	no, yes := sinac.No, sinac.Yes
	r[sinac.BornAbroad], r[sinac.LivesAbroad], r[sinac.Indigenous], r[sinac.IndigenousLanguage] = no, no, no, no
	state, town := entities[home.entity].INEGI, municipalities[home.entity][home.town].key
	r[sinac.MotherBirthState], r[sinac.MotherBirthTown] = state, town
	r[sinac.HomeState], r[sinac.HomeTown], r[sinac.HomeLocality] = state, town, "0001"
	set(sinac.MotherAge, 16, 42)
	r[sinac.Marital] = pick(rng, []string{"4", "5", "1", "6"})
	before := rng.IntN(4)
	for _, c := range []sinac.Column{sinac.Pregnancies, sinac.LiveBirths, sinac.Surviving, sinac.BirthRank} {
		r.SetInt(c, before+1)
	}
	r[sinac.StillBirths], r[sinac.PrenatalCare], r[sinac.MotherSurvived] = "0", yes, yes
	set(sinac.FirstVisitTrimester, 1, 2)
	set(sinac.PrenatalVisits, 3, 10)
	r[sinac.Affiliation], r[sinac.Education] = "10", "72"
	r.SetDate(sinac.Born, child.born)
	r[sinac.BornAt] = fmt.Sprintf("%02d:%02d", rng.IntN(24), rng.IntN(60))
	r[sinac.Sex] = map[byte]string{'H': sinac.Man, 'M': sinac.Woman}[child.sex]
	weeks := min(41, between(rng, 37, 40)+rng.IntN(2))
	if rng.IntN(12) == 0 {
		weeks = between(rng, 31, 36)
	}
	r.SetInt(sinac.Weeks, weeks)
	grams := 3200 + rng.NormFloat64()*400 - float64(max(0, 38-weeks))*180
	r[sinac.Weight] = strconv.Itoa(int(min(5200, max(900, grams))))
	set(sinac.Length, 48, 52)
	set(sinac.Apgar, 8, 10)
	r[sinac.Silverman], r[sinac.HearingScreen], r[sinac.BCG], r[sinac.HepatitisB], r[sinac.VitaminA], r[sinac.VitaminK] = "0", yes, yes, yes, no, yes
	r[sinac.Plurality], r[sinac.Order], r[sinac.Total], r[sinac.Anomaly1], r[sinac.Place] = sinac.One, "1", "1", "0000", "01"
	r[sinac.Facility], r[sinac.CertifyingFacility] = at.clues(), at.clues()
	r[sinac.TransferTime] = fmt.Sprintf("00:%02d", between(rng, 5, 55))
	r[sinac.Delivery], r[sinac.Forceps] = "1", no
	if rng.IntN(100) < 45 {
		r[sinac.Delivery], r[sinac.Cesarean] = "", strconv.Itoa(between(rng, 1, 2))
	}
	r[sinac.Attendant], r[sinac.Certifier] = "1", "1"
	r[sinac.BirthState], r[sinac.BirthTown], r[sinac.BirthLocality] = entities[at.entity].INEGI, municipalities[at.entity][at.number].key, "0001"
	return r
}

// CountedBirths makes n births of a year, as SINAC publishes those of earlier years: rows
// without anybody's name. The same seed gives the same rows.
func CountedBirths(seed uint64, year, n int) []sinac.Row {
	rng := rand.New(rand.NewPCG(seed, uint64(year)))
	all := make([]sinac.Row, n)
	for i := range all {
		e := weightedEntity(rng)
		child := &person{sex: "HM"[rng.IntN(2)], born: day(year, time.January).AddDate(0, 0, rng.IntN(365))}
		all[i] = sinacRow(rng, home{entity: e, town: weightedTown(rng, e)}, hospitalOf(e), child)
		late := 0
		switch f := rng.IntN(100); {
		case f < 82:
			late = rng.IntN(2)
		case f < 93:
			late = between(rng, 2, 7)
		case f < 99:
			late = between(rng, 8, 60)
		default:
			late = between(rng, 61, 200)
		}
		all[i].SetDate(sinac.Certified, child.born.AddDate(0, 0, late))
	}
	return all
}
