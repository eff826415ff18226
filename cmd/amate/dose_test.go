package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/store/storetest"
)

// doseScene is a server with access control, two posts, and those who ask it.
type doseScene struct{ *rightsScene }

func newDoseScene(t *testing.T, where []string) doseScene {
	s := doseScene{&rightsScene{T: t, where: where, tokens: map[string]string{}}}
	s.p = startGuarded(t, where...)
	for name, args := range map[string][]string{
		"system": {"--role", "system"}, "nurse": {"--role", "vaccinator", "--user", "Practitioner/n1", "--org", "DFSSA000001"},
		"other": {"--role", "vaccinator", "--user", "Practitioner/n2", "--org", "DFSSA000002"}, "manager": {"--role", "vaccination-manager", "--user", "Practitioner/n2"},
		"patient": {"--role", "patient", "--patient", "a"}, "analyst": {"--role", "analyst", "--purpose", "PUBHLTH"}, "auditor": {"--role", "auditor"},
		"reader": {"--role", "vaccinator", "--user", "Practitioner/n1", "--scope", "user/*.rs"},
	} {
		status, out, errs := amate(append(append([]string{"token"}, args...), where...)...)
		if status != exitDone {
			t.Fatalf("token of %s: %s", name, errs)
		}
		s.tokens[name] = strings.TrimSpace(out)
	}
	for _, n := range []string{"1", "2"} {
		s.put("Practitioner/n"+n, `"identifier":[{"system":"urn:oid:2.16.840.1.113883.3.215.12.18","value":"123456`+n+`"}],"name":[{"family":"Luna"}]`)
		s.put("Location/l"+n, `"identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA00000`+n+`"}],"name":"Centro"`)
	}
	born := time.Now().AddDate(0, 0, -5).Format(time.DateOnly)
	for _, id := range []string{"a", "b", "c"} {
		s.put("Patient/"+id, `"birthDate":"`+born+`","gender":"female","name":[{"family":"García","given":["Eva"]}]`)
	}
	return s
}

// put stores a resource with some members.
func (s doseScene) put(ref, members string) {
	s.Helper()
	typ, id, _ := strings.Cut(ref, "/")
	s.must(http.StatusCreated, "system", "PUT", ref, `{"resourceType":"`+typ+`","id":"`+id+`",`+members+`}`)
}

// dose is what a post says of a dose of hepatitis B, with further parameters.
func hepatitis(patient, lot string, parts ...string) string {
	return asks(append([]string{"patient", `"valueReference":{"reference":"Patient/` + patient + `"}`, "vaccine", codeValue("08"), "lot", stringValue(lot)}, parts...)...)
}

func stringValue(s string) string { return fmt.Sprintf(`"valueString":%q`, s) }

// TestDoses: at a post with access control, on both engines.
func TestDoses(t *testing.T) {
	t.Parallel()
	for engine, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.Postgres(t)}
		},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newDoseScene(t, where(t))
			s.roles()
			s.together()
			s.recalled()
			s.plain()
		})
	}
}

// roles: who may record, correct and recall.
func (s doseScene) roles() {
	for who, want := range map[string]int{"patient": 403, "analyst": 403, "auditor": 403, "reader": 403} {
		s.must(want, who, "POST", "Immunization/$record-dose", hepatitis("a", "HB-1"))
	}
	made := s.must(201, "nurse", "POST", "Immunization/$record-dose", hepatitis("a", "HB-1", "quantity", `"valueDecimal":0.5`))
	for _, want := range []string{`"1234561"`, `"DFSSA000001"`, `"Valid"`, `"nextVisit"`, `"mx `} {
		if !strings.Contains(made, want) {
			s.Errorf("%s is not in %.2000s", want, made)
		}
	}
	_, after, _ := strings.Cut(made, `"name":"immunization"`)
	_, after, _ = strings.Cut(after, `"id":"`)
	dose, _, _ := strings.Cut(after, `"`)
	at := "Immunization/" + dose
	s.must(200, "patient", "GET", at, "")
	reason := func(parts ...string) string { return asks(append([]string{"reason", stringValue("x")}, parts...)...) }
	s.must(403, "other", "POST", at+"/$amend-dose", reason("lot", stringValue("HB-2")))
	s.must(403, "patient", "POST", at+"/$refute-dose", reason())
	s.must(200, "nurse", "POST", at+"/$amend-dose", reason("lot", stringValue("HB-2")))
	s.must(200, "manager", "POST", at+"/$amend-dose", reason("lot", stringValue("HB-1")))
	if got := s.must(200, "auditor", "GET", "Provenance?target="+at, ""); strings.Count(got, `"fullUrl"`) != 3 {
		s.Errorf("%.2000s", got)
	}
	event := asks("immunization", `"valueReference":{"reference":"`+at+`"}`, "event", stringValue("Fiebre"), "seriousness", codeValue("Non-serious"))
	s.must(403, "patient", "POST", "AdverseEvent/$report-esavi", event)
	s.must(201, "nurse", "POST", "AdverseEvent/$report-esavi", event)
	s.must(403, "nurse", "GET", "AdverseEvent/$esavi-by-lot", "")
	for _, who := range []string{"manager", "analyst"} {
		if got := s.must(200, who, "GET", "AdverseEvent/$esavi-by-lot?lot=hb1", ""); !strings.Contains(got, `"name":"events","valueUnsignedInt":1`) || strings.Contains(got, "Patient/") {
			s.Errorf("%s: %s", who, got)
		}
	}
	for _, who := range []string{"nurse", "patient", "analyst"} {
		s.must(403, who, "POST", "Medication/$recall-lot", asks("lot", stringValue("HB-1"), "reason", stringValue("x")))
		s.must(403, who, "GET", "Medication/$lot-recipients?lot=HB-1", "")
	}
}

// together: of many posts that record one dose at once, one does.
func (s doseScene) together() {
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 50 {
		wait.Go(func() {
			status, body := s.do("nurse", "POST", "Immunization/$record-dose", hepatitis("b", "HB-1"))
			mu.Lock()
			defer mu.Unlock()
			seen[fmt.Sprint(status, strings.Contains(body, `"unchanged"`))]++
		})
	}
	wait.Wait()
	if got := s.must(200, "system", "GET", "Immunization?patient=b", ""); seen["201 false"] != 1 || seen["200 true"] != 49 || strings.Count(got, `"fullUrl"`) != 1 {
		s.Errorf("%v %.2000s", seen, got)
	}
}

// recalled: a recall finds whoever was given the lot.
func (s doseScene) recalled() {
	got := s.must(200, "manager", "POST", "Medication/$recall-lot", asks("lot", stringValue("hb 1"), "vaccine", codeValue("08"), "reason", stringValue("partículas"), "followUp", codeValue("task")))
	if !strings.Contains(got, `"name":"marked","valueUnsignedInt":2`) {
		s.Errorf("%s", got)
	}
	if got := s.must(200, "manager", "GET", "Task?code=https://github.com/amate-health/amate/fhir/CodeSystem/vaccination-task|recalled-lot", ""); strings.Count(got, `"fullUrl"`) != 2 {
		s.Errorf("%.2000s", got)
	}
	if got := s.must(200, "manager", "GET", "Medication/$lot-recipients?lot=hb1&facility=DFSSA000001&_format=text/csv", ""); strings.Count(got, "\n") != 3 || !strings.Contains(got, "Eva García") {
		s.Errorf("%s", got)
	}
	if got := s.must(422, "nurse", "POST", "Immunization/$record-dose", hepatitis("c", "HB1")); !strings.Contains(got, "lot-recalled") {
		s.Errorf("%s", got)
	}
	over := `"part":[{"name":"warning","valueCode":"lot-recalled"},{"name":"reason","valueString":"no hay otro"}]`
	s.must(201, "nurse", "POST", "Immunization/$record-dose", hepatitis("c", "HB1", "override", over))
}

// plain: whatever way an Immunization comes, it is held to what is possible.
func (s doseScene) plain() {
	immunization := func(when string) string {
		return `{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"reference":"Patient/c"},"occurrenceDateTime":"` + when + `"}`
	}
	transaction := func(resource string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + resource + `,"request":{"method":"POST","url":"Immunization"}}]}`
	}
	future, early := time.Now().AddDate(0, 0, 2).Format(time.DateOnly), "1999-12"
	for when, rule := range map[string]string{future: "dose-future", early: "dose-before-birth"} {
		for path, body := range map[string]string{"Immunization": immunization(when), "": transaction(immunization(when))} {
			if got := s.must(422, "nurse", "POST", path, body); !strings.Contains(got, rule) {
				s.Errorf("%s %s", path, got)
			}
		}
	}
	s.must(201, "nurse", "POST", "Immunization", immunization(time.Now().In(birth.Zone).Format("2006")))
}
