package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity"
)

const chemist = "pharmacist Practitioner/chemist"

// pharmacyWard makes a ward one in which medicines are prescribed.
func pharmacyWard(w *ward) {
	w.put("Organization/clinic", fmt.Sprintf(`"name":"Centro de Salud Roma","identifier":[{"system":%q,"value":"DFSSA003966"}],"address":[{"line":["Orizaba 1"],"city":"Ciudad de México","postalCode":"06700"}]`, identity.SystemCLUES))
	w.put("Organization/drugstore", `"name":"Farmacia San Juan"`)
	w.put("Practitioner/dr", fmt.Sprintf(`"identifier":[{"system":%q,"value":%q},{"system":%q,"value":"1234567"}],"name":[{"given":["Juan"],"family":"Pérez"}],"qualification":[{"code":{"text":"Médico cirujano"},"issuer":{"display":"UNAM"}}]`, identity.SystemCURP, doctorCURP, identity.SystemCedula))
	w.put("Practitioner/chemist", `"name":[{"given":["Rosa"],"family":"Ruiz"}]`)
	w.put("Patient/p1", `"name":[{"given":["Lucía"],"family":"García"}],"gender":"female","birthDate":"1980-02-03"`)
	w.put("Patient/child", `"name":[{"given":["Niño"],"family":"García"}],"gender":"male","birthDate":"2024-02-03"`)
	w.put("AllergyIntolerance/a1", `"patient":{"reference":"Patient/p1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"code":{"text":"Penicilinas","coding":[{"system":"http://www.whocc.no/atc","code":"J01C"}]}`)
}

// medicine is a parameter of $draft-prescription.
func medicine(name, atc, more string) string {
	return fmt.Sprintf(`{"name":"medication","resource":{"resourceType":"MedicationRequest","status":"draft","intent":"order",
 "contained":[{"resourceType":"Medication","id":"m","code":{"text":%q},"form":{"text":"Tableta"},"ingredient":[{"itemCodeableConcept":{"text":%q,"coding":[{"system":"http://www.whocc.no/atc","code":%q}]},"strength":{"numerator":{"value":500,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},"denominator":{"value":1}}}]}],
 "medicationReference":{"reference":"#m"},"dosageInstruction":[{"patientInstruction":"Tomar con agua, después de comer.","route":{"text":"Oral"},"timing":{"repeat":{"frequency":1,"period":8,"periodUnit":"h","boundsDuration":{"value":7,"unit":"d","system":"http://unitsofmeasure.org","code":"d"}}},
 "doseAndRate":[{"doseQuantity":{"value":1,"unit":"tableta","system":"http://unitsofmeasure.org","code":"{tableta}"}}]}],
 "dispenseRequest":{"quantity":{"value":21,"unit":"tableta"}}%s}}`, name, name, atc, more)
}

func rxParameters(parts ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parts, ",") + `]}`
}

func override(rule string) string {
	return fmt.Sprintf(`{"name":"override","part":[{"name":"rule","valueCode":%q},{"name":"reason","valueString":"Tolerado antes sin reacción"}]}`, rule)
}

// draftRx drafts a prescription, and returns the id of its Composition.
func (w *ward) draftRx(on string, parts ...string) string {
	w.Helper()
	made := parsed(w, w.must(201, doctor, "POST", on+"/$draft-prescription", rxParameters(parts...)))
	return strings.TrimPrefix(made.ref("composition"), "Composition/")
}

// paperOf prints a prescription, and returns the PDF and what its code says.
func (w *ward) paperOf(id string) (file, code string) {
	w.Helper()
	pdf := w.must(200, doctor, "GET", "Composition/"+id+"/$print-prescription?_format=application/pdf", "")
	file = filepath.Join(w.TempDir(), "receta.pdf")
	if err := os.WriteFile(file, []byte(pdf), 0o600); err != nil {
		w.Fatal(err)
	}
	if to := os.Getenv("AMATE_KEEP_PAPER"); to != "" {
		_ = os.WriteFile(to, []byte(pdf), 0o600)
	}
	return file, qrIn(w.T, file)
}

// page is what the public page says of a code.
func (w *ward) page(code string) (result, text string) {
	w.Helper()
	address, _, _ := strings.Cut(code, "#")
	status, _, text := public(w.T, address, "application/json")
	var found struct{ Result string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		w.Fatal(status, text, err)
	}
	return found.Result, text
}

// TestPrescription is the life of a prescription, as its author, a pharmacy and whoever
// finds the paper meet it.
func TestPrescription(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		pharmacyWard(w)
		id := w.draftRx("Encounter/e1", medicine("Paracetamol", "N02BE01", ""), medicine("Ibuprofeno", "M01AE01", ""))
		w.must(409, doctor, "GET", "Composition/"+id+"/$print-prescription?_format=text/html", "")
		w.immutableRx(id)
		w.sign(doctor, w.doctor, id)
		w.immutableRx(id)
		signed := w.must(200, doctor, "GET", "Composition/"+id+"/$document", "")
		if strings.Contains(signed, `"status":"draft"`) || strings.Count(signed, `"status":"active"`) != 2 {
			t.Errorf("in the document, the requests are not active: %.3000s", signed)
		}
		if active := w.must(200, doctor, "GET", "MedicationRequest?patient=p1&status=active&_summary=count", ""); !strings.Contains(active, `"total":2`) {
			t.Error(active)
		}
		if twice := w.must(422, doctor, "POST", "Encounter/e1/$draft-prescription", rxParameters(medicine("PARACETAMOL", "", ""))); !strings.Contains(twice, "receta-duplicado") {
			t.Error(twice)
		}
		_, code := w.paperOf(id)
		result, text := w.page(code)
		if result != "valid" || !strings.Contains(text, "1234567") || strings.Contains(text, "García") || strings.Contains(text, "Lucía") || strings.Contains(text, "Paracetamol") {
			t.Error(result, text)
		}
		w.offlineRx(code)
		w.pharmacy(id, code)
		w.cancelledRx()
	})
}

// immutableRx tries to change what belongs to a prescription by every path of writing.
func (w *ward) immutableRx(id string) {
	w.Helper()
	bundle := w.must(200, doctor, "GET", "MedicationRequest?patient=p1", "")
	var found struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal([]byte(bundle), &found); err != nil || len(found.Entry) != 2 {
		w.Fatal(bundle, err)
	}
	var r struct{ ID string }
	if err := json.Unmarshal(found.Entry[0].Resource, &r); err != nil {
		w.Fatal(err)
	}
	changed := strings.Replace(string(found.Entry[0].Resource), `"value":21`, `"value":210`, 1)
	loose := strings.Replace(changed, "folio-receta", "otro", 1)
	at := "MedicationRequest/" + r.ID
	for _, body := range []string{changed, loose} {
		w.must(409, "system", "PUT", at, body)
		w.must(409, "system", "POST", "", fmt.Sprintf(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":%s,"request":{"method":"PUT","url":%q}}]}`, body, at))
	}
	w.must(409, "system", "PATCH", at, `[{"op":"add","path":"/priority","value":"stat"},{"op":"add","path":"/note","value":[{"text":"x"}]}]`, "Content-Type", "application/json-patch+json")
	w.must(409, "system", "DELETE", at, "")
	w.must(409, "system", "DELETE", "MedicationRequest?patient=p1", "")
	w.must(409, "system", "DELETE", "Composition/"+id, "")
	w.must(422, "system", "POST", "MedicationRequest", strings.Replace(changed, `"id":"`+r.ID+`",`, "", 1))
	composition := w.must(200, doctor, "GET", "Composition/"+id, "")
	w.must(409, "system", "PUT", "Composition/"+id, strings.Replace(composition, "Receta médica", "Otra", 1))
	if status, text := w.call(doctor, "POST", "Composition/"+id+"/$void", params("reason", "String", "prueba")); status != 409 {
		w.Errorf("void: %d %s", status, text)
	}
}

// offlineRx verifies the code without the server, and one that was altered.
func (w *ward) offlineRx(code string) {
	w.Helper()
	_, _, keys := public(w.T, issuerOf(w.base)+prescriptionKeysPath, "*/*")
	file := filepath.Join(w.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(keys), 0o600); err != nil {
		w.Fatal(err)
	}
	var out, log bytes.Buffer
	if exit := run(w.Context(), []string{"prescription", "verify", "--keys", file, code}, streams{out: &out, err: &log}); exit != exitDone || !strings.Contains(out.String(), "Paracetamol 500 mg × 21 tableta") {
		w.Errorf("%d: %s%s", exit, &out, &log)
	}
	at := strings.LastIndexByte(code, '.') - 10
	altered := code[:at] + map[bool]string{true: "B", false: "A"}[code[at] == 'A'] + code[at+1:]
	out.Reset()
	if exit := run(w.Context(), []string{"prescription", "verify", "--keys", file, altered}, streams{out: &out, err: &log}); exit != exitFailed {
		w.Errorf("an altered code: %d: %s%s", exit, &out, &log)
	}
}

// pharmacy dispenses in parts, and twice at once.
func (w *ward) pharmacy(id, code string) {
	w.Helper()
	found := w.must(200, chemist, "POST", "Composition/$find-prescription", params("code", "String", code))
	if !strings.Contains(found, "Lucía García") || !strings.Contains(found, `"valueDecimal":21`) {
		w.Error(found)
	}
	ask := func(parts ...string) string {
		return rxParameters(append([]string{fmt.Sprintf(`{"name":"code","valueString":%q}`, code), `{"name":"pharmacy","valueReference":{"reference":"Organization/drugstore"}}`}, parts...)...)
	}
	item := func(n int, quantity string) string {
		return fmt.Sprintf(`{"name":"item","part":[{"name":"number","valuePositiveInt":%d},{"name":"quantity","valueDecimal":%s},{"name":"lot","valueString":"L77"}]}`, n, quantity)
	}
	w.must(409, chemist, "POST", "Composition/$dispense", ask(item(1, "22")))
	w.must(400, chemist, "POST", "Composition/$dispense", ask(item(3, "1")))
	w.must(400, chemist, "POST", "Composition/$dispense", ask(item(1, "-1")))
	once := ask(item(1, "10"), `{"name":"key","valueString":"venta-1"}`)
	first := parsed(w, w.must(201, chemist, "POST", "Composition/$dispense", once))
	again := parsed(w, w.must(200, chemist, "POST", "Composition/$dispense", once))
	if first.ref("dispense") == "" || first.ref("dispense") != again.ref("dispense") || again.code("state") != "partial" {
		w.Error(first, again)
	}
	if result, text := w.page(code); result != "valid" || !strings.Contains(text, "En parte") && !strings.Contains(text, "In part") {
		w.Error(result, text)
	}
	w.must(409, doctor, "POST", "Composition/"+id+"/$cancel-prescription", params("reason", "String", "tarde"))
	w.raced(ask())
	if result, _ := w.page(code); result != "dispensed" {
		w.Error(result)
	}
	w.must(409, chemist, "POST", "Composition/$dispense", ask())
	given := w.must(200, doctor, "GET", "MedicationDispense?patient=p1", "")
	if strings.Count(given, `"resourceType":"MedicationDispense"`) != 3 || !strings.Contains(given, "L77") {
		w.Errorf("%.3000s", given)
	}
	if left := w.must(200, doctor, "GET", "MedicationRequest?patient=p1&status=completed&_summary=count", ""); !strings.Contains(left, `"total":2`) {
		w.Error(left)
	}
	w.must(409, "system", "PUT", first.ref("dispense"), `{"resourceType":"MedicationDispense","id":"`+strings.TrimPrefix(first.ref("dispense"), "MedicationDispense/")+`","status":"completed","medicationCodeableConcept":{"text":"x"}}`)
}

// raced has many pharmacies hand out the rest at once: one does.
func (w *ward) raced(body string) {
	w.Helper()
	const many = 8
	statuses := make([]int, many)
	w.as(chemist)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { statuses[i], _ = w.call(chemist, "POST", "Composition/$dispense", body) })
	}
	all.Wait()
	won := 0
	for _, status := range statuses {
		switch status {
		case 201:
			won++
		case 409:
		default:
			w.Errorf("a race answers %d", status)
		}
	}
	if won != 1 {
		w.Errorf("%d handed out the rest: %v", won, statuses)
	}
}

// cancelledRx cancels a signed one, and a draft.
func (w *ward) cancelledRx() {
	w.Helper()
	id := w.draftRx("Patient/p1", medicine("Loratadina", "R06AX13", ""), `{"name":"establishment","valueReference":{"reference":"Organization/clinic"}}`)
	w.sign(doctor, w.doctor, id)
	_, code := w.paperOf(id)
	w.must(403, "clinician Practitioner/nobody", "POST", "Composition/"+id+"/$cancel-prescription", params("reason", "String", "no es mía"))
	w.must(400, doctor, "POST", "Composition/"+id+"/$cancel-prescription", params("reason", "String", " "))
	w.must(200, doctor, "POST", "Composition/"+id+"/$cancel-prescription", params("reason", "String", "dosis equivocada"))
	if result, text := w.page(code); result != "void" || strings.Contains(text, "Iniciales") {
		w.Error(result, text)
	}
	w.must(409, chemist, "POST", "Composition/$dispense", params("code", "String", code))
	draft := w.draftRx("Encounter/e1", medicine("Loratadina", "R06AX13", ""))
	w.must(200, doctor, "POST", "Composition/"+draft+"/$cancel-prescription", params("reason", "String", "ya no hace falta"))
	w.prepare(409, doctor, w.doctor, draft)
}

// TestPrescriptionRefused: what is wrong with what is prescribed, and who may not.
func TestPrescriptionRefused(t *testing.T) {
	t.Parallel()
	w := newWard(t, []string{"--data", t.TempDir()})
	pharmacyWard(w)
	ok := medicine("Paracetamol", "N02BE01", "")
	cut := func(old, new string) string {
		if !strings.Contains(ok, old) {
			t.Fatal(old)
		}
		return strings.Replace(ok, old, new, 1)
	}
	for name, c := range map[string]struct {
		on     string
		parts  []string
		status int
		rule   string
	}{
		"nothing":          {"Encounter/e1", nil, 400, "medication"},
		"no form":          {"Encounter/e1", []string{cut(`"form":{"text":"Tableta"},`, "")}, 422, "receta-forma"},
		"no generic name":  {"Encounter/e1", []string{cut(`{"text":"Paracetamol","coding"`, `{"coding"`)}, 422, "receta-generico"},
		"no strength":      {"Encounter/e1", []string{cut(`"value":500,`, "")}, 422, "receta-concentracion"},
		"no dose":          {"Encounter/e1", []string{cut(`"doseQuantity":{"value":1,`, `"doseQuantity":{"value":0,`)}, 422, "receta-dosis"},
		"no unit of UCUM":  {"Encounter/e1", []string{cut(`"code":"{tableta}"`, `"code":"tableta!"`)}, 422, "receta-dosis"},
		"no route":         {"Encounter/e1", []string{cut(`"route":{"text":"Oral"},`, "")}, 422, "receta-via"},
		"no frequency":     {"Encounter/e1", []string{cut(`"frequency":1,`, "")}, 422, "receta-frecuencia"},
		"no duration":      {"Encounter/e1", []string{cut(`"boundsDuration":{"value":7,`, `"boundsDuration":{`)}, 422, "receta-duracion"},
		"no quantity":      {"Encounter/e1", []string{cut(`"quantity":{"value":21,`, `"quantity":{`)}, 422, "receta-cantidad"},
		"no instructions":  {"Encounter/e1", []string{cut(`"patientInstruction":"Tomar con agua, después de comer.",`, "")}, 422, "receta-indicaciones"},
		"huge numbers":     {"Encounter/e1", []string{cut(`"value":21`, `"value":1e999999999`)}, 422, "receta-cantidad"},
		"another patient":  {"Encounter/e1", []string{medicine("Paracetamol", "", `,"subject":{"reference":"Patient/p2"}`)}, 422, "receta-paciente"},
		"a status of ours": {"Encounter/e1", []string{medicine("Paracetamol", "", `,"priorPrescription":{"reference":"MedicationRequest/x"}`)}, 422, "receta-elemento"},
		"a benzodiazepine": {"Encounter/e1", []string{medicine("Clonazepam", "", "")}, 422, "receta-controlado"},
		"morphine by code": {"Encounter/e1", []string{medicine("Sulfato", "N02AA01", "")}, 422, "COFEPRIS"},
		"allergy by class": {"Encounter/e1", []string{medicine("Amoxicilina", "J01CA04", "")}, 422, "receta-alergia"},
		"twice the same":   {"Encounter/e1", []string{ok, ok}, 422, "receta-duplicado"},
		"a wrong override": {"Encounter/e1", []string{ok, `{"name":"override","part":[{"name":"rule","valueCode":"receta-controlado"},{"name":"reason","valueString":"porque sí"}]}`}, 400, "override"},
		"a repeated one":   {"Encounter/e1", []string{strings.Replace(medicine("Azitromicina", "", ""), `"dispenseRequest":{`, `"dispenseRequest":{"numberOfRepeatsAllowed":2,`, 1)}, 422, "receta-resurtido"},
		"a child":          {"Patient/child", []string{ok, `{"name":"establishment","valueReference":{"reference":"Organization/clinic"}}`}, 422, "receta-peso"},
		"no date of birth": {"Patient/p2", []string{ok}, 422, "receta-paciente"},
		"no establishment": {"Patient/p1", []string{ok}, 422, "establishment"},
		"too many days":    {"Encounter/e1", []string{ok, `{"name":"days","valuePositiveInt":400}`}, 400, "days"},
		"nobody there":     {"Encounter/none", []string{ok}, 404, ""},
	} {
		if status, text := w.call(doctor, "POST", c.on+"/$draft-prescription", rxParameters(c.parts...)); status != c.status || !strings.Contains(text, c.rule) {
			t.Errorf("%s: %d, want %d %s\n%.600s", name, status, c.status, c.rule, text)
		}
	}
	for who, status := range map[string]int{"nurse Practitioner/nurse": 403, "clinician Practitioner/nobody": 422, "clinic-system": 403, chemist: 403, "patient Patient/p1": 403, "system": 403} {
		if got, text := w.call(who, "POST", "Encounter/e1/$draft-prescription", rxParameters(ok)); got != status {
			t.Errorf("%s drafts: %d, want %d\n%.400s", who, got, status, text)
		}
	}
	if n := w.must(200, "system", "GET", "MedicationRequest?_summary=count", ""); !strings.Contains(n, `"total":0`) {
		t.Error("something was stored:", n)
	}
	w.overridden()
	w.rxScopes()
}

// overridden prescribes against a warning, on record.
func (w *ward) overridden() {
	id := w.draftRx("Encounter/e1", medicine("Amoxicilina", "J01CA04", ""), override("receta-alergia"))
	w.sign(doctor, w.doctor, id)
	if text := w.must(200, doctor, "GET", "Composition/"+id+"/$document", ""); !strings.Contains(text, "Tolerado antes") || !strings.Contains(text, "AllergyIntolerance/a1") {
		w.Errorf("%.2000s", text)
	}
	html := w.must(200, doctor, "GET", "Composition/"+id+"/$print-prescription?_format=text/html", "")
	for _, one := range []string{"Centro de Salud Roma", "DFSSA003966", "Orizaba 1", "Juan Pérez", "1234567", "UNAM", "Lucía García", "46 años", "Mujer", "Amoxicilina 500 mg", "Tableta", "1 tableta", "Oral", "cada 8 horas", "7 días", "21 tableta", "Tomar con agua", "antibiótico"} {
		if !strings.Contains(html, one) {
			w.Errorf("the paper does not have %q", one)
		}
	}
	w.must(200, "patient Patient/p1", "GET", "Composition/"+id+"/$print-prescription?_format=text/html", "")
	for _, who := range []string{"patient Patient/p2", chemist} {
		if status, _ := w.call(who, "GET", "Composition/"+id+"/$print-prescription?_format=text/html", ""); status != 403 && status != 404 {
			w.Errorf("%s prints: %d", who, status)
		}
	}
}

// rxScopes: who has no paper, or another role, is told nothing.
func (w *ward) rxScopes() {
	for who, status := range map[string]int{chemist: 404, doctor: 403, "patient Patient/p1": 403, "clinic-system": 403} {
		for _, op := range []string{"$find-prescription", "$dispense"} {
			if got, text := w.call(who, "POST", "Composition/"+op, params("code", "String", "AAAAAAAAAAAAAAAAAAAAAA")); got != status {
				w.Errorf("%s %s: %d, want %d\n%.300s", who, op, got, status, text)
			}
		}
	}
	for _, at := range []string{"Composition", "MedicationRequest", "Patient"} {
		if status, text := w.call(chemist, "GET", at+"?_count=1", ""); status == 200 && strings.Contains(text, `"fullUrl"`) {
			w.Errorf("a pharmacist searches %s: %.300s", at, text)
		}
	}
}
