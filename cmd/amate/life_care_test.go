package main

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/registry/card/link"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/record/giis"
)

const (
	loinc  = "http://loinc.org"
	icd10  = "http://hl7.org/fhir/sid/icd-10"
	labels = "http://terminology.hl7.org/CodeSystem/"
)

// registered: the clinic's software enters the patient, who gets an account.
func (l *life) registered() {
	l.at["patient"] = l.make("clinic", "Patient", object{
		"identifier": list{object{"system": identity.SystemCURP, "value": lifePatientCURP}, object{"system": "urn:x:expediente", "value": "2026-0017"}},
		"name":       list{object{"family": "Hernández García", "given": list{"Gloria", lifeMark}}}, "gender": "female", "birthDate": "1956-04-27",
		"address":   list{object{"text": "Calle Hidalgo 5, " + lifeMark}},
		"extension": list{object{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": object{"state": "Veracruz de Ignacio de la Llave", "country": "MX"}}},
	})
	other := l.make("clinic", "Patient", object{"name": list{object{"family": "Otra"}}, "gender": "female"})
	for name, at := range map[string]string{"patient": l.at["patient"], "stranger": other} {
		l.token(name, "--role", "patient", "--patient", strings.TrimPrefix(at, "Patient/"))
	}
	l.at["other"] = other
	l.must(http.StatusOK, "patient", "GET", l.at["patient"], "")
	l.must(http.StatusNotFound, "stranger", "GET", l.at["patient"], "")
	eventually(l.T, "it is told which vaccines are due", func() bool {
		due := l.find("clinic", "ImmunizationRecommendation?patient="+l.at["patient"])
		if len(due) == 1 {
			l.at["due"] = due[0]
		}
		return len(due) == 1
	})
	l.synced("+"+l.at["patient"], "+"+l.at["due"])
	l.carried()
}

// carried: the patient prints the cartilla, and shares the summary by a link.
func (l *life) carried() {
	l.Helper()
	l.must(http.StatusOK, "patient", "GET", l.at["patient"]+"/$cartilla?_format=text/html", "")
	answer := l.must(http.StatusOK, "patient", "POST", l.at["patient"]+"/$health-link", asks("content", textValue("summary"), "label", textValue(lifeMark)))
	shared, err := link.Parse(regexp.MustCompile(`shlink:/[\w-]+`).FindString(answer))
	if err != nil {
		l.Fatalf("%v: %s", err, answer)
	}
	l.at["link"] = shared.URL
	if status, text := l.followed(); status != http.StatusOK {
		l.Fatalf("the link leads to %d %s", status, text)
	}
}

// followed follows the link as one who was given it.
func (l *life) followed() (status int, text string) {
	l.Helper()
	return sent(l.T, "POST", l.at["link"], "application/json", `{"recipient":"Escuela"}`)
}

// firstVisit: the clinic opens an encounter, the nurse measures, the doctor finds and
// prescribes.
func (l *life) firstVisit() {
	at := l.visit.Format(time.RFC3339)
	l.at["visit"] = l.about("clinic", "Encounter", object{
		"identifier": list{object{"system": "urn:x:visitas", "value": "V1"}},
		"status":     "finished", "class": object{"system": labels + "v3-ActCode", "code": "AMB"}, "serviceProvider": ref("Organization/clinic"),
		"period": object{"start": at, "end": l.visit.Add(time.Hour).Format(time.RFC3339)}, "participant": list{object{"individual": ref("Practitioner/doctor")}},
		"serviceType": coded(giis.SystemService, "4", ""), "reasonCode": list{coded(icd10, "J18.9", "Tos y fiebre "+lifeMark)},
	})
	written := []string{"+" + l.at["visit"]}
	sign := func(code string, value object) {
		value["status"], value["effectiveDateTime"], value["encounter"] = "final", at, ref(l.at["visit"])
		value["code"], value["category"] = coded(loinc, code, ""), list{coded(labels+"observation-category", "vital-signs", "")}
		value["performer"] = list{ref("Practitioner/nurse")}
		written = append(written, "+"+l.about("nurse", "Observation", value))
	}
	sign("85354-9", object{"component": list{
		object{"code": coded(loinc, "8480-6", ""), "valueQuantity": quantity(130, "mm[Hg]")}, object{"code": coded(loinc, "8462-4", ""), "valueQuantity": quantity(85, "mm[Hg]")},
	}})
	for code, q := range map[string]object{"8867-4": quantity(88, "/min"), "9279-1": quantity(20, "/min"), "8310-5": quantity(38.2, "Cel"), "29463-7": quantity(70.5, "kg"), "8302-2": quantity(165, "cm")} {
		sign(code, object{"valueQuantity": q})
	}
	l.at["pneumonia"] = l.about("doctor", "Condition", object{
		"clinicalStatus": coded(labels+"condition-clinical", "active", ""), "code": coded(icd10, "J18.9", "Neumonía "+lifeMark), "encounter": ref(l.at["visit"]), "recordedDate": at,
	})
	l.at["medicine"] = l.about("doctor", "MedicationRequest", object{
		"status": "active", "intent": "order", "medicationCodeableConcept": object{"text": "Amoxicilina 500 mg"}, "encounter": ref(l.at["visit"]), "authoredOn": at, "requester": ref("Practitioner/doctor"),
		"dosageInstruction": list{object{
			"timing": object{"repeat": object{"frequency": 1, "period": 8, "periodUnit": "h"}}, "route": object{"text": "oral"}, "doseAndRate": list{object{"doseQuantity": quantity(500, "mg")}},
		}},
	})
	l.synced(append(written, "+"+l.at["pneumonia"], "+"+l.at["medicine"])...)
	if status, out := l.call("nurse", "POST", "MedicationRequest", `{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"`+l.at["patient"]+`"}}`); status != http.StatusForbidden {
		l.Errorf("a nurse prescribes: %d %s", status, out)
	}
}

// note drafts a document of a visit, writes what is left to write, and signs it as who.
// words say what a section has to say, by its code; others get one sentence.
func (l *life) note(who, visit, kind string, words map[string]string) (composition, bundle string) {
	l.Helper()
	draft := l.must(http.StatusCreated, who, "POST", visit+"/$draft-note", params("type", "Code", kind, "persist", "String", "true"))
	composition = "Composition/" + idOf(draft)
	l.completed(who, composition, words)
	return composition, l.signed(who, composition)
}

// completed writes what a draft leaves open.
func (l *life) completed(who, composition string, words map[string]string) {
	l.Helper()
	c := l.read(who, composition)
	for _, s := range c["section"].(list) {
		s := s.(object)
		code := s["code"].(object)["coding"].(list)[0].(object)["code"].(string)
		text := s["text"].(object)
		says, given := words[code]
		if code == "establecimiento-receptor" {
			s["entry"] = list{ref("Organization/hospital")}
		}
		if text["status"] != "empty" && !given {
			continue
		}
		if !given {
			says = "Sin datos de alarma."
		}
		s["text"] = object{"status": "additional", "div": `<div xmlns="http://www.w3.org/1999/xhtml"><p>` + says + " " + lifeMark + `</p></div>`}
	}
	l.must(http.StatusOK, who, "PUT", composition, jsonOf(c))
}

// signed signs a document as who, and returns where the signed Bundle is.
func (l *life) signed(who, composition string) string {
	l.Helper()
	made := l.sign(who, l.signers[who], strings.TrimPrefix(composition, "Composition/"))
	return made.ref("document")
}

// historySigned: what is not complete is not signed; what is, is verified, and one byte
// that differs is found.
func (l *life) historySigned() {
	draft := l.must(http.StatusCreated, "doctor", "POST", l.at["visit"]+"/$draft-note", params("type", "Code", "6.1", "persist", "String", "true"))
	l.says("the draft", draft, `"status":"preliminary"`, "88 por minuto", "CIE-10 J18.9", "Amoxicilina", "cada 8 horas", "Practitioner/doctor", "Organization/clinic")
	l.at["history"] = "Composition/" + idOf(draft)
	l.says("the refusal", l.prepare(http.StatusUnprocessableEntity, "doctor", l.signers["doctor"], idOf(draft)), "nom-004-6.1.1", "Padecimiento actual")
	l.completed("doctor", l.at["history"], map[string]string{"padecimiento-actual": "Tos de tres días, fiebre y 70.50 kg de peso."})
	l.prepare(http.StatusForbidden, "consultant", l.signers["doctor"], idOf(draft))
	l.at["signed history"] = l.signed("doctor", l.at["history"])
	l.verifies(l.at["history"], "doctor")

	b := l.must(http.StatusOK, "doctor", "GET", l.at["signed history"], "")
	for name, c := range map[string]struct{ text, want string }{
		"as it is": {b, "passed"}, "one digit": {strings.Replace(b, "70.50 kg", "70.51 kg", 1), "failed"}, "one letter": {strings.Replace(b, "Neumonía", "Neumonia", 1), "failed"},
	} {
		if name != "as it is" && c.text == b {
			l.Fatalf("%s: nothing was changed", name)
		}
		if v := parsed(l, l.must(http.StatusOK, "doctor", "POST", "Bundle/$verify-signature", c.text)); v.code("status") != c.want {
			l.Errorf("%s: %+v", name, v)
		}
	}
	l.sync()
}

// verifies expects that the signature of a document is good, and whose it is.
func (l *life) verifies(composition, who string) {
	l.Helper()
	for _, reader := range []string{"doctor", "consultant", "patient"} {
		v := l.must(http.StatusOK, reader, "GET", composition+"/$verify-signature", "")
		if a := parsed(l, v); a.code("status") != "passed" || a.code("document") != "signed" || !strings.Contains(v, l.signers[who].Certificate.Subject.CommonName) {
			l.Errorf("%s verifies %s: %s", reader, composition, v)
		}
	}
}

// unalterable tries every way to write over what is signed.
func (l *life) unalterable() {
	c, b := l.at["history"], l.at["signed history"]
	before := l.must(http.StatusOK, "doctor", "GET", c, "")
	other := strings.Replace(before, "Tos de tres días", "Tos de cuatro días", 1)
	transaction := func(request, resource string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[{` + resource + `"request":` + request + `}]}`
	}
	for name, r := range map[string][4]string{
		"update":             {"PUT", c, other, ""},
		"conditional update": {"PUT", "Composition?identifier=none&subject=" + l.at["patient"] + "&_id=" + strings.TrimPrefix(c, "Composition/"), other, ""},
		"patch":              {"PATCH", c, `[{"op":"replace","path":"/title","value":"x"}]`, "application/json-patch+json"},
		"delete":             {"DELETE", c, "", ""},
		"transaction":        {"POST", "", transaction(`{"method":"PUT","url":"`+c+`"}`, `"resource":`+other+`,`), ""},
		"delete within one":  {"POST", "", transaction(`{"method":"DELETE","url":"`+c+`"}`, ""), ""},
		"bundle":             {"PUT", b, strings.Replace(l.must(http.StatusOK, "doctor", "GET", b, ""), "70.50 kg", "71.50 kg", 1), ""},
		"bundle, deleted":    {"DELETE", b, "", ""},
	} {
		media := r[3]
		if media == "" {
			media = "application/fhir+json"
		}
		for _, who := range []string{"doctor", "clinic", "system"} {
			status, out := l.call(who, r[0], r[1], r[2], "Content-Type", media)
			if status < 400 || status >= 500 || !strings.Contains(out, "OperationOutcome") {
				l.Errorf("%s by %s: %d %s", name, who, status, out)
			}
			if who == "system" && status != http.StatusConflict {
				l.Errorf("%s is refused by %d: %.600s", name, status, out)
			}
		}
	}
	if now := l.must(http.StatusOK, "doctor", "GET", c, ""); now != before {
		l.Errorf("it has changed: %s", now)
	}
	l.verifies(c, "doctor")
	l.synced()
}

// addendum adds a second document to the first.
func (l *life) addendum() {
	l.at["addendum"] = l.about("doctor", "Composition", object{
		"status": "preliminary", "type": coded(loinc, "51855-5", "Nota"), "encounter": ref(l.at["visit"]), "date": time.Now().Format(time.RFC3339), "author": list{ref("Practitioner/doctor")},
		"title": "Alergia que se omitió", "custodian": ref("Organization/clinic"), "relatesTo": list{object{"code": "appends", "targetReference": ref(l.at["history"])}},
		"section": list{object{"title": "Alergia", "text": object{"status": "additional", "div": `<div xmlns="http://www.w3.org/1999/xhtml">Refiere alergia a sulfas. ` + lifeMark + `</div>`}}},
	})
	l.signed("doctor", l.at["addendum"])
	if v := parsed(l, l.must(http.StatusOK, "consultant", "GET", l.at["history"]+"/$verify-signature", "")); v.ref("later") != l.at["addendum"] || v.code("status") != "passed" {
		l.Errorf("the history does not tell of its addendum: %+v", v)
	}
	l.says("the page of the history", l.must(http.StatusOK, "consultant", "GET", l.at["history"]+"/$render", "", "Accept", "text/html"), "tiene addendum", "Alergia que se omitió", "Firma válida")
	l.sync()
}

// result is what the laboratory sends of an order: under a control id, of a status, with
// a value of the hemoglobin.
func (l *life) result(control, order, status, value string) string {
	day := l.visit.Format("20060102")
	return "MSH|^~\\&|LAB|H1|AMATE|SSA|" + day + "130000-0600||ORU^R01^ORU_R01|" + control + "|P|2.5.1|||||MEX|UNICODE UTF-8\r" +
		"PID|1||" + lifePatientCURP + "^^^CURP||HERNÁNDEZ^GLORIA " + lifeMark + "||19560427|F\r" +
		"PV1|1|O" + strings.Repeat("|", 17) + "V1^^^VISITAS\r" +
		"ORC|RE|P" + order + "|F" + order + "||CM\r" +
		"OBR|1|P" + order + "|F" + order + "|58410-2^Biometría hemática^LN|||" + day + "103000-0600|||||||||||||||" + day + "125500-0600||HM|" + status + "\r" +
		"OBX|1|NM|718-7^Hemoglobina^LN||" + value + "|g/dL|12.0-16.0|N|||" + status + "|||" + day + "103000-0600\r" +
		"OBX|2|ST|OBS^Observaciones^L||Muestra adecuada " + lifeMark + "||||||" + status + "\r"
}

// laboratory: the doctor orders; the laboratory answers by HL7 v2, twice the same, and
// then a correction.
func (l *life) laboratory() {
	l.at["order"] = l.about("doctor", "ServiceRequest", object{
		"status": "active", "intent": "order", "code": coded(loinc, "58410-2", "Biometría hemática"), "encounter": ref(l.at["visit"]), "authoredOn": l.visit.Format(time.RFC3339), "requester": ref("Practitioner/doctor"),
		"identifier": list{object{"type": coded(labels+"v2-0203", "PLAC", ""), "system": "urn:x:ordenes", "value": "P77"}},
	})
	l.synced("+" + l.at["order"])
	wire := l.wires.dial(l)
	first := wire.ask("AA", l.result("A1", "77", "F", "13.5"))
	came := l.sync()
	if got := types(came); got != "[+DiagnosticReport +Observation +ServiceRequest]" {
		l.Errorf("of the result came %s", got)
	}
	if again := wire.ask("AA", l.result("A1", "77", "F", "13.5")); again != first {
		l.Errorf("the same again is answered %q after %q", again, first)
	}
	l.synced()
	if answer := wire.ask("AR", l.result("A1", "77", "F", "9.9")); !strings.Contains(answer, "205^") {
		l.Errorf("another message of the same number: %q", answer)
	}
	wire.ask("AA", l.result("A2", "77", "C", "10.1"))
	if got := types(l.sync()); got != "[~DiagnosticReport ~Observation]" {
		l.Errorf("of the correction came %s", got)
	}
	found := l.find("doctor", "Observation?code=718-7&patient="+l.at["patient"])
	if len(found) != 1 {
		l.Fatalf("the hemoglobin is found as %v", found)
	}
	l.at["hemoglobin"] = found[0]
	o := l.read("doctor", found[0])
	if v := o["valueQuantity"].(object)["value"]; v != 10.1 || o["status"] != "corrected" {
		l.Errorf("the hemoglobin is %v, %v", v, o["status"])
	}
	if v := l.read("doctor", found[0]+"/_history/1")["valueQuantity"].(object)["value"]; v != 13.5 {
		l.Errorf("it was %v", v)
	}
	l.at["report"] = strings.TrimPrefix(came[0], "+")
	if got := l.find("clinic", "Patient?identifier="+identity.SystemCURP+"%7C"+lifePatientCURP); len(got) != 1 || got[0] != l.at["patient"] {
		l.Errorf("the laboratory's patient is %v", got)
	}
}

// evolution: the result is in the note by which the doctor closes the visit.
func (l *life) evolution() {
	draft := l.must(http.StatusOK, "doctor", "POST", l.at["visit"]+"/$draft-note?type=evolucion", "")
	l.says("the draft", draft, l.at["report"])
	l.at["evolution"], l.at["signed evolution"] = l.note("doctor", l.at["visit"], "6.2", nil)
	l.verifies(l.at["evolution"], "doctor")
	l.says("the document", l.must(http.StatusOK, "doctor", "GET", l.at["signed evolution"], ""), document.TagSystem, "10.1", "Biometría hemática")
	l.sync()
}
