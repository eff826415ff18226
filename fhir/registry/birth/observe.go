package birth

import (
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// measure says which Observation a column becomes.
type measure struct {
	column  sinac.Column
	section string
	ofChild bool   // it is about the newborn, else about the mother
	code    string // LOINC; "" for the column itself
	name    string
	unit    string // UCUM; "" for a plain number
}

// measures are the columns that become an Observation with a LOINC code. All others that
// are known, and have no place of their own, become one with the column as code: no
// column of a certificate is lost.
var measures = []measure{
	{sinac.Weight, child, true, "8339-4", "Birth weight Measured", "g"},
	{sinac.Weeks, child, true, "11884-4", "Gestational age Estimated", "wk"},
	{sinac.Length, child, true, "89269-5", "Body height Measured --at birth", "cm"},
	{sinac.Apgar, child, true, "9274-2", "5 minute Apgar Score", ""},
	{sinac.Pregnancies, prenatal, false, "11996-6", "[#] Pregnancies", ""},
	{sinac.LiveBirths, prenatal, false, "11636-8", "[#] Births.live", ""},
	{sinac.Surviving, prenatal, false, "11638-4", "[#] Births.still living", ""},
	{sinac.StillBirths, prenatal, false, "68496-9", "Other pregnancy outcomes #", ""},
	{sinac.PrenatalVisits, prenatal, false, "68493-6", "Prenatal visits for this pregnancy #", ""},
	{sinac.Education, mother, false, "57712-2", "Highest level of education Mother", ""},
	{sinac.Occupation, mother, false, "11341-5", "History of Occupation", ""},
}

// placed are the columns that other resources than Observations hold.
var placed = map[sinac.Column]bool{
	sinac.MotherBorn: true, sinac.Born: true, sinac.BornAt: true, sinac.Sex: true, sinac.Anomaly1: true, sinac.Anomaly2: true,
	sinac.CertifyingFacility: true, sinac.Certified: true, sinac.BirthState: true, sinac.BirthTown: true,
}

// aboutChild are the columns about the newborn and the birth, of those without a code.
var aboutChild = map[sinac.Column]bool{
	sinac.Silverman: true, sinac.BirthRank: true, sinac.Plurality: true, sinac.Order: true, sinac.Total: true, sinac.Place: true, sinac.Facility: true,
	sinac.BirthLocality: true, sinac.Certifier: true, sinac.CertifyingState: true, sinac.CertifyingTown: true, sinac.CertifyingLocality: true,
	sinac.HearingScreen: true, sinac.BCG: true, sinac.HepatitisB: true, sinac.VitaminA: true, sinac.VitaminK: true,
}

// observe makes the Observations.
func (p *projection) observe() {
	done := map[sinac.Column]bool{}
	for i := range measures {
		m := &measures[i]
		done[m.column] = true
		p.observation(m)
	}
	for c := range sinac.Column(sinac.Columns) {
		if done[c] || p.elsewhere(c) {
			continue
		}
		p.observation(&measure{column: c, section: other, ofChild: aboutChild[c], name: c.Spanish()})
	}
}

// elsewhere reports whether another resource than an Observation tells what c says. That
// something was not given to the newborn, or that nobody pays, is told by no other.
func (p *projection) elsewhere(c sinac.Column) bool {
	switch c {
	case sinac.BCG, sinac.HepatitisB, sinac.VitaminA, sinac.VitaminK, sinac.HearingScreen:
		return p.Row[c] == sinac.Yes
	case sinac.Affiliation:
		return p.Row[c] != uninsured
	}
	return placed[c]
}

// observation adds the Observation of a column, unless nothing is known.
func (p *projection) observation(m *measure) {
	if !p.Row.Known(m.column) {
		return
	}
	about, encounter := p.Mother.Ref, p.maternity
	if m.ofChild {
		about, encounter = p.newborn, p.during
	}
	code := compose.Concept(ColumnSystem, m.column.String(), m.column.Spanish())
	if m.code != "" {
		code["coding"] = []compose.Object{compose.Coding(loinc, m.code, m.name), compose.Coding(ColumnSystem, m.column.String(), m.column.Spanish())}
	}
	o := compose.Object{
		"status": "final", "code": code, "subject": compose.Reference(about), "encounter": compose.Reference(encounter),
		"effectiveDateTime": p.when(), "issued": p.at.Format(time.RFC3339),
	}
	value := p.Row[m.column]
	n, err := strconv.Atoi(value)
	meaning, coded := m.column.Meaning(value)
	switch {
	case m.unit != "" && err == nil:
		o["valueQuantity"] = compose.Object{"value": n, "unit": m.unit, "system": units, "code": m.unit}
	case coded:
		o["valueCodeableConcept"] = compose.Object{"coding": []compose.Object{compose.Coding(ColumnSystem+"-"+strings.ToLower(m.column.String()), value, meaning)}}
	case err == nil && (value == "0" || !strings.HasPrefix(value, "0")) && m.column != sinac.Occupation && m.column != sinac.Education:
		o["valueInteger"] = n
	default:
		o["valueString"] = value
	}
	p.add(m.section, "Observation", fhir.Ref{}, o)
}
