package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// blockedPaths are ways to something of Patient/p's record, and what shows that it came.
var blockedPaths = map[string]string{
	"Patient/p": rightsMark, "Patient/p/_history": rightsMark, "Patient/p/_history/1": rightsMark, "Observation/op0": rightsMark, "Observation/op0/_history": rightsMark,
	"Observation?_count=100": rightsMark, "Observation?patient=p&_summary=count": `"total":3`, "Observation?_summary=count": `"total":6`,
	"Patient/p/$everything": rightsMark, "Patient/$everything": rightsMark, "Patient/p/Observation": rightsMark, "Encounter/ep/$everything": rightsMark,
	"Observation/$lastn?max=9&patient=Patient/p&category=urn:k%7Clab": rightsMark, "Observation?subject:Patient.family=" + strings.ToLower(rightsMark) + "&_summary=count": `"total":3`,
	"Patient?_has:Observation:patient:code=C" + rightsMark + "&_summary=count": `"total":1`, "Practitioner?_revinclude=Observation:performer": rightsMark,
	"Observation?_id=oq0&_include=Observation:subject": "", "_history?_count=100": rightsMark, "Observation/_history?_count=100": rightsMark,
	"?_type=Patient,Observation&_count=100": rightsMark, "RelatedPerson/g": rightsMark, "Group/panel?_elements=member": "",
	"Group?_include=Group:member": rightsMark,
}

// TestRightsCancel is the end of a record: blocked, kept, held, removed for good.
func TestRightsCancel(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, contents func() string) {
		root, trust := signtest.NewCA(t, "AC de prueba"), t.TempDir()
		for name, data := range map[string][]byte{"ac.cer": root.Certificate.Raw, "ac.crl": root.List(t, time.Now())} {
			if err := os.WriteFile(filepath.Join(trust, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := newRightsScene(t, where, "--signature-trust", trust)
		s.fill()
		s.waits(root.Issue(t, signtest.Subject{Name: "JUAN PEREZ PEREZ", CURP: doctorCURP, RFC: "PEPJ800101AB1"}))
		task := s.file("patient", "right", codeValue("cancelacion"), "reason", textValue("Motivo "+rightsMark))
		for path, mark := range blockedPaths {
			if got := s.must(200, "system", "GET", path, ""); !strings.Contains(got, mark) {
				t.Errorf("before, %s: %.300s", path, got)
			}
		}
		s.resolve(200, task, "grant")
		s.resolve(409, task, "withdraw")
		s.hidden()
		s.later()
		retention := func(command ...string) string {
			t.Helper()
			status, out, errs := amate(append(append([]string{"retention"}, command...), where...)...)
			if status != exitDone {
				t.Fatalf("retention %v: %d %s%s", command, status, out, errs)
			}
			return out
		}
		s.holding(retention)
		if !strings.Contains(contents(), rightsMark) {
			t.Fatal("the mark is not found before the removal either")
		}
		if out := retention("run", "--dry-run"); !strings.Contains(out, "1 records to be removed") || !strings.Contains(contents(), rightsMark) {
			t.Fatalf("a dry run: %s", out)
		}
		if out := retention("run"); !strings.Contains(out, "1 records removed") {
			t.Fatal(out)
		}
		s.gone(contents, retention("certificates"))
		if status, out, errs := amate(append([]string{"audit", "verify"}, where...)...); status != exitDone || !strings.Contains(out, " 0 faults") {
			t.Errorf("the audit trail: %d %s%s", status, out, errs)
		}
		if out := retention("run"); !strings.Contains(out, "0 records removed") {
			t.Errorf("a second run: %s", out)
		}
	})
}

// waits leaves a document of Patient/p waiting for a signature.
func (s *rightsScene) waits(h *signtest.Holder) {
	s.Helper()
	s.must(200, "system", "PUT", "Practitioner/d", fmt.Sprintf(`{"resourceType":"Practitioner","id":"d","identifier":[{"system":%q,"value":%q}],"name":[{"family":"Tratante"}]}`, identity.SystemCURP, doctorCURP))
	s.must(201, "system", "PUT", "Composition/cp", `{"resourceType":"Composition","id":"cp","status":"preliminary","type":{"coding":[{"system":"http://loinc.org","code":"51855-5"}]},`+
		`"subject":{"reference":"Patient/p"},"date":"2016-05-01","author":[{"reference":"Practitioner/d"}],"title":"Nota","section":[{"title":"`+rightsMark+`","entry":[{"reference":"Observation/op0"}]}]}`)
	s.must(200, "clinician", "POST", "Composition/cp/$prepare-signature", params("certificate", "Base64Binary", cerOf(h)))
}

// hidden expects that nobody but the officer sees anything of a blocked record.
func (s *rightsScene) hidden() {
	s.Helper()
	for path, mark := range blockedPaths {
		for _, who := range []string{"system", "clinician", "patient", "guardian", "researcher"} {
			status, got := s.do(who, "GET", path, "")
			got = strings.ReplaceAll(got, "patient:code=C"+rightsMark, "") // the link to itself
			if strings.Contains(got, rightsMark) || status == 200 && strings.HasPrefix(mark, `"total"`) && strings.Contains(got, mark) {
				s.Errorf("%s sees what is blocked by %s: %.300s", who, path, got)
			}
		}
		if strings.Contains(path, "$lastn") || strings.HasPrefix(path, "Encounter/ep/$") {
			continue // they are no operations of the officer's
		}
		if got := s.must(200, "officer", "GET", path, ""); !strings.Contains(got, mark) {
			s.Errorf("the officer does not see %s: %.300s", path, got)
		}
	}
	for _, path := range []string{"Patient/q", "Observation/oq0", "Group/panel"} {
		s.must(200, "system", "GET", path, "")
	}
	if got := s.must(200, "system", "GET", "Observation?_summary=count", ""); !strings.Contains(got, `"total":3`) {
		s.Errorf("of the others there are %s", got)
	}
}

// later expects that what is written for a blocked patient is kept, and blocked, too.
func (s *rightsScene) later() {
	s.Helper()
	created := s.must(201, "system", "POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"Tarde `+rightsMark+`"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2016-06-01"}`)
	s.must(404, "system", "GET", "Observation/"+idOf(created), "")
	s.must(200, "officer", "GET", "Observation/"+idOf(created), "")
	for _, who := range []string{"system", "clinician"} {
		status, got := s.do(who, "PUT", "Observation/op0", `{"resourceType":"Observation","id":"op0","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)
		if status < 400 || status >= 500 || strings.Contains(got, rightsMark) {
			s.Errorf("%s changes what is blocked: %d %s", who, status, got)
		}
	}
	if got := s.must(200, "officer", "GET", "Observation/op0", ""); !strings.Contains(got, rightsMark) {
		s.Errorf("what is blocked was changed: %s", got)
	}
	deleted := s.must(201, "system", "POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"Borrada `+rightsMark+`"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2016-06-01"}`)
	s.must(403, "officer", "DELETE", "Observation/"+idOf(deleted), "")
}

// holding expects that a legal hold keeps the record, and unblocking does.
func (s *rightsScene) holding(retention func(...string) string) {
	s.Helper()
	hold := func(action string) string {
		return asks("action", codeValue(action), "authority", textValue("FGR"), "number", textValue("123/2026"), "reason", textValue("averiguación"))
	}
	s.must(400, "officer", "POST", "Patient/p/$legal-hold", hold("keep"))
	s.must(200, "officer", "POST", "Patient/p/$legal-hold", hold("set"))
	s.must(409, "officer", "POST", "Patient/p/$legal-hold", hold("set"))
	if out := retention("report"); !strings.Contains(out, "legal hold 123/2026 of FGR") || !strings.Contains(out, "0 records to be removed, 1 stay") {
		s.Errorf("with a legal hold: %s", out)
	}
	if out := retention("run"); !strings.Contains(out, "0 records removed") {
		s.Errorf("with a legal hold: %s", out)
	}
	if got := s.must(200, "officer", "POST", "Patient/p/$legal-hold", hold("release")); !strings.Contains(got, `"valueBoolean":false`) {
		s.Errorf("released: %s", got)
	}
	s.must(200, "officer", "POST", "Patient/p/$arco-unblock", asks("reason", textValue("Volvió a consulta")))
	s.must(200, "clinician", "GET", "Patient/p", "")
	if out := retention("report"); !strings.Contains(out, "0 records to be removed, 0 stay") {
		s.Errorf("unblocked: %s", out)
	}
	again := s.file("patient", "right", codeValue("cancelacion"))
	s.must(201, "system", "PUT", "Encounter/new", fmt.Sprintf(`{"resourceType":"Encounter","id":"new","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":%q}}`, time.Now().AddDate(-4, 0, 0).Format(time.DateOnly)))
	s.resolve(200, again, "grant")
	if out := retention("report"); !strings.Contains(out, "stays: kept for 5 years") {
		s.Errorf("after a visit four years ago: %s", out)
	}
	s.must(200, "officer", "PUT", "Encounter/new", `{"resourceType":"Encounter","id":"new","status":"entered-in-error","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2016-07-01"}}`)
}

// gone expects that nothing is left of the record but its ids and who looked at it.
func (s *rightsScene) gone(contents func() string, certificates string) {
	s.Helper()
	for text := contents(); ; {
		at := strings.Index(text, rightsMark)
		if at < 0 {
			break
		}
		// What was asked for is in the audit trail, which stays.
		if around := text[max(0, at-300):min(len(text), at+100)]; !strings.HasSuffix(text[:at], "patient:code=C") {
			s.Errorf("the mark is still there: %q", around)
		}
		text = text[at+len(rightsMark):]
	}
	for _, path := range []string{"Patient/p", "Observation/op0", "Encounter/ep", "RelatedPerson/g"} {
		s.must(410, "officer", "GET", path, "")
		if got := s.must(200, "officer", "GET", path+"/_history", ""); !strings.Contains(got, `"total":1`) {
			s.Errorf("of %s there is left: %s", path, got)
		}
	}
	for _, path := range []string{"Patient/q", "Observation/oq0", "Group/panel", "Practitioner/d"} {
		s.must(200, "system", "GET", path, "")
	}
	var c struct {
		Patient   string
		Resources map[string]int
		Versions  int
	}
	if err := json.Unmarshal([]byte(certificates), &c); err != nil || c.Patient != "p" || c.Resources["Observation"] != 5 || c.Resources["Patient"] != 1 || c.Versions < 12 {
		s.Errorf("the certificate: %v, %s", err, certificates)
	}
	if got := s.must(200, "auditor", "GET", "AuditEvent?patient=Patient/p&_count=200", ""); !strings.Contains(got, "Record removed for good") {
		s.Errorf("the removal is not on record: %.300s", got)
	}
}

// TestRetentionKilled: a removal whose process dies is gone on with, and the certificate
// tells of all of it.
func TestRetentionKilled(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, contents func() string) {
		s := newRightsScene(t, where)
		s.fill()
		for part := range 10 {
			var entries []string
			for i := range 100 {
				entries = append(entries, fmt.Sprintf(`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"%s %d"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2015"},"request":{"method":"POST","url":"Observation"}}`, rightsMark, 100*part+i))
			}
			s.must(200, "system", "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)
		}
		s.resolve(200, s.file("patient", "right", codeValue("cancelacion")), "grant")
		cut := false
		for after := 20 * time.Millisecond; after < time.Minute && !cut; after += 15*time.Millisecond + after/16 {
			cmd := exec.Command(program(t), append([]string{"retention", "run"}, where...)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after)
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
			got := s.must(200, "officer", "GET", "Observation?patient=p&_summary=count", "")
			cut = !strings.Contains(got, `"total":1003`)
			if strings.Contains(got, `"total":0`) {
				t.Log("it was done before it was killed")
			}
		}
		if !cut {
			t.Fatal("nothing was removed before the kill")
		}
		if status, out, errs := amate(append([]string{"retention", "run"}, where...)...); status != exitDone {
			t.Fatalf("%d %s%s", status, out, errs)
		}
		if strings.Contains(contents(), rightsMark) {
			t.Error("the mark is still there")
		}
		_, out, _ := amate(append([]string{"retention", "certificates"}, where...)...)
		if !strings.Contains(out, `"Observation":1003`) {
			t.Errorf("the certificate: %s", out)
		}
	})
}
