package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/store/storetest"
)

const (
	hospital, elsewhere = "OCSSA003966", "OCIMB005225"

	midwife   = "birth-certifier Practitioner/dr " + hospital
	stranger  = "birth-certifier Practitioner/nurse " + elsewhere
	homeless  = "birth-certifier Practitioner/dr"
	registrar = "civil-registrar"
)

// maternity is a server on which births are certified, with a seal for its hospital.
type maternity struct {
	*ward
	born   time.Time
	server *process
}

// eachMaternity runs f on both engines.
func eachMaternity(t *testing.T, f func(m *maternity)) {
	for name, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(newMaternity(t, where(t)))
		})
	}
}

func newMaternity(t *testing.T, where []string) *maternity {
	w := &ward{T: t, where: where, tokens: map[string]string{}, root: signtest.NewCA(t, "AC de prueba"), trust: t.TempDir()}
	w.doctor = w.root.Issue(t, signtest.Subject{Name: "JUAN PEREZ PEREZ", CURP: doctorCURP, RFC: "PEPJ800101AB1", Key: signtest.RSA()})
	w.nurse = w.root.Issue(t, signtest.Subject{Name: "ANA LOPEZ MARTINEZ", CURP: nurseCURP, RFC: "LOMA850202AB1"})
	seal := w.root.Issue(t, signtest.Subject{Name: "HOSPITAL GENERAL", RFC: "HGE990101AB1"})
	seals := t.TempDir()
	for file, data := range map[string][]byte{
		filepath.Join(w.trust, "ac.cer"): w.root.Certificate.Raw, filepath.Join(w.trust, "ac.crl"): w.root.List(t, time.Now()),
		filepath.Join(seals, hospital+".cer"): seal.Certificate.Raw, filepath.Join(seals, hospital+".key"): seal.PlainKey(t),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := startGuarded(t, append([]string{"--signature-trust", w.trust, "--birth-seals", seals, "--delete-many"}, where...)...)
	w.base = server.base
	for id, curp := range map[string]string{"dr": doctorCURP, "nurse": nurseCURP} {
		w.put("Practitioner/"+id, fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"name":[{"family":%q}]`, identity.SystemCURP, curp, id))
	}
	for id, clues := range map[string]string{"hospital": hospital, "elsewhere": elsewhere} {
		w.put("Organization/"+id, fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"name":"Hospital %s"`, identity.SystemCLUES, clues, id))
	}
	now := time.Now().In(birth.Zone)
	return &maternity{w, time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC), server}
}

// who makes sure that there is a token of a role, of a user, for an establishment.
func (m *maternity) who(who string) string {
	m.Helper()
	if m.tokens[who] == "" {
		parts := strings.Fields(who)
		args := append([]string{"token", "--role", parts[0]}, m.where...)
		for _, p := range parts[1:] {
			switch {
			case strings.HasPrefix(p, "Patient/"):
				args = append(args, "--patient", strings.TrimPrefix(p, "Patient/"))
			case strings.Contains(p, "/"):
				args = append(args, "--user", p)
			default:
				args = append(args, "--org", p)
			}
		}
		status, out, errs := amate(args...)
		if status != exitDone {
			m.Fatal(errs)
		}
		m.tokens[who] = strings.TrimSpace(out)
	}
	return who
}

// call is the ward's, by somebody who may act for an establishment.
func (m *maternity) do(want int, who, method, path, body string) string {
	m.Helper()
	return m.must(want, m.who(who), method, path, body)
}

// makeCURP makes the CURP of a person for a test.
func makeCURP(p identity.Person, homoclave byte) string {
	text := identity.ExpectedCURP(p) + string(homoclave)
	digit, ok := identity.CURPDigit(text)
	if !ok {
		panic(text)
	}
	return text + string(digit)
}

var motherBorn = time.Date(2000, 5, 17, 0, 0, 0, 0, time.UTC)

func motherCURP(given string) string {
	return makeCURP(identity.Person{Given: given, Father: "García", Mother: "López", Born: motherBorn, Sex: 'M', BirthIn: "OC"}, 'A')
}

// person is a Patient or RelatedPerson.
func personJSON(typ, given, curp, born, gender string) string {
	id := ""
	if curp != "" {
		id = fmt.Sprintf(`"identifier":[{"use":"official","system":%q,"value":%q}],`, identity.SystemCURP, curp)
	}
	if born != "" {
		born = fmt.Sprintf(`,"birthDate":%q`, born)
	}
	patient := ""
	if typ == "RelatedPerson" {
		patient = `,"patient":{"display":"recién nacido"}`
	}
	return fmt.Sprintf(`{"resourceType":%q,%s"name":[{"use":"official","family":"García López","_family":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/humanname-fathers-family","valueString":"García"},`+
		`{"url":"http://hl7.org/fhir/StructureDefinition/humanname-mothers-family","valueString":"López"}]},"given":[%q]}],"gender":%q%s%s}`, typ, id, given, gender, born, patient)
}

// claim is what is said of a birth: parameters by name; "" leaves one out.
func (m *maternity) claim(holder *signtest.Holder, given string, more map[string]string) string {
	columns := map[string]string{
		"NACIOEXTRANJERO": "2", "ENTIDADNACIMIENTO": "20", "MUNICIPIONACIMIENTO": "067", "SECONSIDERAINDIGENA": "1", "HABLALENGUAINDIGENA": "2",
		"ESTADOCONYUGAL": "4", "RESIDEEXTRANJERO": "2", "ENTIDADRESIDENCIA": "20", "MUNICIPIORESIDENCIA": "067", "LOCALIDADRESIDENCIA": "0001",
		"NUMEROEMBARAZOS": "2", "HIJOSNACIDOSMUERTOS": "0", "HIJOSNACIDOSVIVOS": "2", "HIJOSSOBREVIVIENTES": "2", "ORDENNACIMIENTO": "2", "ATENCIONPRENATAL": "1",
		"TRIMESTREPRIMERCONSULTA": "1", "TOTALCONSULTAS": "7", "SOBREVIVIOPARTO": "1", "AFILIACION": "10", "ESCOLARIDAD": "72",
		"HORANACIMIENTO": "00:05", "EDADGESTACIONAL": "39", "TALLA": "50", "PESO": "3150", "APGAR": "9", "SILVERMAN": "0", "TAMIZAUDITIVO": "1",
		"VACUNA_BCG": "1", "VACUNAHEPATITIS_B": "1", "VITAMINA_A": "2", "VITAMINA_K": "1", "PRODUCTOEMBARAZO": "1", "CODIGOCIEANOMALIA1": "Q699", "LUGARNACIMIENTO": "01",
		"CLUES": hospital, "TIEMPOTRASLADO": "00:20", "RESOLUCIONEMBARAZO": "1", "UTILIZOFORCEPS": "2", "PERSONALATENDIO": "1", "ENTIDADFEDERATIVAPARTO": "20",
		"MUNICIPIOPARTO": "067", "LOCALIDADPARTO": "0001", "CERTIFICADOPOR": "1",
	}
	resources := map[string]string{
		"mother":  personJSON("Patient", given, motherCURP(given), motherBorn.Format(time.DateOnly), "female"),
		"newborn": fmt.Sprintf(`{"resourceType":"Patient","gender":"female","birthDate":%q}`, m.born.Format(time.DateOnly)),
		"father":  personJSON("RelatedPerson", "Pedro", "", "1999-01-02", "male"),
	}
	var parts []string
	for name, v := range more {
		switch {
		case strings.HasPrefix(v, "{"):
			resources[name] = v
		case resources[name] != "" && v == "":
			delete(resources, name)
		case strings.Contains(v, "/") && name == "mother":
			delete(resources, name)
			parts = append(parts, fmt.Sprintf(`{"name":%q,"valueReference":{"reference":%q}}`, name, v))
		default:
			columns[name] = v
		}
	}
	for name, v := range columns {
		if v != "" {
			parts = append(parts, fmt.Sprintf(`{"name":%q,"valueString":%q}`, name, v))
		}
	}
	for name, v := range resources {
		parts = append(parts, fmt.Sprintf(`{"name":%q,"resource":%s}`, name, v))
	}
	if holder != nil {
		parts = append(parts, fmt.Sprintf(`{"name":"certificate","valueBase64Binary":%q}`, base64.StdEncoding.EncodeToString(holder.Certificate.Raw)))
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parts, ",") + `]}`
}

// signed makes the parameters of the second step.
func (m *maternity) signed(holder *signtest.Holder, prepared string) string {
	m.Helper()
	a := parsed(m, prepared)
	var folio, header string
	var document []byte
	for _, p := range a.Parameter {
		switch p.Name {
		case "folio":
			folio = p.Text
		case "header":
			header = p.Text
		case "document":
			document = p.Resource
		}
	}
	payload, err := sign.Document(document)
	if err != nil {
		m.Fatal(err, prepared)
	}
	ready, err := sign.Resume(header, payload)
	if err != nil {
		m.Fatal(err)
	}
	signature, err := holder.Signer().Finish(ready)
	if err != nil {
		m.Fatal(err)
	}
	return params("folio", "String", folio, "signature", "Base64Binary", base64.StdEncoding.EncodeToString(signature))
}

// certify takes a birth through both steps, and returns the answer.
func (m *maternity) certify(given string, more map[string]string) returned {
	m.Helper()
	prepared := m.do(200, midwife, "POST", "$birth-certify", m.claim(m.doctor, given, more))
	return parsed(m, m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, prepared)))
}

func (a *returned) text(name string) string {
	for _, p := range a.Parameter {
		if p.Name == name {
			return p.Text + p.Code
		}
	}
	return ""
}

func (a *returned) yes(name string) bool {
	for _, p := range a.Parameter {
		if p.Name == name {
			return p.Boolean
		}
	}
	return false
}

// state returns how far a certificate has come.
func (m *maternity) state(who, folio string) returned {
	m.Helper()
	return parsed(m, m.do(200, who, "GET", "$birth-find?folio="+folio, ""))
}

// TestBirthLife is the life of one birth: certified, delivered, registered, joined with
// its CURP, with all who may and may not take part.
func TestBirthLife(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		c := m.certify("María", nil)
		folio, newborn, mother := c.text("folio"), c.ref("newborn"), c.ref("mother")
		if c.text("state") != "certified" || len(c.text("token")) != 22 || !strings.HasPrefix(folio, hospital+"-") {
			m.Fatalf("%+v", c)
		}
		m.projected(c)
		m.immutable(c)
		for who, want := range map[string]int{midwife: 200, registrar: 200, "system": 200, stranger: 404, "patient Patient/other": 404, "analyst": 403, "nurse Practitioner/nurse": 403} {
			m.do(want, who, "GET", "$birth-find?folio="+folio, "")
		}
		m.parents(c)
		if v := parsed(m, m.do(200, registrar, "GET", "$birth-verify?folio="+folio, "")); !v.yes("valid") || !v.yes("unchanged") {
			m.Errorf("it is not valid: %+v", v)
		}
		if v := parsed(m, m.do(200, "patient Patient/other", "GET", "$birth-verify?token="+c.text("token"), "")); !v.yes("valid") {
			m.Errorf("it is not valid: %+v", v)
		}
		acta := params("folio", "String", folio, "acta", "String", "01234", "oficialia", "String", "Oficialía 1, Oaxaca", "date", "Date", m.born.Format(time.DateOnly))
		m.do(409, registrar, "POST", "$birth-register", acta) // not delivered yet
		to := params("folio", "String", folio, "to", "String", "María García López")
		m.do(404, stranger, "POST", "$birth-deliver", to)
		m.do(403, homeless, "POST", "$birth-deliver", to)
		m.do(403, registrar, "POST", "$birth-deliver", to)
		m.do(200, midwife, "POST", "$birth-deliver", to)
		m.do(409, midwife, "POST", "$birth-deliver", to)
		m.do(403, midwife, "POST", "$birth-register", acta)
		m.do(422, registrar, "POST", "$birth-register", strings.Replace(acta, m.born.Format(time.DateOnly), "1999-01-01", 1))
		m.do(200, registrar, "POST", "$birth-register", acta)
		m.do(409, midwife, "POST", "$birth-void", params("folio", "String", folio, "reason", "String", "x"))
		child := makeCURP(identity.Person{Given: "Inés", Father: "García", Mother: "López", Born: m.born, Sex: 'M', BirthIn: "OC"}, 'A')
		for _, wrong := range []string{"XEXX010101HNEXXXA4", motherCURP("María"), child[:17] + "X", makeCURP(identity.Person{Given: "Inés", Father: "García", Mother: "López", Born: m.born, Sex: 'H', BirthIn: "OC"}, 'A')} {
			m.do(422, registrar, "POST", "$birth-assign-curp", params("folio", "String", folio, "curp", "String", wrong))
		}
		m.do(200, registrar, "POST", "$birth-assign-curp", params("folio", "String", folio, "curp", "String", child))
		if s := m.state(registrar, folio); s.text("state") != "curp-assigned" || s.text("curp") != child || s.text("acta") != "01234" {
			m.Errorf("%+v", s)
		}
		if p := m.do(200, "system", "GET", newborn, ""); !strings.Contains(p, child) || !strings.Contains(p, folio) || !strings.Contains(p, "01234") {
			m.Errorf("the newborn is %s", p)
		}
		if found := m.do(200, "system", "GET", "Patient?identifier="+identity.SystemCURP+"|"+child, ""); !strings.Contains(found, newborn[len("Patient/"):]) {
			m.Errorf("not found by CURP: %s", found)
		}
		_ = mother
		m.counted(c)
	})
}

// projected looks at what was made from a certificate.
func (m *maternity) projected(c returned) {
	m.Helper()
	newborn, mother := c.ref("newborn"), c.ref("mother")
	for path, want := range map[string]int{
		"Immunization?patient=" + newborn: 2, "Condition?patient=" + newborn + "&code=http://hl7.org/fhir/sid/icd-10|Q69.9": 1,
		"RelatedPerson?patient=" + newborn: 2, "RelatedPerson?patient=" + mother: 1, "Encounter?patient=" + mother: 1, "Encounter?patient=" + newborn: 1,
		"Observation?patient=" + newborn + "&code=http://loinc.org|8339-4&value-quantity=3150||g": 1, "Observation?patient=" + mother + "&code=http://loinc.org|68493-6": 1,
		"Procedure?patient=" + mother: 1, "Coverage?beneficiary=" + mother: 1, "MedicationAdministration?patient=" + newborn: 1,
		"Composition?patient=" + newborn + "&type=http://loinc.org|68998-4": 1, "Provenance?target=" + c.ref("document"): 2,
		"Patient?identifier=" + birth.FolioSystem + "|" + c.text("folio"): 1,
	} {
		var found struct{ Total int }
		if err := json.Unmarshal([]byte(m.do(200, "system", "GET", path+"&_total=accurate&_summary=count", "")), &found); err != nil || found.Total != want {
			m.Errorf("%s: %d, want %d (%v)", path, found.Total, want, err)
		}
	}
	document := m.do(200, "system", "GET", c.ref("document"), "")
	if said := m.do(200, "system", "POST", "Bundle/$validate", document); strings.Contains(said, `"severity":"error"`) {
		m.Errorf("the document is not valid: %s", said)
	}
	v := m.do(200, "system", "GET", c.ref("document")+"/$verify-signature", "")
	if strings.Contains(v, `"failed"`) {
		m.Errorf("the document's signature: %s", v)
	}
}

// immutable tries to change what was certified by every way there is.
func (m *maternity) immutable(c returned) {
	m.Helper()
	newborn := c.ref("newborn")
	var found struct {
		Entry []struct{ Resource json.RawMessage }
	}
	all := m.do(200, "system", "GET", newborn+"/$everything", "")
	if err := json.Unmarshal([]byte(all), &found); err != nil {
		m.Fatal(err)
	}
	tried := map[string]bool{}
	for _, e := range append(found.Entry, struct{ Resource json.RawMessage }{json.RawMessage(m.do(200, "system", "GET", c.ref("document"), ""))}) {
		var r struct{ ResourceType, ID string }
		if err := json.Unmarshal(e.Resource, &r); err != nil {
			m.Fatal(err)
		}
		// Which vaccines are due is no part of the certificate, and is made anew where somebody alters it.
		if r.ResourceType == "Patient" || r.ResourceType == "Practitioner" || r.ResourceType == "Organization" || r.ResourceType == "ImmunizationRecommendation" || tried[r.ResourceType] {
			continue
		}
		tried[r.ResourceType] = true
		at := r.ResourceType + "/" + r.ID
		changed := strings.Replace(string(e.Resource), `"resourceType":`, `"language":"es","resourceType":`, 1)
		changed = strings.Replace(changed, `"language":"es-MX",`, "", 1)
		patch := `[{"op":"add","path":"/implicitRules","value":"http://x"}]`
		entry := func(method, url, more string) string {
			return fmt.Sprintf(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":%q,"url":%q}%s}]}`, method, url, more)
		}
		for _, try := range []struct{ method, path, body, media string }{
			{"PUT", at, changed, ""}, {"PUT", r.ResourceType + "?_id=" + r.ID, changed, ""}, {"PATCH", at, patch, "application/json-patch+json"},
			{"PATCH", r.ResourceType + "?_id=" + r.ID, patch, "application/json-patch+json"}, {"DELETE", at, "", ""}, {"DELETE", r.ResourceType + "?_id=" + r.ID, "", ""},
			{"POST", "", entry("PUT", at, `,"resource":`+changed), ""}, {"POST", "", entry("DELETE", at, ""), ""},
		} {
			headers := []string{}
			if try.media != "" {
				headers = []string{"Content-Type", try.media}
			}
			if status, body := m.call("system", try.method, try.path, try.body, headers...); status != 409 {
				m.Errorf("%s %s: %d %.400s", try.method, try.path, status, body)
			}
		}
	}
	if len(tried) < 8 {
		m.Errorf("only these were tried: %v", tried)
	}
	if status, body := m.call("system", "POST", c.ref("composition")+"/$void", params("reason", "String", "x")); status != 409 {
		m.Errorf("$void: %d %s", status, body)
	}
	m.newborn(newborn, c.text("folio"))
	m.must(422, "system", "POST", "Patient", `{"resourceType":"Patient","identifier":[{"system":"`+birth.FolioSystem+`","value":"FALSO-1"}]}`)
	m.must(422, "system", "POST", "Observation", `{"resourceType":"Observation","meta":{"tag":[{"system":"`+birth.TagSystem+`","code":"FALSO-1"}]},"status":"final","code":{"text":"x"}}`)
}

// newborn: its Patient may change, but keeps its folio.
func (m *maternity) newborn(at, folio string) {
	m.Helper()
	is := m.must(200, "system", "GET", at, "")
	m.must(200, "system", "PUT", at, strings.Replace(is, `"resourceType":"Patient"`, `"resourceType":"Patient","language":"es"`, 1))
	m.must(409, "system", "PUT", at, strings.Replace(is, folio, "OTRO-00001", 1))
	m.must(409, "system", "DELETE", at, "")
}

// parents: the mother sees the certificate of her child as its guardian, nobody else's.
func (m *maternity) parents(c returned) {
	m.Helper()
	var found struct {
		Entry []struct{ Resource struct{ ID string } }
	}
	text := m.do(200, "system", "GET", "RelatedPerson?relationship=MTH&patient="+c.ref("newborn"), "")
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Entry) != 1 {
		m.Fatal(text)
	}
	parent := "guardian RelatedPerson/" + found.Entry[0].Resource.ID
	m.do(200, parent, "GET", "$birth-find?newborn="+c.ref("newborn"), "")
	m.do(200, parent, "GET", "$birth-find?folio="+c.text("folio"), "")
	m.do(200, parent, "GET", c.ref("composition"), "")
	other := m.certify("Otra", nil)
	m.do(404, parent, "GET", "$birth-find?folio="+other.text("folio"), "")
	m.do(404, parent, "GET", "$birth-find?newborn="+other.ref("newborn"), "")
	m.do(403, parent, "POST", "$birth-void", params("folio", "String", c.text("folio"), "reason", "String", "x"))
	m.do(404, "patient "+other.ref("newborn"), "GET", "$birth-find?folio="+c.text("folio"), "")
	m.do(200, "patient "+c.ref("newborn"), "GET", "$birth-find?folio="+c.text("folio"), "")
}
