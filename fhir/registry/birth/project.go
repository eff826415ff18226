package birth

import (
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
)

const (
	fathersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"
	mothersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"

	loinc    = "http://loinc.org"
	snomed   = "http://snomed.info/sct"
	roleCode = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
	units    = "http://unitsofmeasure.org"
)

// projection makes the resources of a certificate.
type projection struct {
	*Certificate
	newID     func() string
	at        time.Time // of the signature
	zone      *time.Location
	custodian compose.Object // reference to the establishment
	org       fhir.Ref       // its Organization; zero where the directory has none

	newborn           fhir.Ref
	maternity, during fhir.Ref // Encounter of the mother, and of the newborn within
	composition       fhir.Ref

	made     []compose.Object
	sections map[string][]fhir.Ref // by the code of a section
}

// The sections of a birth report.
//
// See https://github.com/HL7/fhir-bfdr, Composition-provider-live-birth-report.
var sections = []struct{ code, name string }{
	{"57073-9", "Atención prenatal de la madre"},
	{"55752-0", "Salud de la madre y atención del parto"},
	{"57075-4", "Recién nacido"},
	{"92014-0", "Madre"},
	{"92013-2", "Padre"},
	{"74465-6", "Otros datos del certificado"},
}

const (
	prenatal, delivery, child, mother, father, other = "57073-9", "55752-0", "57075-4", "92014-0", "92013-2", "74465-6"
)

// add adds a resource to a section, "" for none, and returns where it will be.
func (p *projection) add(section, typ string, ref fhir.Ref, r compose.Object) fhir.Ref {
	if ref.ID == "" {
		ref = fhir.Ref{Type: typ, ID: p.newID()}
	}
	r["resourceType"], r["id"] = typ, ref.ID
	p.made = append(p.made, r)
	if section != "" {
		p.sections[section] = append(p.sections[section], ref)
	}
	return ref
}

// project makes all of it, the Composition first. The newborn's Patient is apart.
func (p *projection) project() (resources []compose.Object, newborn compose.Object) {
	p.sections = map[string][]fhir.Ref{}
	p.composition = fhir.Ref{Type: "Composition", ID: p.newID()}
	p.maternity, p.during = fhir.Ref{Type: "Encounter", ID: p.newID()}, fhir.Ref{Type: "Encounter", ID: p.newID()}
	newborn = p.patient()
	p.encounters()
	p.people()
	p.observe()
	p.anomalies()
	p.route()
	p.given()
	p.coverage()
	return append([]compose.Object{p.compose()}, p.made...), newborn
}

// humanName writes a name as Mexico's are.
func humanName(n Name) []compose.Object {
	if n == (Name{}) {
		return nil
	}
	name := compose.Object{"use": "official", "text": n.String()}
	if n.Given != "" {
		name["given"] = strings.Fields(n.Given)
	}
	if family := strings.TrimSpace(n.First + " " + n.Second); family != "" {
		name["family"] = family
		parts := []compose.Object{{"url": fathersFamily, "valueString": n.First}}
		if n.Second != "" {
			parts = append(parts, compose.Object{"url": mothersFamily, "valueString": n.Second})
		}
		if n.First != "" {
			name["_family"] = compose.Object{"extension": parts}
		}
	}
	return []compose.Object{name}
}

func (p *projection) folioIdentifier() compose.Object {
	return compose.Object{"use": "temp", "system": FolioSystem, "value": p.Folio}
}

// patient is the newborn, whose folio stands for the CURP until that is given.
func (p *projection) patient() compose.Object {
	r := compose.Object{
		"resourceType": "Patient", "id": p.newborn.ID, "identifier": []compose.Object{p.folioIdentifier()}, "active": true,
		"gender": p.Newborn.Sex, "birthDate": p.Newborn.Born,
	}
	if name := humanName(p.Newborn.Name); name != nil {
		r["name"] = name
	}
	if at, ok := p.moment(); ok {
		r["_birthDate"] = compose.Object{"extension": []compose.Object{{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": at}}}
	}
	if p.Row[sinac.Plurality] == sinac.One {
		r["multipleBirthBoolean"] = false
	} else if p.Row.Known(sinac.Plurality) {
		r["multipleBirthInteger"] = order(&p.Row)
	}
	if p.org.ID != "" {
		r["managingOrganization"] = p.custodian
	}
	r["extension"] = []compose.Object{{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": p.place(sinac.BirthState, sinac.BirthTown)}}
	if p.Row.Known(sinac.HomeState) && p.Row[sinac.LivesAbroad] != sinac.Yes {
		home := p.place(sinac.HomeState, sinac.HomeTown) // of the mother, with whom a newborn lives as far as is known
		home["use"] = "home"
		r["address"] = []compose.Object{home}
	}
	return r
}

// place is an Address in Mexico, as far as two columns tell its state and municipality, by
// INEGI's keys.
func (p *projection) place(state, town sinac.Column) compose.Object {
	place := compose.Object{"country": "MX"}
	if !p.Row.Known(state) {
		return place
	}
	place["state"] = p.Row[state]
	if p.Row.Known(town) {
		key := p.Row[state] + p.Row[town]
		place["district"] = key
		place["_district"] = compose.Object{"extension": []compose.Object{{
			"url": "http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding", "valueCoding": compose.Object{"system": identity.SystemINEGI, "code": key},
		}}}
	}
	return place
}

// moment is when the child was born, and whether the hour is known.
func (p *projection) moment() (string, bool) {
	day, ok := p.Row.Date(sinac.Born)
	if !ok || !p.Row.Known(sinac.BornAt) {
		return day.Format(time.DateOnly), false
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", day.Format(time.DateOnly)+" "+p.Row[sinac.BornAt], p.zone)
	return at.Format(time.RFC3339), err == nil
}

func (p *projection) when() string {
	when, _ := p.moment()
	return when
}

func (p *projection) encounters() {
	inpatient := compose.Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP", "inpatient encounter")
	period := compose.Object{"start": p.when(), "end": p.when()}
	place := compose.Object{"display": "Lugar de nacimiento " + p.Row[sinac.Place] + ", " + p.Row[sinac.BirthState] + p.Row[sinac.BirthTown] + p.Row[sinac.BirthLocality]}
	p.add(delivery, "Encounter", p.maternity, compose.Object{
		"status": "finished", "class": inpatient, "subject": compose.Reference(p.Mother.Ref), "period": period, "serviceProvider": p.custodian,
		"type": []compose.Object{{"text": "Atención del parto"}},
	})
	birth := compose.Object{
		"status": "finished", "class": inpatient, "subject": compose.Reference(p.newborn), "period": period, "serviceProvider": p.custodian,
		"partOf": compose.Reference(p.maternity), "type": []compose.Object{{"text": "Nacimiento"}},
		"location":    []compose.Object{{"location": place}},
		"participant": []compose.Object{{"individual": compose.Reference(p.Certifier.Ref), "type": []compose.Object{compose.Concept(loinc, "87287-9", "Birth certifier [US Standard Certificate of Live Birth]")}}},
	}
	p.add(child, "Encounter", p.during, birth)
}

func (p *projection) people() {
	related := func(section string, patient fhir.Ref, role, display string, who *Person, more compose.Object) {
		r := compose.Object{"active": true, "patient": compose.Reference(patient), "relationship": []compose.Object{compose.Concept(roleCode, role, display)}}
		for name, v := range map[string]string{"gender": who.Sex, "birthDate": who.Born} {
			if v != "" {
				r[name] = v
			}
		}
		if name := humanName(who.Name); name != nil {
			r["name"] = name
		}
		if who.CURP != "" {
			r["identifier"] = []compose.Object{{"use": "official", "system": identity.SystemCURP, "value": who.CURP}}
		}
		for name, v := range more {
			r[name] = v
		}
		p.add(section, "RelatedPerson", fhir.Ref{}, r)
	}
	woman := p.Mother
	woman.Sex = "female"
	related(mother, p.newborn, "MTH", "mother", &woman, nil)
	baby := p.Newborn
	baby.CURP = ""
	related(mother, p.Mother.Ref, "CHILD", "child", &baby, compose.Object{"identifier": []compose.Object{p.folioIdentifier()}})
	if p.Father != nil {
		man := *p.Father
		related(father, p.newborn, "FTH", "father", &man, nil)
	}
}

// anomalies are congenital ones, by CIE-10 as Mexico writes it without a point.
func (p *projection) anomalies() {
	for _, c := range []sinac.Column{sinac.Anomaly1, sinac.Anomaly2} {
		code := p.Row[c]
		if !p.Row.Known(c) {
			continue
		}
		dotted := strings.TrimSuffix(code[:3]+"."+code[3:], ".X")
		p.add(child, "Condition", fhir.Ref{}, compose.Object{
			"clinicalStatus":     compose.Concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
			"verificationStatus": compose.Concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed"),
			"category":           []compose.Object{compose.Concept(loinc, "73780-9", "Congenital anomalies of the newborn [US Standard Certificate of Live Birth]")},
			"code":               compose.Concept("http://hl7.org/fhir/sid/icd-10", dotted, ""), "subject": compose.Reference(p.newborn), "encounter": compose.Reference(p.during),
			"onsetDateTime": p.when(), "recordedDate": p.at.Format(time.RFC3339),
		})
	}
}

// Procedures of delivery.
var (
	vaginal   = compose.Coding(snomed, "700000006", "Vaginal delivery of fetus")
	forceps   = compose.Coding(snomed, "302383004", "Forceps delivery")
	caesarean = compose.Coding(snomed, "11466000", "Cesarean section")
)

// route is how the child was born. The catalogue of RESOLUCIONEMBARAZO is not public:
// where its columns do not tell, the value itself is what is said.
func (p *projection) route() {
	what := vaginal
	cesarean, cut := p.Row.Int(sinac.Cesarean)
	switch {
	case cut && cesarean > 0 && cesarean < 8:
		what = caesarean
	case p.Row[sinac.Forceps] == sinac.Yes:
		what = forceps
	case !p.Row.Known(sinac.Delivery) || p.Row[sinac.Delivery] != "1":
		what = nil
	}
	code := compose.Object{"text": "Resolución del embarazo " + p.Row[sinac.Delivery]}
	if what != nil {
		code = compose.Object{"coding": []compose.Object{what}}
	} else if p.Row[sinac.Delivery] == "" {
		return
	}
	p.add(delivery, "Procedure", fhir.Ref{}, compose.Object{
		"status": "completed", "category": compose.Concept(loinc, "73762-7", "Final route and method of delivery [US Standard Certificate of Live Birth]"),
		"code": code, "subject": compose.Reference(p.Mother.Ref), "encounter": compose.Reference(p.maternity), "performedDateTime": p.when(),
	})
}

// given are the vaccines, vitamins and the hearing test that the newborn had.
func (p *projection) given() {
	for _, v := range []struct {
		column     sinac.Column
		cvx, name  string
		spanishTxt string
	}{{sinac.BCG, "19", "BCG", "BCG"}, {sinac.HepatitisB, "08", "Hep B, adolescent or pediatric", "Hepatitis B"}} {
		if p.Row[v.column] == sinac.Yes {
			vaccine := compose.Concept("http://hl7.org/fhir/sid/cvx", v.cvx, v.name)
			vaccine["text"] = v.spanishTxt
			p.add(child, "Immunization", fhir.Ref{}, compose.Object{
				"status": "completed", "vaccineCode": vaccine, "patient": compose.Reference(p.newborn), "encounter": compose.Reference(p.during),
				"occurrenceDateTime": p.when()[:len(time.DateOnly)], "primarySource": true, "recorded": p.at.Format(time.RFC3339),
				"protocolApplied": []compose.Object{{"doseNumberPositiveInt": 1}},
			})
		}
	}
	for _, v := range []sinac.Column{sinac.VitaminA, sinac.VitaminK} {
		if p.Row[v] == sinac.Yes {
			p.add(child, "MedicationAdministration", fhir.Ref{}, compose.Object{
				"status": "completed", "medicationCodeableConcept": compose.Object{"text": v.Spanish()}, "subject": compose.Reference(p.newborn),
				"context": compose.Reference(p.during), "effectiveDateTime": p.when(),
			})
		}
	}
	if p.Row[sinac.HearingScreen] == sinac.Yes {
		p.add(child, "Procedure", fhir.Ref{}, compose.Object{
			"status": "completed", "code": compose.Object{"text": sinac.HearingScreen.Spanish()}, "subject": compose.Reference(p.newborn),
			"encounter": compose.Reference(p.during), "performedDateTime": p.when(),
		})
	}
}

// uninsured is the code of having no affiliation.
const uninsured = "01"

// affiliations are the codes of derechohabiencia.
var affiliations = map[string]string{
	"02": "IMSS", "03": "ISSSTE", "04": "PEMEX", "05": "SEDENA", "06": "SEMAR", "08": "Otra",
	"10": "IMSS-Bienestar", "11": "ISSFAM", "14": "OPD IMSS-Bienestar",
}

// coverage is what pays the mother's care.
func (p *projection) coverage() {
	code := p.Row[sinac.Affiliation]
	if !p.Row.Known(sinac.Affiliation) || code == uninsured {
		return
	}
	payer := affiliations[code]
	if payer == "" {
		payer = "Afiliación " + code
	}
	kind := compose.Concept(ColumnSystem, sinac.Affiliation.String(), sinac.Affiliation.Spanish())
	kind["text"] = payer
	p.add(prenatal, "Coverage", fhir.Ref{}, compose.Object{
		"status": "active", "type": kind, "beneficiary": compose.Reference(p.Mother.Ref), "payor": []compose.Object{{"display": payer}},
		"period": compose.Object{"start": p.when()[:len(time.DateOnly)]},
	})
}

// compose is the Composition of the certificate.
func (p *projection) compose() compose.Object {
	var parts []compose.Object
	for _, s := range sections {
		refs := p.sections[s.code]
		if len(refs) == 0 {
			continue
		}
		var entries []compose.Object
		for _, ref := range refs {
			entries = append(entries, compose.Reference(ref))
		}
		section := compose.Object{"title": s.name, "code": compose.Concept(loinc, s.code, ""), "entry": entries}
		if slices.Contains([]string{prenatal, delivery, mother}, s.code) {
			section["focus"] = compose.Reference(p.Mother.Ref)
		}
		parts = append(parts, section)
	}
	c := compose.Object{
		"resourceType": "Composition", "id": p.composition.ID, "status": "final",
		"identifier": compose.Object{"system": FolioSystem, "value": p.Folio}, "language": "es-MX",
		"type":    compose.Concept(loinc, "68998-4", "US Standard Certificate of Live Birth"),
		"subject": compose.Reference(p.newborn), "encounter": compose.Reference(p.during), "date": p.at.Format(time.RFC3339),
		"author": []compose.Object{compose.Reference(p.Certifier.Ref)}, "title": "Certificado de nacimiento", "custodian": p.custodian,
		"attester": []compose.Object{{"mode": "legal", "time": p.at.Format(time.RFC3339), "party": compose.Reference(p.Certifier.Ref)}},
		"event":    []compose.Object{{"period": compose.Object{"start": p.when(), "end": p.when()}}}, "section": parts,
	}
	if p.Replaces != "" {
		c["relatesTo"] = []compose.Object{{"code": "replaces", "targetIdentifier": compose.Object{"system": FolioSystem, "value": p.Replaces}}}
	}
	return c
}

// sexOf is FHIR's gender of a value of SEXO.
func sexOf(value string) string {
	switch value {
	case sinac.Man:
		return "male"
	case sinac.Woman:
		return "female"
	}
	return "unknown"
}
