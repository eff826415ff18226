package giis

import (
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// Systems of codes that say what the guide asks for in its own words. They are this
// project's, for want of published ones.
const (
	// SystemVariable holds the names of the variables: an Observation of a visit with such
	// a code says what the variable has, whatever else is recorded. Its value is an
	// integer, a text, true or false (1 or 0), or a code of SystemVariable; several
	// Observations are several values.
	SystemVariable = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-b015"
	SystemStaff    = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-tipo-personal"     // of PractitionerRole.code and Practitioner.qualification.code
	SystemService  = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-servicio-atencion" // of Encounter.serviceType
	SystemMember   = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-afiliacion"        // of Coverage.type

	systemICD  = "http://hl7.org/fhir/sid/icd-10"
	systemRole = "http://terminology.hl7.org/CodeSystem/practitioner-role"
)

// source says where a variable comes from. "" is that it is not known, or does not apply.
type source struct {
	of    int
	value func(v *visit) string
}

// sources are in the order of the variables, as later ones look at earlier ones. Those
// that are not here come from Observations of SystemVariable alone.
var sources = []source{
	{vCLUES, func(v *visit) string { return v.clues }},
	{vStaffCountry, func(v *visit) string { return bornIn(v.staffCURP()) }},
	{vStaffCURP, (*visit).staffCURP},
	{vStaffName, func(v *visit) string { return Name(strings.Join(v.staff.official().Given, " ")) }},
	{vStaffFather, func(v *visit) string { father, _ := v.staff.official().surnames(); return Name(father) }},
	{vStaffMother, func(v *visit) string { _, mother := v.staff.official().surnames(); return Name(mother) }},
	{vStaff, (*visit).staffType},
	{vCURP, func(v *visit) string { return v.patient.identified(identity.SystemCURP) }},
	{vName, func(v *visit) string { return Name(strings.Join(v.patient.official().Given, " ")) }},
	{vFather, func(v *visit) string { father, _ := v.patient.official().surnames(); return Name(father) }},
	{vMother, func(v *visit) string { _, mother := v.patient.official().surnames(); return Name(mother) }},
	{vBorn, (*visit).born},
	{vCountry, (*visit).country},
	{vEntity, (*visit).entity},
	{vSexCURP, (*visit).sexOfCURP},
	{vSex, (*visit).sex},
	{vFrom, func(v *visit) string { return wrong(v.row.is(vMigrant, "1 3"), "142") }},
	{vGender, (*visit).gender},
	{vAffiliation, (*visit).affiliation},
	{vDate, func(v *visit) string { return slashed(v.day()) }},
	{vService, func(v *visit) string { return v.encounter.ServiceType.code(SystemService) }},
	{vFirstOfYear, (*visit).firstOfYear},
	{vDisease1, func(v *visit) string { return v.disease(0) }},
	{vRelation, func(v *visit) string { return v.before(0, "1", "0") }},
	{vConfirmed1, func(v *visit) string { return v.confirmed(0) }},
	{vDisease2, func(v *visit) string { return v.disease(1) }},
	{vFirst2, func(v *visit) string { return v.before(1, "0", "1") }},
	{vConfirmed2, func(v *visit) string { return v.confirmed(1) }},
	{vDisease3, func(v *visit) string { return v.disease(2) }},
	{vFirst3, func(v *visit) string { return v.before(2, "0", "1") }},
	{vConfirmed3, func(v *visit) string { return v.confirmed(2) }},
	{89, func(v *visit) string { return wrong(v.row.aged(0, 10) && v.row.clinical(), "0") }},
	{vReferred, (*visit).referredBy},
	{vCounterReferred, (*visit).counterReferred},
	{vTelemedicine, (*visit).telemedicine},
	{vTeleconsulta, (*visit).teleconsulta},
	{vStudies, (*visit).studies},
	{vModality, func(v *visit) string {
		switch {
		case v.row.at(vTeleconsulta) == "1":
			return "1"
		case v.row.at(vStudies) != "-1":
			return "2"
		}
		return ""
	}},
}

// fill fills the row of a visit: with what Observations say in the words of the guide,
// with what its sources know, with what the deployment says for want of better, and
// else with what stands for not known.
func (v *visit) fill(defaults map[int]string) {
	for i := range v.row {
		v.row[i] = v.said(&table[i])
	}
	given := v.row
	for i := range measures {
		n := measures[i].of
		if value, code := v.measured(n); given.at(n) == "" && value != "" {
			v.row.set(n, value)
			if n == vGlucose {
				v.glucose(code)
			}
		}
	}
	rest := func(n int) {
		if v.row.at(n) == "" {
			v.row.set(n, defaults[n])
		}
		if v.row.at(n) == "" {
			v.row.set(n, table[n-1].unknown)
		}
	}
	sourced := map[int]bool{}
	for _, s := range sources {
		sourced[s.of] = true
	}
	for n := 1; n <= Variables; n++ {
		if !sourced[n] {
			rest(n)
		}
	}
	for _, s := range sources {
		if v.row.at(s.of) == "" {
			v.row.set(s.of, s.value(v))
		}
		rest(s.of)
	}
}

// said returns what Observations say of a variable; "" for nothing.
func (v *visit) said(of *Variable) string {
	var values []string
	for _, o := range v.observations {
		if !strings.EqualFold(o.Code.code(SystemVariable), of.Name) {
			continue
		}
		value := o.ValueString
		switch {
		case o.ValueInteger != "":
			value = string(o.ValueInteger)
		case o.ValueBoolean != nil && *o.ValueBoolean:
			value = "1"
		case o.ValueBoolean != nil:
			value = "0"
		case o.ValueCodeableConcept != nil:
			value = o.ValueCodeableConcept.code(SystemVariable)
		}
		if value = strings.TrimSpace(value); value != "" && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	if of.kind != keys && len(values) > 1 {
		values = values[:1] // the newest
	}
	return strings.Join(values, "&")
}

// glucose says how it was measured, as far as its code does and nothing else is said.
func (v *visit) glucose(code string) {
	if v.row.at(vGlucoseBy) == "" {
		v.row.set(vGlucoseBy, "1")
		if capillary[code] {
			v.row.set(vGlucoseBy, "2")
		}
	}
	if v.row.at(vFasting) == "" && fasting[code] {
		v.row.set(vFasting, "1")
	}
}

func (v *visit) staffCURP() string { return v.staff.identified(identity.SystemCURP) }

// bornIn returns the key of Mexico when a CURP says that its bearer was born there.
func bornIn(curp string) string {
	return wrong(len(curp) == 18 && curp != identity.GenericCURP && curp[11:13] != identity.Abroad, "142")
}

// staffType returns the kind of personnel: as coded, or what a role of HL7 comes to.
func (v *visit) staffType() string {
	for _, q := range v.staff.Qualification {
		if c := q.Code.code(SystemStaff); c != "" {
			return c
		}
	}
	for _, r := range v.roles {
		for i := range r.Code {
			if c := r.Code[i].code(SystemStaff); c != "" {
				return c
			}
			switch r.Code[i].code(systemRole) {
			case "nurse":
				return "6"
			case "doctor":
				if len(r.Specialty) > 0 && !strings.Contains(Name(r.Specialty[0].Text), "GENERAL") {
					return "4"
				}
				return "2"
			}
		}
	}
	return ""
}

func (v *visit) born() string {
	t, err := time.Parse(time.DateOnly, v.patient.BirthDate)
	if err == nil {
		return slashed(t)
	}
	if t, err = time.Parse("2006-01", v.patient.BirthDate); err != nil {
		t, err = time.Parse("2006", v.patient.BirthDate)
	}
	if err != nil {
		return ""
	}
	return "30/06/" + t.Format("2006") // the guide's date of those whose birthday is not known
}

// slashed writes a date as the guide does.
func slashed(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(layout)
}

// place returns where the patient was born, as the extension says.
func (v *visit) place() address {
	for _, x := range v.patient.Extension {
		if x.URL == birthPlace && x.ValueAddress != nil {
			return *x.ValueAddress
		}
	}
	return address{}
}

func (v *visit) country() string {
	if c := bornIn(v.row.at(vCURP)); c != "" {
		return c
	}
	switch strings.ToUpper(v.place().Country) {
	case "MX", "MEX", "MÉXICO", "MEXICO":
		return "142"
	}
	return ""
}

func (v *visit) entity() string {
	curp, state := v.row.at(vCURP), Name(v.place().State)
	if v.row.at(vCountry) != "142" {
		return wrong(v.row.at(vCountry) != "", "88")
	}
	for _, e := range identity.Entities() {
		if len(curp) == 18 && curp[11:13] == e.CURP || bornIn(curp) == "" && state != "" && state == Name(e.Name) {
			return e.INEGI
		}
	}
	return ""
}

func (v *visit) sexOfCURP() string {
	if curp := v.row.at(vCURP); len(curp) == 18 && curp != identity.GenericCURP {
		return map[byte]string{'H': "1", 'M': "2", 'X': "3"}[curp[10]]
	}
	return map[string]string{"male": "1", "female": "2", "other": "3"}[v.patient.Gender]
}

// sex is the biological one: as recorded at birth (LOINC 76689-9), or the
// administrative one where that is male or female.
func (v *visit) sex() string {
	for _, o := range v.observations {
		if o.Code.code(loinc) == "76689-9" && o.ValueCodeableConcept != nil && len(o.ValueCodeableConcept.Coding) > 0 {
			switch o.ValueCodeableConcept.Coding[0].Code {
			case "male", "M", "LA2-8", "248153007":
				return "1"
			case "female", "F", "LA3-6", "248152002":
				return "2"
			}
		}
	}
	return map[string]string{"male": "1", "female": "2"}[v.patient.Gender]
}

func (v *visit) gender() string {
	for _, x := range v.patient.Extension {
		if x.URL == genderOf && x.ValueCodeableConcept != nil && len(x.ValueCodeableConcept.Coding) > 0 {
			switch x.ValueCodeableConcept.Coding[0].Code {
			case "male", "446151000124109":
				return "1"
			case "female", "446141000124107":
				return "2"
			}
			return "88"
		}
	}
	return ""
}

// insurers are the institutions of the guide (variable 23) by their names.
var insurers = map[string]string{
	"NINGUNA": "1", "IMSS": "2", "ISSSTE": "3", "PEMEX": "4", "SEDENA": "5", "SEMAR": "6", "IMSS-BIENESTAR": "10", "IMSS BIENESTAR": "10",
	"ISSFAM": "11", "OPD IMSS-BIENESTAR": "14", "OPD IMSS BIENESTAR": "14",
}

func (v *visit) affiliation() string {
	var all []string
	for _, c := range v.coverages {
		code := c.Type.code(SystemMember)
		for i := range c.Payor {
			if code == "" {
				code = insurers[Name(c.Payor[i].Display)]
			}
		}
		if code == "" {
			code = "8" // another one
		}
		if !slices.Contains(all, code) {
			all = append(all, code)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "&")
}
