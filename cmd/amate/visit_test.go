package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/store/storetest"
	"github.com/amate-health/amate/telehealth/schedule"
	"github.com/amate-health/amate/telehealth/visit"
)

// Those who take part in visits, as roles and who they are.
const (
	visitDoctor   = "clinician Practitioner/dr"
	visitOther    = "clinician Practitioner/other"
	visitPatient  = "patient Patient/p1"
	visitStranger = "patient Patient/p2"
	visitApp      = "telehealth-app"
)

// consulting is a server with an agenda, and whose visits take place.
type consulting struct {
	*ward
	p       *process
	port    string
	phones  *telephones
	pulling string // what a telephone asks for next
}

// eachConsulting runs f on both engines.
func eachConsulting(t *testing.T, f func(c *consulting)) {
	for name, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &consulting{ward: &ward{T: t, where: where(t), tokens: map[string]string{}}, port: freePort(t), phones: newTelephones(t)}
			c.serve()
			c.places()
			f(c)
		})
	}
}

func (c *consulting) serve() {
	c.Helper()
	// Who does not come is waited for: a visit ends here when the test says so.
	c.p = startGuarded(c.T, append(append([]string{"--listen", c.port, "--visit-no-show", "2h"}, c.phones.flags(c.T)...), c.where...)...)
	c.base = c.p.base
}

// places makes two patients with a history, and a doctor who is there all day.
func (c *consulting) places() {
	c.Helper()
	c.put("Organization/clinic", fmt.Sprintf(`"name":"Clínica","identifier":[{"system":%q,"value":%q}]`, identity.SystemCLUES, lifeClinic))
	for id, name := range map[string]string{"dr": "Pérez", "other": "Otra"} {
		c.put("Practitioner/"+id, fmt.Sprintf(`"name":[{"family":%q,"given":["Juan"]}],"identifier":[{"system":%q,"value":"1234567"}]`, name, identity.SystemCedula))
	}
	c.put("PractitionerRole/dr", `"practitioner":{"reference":"Practitioner/dr"},"organization":{"reference":"Organization/clinic"}`)
	for id, illness := range map[string]string{"p1": "Asma", "p2": "Gota"} {
		c.put("Patient/"+id, fmt.Sprintf(`"name":[{"family":"Hernández","given":[%q]}],"gender":"female","birthDate":"1956-04-27","identifier":[{"system":%q,"value":%q}]`, id, identity.SystemCURP, map[string]string{"p1": lifePatientCURP, "p2": "SABC560626MDFLRN01"}[id]))
		c.put("Condition/"+id, fmt.Sprintf(`"code":{"text":%q},"subject":{"reference":"Patient/%s"}`, illness, id))
	}
	zone := "UTC"
	if h := time.Now().UTC().Hour(); h < 2 || h > 20 { // it is day somewhere
		zone = "Asia/Tokyo"
	}
	var days string
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		days += fmt.Sprintf(`{"url":"day","valueCode":%q},`, d)
	}
	c.put("Schedule/s", fmt.Sprintf(`"active":true,"actor":[{"reference":"Practitioner/dr"}],"extension":[{"url":%q,"extension":[{"url":"zone","valueCode":%q},{"url":"length","valueUnsignedInt":5},
{"url":"open","extension":[%s{"url":"from","valueTime":"00:00:00"},{"url":"to","valueTime":"23:59:00"}]}]}]`, schedule.AgendaURL, zone, days))
}

// booked books a slot for a patient as the app: the n-th from now on.
func (c *consulting) booked(n int, patient string) string {
	c.Helper()
	return c.bookedBy(visitApp, n, patient)
}

func (c *consulting) bookedBy(who string, n int, patient string) string {
	c.Helper()
	var found struct {
		Entry []struct{ Resource struct{ Start string } }
	}
	text := c.must(http.StatusOK, visitApp, "GET", "Appointment/$find?schedule=s&_count=200", "")
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Entry) <= n {
		c.Fatalf("free are %s", text)
	}
	return idOf(c.must(http.StatusOK, who, "POST", "Appointment/$book", params("schedule", "String", "s", "start", "DateTime", found.Entry[n].Resource.Start, "patient", "String", patient, "virtual", "Boolean", "true")))
}

// entrance is what $join and $invite answer.
type entrance struct{ room, token, seat string }

func (c *consulting) link(who, path, body string) entrance {
	c.Helper()
	var p struct {
		Parameter []struct {
			Name string
			URL  string `json:"valueUrl"`
			Text string `json:"valueString"`
		}
	}
	text := c.must(http.StatusOK, who, "POST", path, body)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		c.Fatal(err)
	}
	var l entrance
	for _, one := range p.Parameter {
		switch one.Name {
		case "url":
			page, secret, _ := strings.Cut(one.URL, "#")
			if page != c.p.root("/visit/") {
				c.Errorf("the page is %s", page)
			}
			l.room, l.token, _ = strings.Cut(secret, "/")
		case "seat":
			l.seat = one.Text
		}
	}
	if l.room == "" || l.token == "" || l.seat == "" {
		c.Fatalf("no link: %s", text)
	}
	return l
}

// visitGuest is the page of somebody.
type visitGuest struct {
	c      *consulting
	socket *websocket.Conn
	seat   string
	secret string
	closed websocket.StatusCode
}

func (c *consulting) soon() context.Context {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	c.Cleanup(cancel)
	return ctx
}

// enter opens a page with a token or a secret.
func (c *consulting) enter(room string, hello object) *visitGuest {
	c.Helper()
	socket, res, err := websocket.Dial(c.soon(), strings.Replace(c.p.root("/visit/signal/"+room), "http", "ws", 1), nil)
	if err != nil {
		c.Fatalf("%v %v", res, err)
	}
	c.Cleanup(func() { _ = socket.CloseNow() }) // it may be closed already
	g := &visitGuest{c: c, socket: socket}
	hello["type"] = "hello"
	g.say(hello)
	return g
}

func (g *visitGuest) say(m object) {
	g.c.Helper()
	if err := g.socket.Write(g.c.soon(), websocket.MessageText, []byte(jsonOf(m))); err != nil {
		g.c.Fatal(err)
	}
}

// hear waits for a message of a kind; nil when the page is closed before.
func (g *visitGuest) hear(kind string) object {
	g.c.Helper()
	for {
		_, text, err := g.socket.Read(g.c.soon())
		if err != nil {
			g.closed = websocket.CloseStatus(err)
			return nil
		}
		var m object
		if err := json.Unmarshal(text, &m); err != nil {
			g.c.Fatal(err)
		}
		if m["type"] == kind {
			return m
		}
	}
}

func (g *visitGuest) welcome() *visitGuest {
	g.c.Helper()
	m := g.hear("welcome")
	if m == nil {
		g.c.Fatalf("not let in: %d", g.closed)
	}
	g.secret, _ = m["secret"].(string)
	if you, ok := m["you"].(object); ok {
		g.seat, _ = you["seat"].(string)
	}
	return g
}

// refused is a page that is closed with a code.
func (g *visitGuest) refused(what string, want websocket.StatusCode) {
	g.c.Helper()
	if m := g.hear("welcome"); m != nil || g.closed != want {
		g.c.Errorf("%s: %v, closed with %d, want %d", what, m, g.closed, want)
	}
}

// visitToken returns the token that the app gets for a visit.
func (c *consulting) visitToken(at string) string {
	c.Helper()
	var p returned
	if err := json.Unmarshal([]byte(c.must(http.StatusOK, visitApp, "POST", at+"/$visit-token", "")), &p); err != nil {
		c.Fatal(err)
	}
	for _, one := range p.Parameter {
		if one.Name == "access_token" {
			return one.Text
		}
	}
	c.Fatal("no token")
	return ""
}

// history expects what the app is answered who asks for the history of the patients.
func (c *consulting) history(when, token string, first, other int) {
	c.Helper()
	c.tokens["of the visit"] = token
	for path, want := range map[string]int{
		"Patient/p1/$summary": first, "Patient/p1/$everything": first, "Condition/p1": first,
		"Patient/p2/$summary": other, "Patient/p2/$everything": other, "Condition/p2": other, "Patient/p2": other,
	} {
		if status, text := c.call("of the visit", "GET", path, ""); status != want {
			c.Errorf("%s, %s: %d, want %d %.300s", when, path, status, want, text)
		}
	}
}

// TestVisit is a visit at a distance from its booking to its note, and what an app sees of
// the record meanwhile.
func TestVisit(t *testing.T) {
	t.Parallel()
	eachConsulting(t, func(c *consulting) {
		first, second := c.booked(0, "Patient/p1"), c.booked(0, "Patient/p1")
		at := "Encounter/" + first
		for _, path := range []string{"Patient/p1/$summary", "Patient/p1/$everything", "Condition/p1", "Condition?patient=p1", at} {
			c.must(http.StatusForbidden, visitApp, "GET", path, "")
		}
		c.must(http.StatusOK, visitApp, "GET", "Patient/p1", "")
		c.must(http.StatusNotFound, visitApp, "POST", at+"/$visit-token", "")

		c.starts(first)
		room, family := c.gathers(at)
		doctor, patient := c.meets(at, room, family)
		c.pulls()
		c.spreads(room, doctor, patient)
		c.restarts(room, doctor, patient)
		c.ends(first)
		c.withdraws(second)
		c.tabled()
		c.attacks()
		c.expires()
		if log := c.p.log.String(); strings.Contains(log, room.token) || strings.Contains(log, doctor.secret) {
			t.Errorf("a token is in the log: %s", log)
		}
	})
}

// starts opens the visit and asks for consent.
func (c *consulting) starts(appointment string) {
	c.Helper()
	start := "Appointment/" + appointment + "/$start-visit"
	c.must(http.StatusForbidden, visitApp, "POST", "Appointment/"+c.booked(150, "Patient/p1")+"/$start-visit", "") // in half a day
	c.must(http.StatusForbidden, visitPatient, "POST", start, "")
	c.must(http.StatusOK, visitApp, "POST", start, "")
	c.must(http.StatusUnprocessableEntity, visitDoctor, "POST", start, params("identity", "Code", "curp", "curp", "String", "SABC560626MDFLRN01"))
	c.must(http.StatusBadRequest, visitDoctor, "POST", start, params("identity", "Code", "seen"))
	told := c.must(http.StatusOK, visitDoctor, "POST", start, params("curp", "String", lifePatientCURP, "place", "String", "Av. Hidalgo 5, Xalapa", "emergency-name", "String", "Rosa", "emergency-phone", "String", "2281234567", "language", "Code", "nah", "interpreter", "Boolean", "true"))
	again := c.must(http.StatusOK, visitApp, "POST", start, "")
	for _, want := range []string{`"code":"VR"`, `"status":"planned"`, `"Organization/clinic"`, `"Practitioner/dr"`, `"Appointment/` + appointment, visit.CallURL, `"valueCode":"curp"`, "Av. Hidalgo 5", "2281234567", `"nah"`, "extension-Encounter.virtualService"} {
		if !strings.Contains(told, want) || told != again {
			c.Fatalf("the Encounter does not say %s, or changes: %s\n%s", want, told, again)
		}
	}
	join := "Encounter/" + appointment + "/$join"
	for _, who := range []string{visitDoctor, visitPatient} {
		if text := c.must(http.StatusForbidden, who, "POST", join, ""); !strings.Contains(text, "consent") {
			c.Errorf("it is not said why: %s", text)
		}
	}
	c.must(http.StatusForbidden, visitApp, "POST", "Encounter/"+appointment+"/$visit-token", "")
	consent := "Appointment/" + appointment + "/$visit-consent"
	c.must(http.StatusBadRequest, visitPatient, "POST", consent, params("how", "Code", "nodding"))
	c.must(http.StatusNotFound, visitStranger, "POST", consent, params("how", "Code", "electronic"))
	given := c.must(http.StatusOK, visitPatient, "POST", consent, params("how", "Code", "electronic"))
	if same := c.must(http.StatusOK, visitDoctor, "POST", consent, params("how", "Code", "verbal")); same != given || !strings.Contains(given, visit.ConsentURL) {
		c.Errorf("the consent is\n%s\nand then\n%s", given, same)
	}
}

// gathers gives everybody their links.
func (c *consulting) gathers(at string) (doctor, family entrance) {
	c.Helper()
	c.must(http.StatusForbidden, visitOther, "POST", at+"/$join", "")
	c.must(http.StatusNotFound, visitStranger, "POST", at+"/$join", "")
	c.must(http.StatusForbidden, visitPatient, "POST", at+"/$join", params("participant", "String", "Practitioner/dr"))
	c.must(http.StatusForbidden, visitPatient, "POST", at+"/$end-visit", "")
	c.must(http.StatusForbidden, visitDoctor, "POST", at+"/$visit-token", "")
	c.must(http.StatusBadRequest, visitDoctor, "POST", at+"/$invite", params("name", "String", "Rosa", "role", "Code", "clinician"))
	old := c.link(visitDoctor, at+"/$join", "")
	doctor = c.link(visitDoctor, at+"/$join", "")
	if old.seat != doctor.seat || old.token == doctor.token {
		c.Errorf("the doctor has two seats: %v %v", old, doctor)
	}
	c.enter(old.room, object{"token": old.token}).refused("a link that was replaced", 4401)
	return doctor, c.link(visitPatient, at+"/$invite", params("name", "String", "Rosa", "role", "Code", "family"))
}

// meets lets the patient in, who drops and comes back, while they write to each other.
func (c *consulting) meets(at string, dr, family entrance) (doctor, patient *visitGuest) {
	c.Helper()
	doctor = c.enter(dr.room, object{"token": dr.token}).welcome()
	c.enter(dr.room, object{"token": dr.token}).refused("a link that was used", 4401)
	token := c.visitToken(at)
	c.history("in the visit", token, http.StatusOK, http.StatusNotFound)
	if status, text := c.call("of the visit", "PUT", "Condition/p1", `{"resourceType":"Condition","id":"p1","subject":{"reference":"Patient/p1"}}`); status != http.StatusForbidden {
		c.Errorf("the app writes: %d %s", status, text)
	}

	pat := c.link(visitApp, at+"/$join", params("participant", "String", "Patient/p1")) // who signed in there
	c.enter(strings.Repeat("x", len(pat.room)), object{"token": pat.token}).refused("another's room", 4401)
	pat = c.link(visitPatient, at+"/$join", "")
	patient = c.enter(pat.room, object{"token": pat.token}).welcome()
	doctor.hear("waiting")
	if e := c.must(http.StatusOK, visitDoctor, "GET", at, ""); !strings.Contains(e, `"status":"arrived"`) {
		c.Errorf("the patient waits, and the Encounter is %.300s", e)
	}
	doctor.say(object{"type": "admit", "seat": pat.seat})
	patient.hear("admitted")
	if e := c.must(http.StatusOK, visitDoctor, "GET", at, ""); !strings.Contains(e, `"status":"in-progress"`) {
		c.Errorf("the patient was let in, and the Encounter is %.300s", e)
	}
	appointment := "Appointment/" + strings.TrimPrefix(at, "Encounter/")
	if text := c.must(http.StatusConflict, visitPatient, "POST", appointment+"/$cancel?reason=pat", ""); !strings.Contains(text, "$end-visit") {
		c.Errorf("it is not said how a visit ends: %s", text)
	}
	guest := c.enter(family.room, object{"token": family.token}).welcome()
	c.must(http.StatusOK, visitPatient, "POST", at+"/$uninvite", params("seat", "String", family.seat))
	guest.hear("refused")
	c.enter(family.room, object{"secret": guest.secret}).refused("who was turned away", 4401)

	for range 2 { // the answer to the first was lost
		patient.say(object{"type": "text", "id": "m1", "text": "Buenos días"})
		patient.hear("text")
	}
	doctor.say(object{"type": "text", "id": "m1", "text": "¿Cómo está?"})
	patient.say(object{"type": "quality", "quality": object{"loss": 0.02, "jitter": 12, "roundTrip": 80, "received": 500000}})
	_ = patient.socket.CloseNow() // the network goes
	doctor.hear("left")
	patient = c.enter(pat.room, object{"secret": patient.secret}).welcome2(patient.secret)
	doctor.hear("joined")
	return doctor, patient
}

// welcome2 is welcome for who came back with a secret.
func (g *visitGuest) welcome2(secret string) *visitGuest {
	g.c.Helper()
	g.welcome()
	g.secret = secret
	return g
}

// restarts stops the server in the visit: those who are in it come back to another one.
func (c *consulting) restarts(dr entrance, doctor, patient *visitGuest) {
	c.Helper()
	if err := c.p.terminate(c.T); err != nil {
		c.Fatal(err)
	}
	if doctor.hear("none") != nil || doctor.closed != websocket.StatusGoingAway {
		c.Errorf("when the server goes, the page is closed with %d", doctor.closed)
	}
	c.serve()
	back := time.Now()
	for _, g := range []*visitGuest{doctor, patient} {
		*g = *c.enter(dr.room, object{"secret": g.secret}).welcome2(g.secret)
	}
	c.Logf("both were back %s after the server was", time.Since(back))
	c.history("after a restart", c.tokens["of the visit"], http.StatusOK, http.StatusNotFound)
	doctor.say(object{"type": "text", "id": "m2", "text": "Seguimos"})
	patient.hear("text")
}

// attended is what is read of an Encounter.
type attended struct {
	Status        string
	StatusHistory []struct{ Status string }
	Period        struct{ Start, End string }
	Length        struct{ Value *float64 }
	Participant   []struct{ Period struct{ Start, End string } }
	Extension     []struct {
		URL       string
		Extension []struct {
			URL     string
			Code    string   `json:"valueCode"`
			Integer int      `json:"valueInteger"`
			Decimal *float64 `json:"valueDecimal"`
		}
	}
}

// ends ends the visit, and looks at what stays of it.
func (c *consulting) ends(id string) {
	c.Helper()
	at := "Encounter/" + id
	pat := c.link(visitPatient, at+"/$join", "")
	patient := c.enter(pat.room, object{"token": pat.token}).welcome()
	told := c.must(http.StatusOK, visitDoctor, "POST", at+"/$end-visit", "")
	for _, want := range []string{`"finished"`, `"Composition"`, "$draft-note"} {
		if !strings.Contains(told, want) {
			c.Errorf("the end does not offer %s: %.500s", want, told)
		}
	}
	if patient.hear("ended") == nil {
		c.Error("the patient is not told")
	}
	c.enter(pat.room, object{"secret": patient.secret}).refused("after the end", 4410)
	c.must(http.StatusOK, visitDoctor, "POST", at+"/$end-visit", "")
	c.history("after the end", c.tokens["of the visit"], http.StatusUnauthorized, http.StatusUnauthorized)
	c.must(http.StatusUnauthorized, "of the visit", "GET", c.pulling, "")
	c.must(http.StatusForbidden, visitApp, "POST", at+"/$visit-token", "")
	c.must(http.StatusGone, visitDoctor, "POST", at+"/$join", "")
	for _, path := range []string{"Patient/p1/$summary", "Condition/p1", at} {
		c.must(http.StatusForbidden, visitApp, "GET", path, "")
	}
	text := c.must(http.StatusOK, visitDoctor, "GET", at, "")
	var e attended
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		c.Fatal(err)
	}
	var history []string
	for _, h := range e.StatusHistory {
		history = append(history, h.Status)
	}
	if e.Status != "finished" || !slices.Equal(history, []string{"planned", "arrived", "in-progress"}) || e.Period.Start == "" || e.Period.End == "" || e.Length.Value == nil || len(e.Participant) != 1 || e.Participant[0].Period.End == "" {
		c.Errorf("the Encounter is %s", text)
	}
	drops, loss, roles := 0, 0.0, []string{}
	for _, x := range e.Extension {
		for _, p := range x.Extension {
			if x.URL == visit.AttendanceURL {
				drops += p.Integer * map[bool]int{true: 1}[p.URL == "drops"]
				if p.URL == "role" {
					roles = append(roles, p.Code)
				}
				if p.URL == "loss" && p.Decimal != nil {
					loss = *p.Decimal
				}
			}
		}
	}
	slices.Sort(roles)
	if !slices.Equal(roles, []string{"clinician", "family", "patient"}) || drops < 1 || loss != 0.02 {
		c.Errorf("attended by %v, %d drops, loss %v: %s", roles, drops, loss, text)
	}
	if a := c.must(http.StatusOK, visitDoctor, "GET", "Appointment/"+id, ""); !strings.Contains(a, `"status":"fulfilled"`) {
		c.Errorf("the Appointment is %s", a)
	}
	chat := c.must(http.StatusOK, visitPatient, "GET", "Communication?encounter="+at, "")
	if strings.Count(chat, `"contentString"`) != 3 || !strings.Contains(chat, "¿Cómo está?") {
		c.Errorf("the chat is %s", chat)
	}
	trail := c.must(http.StatusOK, visitPatient, "GET", "AuditEvent?_count=500&patient=Patient/p1", "")
	for _, want := range []string{"visit-join", "visit-leave", "visit-drop"} {
		if !strings.Contains(trail, want) {
			c.Errorf("the trail does not tell of %s", want)
		}
	}
}

// withdraws lets the patient withdraw the consent in a second visit.
func (c *consulting) withdraws(id string) {
	c.Helper()
	at := "Encounter/" + id
	c.must(http.StatusOK, visitApp, "POST", "Appointment/"+id+"/$start-visit", "")
	pat := c.link(visitPatient, at+"/$join", "") // consent was given for these visits
	patient := c.enter(pat.room, object{"token": pat.token}).welcome()
	token := c.visitToken(at)
	c.history("in the second visit", token, http.StatusOK, http.StatusNotFound)
	c.must(http.StatusCreated, visitPatient, "POST", "Consent", fmt.Sprintf(`{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"treatment"}]},
"category":[{"coding":[{"system":%q,"code":%q}]}],"patient":{"reference":"Patient/p1"},"policyRule":{"text":"LGS"},"provision":{"type":"deny"}}`, visit.ConsentSystem, visit.ConsentCode))
	if patient.hear("ended") == nil {
		c.Error("the visit goes on without consent")
	}
	c.history("without consent", token, http.StatusUnauthorized, http.StatusUnauthorized)
	c.must(http.StatusForbidden, visitApp, "POST", at+"/$visit-token", "")
	if e := c.must(http.StatusOK, visitDoctor, "GET", at, ""); !strings.Contains(e, `"status":"cancelled"`) {
		c.Errorf("the Encounter is %s", e)
	}
	if status, _ := c.call(visitPatient, "POST", at+"/$join", ""); status != http.StatusGone {
		c.Errorf("joined after it: %d", status)
	}
}
