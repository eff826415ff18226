package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// TestBirthOfHidden: a certifier who knows the CURP of a woman whose record is blocked
// learns nothing of that record by certifying, and makes no second one with that CURP. The
// birth is certified all the same, without it.
func TestBirthOfHidden(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	curp := motherCURP("Marta")
	record := fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"telecom":[{"system":"phone","value":"5599887766"}],"birthDate":"2000-05-17"`, identity.SystemCURP, curp)
	m.put("Patient/oculta", record)
	label := `"meta":{"security":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/etiqueta","code":"bloqueado"}]},`
	m.do(200, "arco-officer", "PUT", "Patient/oculta", `{"resourceType":"Patient","id":"oculta",`+label+record+`}`)
	m.do(404, midwife, "GET", "Patient/oculta", "")
	refused := m.do(409, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Marta", nil))
	for _, secret := range []string{"oculta", "5599887766"} {
		if strings.Contains(refused, secret) {
			t.Errorf("%s of a blocked record is shown: %s", secret, refused)
		}
	}
	if !strings.Contains(refused, "identifier-reserved") {
		t.Error(refused)
	}
	unnumbered := map[string]string{"mother": personJSON("Patient", "Marta", "", "2000-05-17", "female")}
	prepared := m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Marta", unnumbered))
	c := parsed(m, m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, prepared)))
	m.do(200, midwife, "GET", c.ref("mother"), "")
}

// TestBirthLinkOfOthers: who may write a Patient, and not merge, cannot lead the acta of a
// newborn to another one by a link.
func TestBirthLinkOfOthers(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	c := m.certify("Luz", nil)
	newborn, folio := c.ref("newborn"), c.text("folio")
	m.put("Patient/otra", fmt.Sprintf(`"name":[{"family":"Ruiz"}],"gender":"female","birthDate":%q`, m.born.Format(time.DateOnly)))
	who := "clinician Practitioner/dr " + hospital
	var p map[string]any
	if err := json.Unmarshal([]byte(m.do(200, who, "GET", newborn, "")), &p); err != nil {
		t.Fatal(err)
	}
	p["active"], p["link"] = false, []any{map[string]any{"type": "replaced-by", "other": map[string]any{"reference": "Patient/otra"}}}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	m.do(200, who, "PUT", newborn, string(raw))
	m.do(200, midwife, "POST", "$birth-deliver", params("folio", "String", folio, "to", "String", "Luz"))
	m.do(200, registrar, "POST", "$birth-register", params("folio", "String", folio, "acta", "String", "ACTA-77", "oficialia", "String", "1", "date", "Date", m.born.Format(time.DateOnly)))
	if other := m.do(200, "system", "GET", "Patient/otra", ""); strings.Contains(other, "ACTA-77") {
		t.Errorf("somebody else has the acta: %s", other)
	}
	if own := m.do(200, "system", "GET", newborn, ""); !strings.Contains(own, "ACTA-77") {
		t.Errorf("the newborn lacks the acta: %s", own)
	}
}

// TestBirthTwiceAtOnce: two who certify one birth at the same moment, one with the CURP of
// the mother and one without, do not both succeed.
func TestBirthTwiceAtOnce(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		for _, given := range []string{"Alba", "Berta", "Celia", "Dora", "Elena", "Flora", "Gema", "Hilda"} {
			var bodies [2]string
			for i, mother := range []string{motherCURP(given), ""} {
				set := map[string]string{"mother": personJSON("Patient", given, mother, motherBorn.Format(time.DateOnly), "female")}
				bodies[i] = m.signed(m.doctor, m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, given, set)))
			}
			var statuses [2]int
			var all sync.WaitGroup
			for i := range bodies {
				all.Go(func() { statuses[i], _ = m.call(midwife, "POST", "$birth-certify", bodies[i]) })
			}
			all.Wait()
			if statuses != [2]int{200, 409} && statuses != [2]int{409, 200} {
				m.Errorf("%s: %v", given, statuses)
			}
			text := m.do(409, midwife, "POST", "$birth-certify", m.claim(m.doctor, given, map[string]string{"mother": personJSON("Patient", given, "", motherBorn.Format(time.DateOnly), "female")}))
			if !strings.Contains(text, "birth-double") {
				m.Errorf("%s: %s", given, text)
			}
		}
	})
}
