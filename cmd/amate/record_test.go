package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// clinicWard is a ward whose people and places are as the norm wants them, with a visit
// in which something was measured, found and prescribed.
func clinicWard(w *ward) {
	w.put("Patient/p1", `"identifier":[{"system":"urn:x:expediente","value":"2026-0017"}],"name":[{"family":"García","given":["Inés"]}],"gender":"female","birthDate":"1980-02-03","address":[{"text":"Calle Hidalgo 5, Xalapa"}]`)
	w.put("Practitioner/dr", fmt.Sprintf(`"identifier":[{"system":%q,"value":%q},{"system":%q,"value":"12345678"}],"name":[{"text":"Dr. Juan Pérez Pérez"}]`,
		identity.SystemCURP, doctorCURP, identity.SystemCedula))
	w.put("Organization/clinic", fmt.Sprintf(`"identifier":[{"system":%q,"value":"VZSSA003966"}],"name":"Clínica Hidalgo","address":[{"text":"Av. Juárez 1, Xalapa"}]`, identity.SystemCLUES))
	w.put("Encounter/e1", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"serviceProvider":{"reference":"Organization/clinic"},`+
		`"period":{"start":"2026-11-20T09:00:00-06:00"},"reasonCode":[{"text":"Tos"}],"diagnosis":[{"condition":{"reference":"Condition/d1"}}],"participant":[{"individual":{"reference":"Practitioner/dr"}}]`)
	w.put("Condition/d1", `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J20.9"}],"text":"Bronquitis aguda"},"subject":{"reference":"Patient/p1"}`)
	w.put("Observation/hr", `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],`+
		`"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},"effectiveDateTime":"2026-11-20T09:05:00-06:00","valueQuantity":{"value":81,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}`)
	w.put("MedicationRequest/m1", `"status":"active","intent":"order","medicationCodeableConcept":{"text":"Dextrometorfano"},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},`+
		`"dosageInstruction":[{"timing":{"repeat":{"frequency":1,"period":8,"periodUnit":"h"}},"doseAndRate":[{"doseQuantity":{"value":15,"unit":"mg"}}]}]`)
	for id, how := range map[string]string{"ordered": `"active","intent":"order"`, "proposed": `"active","intent":"proposal"`, "revoked": `"revoked","intent":"order"`} {
		w.put("ServiceRequest/"+id, `"status":`+how+`,"code":{"text":"Radiografía de tórax, `+id+`"},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"}`)
	}
}

// TestNotes is the way of a note: drafted, refused while something is missing, signed,
// shown, added to, withdrawn.
func TestNotes(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		clinicWard(w)
		w.must(405, doctor, "GET", "Encounter/e1/$draft-note?type=6.2", "")
		draft := w.must(200, doctor, "POST", "Encounter/e1/$draft-note?type=6.2", "")
		for _, one := range []string{`"status":"preliminary"`, "Observation/hr", "Condition/d1", "MedicationRequest/m1", "Practitioner/dr", "Organization/clinic", "81 por minuto", "Bronquitis aguda (CIE-10 J20.9)", "cada 8 horas", "ServiceRequest/ordered", "Radiografía de tórax, ordered"} {
			if !strings.Contains(draft, one) {
				w.Errorf("the draft lacks %s: %s", one, draft)
			}
		}
		for _, one := range []string{"proposed", "revoked"} {
			if strings.Contains(draft, "ServiceRequest/"+one) {
				w.Errorf("the draft tells of what was not ordered: %s", draft)
			}
		}
		kept := w.must(201, doctor, "POST", "Encounter/e1/$draft-note", params("type", "Code", "evolucion", "persist", "String", "true"))
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(kept), &made); err != nil || made.ID == "" {
			w.Fatal(kept)
		}
		at := "Composition/" + made.ID
		if page := w.must(200, doctor, "GET", at+"/$render?_format=html", ""); !strings.Contains(page, "BORRADOR") || !strings.Contains(page, "Por escribir.") || !strings.Contains(page, "Inés García") {
			w.Errorf("the page of the draft: %s", page)
		}
		refused := w.prepare(422, doctor, w.doctor, made.ID)
		for _, rule := range []string{"nom-004-6.2.1", "nom-004-6.2.3", "nom-004-6.2.5", "nom-004-6.2.6"} { // no route is said
			if !strings.Contains(refused, rule) {
				w.Errorf("%s does not refuse it: %s", rule, refused)
			}
		}
		w.must(200, "system", "PATCH", "MedicationRequest/m1", `[{"op":"add","path":"/dosageInstruction/0/route","value":{"text":"oral"}}]`, "Content-Type", "application/json-patch+json")
		done := strings.ReplaceAll(strings.ReplaceAll(kept, "Por escribir.", "Sin fiebre, mejora."), `"status":"empty"`, `"status":"additional"`)
		w.must(200, doctor, "PUT", at, done)
		w.sign(doctor, w.doctor, made.ID)
		w.shown(at)
	})
}

// shown looks at a signed note, adds to it, and withdraws it.
func (w *ward) shown(at string) {
	w.Helper()
	says := func(path string, all ...string) {
		w.Helper()
		page := w.must(200, doctor, "GET", path, "", "Accept", "text/html")
		for _, one := range all {
			if !strings.Contains(page, one) {
				w.Errorf("%s does not say %q: %s", path, one, page)
			}
		}
	}
	says(at+"/$render", "Sin fiebre, mejora.", "Firma válida", "JUAN PEREZ PEREZ", "Clínica Hidalgo", "12345678", "Huella (SHA-256)")
	if pdf := w.must(200, doctor, "GET", at+"/$render", "", "Accept", "application/pdf"); !strings.HasPrefix(pdf, "%PDF-") {
		w.Errorf("%.30q is no PDF", pdf)
	}
	if out := w.must(200, doctor, "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"`+at+`/$render?_format=application/pdf"}}]}`); !strings.Contains(out, `"contentType":"application/pdf"`) {
		w.Errorf("in a batch: %.500s", out)
	}
	bundle := parsed(w, w.must(200, doctor, "GET", at+"/$verify-signature", "")) // it is signed
	if bundle.code("status") != "passed" {
		w.Errorf("%+v", bundle)
	}
	w.put("Composition/later", strings.Replace(note("p1", "Practitioner/dr", `,"relatesTo":[{"code":"appends","targetReference":{"reference":"`+at+`"}}]`), `"title":"Nota"`, `"title":"Resultado que llegó después"`, 1))
	w.sign(doctor, w.doctor, "later")
	says(at+"/$render", "tiene addendum", "Resultado que llegó después", "Composition/later", "Dr. Juan Pérez Pérez")
	w.must(200, doctor, "POST", at+"/$void", params("reason", "String", "Se escribió en otro expediente"))
	says(at+"/$render", "CANCELADO", "Se escribió en otro expediente", "Dr. Juan Pérez Pérez")
}

// TestNoteScopes holds who may draft notes and see pages.
func TestNoteScopes(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		clinicWard(w)
		w.put("Composition/n2", note("p2", "Practitioner/dr", ""))
		w.sign(doctor, w.doctor, "n2")
		for _, c := range []struct {
			who, method, path string
			want              int
		}{
			{doctor, "POST", "Encounter/e1/$draft-note?type=6.1", 200},
			{nurse, "POST", "Encounter/e1/$draft-note?type=9.1", 200},
			{"telehealth-app", "POST", "Encounter/e1/$draft-note?type=6.2", 403}, // it is in no visit
			{"system", "POST", "Encounter/e1/$draft-note?type=6.2", 200},
			{"patient Patient/p1", "POST", "Encounter/e1/$draft-note?type=6.2", 403},
			{"analyst", "POST", "Encounter/e1/$draft-note?type=6.2", 403},
			{"vaccinator", "POST", "Encounter/e1/$draft-note?type=6.2", 403},
			{"auditor", "POST", "Encounter/e1/$draft-note?type=6.2", 403},
			{doctor, "POST", "Encounter/none/$draft-note?type=6.2", 404},
			{doctor, "POST", "Encounter/e1/$draft-note", 400},
			{doctor, "POST", "Encounter/e1/$draft-note?type=x", 400},
			{doctor, "POST", "Encounter/e1/$draft-note?type=6.2&persist=yes", 400},
			{doctor, "POST", "Encounter/e1/$draft-note?type=6.2&sign=true", 400},
			{doctor, "POST", "Encounter/e1/$draft-note?type=6.2&author=Patient/p1", 400},
			{doctor, "POST", "Encounter/e1/$draft-note?type=6.2&author=Practitioner/none", 404},
			{doctor, "GET", "Composition/n1/$render", 200},
			{nurse, "GET", "Composition/n1/$render?_format=pdf", 200},
			{"patient Patient/p1", "GET", "Composition/n1/$render", 200},
			{"patient Patient/p2", "GET", "Composition/n1/$render", 404},
			{"patient Patient/p2", "GET", "Composition/n2/$render", 200},
			{"patient Patient/p1", "GET", "Composition/n2/$render", 404},
			{"analyst", "GET", "Composition/n1/$render", 403},
			{"auditor", "GET", "Composition/n1/$render", 403},
			{doctor, "GET", "Composition/none/$render", 404},
			{doctor, "GET", "Composition/n1/$render?x=y", 400},
		} {
			if status, out := w.call(c.who, c.method, c.path, ""); status != c.want {
				w.Errorf("%s %s by %s: %d, want %d\n%.600s", c.method, c.path, c.who, status, c.want, out)
			}
		}
		w.refusesSigns()
	})
}

// refusesSigns: what a patient does not let clinicians see is in no draft, and in no page
// of what is not signed.
func (w *ward) refusesSigns() {
	w.Helper()
	w.must(200, doctor, "PUT", "Composition/n1", `{"resourceType":"Composition","id":"n1",`+strings.Replace(note("p1", "Practitioner/dr", ""), `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Peso 70.50 kg & más</div>"},`, "", 1)+`}`)
	w.put("Consent/c", `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},`+
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/p1"},"policyRule":{"text":"x"},`+
		`"provision":{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]}`)
	if page := w.must(200, doctor, "GET", "Composition/n1/$render", ""); strings.Contains(page, "70.50") || !strings.Contains(page, "Inés García") {
		w.Errorf("the page of who refuses: %s", page)
	}
	if draft := w.must(200, doctor, "POST", "Encounter/e1/$draft-note?type=6.2", ""); strings.Contains(draft, "Observation/hr") || strings.Contains(draft, "81 por minuto") || !strings.Contains(draft, "Condition/d1") {
		w.Errorf("the draft of who refuses: %s", draft)
	}
	if page := w.must(200, "patient Patient/p1", "GET", "Composition/n1/$render", ""); !strings.Contains(page, "70.50") {
		w.Errorf("who refuses does not see it themselves: %s", page)
	}
}
