package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/store/storetest"
)

// identityScene is a server with access control, and tokens of those who ask it.
type identityScene struct{ *rightsScene }

func newIdentityScene(t *testing.T, where []string) identityScene {
	s := identityScene{&rightsScene{T: t, where: where, tokens: map[string]string{}}}
	s.p = startGuarded(t, append([]string{"--duplicates", "probable"}, where...)...)
	for name, args := range map[string][]string{
		"system": {"--role", "system"}, "identity": {"--role", "identity-officer"}, "clinician": {"--role", "clinician", "--user", "Practitioner/d"},
		"researcher": {"--role", "researcher"}, "patient": {"--role", "patient", "--patient", "ana1"},
		"app": {"--role", "clinician", "--user", "Practitioner/d", "--patient", "ana1", "--scope", "patient/Patient.rs"},
	} {
		status, out, errs := amate(append(append([]string{"token"}, args...), where...)...)
		if status != exitDone {
			t.Fatalf("token of %s: %s", name, errs)
		}
		s.tokens[name] = strings.TrimSpace(out)
	}
	return s
}

// ana is a record of one person, with what else it says.
func ana(id, further string) string {
	return `{"resourceType":"Patient","id":"` + id + `","name":[{"family":"Hernández García","given":["Ana","Sofía"]}],"gender":"female","birthDate":"1956-04-27"` + further + `}`
}

// question asks for a Patient, with further parameters.
func question(patient string, further ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(append([]string{`{"name":"resource","resource":` + patient + `}`}, further...), ",") + `]}`
}

// hit is an entry of what $match answers.
type hit struct {
	Resource struct{ ID string }
	Search   struct {
		Mode      string
		Score     float64
		Extension []struct {
			URL, ValueCode string
			Extension      []json.RawMessage
		}
	}
}

func (s identityScene) match(who, body string) (hits []hit) {
	s.Helper()
	var b struct {
		Type  string
		Entry []hit
	}
	if err := json.Unmarshal([]byte(s.must(http.StatusOK, who, "POST", "Patient/$match", body)), &b); err != nil || b.Type != "searchset" {
		s.Fatalf("%q: %v", b.Type, err)
	}
	return b.Entry
}

func ids(hits []hit) string {
	var all []string
	for _, h := range hits {
		all = append(all, h.Resource.ID+" "+h.Search.Extension[0].ValueCode)
	}
	return strings.Join(all, ", ")
}

// task waits for the Task of two Patients to be in a status, and returns it.
func (s identityScene) task(status string, patients ...string) string {
	s.Helper()
	const system = "https://github.com/amate-health/amate/fhir/NamingSystem/work-patient"
	path, last := "Task?status="+status, ""
	for _, id := range patients {
		path += "&identifier=" + system + "|" + id
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var b struct {
			Entry []struct{ Resource json.RawMessage }
		}
		last = s.must(http.StatusOK, "identity", "GET", path, "")
		if err := json.Unmarshal([]byte(last), &b); err != nil {
			s.Fatal(err)
		}
		if len(b.Entry) > 1 {
			s.Fatalf("%d Tasks of one pair", len(b.Entry))
		}
		if len(b.Entry) == 1 {
			return string(b.Entry[0].Resource)
		}
	}
	s.Fatalf("no Task of %v became %s: %s\n%s", patients, status, s.must(http.StatusOK, "system", "GET", "Task", ""), s.p.log)
	return ""
}

func (s identityScene) put(id, body string) {
	s.Helper()
	if status, got := s.do("system", "PUT", "Patient/"+id, body); status != http.StatusOK && status != http.StatusCreated {
		s.Errorf("PUT %s: %d %s", id, status, got)
	}
}

// TestMatchScopes: who may ask finds what they may see, in order; who may not is
// refused, and so is what cannot be answered.
func TestMatchScopes(t *testing.T) {
	t.Parallel()
	s := newIdentityScene(t, []string{"--data", t.TempDir()})
	s.put("ana1", ana("ana1", ""))
	s.put("ana2", ana("ana2", `,"telecom":[{"system":"phone","value":"5512345678"}]`))
	s.put("ana3", strings.Replace(ana("ana3", ""), `"Ana","Sofía"`, `"Beatriz"`, 1))
	whole := ana("x", `,"telecom":[{"system":"phone","value":"55 1234 5678"}]`)
	hits := s.match("clinician", question(whole))
	if got := ids(hits); got != "ana2 certain, ana1 certain, ana3 possible" {
		t.Errorf("found %s", got)
	}
	for i, h := range hits {
		if h.Search.Mode != "match" || h.Search.Score <= 0 || h.Search.Score > 1 || i > 0 && h.Search.Score > hits[i-1].Search.Score || len(h.Search.Extension) != 1 {
			t.Errorf("%+v", h)
		}
	}
	if got := s.match("clinician", question(whole, `{"name":"onlyCertainMatches","valueBoolean":true}`)); len(got) != 0 {
		t.Errorf("of two that are certain, %s came", ids(got))
	}
	if got := s.match("identity", question(whole, `{"name":"count","valueInteger":1}`, `{"name":"explain","valueBoolean":true}`)); ids(got) != "ana2 certain" || len(got[0].Search.Extension) != 2 || len(got[0].Search.Extension[1].Extension) < 6 {
		t.Errorf("%+v", got)
	}
	if got := s.match("app", question(whole)); ids(got) != "ana1 certain" {
		t.Errorf("who may see one Patient finds %s", ids(got))
	}
	if got := s.match("app", question(whole, `{"name":"onlyCertainMatches","valueBoolean":true}`)); ids(got) != "ana1 certain" {
		t.Errorf("who may see one Patient finds %s", ids(got))
	}
	for _, who := range []string{"researcher", "patient"} {
		s.must(http.StatusForbidden, who, "POST", "Patient/$match", question(whole))
		s.must(http.StatusForbidden, who, "POST", "Patient/ana1/$not-duplicate", asks("other", textValue("Patient/ana2")))
	}
	s.must(http.StatusForbidden, "researcher", "GET", "Task", "")
	for body, want := range map[string]int{
		question(`{"resourceType":"Patient","name":[{"family":"Hernández"}]}`):                                                                http.StatusUnprocessableEntity,
		question(`{"resourceType":"Patient","identifier":[{"system":"` + identity.SystemCURP + `","value":"` + identity.GenericCURP + `"}]}`): http.StatusUnprocessableEntity,
		question(`{"resourceType":"Patient","birthDate":"27/04/1956","name":[{"family":"Hernández","given":["Ana"]}]}`):                       http.StatusUnprocessableEntity,
		question(`{"resourceType":"Person"}`):                         http.StatusBadRequest,
		question(whole, `{"name":"count","valueInteger":0}`):          http.StatusBadRequest,
		question(whole, `{"name":"onlyCertain","valueBoolean":true}`): http.StatusBadRequest,
		question(whole, `{"name":"explain","valueString":"perhaps"}`): http.StatusBadRequest,
		`{"resourceType":"Parameters"}`:                               http.StatusBadRequest,
		question(whole, `{"name":"resource","resource":`+whole+`}`):   http.StatusBadRequest,
	} {
		if status, got := s.do("clinician", "POST", "Patient/$match", body); status != want || !strings.Contains(got, "OperationOutcome") {
			t.Errorf("%s: %d, want %d: %s", body, status, want, got)
		}
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) { // it is new in this database, and indexed first
		status, got := s.do("clinician", "GET", "Patient?mothersMaidenName=x&_summary=count", "")
		if status == http.StatusOK && strings.Contains(got, `"total":0`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("mothersMaidenName: %d %s", status, got)
		}
	}
}

// TestDuplicateList: the whole life of a pair on the work list, on both engines.
func TestDuplicateList(t *testing.T) {
	t.Parallel()
	for engine, where := range map[string]func() []string{
		"sqlite":   func() []string { return []string{"--data", t.TempDir()} },
		"postgres": func() []string { return []string{"--data", t.TempDir(), "--database", storetest.Postgres(t)} },
	} {
		t.Run(engine, func(t *testing.T) { listed(newIdentityScene(t, where())).life() })
	}
}

type listed identityScene

func (l listed) life() {
	s := identityScene(l)
	var both sync.WaitGroup // two clerks write one person at once
	for _, id := range []string{"ana1", "ana2"} {
		both.Go(func() { s.put(id, ana(id, "")) })
	}
	both.Wait()
	first := s.task("requested", "ana1", "ana2")
	if !strings.Contains(first, `"priority":"asap"`) || strings.Contains(first, "Hernández") {
		s.Errorf("the Task: %s", first)
	}

	// Somebody says that they are two people; that stands until the data change.
	s.must(http.StatusForbidden, "clinician", "POST", "Patient/ana1/$not-duplicate", asks("other", textValue("ana2")))
	s.must(http.StatusNotFound, "identity", "POST", "Patient/ana1/$not-duplicate", asks("other", textValue("Patient/nobody")))
	s.must(http.StatusBadRequest, "identity", "POST", "Patient/ana1/$not-duplicate", asks("other", textValue("Patient/ana1")))
	s.must(http.StatusBadRequest, "identity", "POST", "Patient/ana1/$not-duplicate", asks())
	said := s.must(http.StatusOK, "identity", "POST", "Patient/ana1/$not-duplicate", asks("other", `"valueReference":{"reference":"Patient/ana2"}`, "reason", textValue("Madre e hija")))
	if !strings.Contains(said, `"status":"rejected"`) || idOf(said) != idOf(first) {
		s.Errorf("after that, the Task: %s", said)
	}
	s.put("ana1", ana("ana1", `,"maritalStatus":{"text":"Casada"}`))
	other := strings.NewReplacer("Hernández García", "Ruiz Xool", "1956-04-27", "1990-02-03")
	s.put("eva1", other.Replace(ana("eva1", "")))
	s.put("eva2", other.Replace(ana("eva2", "")))
	s.task("requested", "eva1", "eva2") // the change before these was looked at, too
	s.task("rejected", "ana1", "ana2")
	s.put("ana1", ana("ana1", `,"telecom":[{"system":"phone","value":"5512345678"}]`))
	s.task("requested", "ana1", "ana2")

	// A human takes the Task on, and what they note stays.
	id := idOf(first)
	var task map[string]any
	if err := json.Unmarshal([]byte(s.must(http.StatusOK, "identity", "GET", "Task/"+id, "")), &task); err != nil {
		s.Fatal(err)
	}
	task["status"], task["note"] = "in-progress", []any{map[string]any{"text": "Llamar a la unidad"}}
	text, err := json.Marshal(task)
	if err != nil {
		s.Fatal(err)
	}
	s.must(http.StatusOK, "identity", "PUT", "Task/"+id, string(text))
	s.put("ana2", ana("ana2", `,"active":false,"link":[{"type":"replaced-by","other":{"reference":"Patient/ana1"}}]`))
	if done := s.task("completed", "ana1", "ana2"); !strings.Contains(done, "Llamar a la unidad") {
		s.Errorf("what somebody noted is lost: %s", done)
	}
	if got := s.match("clinician", question(ana("x", ""), `{"name":"onlyCertainMatches","valueBoolean":true}`)); ids(got) != "ana1 certain" {
		s.Errorf("of one that replaces another, %s came", ids(got))
	}

	// Who is gone, or is somebody else after all, is like nobody.
	s.must(http.StatusNoContent, "system", "DELETE", "Patient/eva2", "")
	s.task("cancelled", "eva1", "eva2")
	if all := s.must(http.StatusOK, "system", "GET", "Task?_summary=count", ""); !strings.Contains(all, fmt.Sprintf(`"total":%d`, 2)) {
		s.Errorf("more Tasks than pairs: %s", all)
	}
}
