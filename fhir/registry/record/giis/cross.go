package giis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// cross is a rule between variables that is no condition.
type cross struct {
	of    int
	rule  string
	soft  bool // a warning
	check func(r *Row) string
}

var crosses = []cross{
	{vStaffCURP, "age", false, staffAge},
	{vStaffCURP, "generic-curp", false, func(r *Row) string {
		return wrong(r.at(vStaffCURP) == identity.GenericCURP && r.at(vStaffCountry) == "142", "only those born abroad have the generic CURP")
	}},
	{vStaffName, "curp", true, func(r *Row) string {
		return agrees(r.at(vStaffCURP), identity.Person{Given: r.at(vStaffName), Father: r.at(vStaffFather), Mother: surname(r.at(vStaffMother))})
	}},
	{vStaff, "age", false, func(r *Row) string {
		return wrong(r.is(vStaff, psychology) && !r.aged(0, 6), "psychologists see patients under 6 years") +
			wrong(r.is(vStaff, gerontology) && !r.aged(60, 200), "gerontologists see patients of 60 years or more")
	}},
	{vProgramme, "institution", false, func(r *Row) string {
		of := institution(r.at(vCLUES))
		return wrong(r.at(vProgramme) == "1" && of != "SSA" && of != "IMB", "1 is for facilities of SSA and IMB")
	}},
	{vCURP, "staff", false, func(r *Row) string {
		return wrong(r.at(vCURP) == r.at(vStaffCURP) && r.at(vCURP) != identity.GenericCURP, "the CURP of the patient is that of who gave the visit")
	}},
	{vName, "curp", true, func(r *Row) string {
		return agrees(r.at(vCURP), identity.Person{Given: r.at(vName), Father: surname(r.at(vFather)), Mother: surname(r.at(vMother))})
	}},
	{vBorn, "curp", false, func(r *Row) string {
		born, _ := r.day(vBorn)
		return agrees(r.at(vCURP), identity.Person{Born: born})
	}},
	{vBorn, "order", false, bornBefore},
	{vEntity, "country", false, func(r *Row) string {
		mexican := r.at(vCountry) == "142"
		return wrong(mexican && r.at(vEntity) == "88", "an entity, 99 or 00 for those born in Mexico") +
			wrong(!mexican && r.at(vEntity) != "88", "88 for those born abroad")
	}},
	{vEntity, "curp", false, entityOfCURP},
	{vSexCURP, "curp", false, func(r *Row) string {
		letter := map[string]byte{"1": 'H', "2": 'M', "3": 'X'}[r.at(vSexCURP)]
		return agrees(r.at(vCURP), identity.Person{Sex: letter})
	}},
	{vFrom, "migrant", false, migrantFrom},
	{vService, "age", false, func(r *Row) string {
		return wrong(r.at(vService) == "16" && !r.aged(0, 18), "paediatrics sees patients under 18 years") +
			wrong(r.is(vService, "39 62") && !r.aged(60, 200), "geriatrics and gerontology see patients of 60 years or more") +
			wrong(r.at(vService) == "22" && !r.aged(10, 20), "the friendly service sees patients of 10 to 19 years")
	}},
	{vSystolic, "both", false, func(r *Row) string {
		return wrong((r.at(vSystolic) == "0") != (r.at(vDiastolic) == "0"), "systolic and diastolic pressure are both known or both 0")
	}},
	{vSystolic, "order", false, func(r *Row) string {
		high, a := r.measured(vSystolic)
		low, b := r.measured(vDiastolic)
		return wrong(a && b && high < low, "the systolic pressure is not below the diastolic one")
	}},
	{vFirstAtUNEME, "year", false, func(r *Row) string {
		return wrong(r.at(vFirstAtUNEME) == "1" && r.at(vFirstOfYear) == "0", "1 only in the first visit of the year")
	}},
	{vDisease1, "required", false, func(r *Row) string { return wrong(r.at(vDisease1) == "", "a diagnosis") }},
	{vDisease2, "first", false, func(r *Row) string { return further(r, vFirst2, vDisease2) }},
	{vDisease3, "first", false, func(r *Row) string { return further(r, vFirst3, vDisease3) }},
	{vDisease2, "different", false, func(r *Row) string { return repeated(r, vDisease2, vDisease1) }},
	{vDisease3, "different", false, func(r *Row) string { return repeated(r, vDisease3, vDisease1, vDisease2) }},
	{vDisease2, "staff", false, func(r *Row) string { return lettered(r, vDisease2) }},
	{vDisease3, "staff", false, func(r *Row) string { return lettered(r, vDisease3) }},
	{vRisk, "pregestational", false, func(r *Row) string {
		return wrong((r.at(vPregestational) == "-1") != (r.at(vRisk) == "-1"), "risks with pregestational care, and -1 without it")
	}},
	{55, "visit", false, func(r *Row) string {
		return wrong(r.at(55) == "2" && r.at(vPregnancy) == "0", "reinforcement is for later visits of a pregnancy")
	}},
	{79, "test", false, func(r *Row) string {
		return wrong(r.at(vEDI) == "1" && r.is(79, "4-6"), "1, 2 or 3 of an initial test") + wrong(r.at(vEDI) == "2" && r.is(79, "1-3"), "4, 5 or 6 of a later test")
	}},
	{vReferred, "reason", false, referral},
	{vStudies, "telemedicine", false, func(r *Row) string {
		return wrong(r.at(vTelemedicine) == "1" && r.at(vStudies) != "-1", "-1 with telemedicine")
	}},
	{vModality, "teleconsulta", false, modality},
}

// wrong returns text when it is, and "" otherwise.
func wrong(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

// surname returns a surname for comparing with a CURP: XX is none.
func surname(s string) string {
	if s == "XX" {
		return ""
	}
	return s
}

// agrees compares a CURP with what is known of its bearer.
func agrees(curp string, p identity.Person) string {
	if len(curp) != 18 {
		return ""
	}
	if p.BirthIn == "" {
		p.BirthIn = curp[11:13] // what is compared elsewhere agrees
	}
	if p.Sex == 0 {
		p.Sex = curp[10]
	}
	for _, problem := range identity.CURPProblems(curp, p) {
		return problem.Text
	}
	return ""
}

// institution returns the three letters of a CLUES that name it.
func institution(clues string) string {
	if len(clues) < 5 {
		return ""
	}
	return clues[2:5]
}

func staffAge(r *Row) string {
	born, ok := curpBorn(r.at(vStaffCURP))
	at, known := r.day(vDate)
	if !ok || !known {
		return ""
	}
	years := between(born, at) / 12
	return wrong(years < 18 || years > 90, "who gives a visit is 18 to 90 years old")
}

// curpBorn returns the birth date that a CURP holds.
func curpBorn(curp string) (time.Time, bool) {
	if len(curp) != 18 || curp == identity.GenericCURP {
		return time.Time{}, false
	}
	century := "20"
	if curp[16] >= '0' && curp[16] <= '9' {
		century = "19"
	}
	t, err := time.Parse("20060102", century+curp[4:10])
	return t, err == nil
}

func bornBefore(r *Row) string {
	born, ok := r.day(vBorn)
	at, known := r.day(vDate)
	if !ok || !known {
		return ""
	}
	return wrong(born.After(at), "the birth is not after the visit") + wrong(between(born, at) > 120*12+11, "an age of 120 years at most")
}

// entityOfCURP compares the entity of birth with that of the CURP.
func entityOfCURP(r *Row) string {
	curp := r.at(vCURP)
	if len(curp) != 18 || curp == identity.GenericCURP || r.is(vEntity, "99") || r.at(vEntity) == "00" {
		return ""
	}
	want := identity.Abroad
	for _, e := range identity.Entities() {
		if e.INEGI == r.at(vEntity) {
			want = e.CURP
		}
	}
	return wrong(curp[11:13] != want, "the entity of birth does not agree with the CURP")
}

func migrantFrom(r *Row) string {
	from := r.at(vFrom)
	switch r.at(vMigrant) {
	case "2":
		return wrong(from == "142" || from == "-1" || from == "0", "a country other than Mexico for an international migrant")
	case "1", "3":
		return wrong(from != "142", "142 for a national or returned migrant")
	case "0", "-1":
		return wrong(from != "-1", "-1 for who is no migrant")
	}
	return ""
}

// further checks that a later diagnosis and whether it is a first one go together.
func further(r *Row, first, code int) string {
	return wrong((r.at(first) == "-1") != (r.at(code) == ""), fmt.Sprintf("empty when %s is -1, and only then", table[first-1].Name))
}

// repeated checks that a diagnosis is none of those before it. Only R69X, a cause not
// known, may come again.
func repeated(r *Row, code int, before ...int) string {
	if r.at(code) == "" || r.at(code) == unknownCause {
		return ""
	}
	return wrong(slices.ContainsFunc(before, func(n int) bool { return r.at(n) == r.at(code) }), "a diagnosis that is none of those before it")
}

// unknownCause is the code of a diagnosis that is not known.
const unknownCause = "R69X"

// lettered checks who gives the diagnoses that are none of the CIE: MT of traditional
// medicine, CP of palliative care.
func lettered(r *Row, code int) string {
	switch v := r.at(code); {
	case strings.HasPrefix(v, "MT"):
		return wrong(r.at(vStaff) != "10", "diagnoses of traditional medicine come from its practitioners (10)")
	case strings.HasPrefix(v, "CP"):
		return wrong(r.at(vStaff) != "4", "diagnoses of palliative care come from specialists (4)")
	}
	return ""
}

func referral(r *Row) string {
	return wrong(r.is(vReferred, "1 7 8 9") && !pregnant(r), "1, 7, 8 and 9 are for pregnant women") +
		wrong(r.at(vReferred) == "2" && !r.aged(0, 18), "2 is for patients under 18 years") +
		wrong(r.at(vReferred) != "-1" && r.at(vReferred) != "5" && !r.clinical(), "psychologists refer with 5")
}

func modality(r *Row) string {
	want := "-1"
	switch {
	case r.at(vTeleconsulta) == "1":
		want = "1"
	case r.at(vStudies) != "-1":
		want = "2"
	}
	return wrong(r.at(vModality) != want, want+" with this teleconsulta and these studies")
}
