package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// twin is one of two.
func twin(order string) map[string]string {
	return map[string]string{"PRODUCTOEMBARAZO": "2", "ORDENPRODUCTO": order, "TOTALPRODUCTOS": "2"}
}

// TestTwins: two certificates of one mother, told apart by the order; a second one of
// either is refused, however the mother is named.
func TestTwins(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		first, second := m.certify("Rosa", twin("1")), m.certify("Rosa", twin("2"))
		if first.ref("mother") != second.ref("mother") || first.ref("newborn") == second.ref("newborn") || first.text("folio") == second.text("folio") {
			t := []returned{first, second}
			m.Errorf("%+v", t)
		}
		if p := m.do(200, "system", "GET", second.ref("newborn"), ""); !strings.Contains(p, `"multipleBirthInteger":2`) {
			m.Errorf("%s", p)
		}
		for name, more := range map[string]map[string]string{
			"by CURP": {}, "by reference": {"mother": first.ref("mother")}, "without CURP": {"mother": personJSON("Patient", "ROSÁ", "", "2000-05-17", "female")},
		} {
			for k, v := range twin("2") {
				more[k] = v
			}
			if text := m.do(409, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Rosa", more)); !strings.Contains(text, second.text("folio")) || !strings.Contains(text, "birth-double") {
				m.Errorf("%s: %s", name, text)
			}
		}
		// Two drafts of one newborn: the first signature wins.
		a := m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Eva", nil))
		b := m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Eva", nil))
		m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, b))
		if text := m.do(409, midwife, "POST", "$birth-certify", m.signed(m.doctor, a)); !strings.Contains(text, "birth-double") {
			m.Errorf("the second draft: %s", text)
		}
		// The answer was lost: the same again gets the same.
		if again := parsed(m, m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, b))); again.text("state") != "certified" && m.doctor.Certificate.PublicKeyAlgorithm.String() == "RSA" {
			m.Errorf("%+v", again)
		}
	})
}

// TestBirthRefused: every rule of a certificate, and every signature that is not the certifier's.
func TestBirthRefused(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		day := m.born.Format("02/01/2006")
		tomorrow := m.born.AddDate(0, 0, 1).Format("02/01/2006")
		for _, c := range []struct{ set, rule, column string }{
			{"PESO=", "sinac-required", "PESO"}, {"PESO=grande", "sinac-number", "PESO"}, {"PESO=20000", "sinac-range", "PESO"}, {"PESO=240", "sinac-weight", "PESO"},
			{"EDADGESTACIONAL=13", "sinac-range", "EDADGESTACIONAL"}, {"EDADGESTACIONAL=46", "sinac-range", "EDADGESTACIONAL"}, {"APGAR=11", "sinac-range", "APGAR"},
			{"TALLA=70", "sinac-length", "TALLA"}, {"HIJOSSOBREVIVIENTES=3", "sinac-children", "HIJOSSOBREVIVIENTES"},
			{"ATENCIONPRENATAL=2", "sinac-prenatal", "TOTALCONSULTAS"}, {"TIPOCESAREA=1 UTILIZOFORCEPS=1", "sinac-delivery", "UTILIZOFORCEPS"},
			{"TOTALPRODUCTOS=2", "birth-agreement", "TOTALPRODUCTOS"}, {"PRODUCTOEMBARAZO=2", "sinac-plurality", "ORDENPRODUCTO"},
			{"PRODUCTOEMBARAZO=2 ORDENPRODUCTO=3 TOTALPRODUCTOS=2", "sinac-plurality", "ORDENPRODUCTO"}, {"PRODUCTOEMBARAZO=3 ORDENPRODUCTO=1 TOTALPRODUCTOS=2", "sinac-plurality", "TOTALPRODUCTOS"},
			{"CODIGOCIEANOMALIA1=A000", "sinac-anomaly", "CODIGOCIEANOMALIA1"}, {"SEXO=1", "birth-agreement", "SEXO"}, {"SEXO=7", "birth-agreement", "SEXO"},
			{"EDAD=60", "sinac-range", "EDAD"}, {"EDAD=20", "sinac-mother-age", "EDAD"}, {"FECHANACIMIENTO=" + tomorrow, "birth-agreement", "FECHANACIMIENTO"},
			{"FECHACERTIFICADO=" + tomorrow, "birth-agreement", "FECHACERTIFICADO"}, {"FECHANACIMIENTOMADRE=01/01/2001", "birth-agreement", "FECHANACIMIENTOMADRE"},
			{"ENTIDADFEDERATIVAPARTO=33", "sinac-range", "ENTIDADFEDERATIVAPARTO"}, {"CLUES=X", "sinac-clues", "CLUES"}, {"HORANACIMIENTO=24:00", "sinac-time", "HORANACIMIENTO"},
			{"LUGARNACIMIENTO=", "sinac-required", "LUGARNACIMIENTO"}, {"NACIOEXTRANJERO=1", "sinac-abroad", "ENTIDADNACIMIENTO"},
		} {
			more := map[string]string{}
			for _, one := range strings.Fields(c.set) {
				name, v, _ := strings.Cut(one, "=")
				more[name] = v
			}
			text := m.do(422, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Mala", more))
			if !strings.Contains(text, `"`+c.rule+`"`) || !strings.Contains(text, "name='"+c.column+"'") {
				m.Errorf("%s: %s", c.set, text)
			}
		}
		m.do(422, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Mala", map[string]string{"newborn": fmt.Sprintf(`{"resourceType":"Patient","gender":"female","birthDate":%q}`, m.born.AddDate(0, 0, 1).Format(time.DateOnly))}))
		m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Mala", map[string]string{"PESO": "240", "acknowledge": "sinac-weight"})) // the certifier knows
		m.people(day)
		m.signers()
		var found struct{ Total int }
		if err := json.Unmarshal([]byte(m.do(200, "system", "GET", "Composition?_summary=count&_total=accurate", "")), &found); err != nil || found.Total != 0 {
			m.Errorf("%d documents were made of what was refused (%v)", found.Total, err)
		}
	})
}

// people: who is not told from others, and who may not certify.
func (m *maternity) people(day string) {
	m.Helper()
	wrongDigit := motherCURP("Ana")
	wrongDigit = wrongDigit[:17] + string('0'+(wrongDigit[17]-'0'+1)%10)
	for name, c := range map[string]struct {
		set    map[string]string
		status int
		rule   string
	}{
		"a CURP with another digit":  {map[string]string{"mother": personJSON("Patient", "Ana", wrongDigit, "2000-05-17", "female")}, 422, "curp-check-digit"},
		"another's CURP":             {map[string]string{"mother": personJSON("Patient", "Ana", motherCURP("Zoila"), "2000-05-17", "female")}, 422, "curp-name"},
		"no name":                    {map[string]string{"mother": `{"resourceType":"Patient","birthDate":"2000-05-17"}`}, 422, "birth-mother-name"},
		"neither CURP nor date":      {map[string]string{"mother": personJSON("Patient", "Ana", "", "", "female")}, 422, "birth-mother-identity"},
		"nobody":                     {map[string]string{"mother": ""}, 400, "mother is needed"},
		"somebody who is not there":  {map[string]string{"mother": "Patient/nobody"}, 422, "not known here"},
		"another kind":               {map[string]string{"mother": `{"resourceType":"Practitioner"}`}, 400, "mother is a Patient"},
		"a newborn with a CURP":      {map[string]string{"newborn": personJSON("Patient", "Inés", motherCURP("Ana"), "", "female")}, 422, "birth-newborn-curp"},
		"another establishment":      {map[string]string{"CLUESCERTIFICA": elsewhere}, 403, "own establishment"},
		"a column that is none":      {map[string]string{"PESOS": "3"}, 400, "PESO"},
		"an alias of a column":       {map[string]string{"PESOH": "3000"}, 400, "PESOH"},
		"a folio of nobody":          {map[string]string{"folio": "NADIE-000001"}, 422, "no range"},
		"a folio of no form":         {map[string]string{"folio": "x"}, 400, "6 to 20"},
		"somebody else who signs":    {map[string]string{"certifier": "Practitioner/nurse"}, 403, "as yourself"},
		"what only replacing takes":  {map[string]string{"reason": "x"}, 400, "birth-replace"},
		"a mother whom others match": {map[string]string{"mother": personJSON("Patient", "Ana", "", "2000-05-17", "female"), "FECHANACIMIENTO": day}, 200, "digest"},
	} {
		if text := m.do(c.status, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Ana", c.set)); !strings.Contains(text, c.rule) {
			m.Errorf("%s: %s", name, text)
		}
	}
	body := m.claim(m.doctor, "Ana", nil)
	for who, want := range map[string]int{homeless: 403, registrar: 403, "nurse Practitioner/dr": 403, "clinician Practitioner/dr": 403, "analyst": 403, "patient Patient/x": 403} {
		m.do(want, who, "POST", "$birth-certify", body)
	}
	m.do(405, midwife, "GET", "$birth-certify?PESO=3000", "")
}

// signers: a signature that is not the certifier's, or of a certificate that is not good.
func (m *maternity) signers() {
	m.Helper()
	year := 365 * 24 * time.Hour
	issue := func(root *signtest.CA, s signtest.Subject) *signtest.Holder { return root.Issue(m, s) }
	for name, c := range map[string]struct {
		holder *signtest.Holder
		check  string
	}{
		"expired":            {issue(m.root, signtest.Subject{Name: "J", CURP: doctorCURP, From: time.Now().Add(-3 * year), To: time.Now().Add(-year)}), "signature-validity"},
		"somebody else's":    {m.nurse, "signature-identity"},
		"without a CURP":     {issue(m.root, signtest.Subject{Name: "J", RFC: "PEPJ800101AB1"}), "signature-identity"},
		"of nobody's issuer": {issue(signtest.NewCA(m, "Otra AC"), signtest.Subject{Name: "J", CURP: doctorCURP}), "signature-chain"},
		"with a weak key":    {issue(m.root, signtest.Subject{Name: "J", CURP: doctorCURP, Key: signtest.WeakRSA()}), "signature-key"},
	} {
		if text := m.do(422, midwife, "POST", "$birth-certify", m.claim(c.holder, "Ana", nil)); !strings.Contains(text, c.check) {
			m.Errorf("%s: %s", name, text)
		}
	}
	m.do(400, midwife, "POST", "$birth-certify", m.claim(nil, "Ana", nil))
	prepared := m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Ana", nil))
	good := m.signed(m.doctor, prepared)
	m.do(422, midwife, "POST", "$birth-certify", strings.Replace(good, `Binary":"`, `Binary":"AAAA`, 1))
	m.do(404, stranger, "POST", "$birth-certify", good)
	m.do(404, "system", "POST", "$birth-certify", good)
	m.do(404, midwife, "POST", "$birth-certify", params("folio", "String", "NADIE-000001", "signature", "Base64Binary", "AAAA"))
}

// TestBirthRevoked: between the two steps the certificate is revoked.
func TestBirthRevoked(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	revoked := signtest.Revoked{Certificate: m.doctor.Certificate, At: time.Now().Add(-time.Hour)}
	if err := os.WriteFile(filepath.Join(m.trust, "ac.crl"), m.root.List(t, time.Now(), revoked), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := m.do(422, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Ana", nil)); !strings.Contains(text, "signature-revocation") {
		t.Error(text)
	}
}

// TestBirthWithdrawn: a certificate is replaced by another folio, that one withdrawn, and
// the birth certified anew.
func TestBirthWithdrawn(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		c := m.certify("Luz", nil)
		again := m.claim(m.doctor, "Luz", map[string]string{"PESO": "3200", "replaces": c.text("folio"), "reason": "peso mal escrito"})
		m.do(404, stranger, "POST", "$birth-replace", strings.ReplaceAll(again, hospital, elsewhere))
		m.do(400, midwife, "POST", "$birth-replace", m.claim(m.doctor, "Luz", map[string]string{"replaces": c.text("folio")}))
		prepared := m.do(200, midwife, "POST", "$birth-replace", again)
		if s := m.state(midwife, c.text("folio")); s.text("state") != "certified" {
			m.Errorf("replaced before the signature: %+v", s)
		}
		second := parsed(m, m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, prepared)))
		if s := m.state(midwife, c.text("folio")); s.text("state") != "replaced" || s.text("replacedBy") != second.text("folio") || s.text("reason") != "peso mal escrito" {
			m.Errorf("%+v", s)
		}
		if c.ref("newborn") != second.ref("newborn") {
			m.Errorf("another newborn: %+v", second)
		}
		if v := parsed(m, m.do(200, midwife, "GET", "$birth-verify?folio="+c.text("folio"), "")); v.yes("valid") || !v.yes("unchanged") {
			m.Errorf("%+v", v)
		}
		weights := m.do(200, "system", "GET", "Observation?patient="+c.ref("newborn")+"&code=http://loinc.org|8339-4&status=final", "")
		if !strings.Contains(weights, "3200") || strings.Contains(weights, "3150") {
			m.Errorf("weights: %s", weights)
		}
		m.do(409, midwife, "POST", "$birth-void", params("folio", "String", c.text("folio"), "reason", "String", "x"))
		m.do(404, stranger, "POST", "$birth-void", params("folio", "String", second.text("folio"), "reason", "String", "x"))
		m.do(400, midwife, "POST", "$birth-void", params("folio", "String", second.text("folio")))
		m.do(200, midwife, "POST", "$birth-void", params("folio", "String", second.text("folio"), "reason", "String", "otra madre"))
		m.do(409, midwife, "POST", "$birth-deliver", params("folio", "String", second.text("folio"), "to", "String", "x"))
		third := m.certify("Luz", nil)
		if third.ref("newborn") == second.ref("newborn") {
			m.Error("the newborn of a void certificate is certified again")
		}
	})
}

// TestBirthJoined: the CURP is that of a Patient who was there already. What was recorded
// of the newborn meanwhile goes there, and what was certified is as it was.
func TestBirthJoined(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		c := m.certify("Flor", nil)
		newborn, folio := c.ref("newborn"), c.text("folio")
		screening := m.do(201, "system", "POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"Tamiz metabólico"},"subject":{"reference":"`+newborn+`"},"valueString":"normal"}`)
		child := makeCURP(identity.Person{Given: "Inés", Father: "García", Mother: "López", Born: m.born, Sex: 'M', BirthIn: "OC"}, 'B')
		m.put("Patient/renapo", fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"gender":"female","birthDate":%q`, identity.SystemCURP, child, m.born.Format(time.DateOnly)))
		m.do(200, midwife, "POST", "$birth-deliver", params("folio", "String", folio, "to", "String", "Flor"))
		m.do(200, registrar, "POST", "$birth-register", params("folio", "String", folio, "acta", "String", "7", "oficialia", "String", "1", "date", "Date", m.born.Format(time.DateOnly)))
		m.do(200, "arco-officer", "POST", newborn+"/$legal-hold", asks("action", codeValue("set"), "authority", textValue("Juzgado 1"), "number", textValue("7/2026"), "reason", textValue("juicio")))
		m.do(200, registrar, "POST", "$birth-assign-curp", params("folio", "String", folio, "curp", "String", child))
		if holds := m.do(200, "arco-officer", "GET", "Patient/renapo/$legal-holds", ""); !strings.Contains(holds, "7/2026") {
			m.Errorf("the legal hold stayed behind: %s", holds)
		}
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(screening), &made); err != nil {
			m.Fatal(err)
		}
		for path, want := range map[string]string{
			"Observation/" + made.ID: `"Patient/renapo"`, "Immunization?patient=Patient/renapo&vaccine-code=19": `"19"`,
			newborn: "replaced-by", "Patient/renapo": folio, c.ref("document"): newborn,
		} {
			if text := m.do(200, "system", "GET", path, ""); !strings.Contains(text, want) {
				m.Errorf("%s lacks %s: %.800s", path, want, text)
			}
		}
		if v := parsed(m, m.do(200, registrar, "GET", "$birth-verify?folio="+folio, "")); !v.yes("valid") || !v.yes("unchanged") {
			m.Errorf("%+v", v)
		}
	})
}

// TestBirthMerged: the newborn was registered elsewhere as well, and both Patients were
// made one before the CURP came. The certificate follows.
func TestBirthMerged(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	c := m.certify("Sol", nil)
	newborn, folio := c.ref("newborn"), c.text("folio")
	m.put("Patient/cuna", fmt.Sprintf(`"identifier":[{"system":"urn:x:expediente","value":"7"}],"gender":"female","birthDate":%q`, m.born.Format(time.DateOnly)))
	m.do(200, "system", "POST", "Patient/$merge", `{"resourceType":"Parameters","parameter":[{"name":"source-patient","valueReference":{"reference":"`+newborn+`"}},{"name":"target-patient","valueReference":{"reference":"Patient/cuna"}}]}`)
	m.do(200, midwife, "POST", "$birth-deliver", params("folio", "String", folio, "to", "String", "Sol"))
	m.do(200, registrar, "POST", "$birth-register", params("folio", "String", folio, "acta", "String", "7", "oficialia", "String", "1", "date", "Date", m.born.Format(time.DateOnly)))
	child := makeCURP(identity.Person{Given: "Sol", Father: "García", Mother: "López", Born: m.born, Sex: 'M', BirthIn: "OC"}, 'C')
	m.do(200, registrar, "POST", "$birth-assign-curp", params("folio", "String", folio, "curp", "String", child))
	if p := m.do(200, "system", "GET", "Patient/cuna", ""); !strings.Contains(p, child) {
		m.Errorf("the CURP is not with who is left: %s", p)
	}
	if v := parsed(m, m.do(200, registrar, "GET", "$birth-verify?folio="+folio, "")); !v.yes("valid") || !v.yes("unchanged") {
		m.Errorf("%+v", v)
	}
}
