package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/referral"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/telehealth/schedule"
)

const (
	sendingDoctor   = "health centre"   // a clinician who sends
	receivingDoctor = "hospital"        // a clinician who receives
	receivingNurse  = "hospital's desk" // a nurse there
	otherDoctor     = "third"           // a clinician of an establishment that has nothing to do with it
	sendingApp      = "app"             // in the record of p1, for the health centre
)

// referralWard makes a ward two establishments.
func referralWard(w *ward) {
	w.put("Organization/centre", fmt.Sprintf(`"name":"Centro de Salud Roma","identifier":[{"system":%q,"value":"DFSSA000001"}],"address":[{"line":["Orizaba 1"],"city":"Ciudad de México"}]`, identity.SystemCLUES))
	w.put("Organization/general", fmt.Sprintf(`"name":"Hospital General","identifier":[{"system":%q,"value":"DFSSA000002"}],"address":[{"line":["Balmis 148"],"city":"Ciudad de México"}]`, identity.SystemCLUES))
	w.put("Organization/closed", fmt.Sprintf(`"name":"Clínica cerrada","active":false,"identifier":[{"system":%q,"value":"DFSSA000003"}]`, identity.SystemCLUES))
	w.put("HealthcareService/cardio", `"providedBy":{"reference":"Organization/general"},"name":"Cardiología"`)
	for id, curp := range map[string]string{"dr": doctorCURP, "nurse": nurseCURP} {
		w.put("Practitioner/"+id, fmt.Sprintf(`"identifier":[{"system":%q,"value":%q},{"system":%q,"value":"1234567"}],"name":[{"given":["Ana"],"family":"Pérez"}]`, identity.SystemCURP, curp, identity.SystemCedula))
	}
	w.put("Patient/p1", `"name":[{"given":["Lucía"],"family":"García"}],"gender":"female","birthDate":"1980-02-03","identifier":[{"system":"urn:x","value":"7"}],"address":[{"city":"Ciudad de México"}]`)
	w.put("Encounter/e1", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"serviceProvider":{"reference":"Organization/centre"},"period":{"start":"2026-11-20T10:00:00-06:00"}`)
	w.put("Encounter/e2", `"status":"finished","class":{"code":"VR"},"subject":{"reference":"Patient/p1"},"serviceProvider":{"reference":"Organization/general"},"period":{"start":"2026-11-25T10:00:00-06:00"}`)
	w.put("Condition/k1", `"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},"code":{"text":"Angina de pecho","coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I20.9"}]}`)
	w.put("Patient/p3", `"gender":"male"`)
	w.put("Condition/k2", `"subject":{"reference":"Patient/p3"},"code":{"text":"Asma"}`)
	for who, args := range map[string]string{
		sendingDoctor: "clinician --user Practitioner/dr --org DFSSA000001", receivingDoctor: "clinician --user Practitioner/nurse --org DFSSA000002",
		receivingNurse: "nurse --user Practitioner/nurse --org DFSSA000002", otherDoctor: "clinician --user Practitioner/dr --org DFSSA000009",
		sendingApp: "telehealth-app --patient p1 --org DFSSA000001",
	} {
		status, out, errs := amate(append(append([]string{"token", "--role"}, strings.Fields(args)...), w.where...)...)
		if status != exitDone {
			w.Fatal(errs)
		}
		w.tokens[who] = strings.TrimSpace(out)
	}
}

// referredTo is what $refer made.
type referredTo struct{ task, request, note, summary string }

var toHospital = []string{"clues", "String", "DFSSA000002", "reason", "String", "Dolor <torácico>"}

func (w *ward) refer(who, on string, more ...string) referredTo {
	w.Helper()
	made := parsed(w, w.must(201, who, "POST", on+"/$refer", params(append(more, toHospital...)...)))
	return referredTo{made.ref("task"), made.ref("request"), made.ref("note"), made.ref("summary")}
}

// referralNow is what a Task says.
type referralNow struct {
	Status         string
	BusinessStatus struct{ Coding []struct{ Code string } }
	StatusReason   struct{ Text string }
	Restriction    struct {
		Period struct{ Start, End time.Time }
	}
	Output []struct {
		ValueReference struct{ Reference string }
	}
}

func (w *ward) task(at string) (m referralNow) {
	w.Helper()
	if err := json.Unmarshal([]byte(w.must(200, "system", "GET", at, "")), &m); err != nil {
		w.Fatal(err)
	}
	return m
}

// is waits until a referral is as it is to be.
func (w *ward) is(at, status string, codes ...string) referralNow {
	w.Helper()
	var got string
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		m := w.task(at)
		got = m.Status
		for _, c := range m.BusinessStatus.Coding {
			got += " " + c.Code
		}
		if got == strings.Join(append([]string{status}, codes...), " ") {
			return m
		}
	}
	w.Fatalf("%s is %s, want %s %v", at, got, status, codes)
	return referralNow{}
}

// counterOf answers a referral, and returns the id of the note.
func (w *ward) counterOf(task string, more ...string) string {
	w.Helper()
	said := append(more, "summary", "String", "Se hizo prueba de esfuerzo, normal.", "treatment", "String", "Ninguna.", "recommendations", "String", "Control de la presión cada mes.", "follow-up", "String", "En seis meses.")
	made := parsed(w, w.must(201, receivingDoctor, "POST", task+"/$answer-referral", params(said...)))
	return strings.TrimPrefix(made.ref("note"), "Composition/")
}

// TestReferral is the way of a patient to another establishment and back.
func TestReferral(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		referralWard(w)
		w.there()
		w.everyStep()
		w.late()
		w.referralScopes()
		w.notReferred()
	})
}

// there and back again.
func (w *ward) there() {
	w.Helper()
	ask := params(append([]string{"priority", "Code", "urgent", "specialty", "String", "Cardiología", "summary", "String", "Mujer con dolor de esfuerzo.", "treatment", "String", "Ácido acetilsalicílico.", "diagnosis", "String", "Condition/k1", "document", "String", "Observation/o1", "ips", "String", "true"}, toHospital...)...)
	first := w.must(201, sendingDoctor, "POST", "Encounter/e1/$refer", ask, "Idempotency-Key", "once")
	if again := w.must(201, sendingDoctor, "POST", "Encounter/e1/$refer", ask, "Idempotency-Key", "once"); again != first {
		w.Errorf("sent again: %s, and first %s", again, first)
	}
	made := parsed(w, first)
	r := referredTo{made.ref("task"), made.ref("request"), made.ref("note"), made.ref("summary")}
	if n := w.must(200, "system", "GET", "ServiceRequest?_summary=count", ""); !strings.Contains(n, `"total":1`) {
		w.Error(n)
	}
	// What it is for has a note of its own: that of the visit orders nothing by it.
	if note := w.must(200, sendingDoctor, "POST", "Encounter/e1/$draft-note?type=6.2", ""); strings.Contains(note, r.request) {
		w.Errorf("%s is in %s", r.request, note)
	}
	m := w.is(r.task, "requested", "sent")
	if left := time.Until(m.Restriction.Period.End); left <= 0 || left > 6*24*time.Hour {
		w.Errorf("it has to be responded to until %s", m.Restriction.Period.End)
	}
	if text := w.must(200, receivingDoctor, "GET", r.summary, ""); !strings.Contains(text, `"type":"document"`) {
		w.Errorf("%.300s", text)
	}
	w.sign(sendingDoctor, w.doctor, strings.TrimPrefix(r.note, "Composition/"))
	html := w.must(200, receivingDoctor, "GET", r.note+"/$render?_format=text/html", "")
	for _, one := range []string{"Centro de Salud Roma", "DFSSA000001", "Hospital General", "DFSSA000002", "Dolor &lt;torácico&gt;", "Angina de pecho", "Ácido acetilsalicílico", "Cardiología", "Lucía García"} {
		if !strings.Contains(html, one) {
			w.Errorf("the note does not have %q", one)
		}
	}
	w.must(200, receivingNurse, "POST", r.task+"/$accept-referral", params("note", "String", "Venir en ayunas"))
	appointment := w.booked("p1")
	w.must(422, receivingNurse, "POST", r.task+"/$schedule-referral", params("appointment", "String", w.booked("p2")))
	w.must(200, receivingNurse, "POST", r.task+"/$schedule-referral", params("appointment", "String", appointment))
	w.is(r.task, "in-progress", "scheduled")
	if found := w.must(200, receivingDoctor, "GET", "Appointment?based-on="+r.request+"&_summary=count", ""); !strings.Contains(found, `"total":1`) {
		w.Error(found)
	}
	w.must(422, receivingDoctor, "POST", r.task+"/$answer-referral", params("summary", "String", "x", "recommendations", "String", "y", "encounter", "String", "Encounter/e1"))
	dropped := w.counterOf(r.task)
	note := w.counterOf(r.task, "encounter", "String", "Encounter/e2", "diagnosis", "String", "Condition/k1")
	if text := w.must(200, receivingDoctor, "GET", "Composition/"+dropped, ""); !strings.Contains(text, "entered-in-error") {
		w.Errorf("the draft of before: %.300s", text)
	}
	w.is(r.task, "in-progress", "answering")
	w.must(409, receivingDoctor, "POST", r.task+"/$answer-referral", params("note", "String", "Composition/"+note))
	w.sign(receivingDoctor, w.nurse, note)
	m = w.is(r.task, "completed", "answered") // by itself
	if len(m.Output) != 3 {
		w.Errorf("%+v", m.Output)
	}
	for search, want := range map[string]int{"status=completed&based-on=" + r.request + "&category=" + referral.System + "|counter-referral": 1, "status=completed": 2, "status=revoked": 1, "encounter=Encounter/e2": 1} {
		if found := w.must(200, receivingDoctor, "GET", "ServiceRequest?"+search+"&_summary=count", ""); !strings.Contains(found, fmt.Sprintf(`"total":%d`, want)) {
			w.Errorf("%s: %s, want %d", search, found, want)
		}
	}
	if text := w.must(200, sendingDoctor, "GET", "Composition/"+note+"/$render?_format=text/html", ""); !strings.Contains(text, "contrarreferencia") || !strings.Contains(text, "Control de la presión") || !strings.Contains(text, "En seis meses") {
		w.Errorf("%.3000s", text)
	}
	if versions := w.must(200, "patient Patient/p1", "GET", r.task+"/_history", ""); strings.Count(versions, `"versionId"`) < 6 {
		w.Errorf("%.600s", versions)
	}
}

// booked books in an agenda of the hospital.
func (w *ward) booked(patient string) string {
	w.Helper()
	w.put("Schedule/s", fmt.Sprintf(`"active":true,"actor":[{"reference":"Practitioner/nurse"}],"extension":[{"url":%q,"extension":[{"url":"zone","valueCode":"America/Mexico_City"},{"url":"length","valueUnsignedInt":30},{"url":"open","extension":[{"url":"from","valueTime":"00:00:00"},{"url":"to","valueTime":"23:30:00"}]}]}]`, schedule.AgendaURL))
	var found struct {
		Entry []struct{ Resource struct{ ID, Start string } }
	}
	if err := json.Unmarshal([]byte(w.must(200, receivingNurse, "GET", "Appointment/$find?schedule=s&_count=1", "")), &found); err != nil || len(found.Entry) != 1 {
		w.Fatal(err, found)
	}
	var a struct{ ID string }
	text := w.must(200, receivingNurse, "POST", "Appointment/$book?schedule=s&patient=Patient/"+patient+"&start="+url.QueryEscape(found.Entry[0].Resource.Start), "")
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		w.Fatal(err)
	}
	return "Appointment/" + a.ID
}

// everyStep tries every operation in every state, by who may: what is not allowed there is
// a conflict, and nothing but what is written through the operations changes a referral.
func (w *ward) everyStep() {
	w.Helper()
	w.put("Appointment/plain", `"status":"booked","start":"2027-01-11T10:00:00-06:00","end":"2027-01-11T10:30:00-06:00","participant":[{"actor":{"reference":"Patient/p1"},"status":"accepted"}]`)
	calls := map[string]struct{ who, body string }{
		"accept": {receivingDoctor, params()}, "reject": {receivingDoctor, params("reason", "String", "sin espacio", "alternative", "String", "HealthcareService/cardio")},
		"schedule": {receivingDoctor, params("appointment", "String", "Appointment/plain")},
		"answer":   {receivingDoctor, params("summary", "String", "x", "recommendations", "String", "y")}, "cancel": {sendingDoctor, params("reason", "String", "ya no hace falta")},
	}
	do := func(want int, task, name string) string {
		return w.must(want, calls[name].who, "POST", task+"/$"+name+"-referral", calls[name].body)
	}
	refused := map[string]string{
		"sent": "schedule answer", "accepted": "accept", "scheduled": "accept reject", "answering": "accept reject schedule cancel",
		"rejected": "accept reject schedule answer cancel", "cancelled": "accept reject schedule answer cancel",
	}
	for _, way := range [][]string{
		{"sent"}, {"accepted", "accept"}, {"scheduled", "accept", "schedule", "schedule"}, {"answering", "accept", "answer"}, {"answering", "accept", "schedule", "answer", "answer"},
		{"rejected", "reject"}, {"rejected", "accept", "reject"}, {"cancelled", "cancel"}, {"cancelled", "accept", "cancel"}, {"cancelled", "accept", "schedule", "cancel"},
	} {
		r, state := w.refer(sendingDoctor, "Encounter/e1"), way[0]
		for _, step := range way[1:] {
			want := 200
			if step == "answer" {
				want = 201
			}
			do(want, r.task, step)
		}
		for name := range strings.FieldsSeq(refused[state]) {
			if text := do(409, r.task, name); !strings.Contains(text, "the referral is "+state) {
				w.Errorf("%s when it is %s: %s", name, state, text)
			}
		}
		if len(way) == 2 && state == "rejected" {
			w.rejected(r)
		}
	}
}

// rejected looks at one that was.
func (w *ward) rejected(r referredTo) {
	w.Helper()
	m := w.is(r.task, "rejected", "rejected")
	if m.StatusReason.Text != "sin espacio" || len(m.Output) != 1 || m.Output[0].ValueReference.Reference != "HealthcareService/cardio" {
		w.Errorf("%+v", m)
	}
	if text := w.must(200, sendingDoctor, "GET", r.request, ""); !strings.Contains(text, `"status":"revoked"`) {
		w.Error(text)
	}
	for _, at := range []string{r.task, r.request} {
		text := w.must(200, "system", "GET", at, "")
		w.must(409, "system", "PUT", at, strings.NewReplacer(`"rejected"`, `"completed"`, `"revoked"`, `"active"`).Replace(text))
		w.must(409, "system", "DELETE", at, "")
		w.must(409, "system", "PATCH", at, `[{"op":"replace","path":"/priority","value":"stat"}]`, "Content-Type", "application/json-patch+json")
		typ, id, _ := strings.Cut(at, "/")
		w.must(422, "system", "POST", typ, strings.Replace(text, `"id":"`+id+`",`, "", 1))
	}
}

// late lets the time of referrals run out.
func (w *ward) late() {
	w.Helper()
	r := w.refer(sendingDoctor, "Encounter/e1", "priority", "Code", "stat")
	s := storage{Data: w.where[1]}
	if len(w.where) > 2 {
		s.Database = w.where[3]
	}
	o, err := s.open(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	defer o.Close()
	if o.office.calendar, err = rights.NewCalendar(); err != nil {
		w.Fatal(err)
	}
	look := func(after time.Duration) {
		cfg := o.referralConfig(rightsStore{o}, nil)
		cfg.Now = func() time.Time { return time.Now().Add(after) }
		if _, err := referral.NewKeeper(cfg, w.base, nil).Tick(context.Background()); err != nil {
			w.Fatal(err)
		}
	}
	look(50 * time.Minute)
	w.is(r.task, "requested", "sent")
	look(61 * time.Minute)
	look(62 * time.Minute)
	w.is(r.task, "requested", "sent", "overdue")
	flag := "Flag/" + strings.TrimPrefix(r.task, "Task/")
	if text := w.must(200, receivingDoctor, "GET", flag, ""); !strings.Contains(text, `"status":"active"`) || !strings.Contains(text, "no ha respondido") {
		w.Error(text)
	}
	if list := w.must(200, sendingDoctor, "GET", "Task/$referrals?direction=sent&state=overdue", ""); strings.Count(list, `"fullUrl"`) != 1 || !strings.Contains(list, r.task) {
		w.Errorf("%.600s", list)
	}
	w.must(200, receivingDoctor, "POST", r.task+"/$accept-referral", params())
	w.is(r.task, "accepted", "accepted")
	if text := w.must(200, receivingDoctor, "GET", flag, ""); !strings.Contains(text, `"status":"inactive"`) {
		w.Error(text)
	}
	look(24*time.Hour + 10*time.Minute)
	w.is(r.task, "accepted", "accepted", "overdue")
	if text := w.must(200, receivingDoctor, "GET", flag, ""); !strings.Contains(text, `"status":"active"`) || !strings.Contains(text, "sin cita") {
		w.Error(text)
	}
	w.must(200, sendingDoctor, "POST", r.task+"/$cancel-referral", params("reason", "String", "el paciente ya fue atendido"))
	w.is(r.task, "cancelled", "cancelled")
}

// referralScopes: who acts for another establishment, who has another role or another
// record, and whom the patient refuses.
func (w *ward) referralScopes() {
	w.Helper()
	r := w.refer(sendingDoctor, "Encounter/e1")
	for who, want := range map[string]int{sendingDoctor: 403, otherDoctor: 403, doctor: 403, "patient Patient/p1": 403, "patient Patient/p2": 403, "system": 403, "auditor": 403} {
		for _, name := range []string{"accept", "reject"} {
			body := params()
			if name == "reject" {
				body = params("reason", "String", "x")
			}
			if got, text := w.call(who, "POST", r.task+"/$"+name+"-referral", body); got != want {
				w.Errorf("%s %ss: %d, want %d\n%.300s", who, name, got, want, text)
			}
		}
	}
	for who, want := range map[string]int{receivingDoctor: 403, otherDoctor: 403, receivingNurse: 403} {
		w.must(want, who, "POST", r.task+"/$cancel-referral", params("reason", "String", "x"))
	}
	w.must(403, receivingNurse, "POST", r.task+"/$answer-referral", params("summary", "String", "x", "recommendations", "String", "y"))
	for who, want := range map[string]int{receivingDoctor: 403, otherDoctor: 403, receivingNurse: 403, doctor: 403, "system": 403, "patient Patient/p1": 403, "analyst": 403} {
		if got, text := w.call(who, "POST", "Encounter/e1/$refer", params(toHospital...)); got != want {
			w.Errorf("%s refers: %d, want %d\n%.300s", who, got, want, text)
		}
	}
	// An app in the record of a patient, which names who signs.
	w.must(400, sendingApp, "POST", "Encounter/e1/$refer", params(toHospital...))
	w.refer(sendingApp, "Patient/p1", "author", "String", "Practitioner/dr")
	w.must(404, sendingApp, "POST", "Patient/p2/$refer", params(append([]string{"author", "String", "Practitioner/dr"}, toHospital...)...))
	w.must(403, sendingDoctor, "POST", "Patient/p1/$refer", params(append([]string{"author", "String", "Practitioner/nurse"}, toHospital...)...))
	theirs := w.refer(sendingDoctor, "Patient/p2")
	w.must(200, "patient Patient/p1", "GET", r.task, "")
	w.must(200, "patient Patient/p1", "GET", r.request, "")
	for _, at := range []string{theirs.task, theirs.request, theirs.note} {
		w.must(404, "patient Patient/p1", "GET", at, "")
		w.must(404, sendingApp, "GET", at, "")
	}
	if list := w.must(200, sendingApp, "GET", "Task/$referrals?direction=sent&state=all&_count=100", ""); !strings.Contains(list, r.task) || strings.Contains(list, theirs.task) {
		w.Errorf("%.300s", list)
	}
	w.pages()
	// The patient refuses: for whom the refusal binds, there is no referral.
	w.put("Consent/no", `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
		"patient":{"reference":"Patient/p2"},"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]},"provision":{"type":"deny"}`)
	w.must(404, receivingDoctor, "POST", theirs.task+"/$accept-referral", params())
	w.must(404, sendingDoctor, "POST", theirs.task+"/$cancel-referral", params("reason", "String", "x"))
	w.must(404, sendingDoctor, "POST", "Patient/p2/$refer", params(toHospital...))
	if list := w.must(200, receivingDoctor, "GET", "Task/$referrals?_count=100", ""); strings.Contains(list, theirs.task) {
		w.Error("a referral of who refuses is listed")
	}
}

// pages reads all that the hospital received, two at a time.
func (w *ward) pages() {
	w.Helper()
	var found struct {
		Link  []struct{ Relation, URL string }
		Entry []struct{ FullURL string }
	}
	all := w.must(200, receivingDoctor, "GET", "Task/$referrals?state=all&_count=500", "")
	want, seen := strings.Count(all, `"fullUrl"`), map[string]bool{}
	for next := "Task/$referrals?state=all&_count=5"; next != ""; {
		found.Link, found.Entry = nil, nil
		if err := json.Unmarshal([]byte(w.must(200, receivingDoctor, "GET", next, "")), &found); err != nil {
			w.Fatal(err)
		}
		next = ""
		for _, l := range found.Link {
			if l.Relation == "next" {
				next = strings.TrimPrefix(l.URL, w.base+"/")
			}
		}
		for _, e := range found.Entry {
			seen[e.FullURL] = true
		}
	}
	if len(seen) != want || want < 12 {
		w.Errorf("%d in pages, %d at once", len(seen), want)
	}
	w.must(422, otherDoctor, "GET", "Task/$referrals?state=all", "") // no Organization has their CLUES
	w.must(403, otherDoctor, "GET", "Task/$referrals?state=all&clues=DFSSA000002", "")
	w.must(403, doctor, "GET", "Task/$referrals?clues=DFSSA000002", "")
	w.must(403, "patient Patient/p1", "GET", "Task/$referrals", "")
}

// notReferred: what is wrong with what is asked for; nothing is stored of it.
func (w *ward) notReferred() {
	w.Helper()
	count := func() string { return w.must(200, "system", "GET", "Task?_summary=count", "") }
	before := count()
	for name, c := range map[string]struct {
		on     string
		parts  []string
		status int
		text   string
	}{
		"nowhere":              {"Encounter/e1", []string{"reason", "String", "x"}, 400, "clues"},
		"to both":              {"Encounter/e1", append([]string{"to", "String", "Organization/general"}, toHospital...), 400, "clues"},
		"to nobody":            {"Encounter/e1", []string{"reason", "String", "x", "clues", "String", "DFSSA777777"}, 422, "CLUES"},
		"to the closed":        {"Encounter/e1", []string{"reason", "String", "x", "to", "String", "Organization/closed"}, 422, "not active"},
		"to one without CLUES": {"Encounter/e1", []string{"reason", "String", "x", "to", "String", "Organization/clinic"}, 422, "CLUES"},
		"to themselves":        {"Encounter/e1", []string{"reason", "String", "x", "clues", "String", "dfssa000001"}, 422, "interconsulta"},
		"to a patient":         {"Encounter/e1", []string{"reason", "String", "x", "to", "String", "Patient/p1"}, 400, "HealthcareService"},
		"no reason":            {"Encounter/e1", []string{"clues", "String", "DFSSA000002"}, 400, "motivo"},
		"blank":                {"Encounter/e1", []string{"clues", "String", "DFSSA000002", "reason", "String", " "}, 400, "motivo"},
		"a priority":           {"Encounter/e1", append([]string{"priority", "Code", "soon"}, toHospital...), 400, "priority"},
		"a cause":              {"Encounter/e1", append([]string{"cause", "Code", "10"}, toHospital...), 400, "GIIS"},
		"another's diagnosis":  {"Encounter/e1", append([]string{"diagnosis", "String", "Condition/k2"}, toHospital...), 422, "another patient"},
		"no such document":     {"Encounter/e1", append([]string{"document", "String", "DocumentReference/none"}, toHospital...), 422, "not here"},
		"a Patient as one":     {"Encounter/e1", append([]string{"document", "String", "Patient/p1"}, toHospital...), 400, "document"},
		"a parameter":          {"Encounter/e1", append([]string{"razon", "String", "x"}, toHospital...), 400, "razon"},
		"another's visit":      {"Encounter/e2", toHospital, 403, "another one"},
		"no visit":             {"Encounter/none", toHospital, 404, ""},
	} {
		if status, text := w.call(sendingDoctor, "POST", c.on+"/$refer", params(c.parts...)); status != c.status || !strings.Contains(text, c.text) {
			w.Errorf("%s: %d, want %d %s\n%.600s", name, status, c.status, c.text, text)
		}
	}
	if after := count(); after != before {
		w.Errorf("something was stored: %s, and before %s", after, before)
	}
	// What is kept apart stays so in the note that tells of it.
	w.put("Condition/k3", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]},"subject":{"reference":"Patient/p1"},"code":{"text":"Depresión"}`)
	apart := w.refer(sendingDoctor, "Patient/p1", "diagnosis", "String", "Condition/k3")
	if text := w.must(200, "system", "GET", apart.note, ""); !strings.Contains(text, "Depresión") || !strings.Contains(text, `"code":"PSY"`) {
		w.Errorf("the note is not labelled: %.900s", text)
	}
	made := w.refer(sendingDoctor, "Patient/p1") // without a visit there is a note to be written
	if text := w.must(200, sendingDoctor, "GET", made.note, ""); !strings.Contains(text, "mx-nota-referencia") || !strings.Contains(text, "Por escribir") {
		w.Errorf("%.600s", text)
	}
	w.prepareRefused(made.note)
}

// prepareRefused: a note with nothing in it is not signed.
func (w *ward) prepareRefused(note string) {
	w.Helper()
	if text := w.prepare(422, sendingDoctor, w.doctor, strings.TrimPrefix(note, "Composition/")); !strings.Contains(text, "nom-004-6.4.3") {
		w.Errorf("%.600s", text)
	}
}
