package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// telephones are those of the patients: what is sent to them ends here.
type telephones struct {
	server *httptest.Server
	mu     sync.Mutex
	got    []string
	faults []string
}

func newTelephones(t *testing.T) *telephones {
	p := &telephones{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if sign := r.Header.Get(signatureHeader); err != nil || !strings.HasPrefix(sign, "sha256=") || len(sign) != 71 {
			p.faults = append(p.faults, "the signature is "+sign)
		}
		p.got = append(p.got, string(body))
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// flags has a server send to the telephones, also to numbers that are new in the record.
func (p *telephones) flags(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("of the gateway\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--visit-message-url", p.server.URL, "--visit-message-secret-file", file, "--visit-contact-age", "0s"}
}

var codeInText = regexp.MustCompile(`\b(\d{4}) (\d{4})\b`)

// last is the code that was sent last.
func (p *telephones) last(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 || len(p.faults) > 0 {
		t.Fatalf("%d messages came; %v", len(p.got), p.faults)
	}
	m := codeInText.FindStringSubmatch(p.got[len(p.got)-1])
	if m == nil {
		t.Fatalf("no code in %s", p.got[len(p.got)-1])
	}
	return m[1] + m[2]
}

// Apps that are registered, and not one by its role alone.
const (
	appOne = "app tele-one"
	appTwo = "app tele-two"
)

// registers gives two apps a token each.
func (c *consulting) registers() {
	c.Helper()
	for who, name := range map[string]string{appOne: "tele-one", appTwo: "tele-two"} {
		mustRun(c, c.where, "client", "add", name, "--role", visitApp, "--scope", "system/*.cruds")
		c.tokens[who] = strings.TrimSpace(mustRun(c, c.where, "token", "--client", name))
	}
}

// attacks has an app try to open the record of a patient who knows nothing of it, and then
// the patient let it.
func (c *consulting) attacks() {
	c.Helper()
	c.registers()
	c.put("Patient/p3", `"name":[{"family":"Luna"}],"gender":"male","birthDate":"1990-02-01","telecom":[{"system":"phone","use":"mobile","value":"+522289876543"}]`)
	c.put("Condition/p3", `"code":{"text":"Secreto"},"subject":{"reference":"Patient/p3"}`)
	id := c.bookedBy(appOne, 0, "Patient/p3")
	at := "Encounter/" + id
	c.must(http.StatusForbidden, appTwo, "POST", "Appointment/"+id+"/$start-visit", "")
	c.must(http.StatusOK, appOne, "POST", "Appointment/"+id+"/$start-visit", params("identity", "Code", "known"))
	c.must(http.StatusOK, appOne, "POST", "Appointment/"+id+"/$visit-consent", params("how", "Code", "verbal", "by", "String", "Patient/p3"))
	// It may write nothing by which it became somebody else, or got the code itself.
	for path, body := range map[string]string{
		"PUT Patient/p3":          `{"resourceType":"Patient","id":"p3","telecom":[{"system":"phone","value":"+525500000000"}]}`,
		"POST Consent":            `{"resourceType":"Consent","status":"active","scope":{"text":"x"},"category":[{"text":"x"}],"patient":{"reference":"Patient/p3"},"policyRule":{"text":"x"}}`,
		"POST RelatedPerson":      `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/p3"}}`,
		"POST Practitioner":       `{"resourceType":"Practitioner"}`,
		"POST Communication":      `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/p3"}}`,
		"GET Communication":       "",
		"GET AuditEvent":          "",
		"GET " + at:               "",
		"GET Condition/p3":        "",
		"GET Patient/p3/_history": "",
	} {
		method, path, _ := strings.Cut(path, " ")
		if status, text := c.call(appOne, method, path, body); status != http.StatusForbidden && (status != http.StatusOK || path != "Patient/p3/_history") {
			c.Errorf("%s %s by the app: %d %.300s", method, path, status, text)
		}
	}
	for _, as := range []string{"Practitioner/dr", "Patient/p3"} { // it plays both, and admits itself
		l := c.link(appOne, at+"/$join", params("participant", "String", as))
		defer func(g *visitGuest) { _ = g.socket.CloseNow() }(c.enter(l.room, object{"token": l.token}).welcome())
	}
	c.must(http.StatusForbidden, appOne, "POST", at+"/$visit-token", "")
	for _, name := range []string{"$join", "$visit-code", "$visit-token", "$end-visit"} {
		c.must(http.StatusForbidden, appTwo, "POST", at+"/"+name, "")
	}
	told := c.must(http.StatusOK, appOne, "POST", at+"/$visit-code", "")
	code := c.phones.last(c.T)
	reminders := c.must(http.StatusOK, appOne, "GET", "CommunicationRequest?category=http://terminology.hl7.org/CodeSystem/communication-category|reminder", "")
	if strings.Contains(told+reminders, code) || strings.Contains(c.p.log.String(), code) {
		c.Error("the code is in an answer, or in the log")
	}
	c.must(http.StatusForbidden, appTwo, "POST", at+"/$visit-token", params("code", "String", code))
	c.must(http.StatusForbidden, appOne, "POST", at+"/$visit-token", params("code", "String", "00000000"))
	granted := tokenIn(c.must(http.StatusOK, appOne, "POST", at+"/$visit-token", params("code", "String", code)))
	c.tokens["of p3"] = granted
	for path, want := range map[string]int{"Condition/p3": http.StatusOK, "Patient/p3/$summary": http.StatusOK, "Condition/p1": http.StatusNotFound} {
		if status, text := c.call("of p3", "GET", path, ""); status != want {
			c.Errorf("with the code, %s: %d %.300s", path, status, text)
		}
	}
	if sent := c.must(http.StatusOK, visitDoctor, "GET", "Communication?encounter="+at, ""); strings.Contains(sent, code) || !strings.Contains(sent, "6543") {
		c.Errorf("the record tells of it: %s", sent)
	}
	// The visit is cancelled: whoever is in it is out at once, and the token is good no more.
	pat := c.link(appOne, at+"/$join", params("participant", "String", "Patient/p3"))
	guest := c.enter(pat.room, object{"token": pat.token}).welcome()
	c.must(http.StatusOK, appOne, "POST", "Appointment/"+id+"/$cancel", params("reason", "String", "pat"))
	if guest.hear("ended") == nil {
		c.Error("a visit that was cancelled goes on")
	}
	c.enter(pat.room, object{"secret": guest.secret}).refused("after it was cancelled", 4410)
	if status, _ := c.call("of p3", "GET", "Condition/p3", ""); status != http.StatusUnauthorized {
		c.Errorf("after it was cancelled the token is answered %d", status)
	}
	c.must(http.StatusForbidden, appOne, "POST", at+"/$visit-token", params("code", "String", code))
	if trail := c.must(http.StatusOK, "auditor", "GET", "AuditEvent?_count=500&patient=Patient/p3", ""); !strings.Contains(trail, "visit-proof") {
		c.Error("the trail does not tell of the proof")
	}
}

// expires has a token be good until the time of the visit is over, though nobody ends it.
func (c *consulting) expires() {
	c.Helper()
	c.put("Patient/p4", `"gender":"male","telecom":[{"system":"phone","value":"+522281112222"}]`)
	c.put("Condition/p4", `"code":{"text":"Gripe"},"subject":{"reference":"Patient/p4"}`)
	id, closes, granted := "", time.Time{}, ""
	for open := 3 * time.Second; granted == ""; open *= 3 { // the machine may be too busy for a short one
		if open > 5*time.Minute {
			c.Fatal("no token was given for a visit that closes soon")
		}
		closes = time.Now().Add(open)
		id = fmt.Sprint("closes-in-", open)
		granted = c.closing(id, closes)
	}
	c.tokens["of p4"] = granted
	if status, text := c.call("of p4", "GET", "Condition/p4", ""); status != http.StatusOK && time.Now().Before(closes.Truncate(time.Second)) {
		c.Errorf("before the end: %d %.300s", status, text)
	}
	eventually(c.T, "the token expires", func() bool {
		status, _ := c.call("of p4", "GET", "Condition/p4", "")
		return status == http.StatusUnauthorized
	})
	if early := time.Until(closes.Truncate(time.Second)); early > 0 {
		c.Errorf("it expired %s early", early)
	}
	if e := c.must(http.StatusOK, visitDoctor, "GET", "Encounter/"+id, ""); !strings.Contains(e, `"status":"planned"`) {
		c.Errorf("the visit was ended, so that this shows nothing: %.300s", e)
	}
	time.Sleep(time.Until(closes)) // tokens end with a whole second, before it
	c.must(http.StatusForbidden, appOne, "POST", "Encounter/"+id+"/$visit-token", "")
}

// closing returns the token of a visit whose time is over at some moment, "" when that came
// first. The app did not book it: that a professional checks the patient elsewhere is
// nothing to it, and it needs the code.
func (c *consulting) closing(id string, at time.Time) string {
	c.Helper()
	end := at.Add(-30 * time.Minute) // --visit-after
	c.put("Appointment/"+id, fmt.Sprintf(`"status":"booked","start":%q,"end":%q,"participant":[{"actor":{"reference":"Patient/p4"},"status":"accepted"},{"actor":{"reference":"Practitioner/dr"},"status":"accepted"}]`,
		end.Add(-10*time.Minute).Format(time.RFC3339Nano), end.Format(time.RFC3339Nano)))
	for _, step := range []struct {
		who, path, body string
		want            int
	}{
		{appOne, "Appointment/" + id + "/$start-visit", "", http.StatusOK},
		{appOne, "Appointment/" + id + "/$visit-consent", params("how", "Code", "verbal"), http.StatusOK},
		{visitDoctor, "Appointment/" + id + "/$start-visit", params("identity", "Code", "known"), http.StatusOK},
		{appOne, "Encounter/" + id + "/$visit-token", "", http.StatusForbidden},
		{appOne, "Encounter/" + id + "/$visit-code", "", http.StatusOK},
	} {
		if status, text := c.call(step.who, "POST", step.path, step.body); status != step.want {
			if time.Now().Before(at) {
				c.Fatalf("%s by %s: %d, want %d: %s", step.path, step.who, status, step.want, text)
			}
			return ""
		}
	}
	_, text := c.call(appOne, "POST", "Encounter/"+id+"/$visit-token", params("code", "String", c.phones.last(c.T)))
	return tokenIn(text)
}

// tokenIn returns the access token that $visit-token answered.
func tokenIn(answer string) string {
	var p returned
	if json.Unmarshal([]byte(answer), &p) == nil {
		for _, one := range p.Parameter {
			if one.Name == "access_token" {
				return one.Text
			}
		}
	}
	return ""
}

// pulls has a telephone on a bad network take the history once, and then what changed.
func (c *consulting) pulls() {
	c.Helper()
	const who = "of the visit"
	for _, path := range []string{"Patient/p1/$summary", "Patient/p1/$everything"} {
		status, _, tag := c.tagged(who, path, "")
		if status != http.StatusOK || tag == "" {
			c.Errorf("%s: %d, tagged %q", path, status, tag)
		}
		if status, text, _ := c.tagged(who, path, tag); status != http.StatusNotModified || text != "" {
			c.Errorf("%s again: %d %.100s", path, status, text)
		}
	}
	all, next := c.changes(who, "$changes?patient=p1&_count=500")
	if !strings.Contains(all, "Condition/p1") || strings.Contains(all, "Condition/p2") {
		c.Errorf("the copy is %s", all)
	}
	c.put("Condition/p1", `"code":{"text":"Asma leve"},"subject":{"reference":"Patient/p1"}`)
	c.put("Condition/p2", `"code":{"text":"Gota leve"},"subject":{"reference":"Patient/p2"}`)
	some := ""
	eventually(c.T, "the change is pulled", func() bool {
		some, next = c.changes(who, next)
		return some != ""
	})
	if !strings.Contains(some, "Asma leve") || strings.Contains(some, "Gota") || strings.Count(some, `"fullUrl"`) > 3 {
		c.Errorf("pulled is %s", some)
	}
	if status, text := c.call(who, "GET", "$changes?patient=p2", ""); strings.Contains(text, "Gota") {
		c.Errorf("of another patient: %d %s", status, text)
	}
	c.pulling = next
}

// changes returns the entries of a page of changes as they came, "" for none, and where the
// next one is.
func (c *consulting) changes(who, path string) (entries, next string) {
	c.Helper()
	var page struct {
		Link  []struct{ Relation, URL string }
		Entry []json.RawMessage
	}
	if err := json.Unmarshal([]byte(c.must(http.StatusOK, who, "GET", path, "")), &page); err != nil {
		c.Fatal(err)
	}
	for _, e := range page.Entry {
		entries += string(e)
	}
	for _, l := range page.Link {
		if l.Relation == "next" {
			next = strings.TrimPrefix(l.URL, c.base+"/")
		}
	}
	return entries, next
}

// tagged asks for what has changed since a tag; "" for all.
func (c *consulting) tagged(who, path, tag string) (status int, text, now string) {
	c.Helper()
	req, err := http.NewRequest(http.MethodGet, c.base+"/"+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.as(who))
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header.Get("ETag")
}

// spreads has the patient come to another server of the same database, which is killed then.
func (c *consulting) spreads(room entrance, doctor, patient *visitGuest) {
	c.Helper()
	if len(c.where) < 4 { // SQLite has one server
		return
	}
	first := c.p
	second := startGuarded(c.T, append([]string{"--listen", freePort(c.T)}, c.where...)...)
	there := func(p *process, g *visitGuest) {
		c.p = p
		*g = *c.enter(room.room, object{"secret": g.secret}).welcome2(g.secret)
		c.p = first
	}
	old := *patient
	there(second, patient)
	if old.hear("never") != nil || old.closed != websocket.StatusCode(4409) {
		c.Errorf("the window at the first server ends with %d", old.closed)
	}
	for i := range 20 {
		doctor.say(object{"type": "signal", "to": patient.seat, "signal": object{"n": i}})
		if m := patient.hear("signal"); m == nil || fmt.Sprint(m["signal"]) != fmt.Sprintf("map[n:%d]", i) {
			c.Fatalf("signal %d arrives at the other server as %v", i, m)
		}
	}
	patient.say(object{"type": "signal", "to": doctor.seat, "signal": object{"answer": 1}})
	if m := doctor.hear("signal"); m == nil || m["from"] != patient.seat {
		c.Errorf("the answer arrives as %v", m)
	}
	second.kill()
	began := time.Now()
	there(first, patient)
	doctor.say(object{"type": "signal", "to": patient.seat, "signal": object{"n": "back"}})
	if patient.hear("signal") == nil {
		c.Error("after the other server was killed nothing arrives")
	}
	c.Logf("after a server was killed the patient was back at another one in %s", time.Since(began))
}
