package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// eachRegistry runs f against a server with access control on either engine.
func eachRegistry(t *testing.T, f func(s *rightsScene), flags ...string) {
	for name, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRightsScene(t, where(t), flags...)
			status, out, errs := amate(append([]string{"token", "--role", "identity-officer"}, s.where...)...)
			if status != exitDone {
				t.Fatal(errs)
			}
			s.tokens["registry"] = strings.TrimSpace(out)
			f(s)
		})
	}
}

func mergeOf(source, target string) string {
	return asks("source-patient", `"valueReference":{"reference":"Patient/`+source+`"}`, "target-patient", `"valueReference":{"reference":"Patient/`+target+`"}`, "reason", textValue("la misma persona"))
}

// people writes Patients p and q with what refers to them.
func (s *rightsScene) people() {
	s.Helper()
	for _, id := range []string{"p", "q"} {
		s.must(201, "system", "PUT", "Patient/"+id, `{"resourceType":"Patient","id":"`+id+`","identifier":[{"system":"urn:mrn","value":"M`+id+`"}],"name":[{"family":"Pérez","given":["Ana"]}],"birthDate":"1980-05-17"}`)
		s.must(201, "system", "PUT", "Observation/o"+id, `{"resourceType":"Observation","id":"o`+id+`","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+id+`"}}`)
	}
	s.must(201, "system", "PUT", "Bundle/doc", `{"resourceType":"Bundle","id":"doc","type":"document","timestamp":"2026-01-01T00:00:00Z","identifier":{"system":"urn:d","value":"1"},"entry":[{"fullUrl":"urn:uuid:0c0f3b7e-0000-4000-8000-000000000001","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"n"},"date":"2026-01-01","author":[{"display":"x"}],"title":"n","subject":{"reference":"Patient/p"}}}]}`)
}

// TestMergeScopes: who settles who is who may merge, and nobody else; what a patient sees
// follows the record, and what binds one of the Patients binds the other.
func TestMergeScopes(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.people()
		for _, who := range []string{"clinician", "nurse", "patient", "other", "researcher", "auditor", "administrator", "officer", "readonly"} {
			for _, path := range []string{"Patient/$merge", "Patient/p/$unmerge"} {
				if status, out := s.do(who, "POST", path, mergeOf("p", "q")); status != http.StatusForbidden {
					s.Errorf("%s may call %s: %d %.200s", who, path, status, out)
				}
			}
		}
		s.must(200, "registry", "POST", "Patient/$merge", asks("source-patient", `"valueReference":{"reference":"Patient/p"}`, "target-patient-identifier", `"valueIdentifier":{"system":"urn:mrn","value":"Mq"}`, "preview", `"valueBoolean":true`))
		s.must(200, "patient", "GET", "Observation/op", "")
		s.must(200, "patient", "GET", "Bundle/doc", "")
		s.must(404, "other", "GET", "Observation/op", "")
		s.must(200, "registry", "POST", "Patient/$merge", mergeOf("p", "q"))
		if got := s.must(200, "system", "GET", "Observation/op", ""); !strings.Contains(got, `"Patient/q"`) {
			s.Errorf("it was not moved: %s", got)
		}
		for _, ref := range []string{"Observation/op", "Observation/oq", "Bundle/doc", "Patient/q"} { // the record is the target's
			s.must(200, "other", "GET", ref, "")
		}
		// A token for the source still opens what stays with it, and nothing of the target.
		s.must(200, "patient", "GET", "Patient/p", "")
		s.must(404, "patient", "GET", "Observation/op", "")
		s.must(404, "patient", "GET", "Observation/oq", "")
		for path, want := range map[string]int{"Patient?identifier=urn:mrn|Mp": 1, "Observation?patient=q": 2, "Observation?patient=p": 0, "Bundle?composition.subject=Patient/q": 0} {
			if got := s.must(200, "system", "GET", path+"&_total=accurate", ""); !strings.Contains(got, fmt.Sprintf(`"total":%d`, want)) {
				s.Errorf("%s: want %d: %.300s", path, want, got)
			}
		}
		if got := s.must(200, "system", "GET", "Patient?identifier=urn:mrn|Mp", ""); !strings.Contains(got, `"id":"q"`) {
			s.Errorf("an identifier of the source leads elsewhere: %s", got)
		}
		// A refusal at the target closes what stayed at the source, too.
		s.must(201, "system", "PUT", "Consent/no", `{"resourceType":"Consent","id":"no","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/q"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"}}`)
		for _, ref := range []string{"Observation/op", "Bundle/doc", "Patient/p", "Patient/q"} {
			if status, _ := s.do("clinician", "GET", ref, ""); status != 404 {
				s.Errorf("%s is shown against a refusal: %d", ref, status)
			}
		}
		s.must(204, "system", "DELETE", "Consent/no", "")
		s.must(200, "clinician", "GET", "Patient/p", "")
		s.must(422, "registry", "POST", "Patient/$merge", mergeOf("p", "q"))
		s.must(422, "registry", "POST", "Patient/$merge", mergeOf("q", "p"))
		s.must(200, "registry", "POST", "Patient/p/$unmerge", asks("reason", textValue("no lo era")))
		s.must(404, "other", "GET", "Bundle/doc", "")
		s.must(404, "other", "GET", "Observation/op", "")
		s.must(200, "patient", "GET", "Observation/op", "")
		s.must(422, "registry", "POST", "Patient/p/$unmerge", asks("reason", textValue("otra vez")))
		if got := s.must(200, "system", "GET", "AuditEvent?entity=Patient/p&_count=50", ""); !strings.Contains(got, "$unmerge") && !strings.Contains(got, "unmerge") {
			s.Errorf("the audit trail does not have it: %.600s", got)
		}
	})
}

// TestMergeCarries: a legal hold stands on the Patient who is left, and what blocks one
// blocks the other.
func TestMergeCarries(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.people()
		s.must(200, "officer", "POST", "Patient/p/$legal-hold", asks("action", codeValue("set"), "authority", textValue("Juzgado 1"), "number", textValue("7/2026"), "reason", textValue("juicio")))
		s.must(200, "registry", "POST", "Patient/$merge", mergeOf("p", "q"))
		if got := s.must(200, "officer", "GET", "Patient/q/$legal-holds", ""); !strings.Contains(got, "7/2026") {
			s.Errorf("the hold did not come along: %s", got)
		}
		blocked := `"meta":{"security":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/etiqueta","code":"bloqueado"}]}`
		s.must(200, "officer", "PUT", "Patient/q", `{"resourceType":"Patient","id":"q",`+blocked+`,"identifier":[{"system":"urn:mrn","value":"Mq"}],"link":[{"other":{"reference":"Patient/p"},"type":"replaces"}]}`)
		for _, ref := range []string{"Patient/p", "Patient/q", "Observation/op", "Bundle/doc"} {
			s.must(404, "clinician", "GET", ref, "")
		}
		s.must(200, "officer", "POST", "Patient/q/$legal-hold", asks("action", codeValue("set"), "authority", textValue("Juzgado 2"), "number", textValue("8/2026"), "reason", textValue("juicio")))
		s.must(200, "officer", "PUT", "Patient/q", `{"resourceType":"Patient","id":"q","identifier":[{"system":"urn:mrn","value":"Mq"}],"link":[{"other":{"reference":"Patient/p"},"type":"replaces"}]}`)
		s.must(200, "registry", "POST", "Patient/p/$unmerge", asks("reason", textValue("no lo era")))
		for _, id := range []string{"p", "q"} { // what was set while they were one stands on both
			if got := s.must(200, "officer", "GET", "Patient/"+id+"/$legal-holds", ""); !strings.Contains(got, "8/2026") {
				s.Errorf("%s is free of the hold that was set on the whole record: %s", id, got)
			}
		}
	})
}

// TestLinkMerges: whoever may merge does so by the link that PIXm and ADT^A40 write; others
// only write a link.
func TestLinkMerges(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.people()
		retired := `{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"Mp"}],"active":false,"link":[{"other":{"reference":"Patient/q"},"type":"replaced-by"}]}`
		s.must(200, "clinician", "PUT", "Patient?identifier=urn:mrn|Mp", retired)
		if got := s.must(200, "system", "GET", "Observation/op", ""); !strings.Contains(got, `"Patient/p"`) {
			s.Errorf("somebody merged who may not: %s", got)
		}
		s.must(200, "system", "PUT", "Patient?identifier=urn:mrn|Mp", strings.Replace(retired, `"active"`, `"language":"es","active"`, 1))
		if got := s.must(200, "system", "GET", "Observation/op", ""); !strings.Contains(got, `"Patient/q"`) {
			s.Errorf("the link did not merge: %s", got)
		}
		if got := s.must(200, "nurse", "GET", "Patient/$ihe-pix?sourceIdentifier=urn:mrn|Mp", ""); !strings.Contains(got, `"Mq"`) || !strings.Contains(got, `"Patient/q"`) || strings.Contains(got, `"Patient/p"`) {
			s.Errorf("the source does not lead to the target: %s", got)
		}
		s.must(200, "registry", "POST", "Patient/p/$unmerge", asks("reason", textValue("no")))
		if got := s.must(200, "system", "GET", "Patient/p", ""); strings.Contains(got, "replaced-by") || strings.Contains(got, `"active":false`) {
			s.Errorf("it is not back in use: %s", got)
		}
	})
}

// TestMergeAmongWrites: writes to either Patient and to their records go on while Patients
// are merged and parted; none is lost, and in the end everything is where it belongs.
func TestMergeAmongWrites(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.people()
		const each = 40
		var writing sync.WaitGroup
		for _, id := range []string{"p", "q"} {
			writing.Go(func() {
				for i := range each {
					status, out := s.do("system", "PUT", fmt.Sprintf("Observation/w%s%d", id, i%10), fmt.Sprintf(`{"resourceType":"Observation","id":"w%s%d","status":"final","code":{"text":"%d"},"subject":{"reference":"Patient/%s"}}`, id, i%10, i, id))
					if status != 200 && status != 201 {
						s.Errorf("write: %d %.300s", status, out)
					}
				}
			})
		}
		merged := false
		for range 6 {
			path, body := "Patient/$merge", mergeOf("p", "q")
			if merged {
				path, body = "Patient/p/$unmerge", asks("reason", textValue("x"))
			}
			switch status, out := s.do("registry", "POST", path, body); status {
			case 200, 202:
				merged = !merged
			case 409:
			default:
				s.Errorf("%s: %d %.300s", path, status, out)
			}
		}
		writing.Wait()
		if merged {
			s.until(func() bool {
				status, _ := s.do("registry", "POST", "Patient/p/$unmerge", asks("reason", textValue("x")))
				return status == 200 || status == 202
			})
		}
		for i := range 10 {
			for _, id := range []string{"p", "q"} {
				at := fmt.Sprintf("Observation/w%s%d", id, i)
				if got := s.must(200, "system", "GET", at, ""); !strings.Contains(got, fmt.Sprintf(`"text":"%d"`, each-10+i)) {
					s.Errorf("%s lost a write: %s", at, got)
				}
			}
		}
		for _, id := range []string{"p", "q"} {
			s.until(func() bool { // what came late is given back by the job
				got := s.must(200, "system", "GET", "Observation?_total=accurate&_count=0&patient="+id, "")
				return strings.Contains(got, `"total":11`)
			})
		}
	})
}

// until waits for something that a job does.
func (s *rightsScene) until(f func() bool) {
	s.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if f() {
			return
		}
	}
	s.Fatal("it did not come to pass within two minutes")
}

// TestMergeSurvivesKill: a server that is killed in the middle of a merge leaves it to the
// next one.
func TestMergeSurvivesKill(t *testing.T) {
	t.Parallel()
	where := []string{"--data", t.TempDir()}
	s := newRightsScene(t, where)
	s.people()
	const many = 3000
	for from := 0; from < many; from += 500 {
		var entries []string
		for i := from; i < from+500; i++ {
			entries = append(entries, fmt.Sprintf(`{"request":{"method":"PUT","url":"Observation/m%d"},"resource":{"resourceType":"Observation","id":"m%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}}`, i, i))
		}
		s.must(200, "system", "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)
	}
	status, err := s.tell("system", "POST", "Patient/$merge", mergeOf("p", "q"), 150*time.Millisecond)
	t.Logf("the call ended with %d, %v", status, err)
	s.p.kill()
	s.p = startGuarded(t, where...)
	_, token, _ := amate(append([]string{"token", "--role", "system"}, where...)...)
	s.tokens["system"] = strings.TrimSpace(token)
	s.until(func() bool {
		if got := s.must(200, "system", "GET", "Patient/p", ""); !strings.Contains(got, "replaced-by") {
			if status, got := s.do("system", "POST", "Patient/$merge", mergeOf("p", "q")); status != 200 && status != 202 {
				t.Fatalf("the merge once more: %d %s", status, got)
			}
		}
		got := s.must(200, "system", "GET", "Observation?_total=accurate&_count=0&patient=q", "")
		return strings.Contains(got, fmt.Sprintf(`"total":%d`, many+2))
	})
	s.until(func() bool { // the record is whole from the first; what it refers to follows
		return strings.Contains(s.must(200, "system", "GET", "Observation?_total=accurate&_count=0&subject=Patient/p", ""), `"total":0`)
	})
	s.until(func() bool {
		status, _ := s.do("system", "POST", "Patient/p/$unmerge", asks("reason", textValue("x")))
		return status == 200 || status == 202
	})
	for id, want := range map[string]int{"p": many + 1, "q": 1} {
		s.until(func() bool {
			got := s.must(200, "system", "GET", "Observation?_total=accurate&_count=0&patient="+id, "")
			return strings.Contains(got, fmt.Sprintf(`"total":%d`, want))
		})
	}
}

// tell sends a request and goes away after a time.
func (s *rightsScene) tell(who, method, path, body string, within time.Duration) (int, error) {
	req, err := http.NewRequest(method, s.p.base+"/"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[who])
	req.Header.Set("Content-Type", "application/fhir+json")
	client := http.Client{Timeout: within}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}
