package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/store/storetest"
)

// forecastScene is a server with access control, and tokens of those who ask it.
type forecastScene struct{ *rightsScene }

func newForecastScene(t *testing.T, where []string) forecastScene {
	s := forecastScene{&rightsScene{T: t, where: where, tokens: map[string]string{}}}
	s.start("system", "officer", "identity", "clinic", "clinician", "nurse", "vaccinator", "analyst", "patient", "other", "app", "half")
	return s
}

// start starts the server, whose address is another one each time, and makes tokens for it.
func (s forecastScene) start(names ...string) {
	s.Helper()
	s.p = startGuarded(s.T, append([]string{"--job-lease", "4s"}, s.where...)...)
	for name, args := range map[string][]string{
		"system": {"--role", "system"}, "officer": {"--role", "arco-officer"}, "identity": {"--role", "identity-officer"},
		"clinic": {"--role", "clinic-system"}, "clinician": {"--role", "clinician", "--user", "Practitioner/d"}, "nurse": {"--role", "nurse", "--user", "Practitioner/d"},
		"vaccinator": {"--role", "vaccinator", "--user", "Practitioner/d"}, "analyst": {"--role", "analyst", "--purpose", "HRESCH"},
		"patient": {"--role", "patient", "--patient", "a"}, "other": {"--role", "patient", "--patient", "b"},
		"app":  {"--role", "telehealth-app", "--patient", "a", "--scope", "patient/*.rs"},
		"half": {"--role", "telehealth-app", "--patient", "a", "--scope", "patient/Patient.rs patient/Immunization.rs?status=not-done"},
	} {
		if !slices.Contains(names, name) {
			continue
		}
		status, out, errs := amate(append(append([]string{"token"}, args...), s.where...)...)
		if status != exitDone {
			s.Fatalf("token of %s: %s", name, errs)
		}
		s.tokens[name] = strings.TrimSpace(out)
	}
}

// bornAgo is the birth of the children of the tests: 100 days ago.
func bornAgo(days int) string { return time.Now().AddDate(0, 0, -days).Format(time.DateOnly) }

// child stores a Patient.
func (s forecastScene) child(id, further string) {
	s.Helper()
	status, body := s.do("system", "PUT", "Patient/"+id, `{"resourceType":"Patient","id":"`+id+`","gender":"female","birthDate":"`+bornAgo(100)+`"`+further+`}`)
	if status > http.StatusCreated {
		s.Fatalf("%d %s", status, body)
	}
}

// dose stores an Immunization that was given some days after birth.
func (s forecastScene) dose(id, patient, cvx, status string, after int) {
	s.Helper()
	code, body := s.do("vaccinator", "PUT", "Immunization/"+id, `{"resourceType":"Immunization","id":"`+id+`","status":"`+status+`","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"`+cvx+`"}]},
"patient":{"reference":"Patient/`+patient+`"},"occurrenceDateTime":"`+bornAgo(100-after)+`","primarySource":true}`)
	if code == http.StatusNotFound || code == http.StatusForbidden { // who may not choose an id
		code, body = s.do("system", "PUT", "Immunization/"+id, `{"resourceType":"Immunization","id":"`+id+`","status":"`+status+`","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"`+cvx+`"}]},
"patient":{"reference":"Patient/`+patient+`"},"occurrenceDateTime":"`+bornAgo(100-after)+`","primarySource":true}`)
	}
	if code > http.StatusCreated {
		s.Fatalf("%d %s", code, body)
	}
}

// toldDue is a recommendation as a test reads it.
type toldDue struct {
	ID             string
	Meta           struct{ VersionID string }
	Recommendation []struct {
		TargetDisease  struct{ Text string }
		ForecastStatus struct{ Coding []struct{ Code string } }
		DateCriterion  []struct{ Value string }
		DoseNumber     int `json:"doseNumberPositiveInt"`

		Supporting []struct{ Reference string } `json:"supportingImmunization"`
	}
}

// of returns "status number supporting" of a vaccine group by the beginning of its name.
func (r *toldDue) of(group string) string {
	for _, g := range r.Recommendation {
		if strings.HasPrefix(g.TargetDisease.Text, group) {
			return fmt.Sprintf("%s %d %d", g.ForecastStatus.Coding[0].Code, g.DoseNumber, len(g.Supporting))
		}
	}
	return "none"
}

// kept returns the recommendation that is kept of a Patient, and whether there is one.
func (s forecastScene) kept(patient string) (r toldDue, ok bool) {
	s.Helper()
	status, body := s.do("system", "GET", "ImmunizationRecommendation/"+recommend.ForecastID(patient), "")
	if status != http.StatusOK {
		return r, false
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		s.Fatal(err)
	}
	return r, true
}

// until waits for the recommendation of a Patient to say something of a vaccine group; ""
// for there being none.
func (s forecastScene) until(patient, group, want string) toldDue {
	s.Helper()
	last := ""
	for began := time.Now(); time.Since(began) < 90*time.Second; time.Sleep(30 * time.Millisecond) {
		r, ok := s.kept(patient)
		if last = ""; ok {
			last = r.of(group)
		}
		if last == want {
			return r
		}
	}
	s.Fatalf("the recommendation of %s says %q of %s, want %q\n%.3000s", patient, last, group, want, s.p.log)
	return toldDue{}
}

// TestForecasts: what is recommended follows what is recorded, with access control and on
// both engines.
func TestForecasts(t *testing.T) {
	t.Parallel()
	for engine, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.Postgres(t)}
		},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newForecastScene(t, where(t))
			s.follows()
			s.asked()
			s.killed()
			s.gone()
		})
	}
}

// follows: doses that are recorded, refuted and given back change what is recommended.
func (s forecastScene) follows() {
	s.child("a", "")
	s.until("a", "Hepatitis B", "notComplete 1 0")
	s.dose("hb1", "a", "08", "completed", 0)
	s.until("a", "Hepatitis B", "notComplete 2 1")
	s.dose("hb1", "a", "08", "entered-in-error", 0)
	s.until("a", "Hepatitis B", "notComplete 1 0")
	s.dose("hb1", "a", "08", "completed", 0)
	r := s.until("a", "Hepatitis B", "notComplete 2 1")
	// Somebody else writes over it, or deletes it.
	s.must(http.StatusOK, "system", "PUT", "ImmunizationRecommendation/"+r.ID, `{"resourceType":"ImmunizationRecommendation","id":"`+r.ID+`","patient":{"reference":"Patient/a"},"date":"2026-01-01","recommendation":[{"targetDisease":{"text":"x"},"forecastStatus":{"text":"x"}}]}`)
	s.until("a", "Hepatitis B", "notComplete 2 1")
	s.must(http.StatusNoContent, "system", "DELETE", "ImmunizationRecommendation/"+r.ID, "")
	r = s.until("a", "Hepatitis B", "notComplete 2 1")
	// What says nothing new writes nothing.
	s.child("a", `,"language":"es"`)
	s.child("b", "")
	s.until("b", "Hepatitis B", "notComplete 1 0") // comes after it in the feed
	if now, _ := s.kept("a"); now.Meta.VersionID != r.Meta.VersionID {
		s.Errorf("version %s of a recommendation became %s though it says the same", r.Meta.VersionID, now.Meta.VersionID)
	}
}

// asked: who may ask, and what they are told.
func (s forecastScene) asked() {
	const of = "Patient/a/$immunization-status"
	for _, who := range []string{"system", "clinic", "clinician", "nurse", "vaccinator", "patient", "app"} {
		r, partial := s.status(who, of)
		if partial || r.of("Hepatitis B") != "notComplete 2 1" || len(r.Recommendation[0].DateCriterion)+len(r.Recommendation[1].DateCriterion) == 0 {
			s.Errorf("%s is told %q, partial %v", who, r.of("Hepatitis B"), partial)
		}
	}
	for who, want := range map[string]int{"analyst": 403, "other": 403, "officer": 403} {
		if status, body := s.do(who, "GET", of, ""); status != want && status != http.StatusNotFound {
			s.Errorf("%s: %d %.300s", who, status, body)
		}
	}
	r, partial := s.status("half", of)
	for _, g := range r.Recommendation {
		if !partial || len(g.DateCriterion)+len(g.Supporting)+g.DoseNumber > 0 || g.ForecastStatus.Coding[0].Code != "conditional" {
			s.Fatalf("who sees no dose is told %+v, partial %v", g, partial)
		}
	}
	// What a vaccinator may not read hides only what rests on it.
	s.must(http.StatusCreated, "system", "PUT", "Condition/im", `{"resourceType":"Condition","id":"im","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},
"code":{"coding":[{"system":"http://snomed.info/sct","code":"31323000","display":"Severe combined immunodeficiency disease"}]},"subject":{"reference":"Patient/a"},"onsetDateTime":"`+bornAgo(60)+`"}`)
	r, partial = s.status("vaccinator", of)
	hidden := 0
	for _, g := range r.Recommendation {
		if g.ForecastStatus.Coding[0].Code == "conditional" {
			hidden++
		}
	}
	if !partial || hidden == 0 || hidden == len(r.Recommendation) || r.of("Hepatitis B") != "notComplete 2 1" {
		s.Errorf("the vaccinator is told %q of hepatitis B, %d of %d are hidden, partial %v", r.of("Hepatitis B"), hidden, len(r.Recommendation), partial)
	}
	if _, partial := s.status("clinician", of); partial {
		s.Error("a clinician sees only a part")
	}
	s.must(http.StatusNoContent, "system", "DELETE", "Condition/im", "")
	if _, partial := s.status("half", "Patient/a/$immunization-status?schedule=mx&date=2026-01-01&explain=true"); !partial {
		s.Error("explaining tells of what is hidden")
	}
	for path, want := range map[string]string{
		of + "?date=2026": "full date", of + "?explain=maybe": "true or false", of + "?schedule=zz": "mx|2026", of + "?dat=2026-01-01": "date",
	} {
		if body := s.must(http.StatusBadRequest, "nurse", "GET", path, ""); !strings.Contains(body, want) {
			s.Errorf("%s: %s", path, body)
		}
	}
	const call = `{"resourceType":"Parameters","parameter":[{"name":"assessmentDate","valueDate":"2020-05-26"},{"name":"patient","resource":{"resourceType":"Patient","id":"x","birthDate":"2020-04-28"}}]}`
	for _, who := range []string{"analyst", "patient", "app", "vaccinator", "half"} {
		if body := s.must(http.StatusOK, who, "POST", "$immds-forecast", call); !strings.Contains(body, `"ImmunizationRecommendation"`) {
			s.Errorf("%s: %.300s", who, body)
		}
	}
	s.must(http.StatusNotFound, "system", "GET", "Patient/x", "")
}

// status asks for $immunization-status.
func (s forecastScene) status(who, path string) (r toldDue, partial bool) {
	s.Helper()
	var answer struct {
		Parameter []struct {
			Name         string
			ValueBoolean bool
			Resource     json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(s.must(http.StatusOK, who, "GET", path, "")), &answer); err != nil {
		s.Fatal(err)
	}
	for _, p := range answer.Parameter {
		switch p.Name {
		case "recommendation":
			if err := json.Unmarshal(p.Resource, &r); err != nil {
				s.Fatal(err)
			}
		case "partial":
			partial = p.ValueBoolean
		}
	}
	return r, partial
}

// killed: what was acknowledged is followed, though the server is killed at once.
func (s forecastScene) killed() {
	for n, want := range []string{"notComplete 2 1", "notComplete 3 2"} {
		s.dose(fmt.Sprintf("pcv%d", n), "b", "133", "completed", 60+30*n)
		s.p.kill()
		s.start("system", "officer", "identity", "vaccinator")
		s.until("b", "Neumoc", want)
	}
	status, out, errs := amate(append([]string{"immunization", "recompute"}, s.where...)...)
	if status != exitDone || !strings.Contains(out, "2 Patients") || !strings.Contains(out, "2 with a forecast, 0 recommendations written") {
		s.Errorf("recompute: %d %s%s", status, out, errs)
	}
	status, out, errs = amate(append([]string{"immunization", "recompute", "--since", bornAgo(1)}, s.where...)...)
	if status != exitDone || !strings.Contains(out, "2 Patients") {
		s.Errorf("recompute --since: %d %s%s", status, out, errs)
	}
}

// gone: with Patients who are merged, blocked or deleted goes what was derived from them.
func (s forecastScene) gone() {
	s.child("c", "")
	s.dose("hb3", "c", "08", "completed", 40)
	s.until("c", "Hepatitis B", "notComplete 2 1")
	s.must(http.StatusOK, "identity", "POST", "Patient/$merge", asks("source-patient", `"valueReference":{"reference":"Patient/c"}`, "target-patient", `"valueReference":{"reference":"Patient/a"}`, "reason", stringValue("the same child")))
	s.until("a", "Hepatitis B", "notComplete 3 2")
	s.until("c", "Hepatitis B", "")
	s.must(http.StatusOK, "officer", "PUT", "Patient/a", strings.Replace(s.must(http.StatusOK, "officer", "GET", "Patient/a", ""), `"meta":{`, `"meta":{"security":[{"system":"`+blockedLabel.System+`","code":"`+blockedLabel.Code+`"}],`, 1))
	s.untilHidden("a")
	s.must(http.StatusNoContent, "system", "DELETE", "Patient/b", "")
	s.until("b", "Neumoc", "")
}

// untilHidden waits until nothing is kept of a record that is blocked.
func (s forecastScene) untilHidden(patient string) {
	s.Helper()
	for began := time.Now(); time.Since(began) < 90*time.Second; time.Sleep(30 * time.Millisecond) {
		if status, _ := s.do("officer", "GET", "ImmunizationRecommendation/"+recommend.ForecastID(patient), ""); status == http.StatusGone {
			return
		}
	}
	s.Fatal("a recommendation is kept of a record that is blocked")
}

// blind is an engine that cannot read for a while.
type blind struct {
	engine
	times int
}

func (e *blind) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	if e.times > 0 {
		e.times--
		return fhir.Resource{}, errCutOff
	}
	return e.engine.Read(ctx, ref)
}

// TestFacilityReadAgain: it is not believed that an establishment has no CLUES since it could
// not be read.
func TestFacilityReadAgain(t *testing.T) {
	t.Parallel()
	o, err := storage{Data: t.TempDir()}.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	made := `{"resourceType":"Bundle","type":"transaction","entry":[
		{"resource":{"resourceType":"Organization","id":"o","identifier":[{"system":"` + identity.SystemCLUES + `","value":"DFSSA000001"}]},"request":{"method":"PUT","url":"Organization/o"}},
		{"resource":{"resourceType":"Location","id":"l","managingOrganization":{"reference":"Organization/o"}},"request":{"method":"PUT","url":"Location/l"}}]}`
	if err := applyTransaction(t.Context(), o, []byte(made)); err != nil {
		t.Fatal(err)
	}
	f := &facilities{engine: &blind{o.engine, 1}}
	for _, ref := range []fhir.Ref{{Type: "Location", ID: "l"}, {Type: "Organization", ID: "nobody"}} {
		f.of(t.Context(), ref)
	}
	if got := f.of(t.Context(), fhir.Ref{Type: "Location", ID: "l"}); got != "DFSSA000001" {
		t.Errorf("the establishment is %q", got)
	}
}
