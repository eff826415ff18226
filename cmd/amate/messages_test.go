package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/message/mllp"
	"github.com/amate-health/amate/store/storetest"
)

// clinic is a server that takes messages, and where.
type clinic struct {
	*process
	mllp  string
	where []string
}

// messageStores are where messages go in a test: both engines.
func messageStores(t *testing.T, f func(t *testing.T, where []string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, []string{"--data", t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { f(t, []string{"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)}) })
}

// mustRun runs a command that must succeed.
func mustRun(t testing.TB, where []string, args ...string) string {
	t.Helper()
	status, out, errs := amate(append(args, where...)...)
	if status != exitDone {
		t.Fatalf("amate %s: %d %s", strings.Join(args, " "), status, errs)
	}
	return out
}

// registerSender registers an app, a system of a clinic, and a sender that writes as it.
func registerSender(t testing.TB, where []string, name, scopes, more string) {
	t.Helper()
	registerSenderAs(t, where, "clinic-system", name, scopes, more)
}

func registerSenderAs(t testing.TB, where []string, role, name, scopes, more string) {
	t.Helper()
	mustRun(t, where, "client", "add", name, "--role", role, "--scope", scopes)
	file := filepath.Join(t.TempDir(), name+".yaml")
	text := fmt.Sprintf("name: %s\nclient: %s\nnetworks: [127.0.0.1]\napplications: [{application: %s}]\n%s", name, name, strings.ToUpper(name), more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, where, "message", "sender", "add", file)
}

// freePort returns an address that nothing listens on, nor will: its port is none of those
// that machines give to whoever wants any, so that a server finds it free again after it was
// killed.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		defer ln.Close()
		if _, taken := takenPorts.LoadOrStore(ln.Addr().String(), true); !taken {
			return ln.Addr().String()
		}
	}
	t.Fatal("there is no free port")
	return ""
}

var takenPorts sync.Map // those that other tests were given

// startClinic starts a server with access control that knows the sender lab.
func startClinic(t testing.TB, where []string) *clinic {
	t.Helper()
	c := &clinic{mllp: freePort(t), where: where}
	c.process = startGuarded(t, append([]string{"--mllp-listen", c.mllp}, where...)...)
	return c
}

// wire is a connection over which messages go.
type wire struct {
	t testing.TB
	net.Conn
	in *mllp.Reader
}

func (c *clinic) dial(t testing.TB) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", c.mllp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return &wire{t, conn, mllp.NewReader(conn, 1<<20)}
}

func (l *wire) send(messages ...string) {
	l.t.Helper()
	var b []byte
	for _, m := range messages {
		b = mllp.Append(b, []byte(m))
	}
	if _, err := l.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

func (l *wire) answer() string {
	l.t.Helper()
	b, err := l.in.Next()
	if err != nil {
		l.t.Fatal(err)
	}
	return string(b)
}

// ask sends a message and returns its acknowledgment, which must have a code.
func (l *wire) ask(code, message string) string {
	l.t.Helper()
	l.send(message)
	answer := l.answer()
	if !strings.Contains(answer, "\rMSA|"+code+"|") {
		l.t.Errorf("the answer is %q, want %s", answer, code)
	}
	return answer
}

// oru is a result: of patient n, under a control id and an order, with a value.
func oru(app, control string, n int, order, value string) string {
	return fmt.Sprintf("MSH|^~\\&|%s|H1|AMATE|SSA|20261120101500||ORU^R01^ORU_R01|%s|P|2.5.1\r"+
		"PID|1||E%06d^^^H1^MR||PÉREZ^JUAN||19850315|M\r"+
		"ORC|RE|P%s|%s||CM\r"+
		"OBR|1|P%s|%s|BH^Biometría hemática^L|||20261120100000|||||||||||||||20261120101400||HM|F\r"+
		"OBX|1|NM|718-7^Hemoglobina^LN||%s|g/dL|12.0-16.0|N|||F|||20261120100000\r"+
		"OBX|2|NM|6690-2^Leucocitos^LN||7.2|10*3/uL|4-10|N|||F\r"+
		"OBX|3|NM|777-3^Plaquetas^LN||250|10*3/uL|150-400|N|||F\r"+
		"OBX|4|NM|4544-3^Hematocrito^LN||41.0|%%|36-46|N|||F\r"+
		"OBX|5|ST|OBS^Observaciones^L||Muestra adecuada||||||F\r", app, control, n, order, order, order, order, value)
}

func adt(event, control, identifiers, pv1, more string) string {
	return fmt.Sprintf("MSH|^~\\&|LAB|H1|AMATE|SSA|20261120101500||ADT^%s|%s|P|2.4\rEVN|%s|20261120\rPID|1||%s||PÉREZ^JUAN||19850315|M\r%s%s", event, control, event, identifiers, pv1, more)
}

// found searches, and returns the resources.
func (c *clinic) found(t testing.TB, token, query string) []map[string]any {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.base+"/"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b struct {
		Entry []struct{ Resource map[string]any }
	}
	if err := json.NewDecoder(res.Body).Decode(&b); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", query, res.StatusCode, err)
	}
	var all []map[string]any
	for _, e := range b.Entry {
		all = append(all, e.Resource)
	}
	return all
}

// versionsOf returns the versions that resources have, joined.
func versionsOf(all []map[string]any) string {
	var out []string
	for _, r := range all {
		out = append(out, r["meta"].(map[string]any)["versionId"].(string))
	}
	return strings.Join(out, " ")
}

func (c *clinic) token(t testing.TB, role string) string {
	t.Helper()
	return strings.TrimSpace(mustRun(t, c.where, "token", "--role", role))
}

const everyScope = "system/*.cruds"

// TestMessages sends what a clinic sends, over a socket: results and their correction,
// the same again, another under the same id, and what cannot be understood.
func TestMessages(t *testing.T) {
	t.Parallel()
	messageStores(t, func(t *testing.T, where []string) {
		registerSender(t, where, "lab", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		c := startClinic(t, where)
		token := c.token(t, "system")
		l := c.dial(t)
		first := l.ask("AA", oru("LAB", "1", 1, "F1", "13.5"))
		if again := c.dial(t).ask("AA", oru("LAB", "1", 1, "F1", "13.5")); again != first {
			t.Errorf("the same again: %q after %q", again, first)
		}
		is := func(query, want string) {
			t.Helper()
			if got := versionsOf(c.found(t, token, query)); got != want {
				t.Errorf("%s has versions %q, want %q", query, got, want)
			}
		}
		is("Observation?patient.identifier=urn:h1|E000001", "1 1 1 1 1")
		is("DiagnosticReport", "1")
		is("Patient", "1")
		if answer := l.ask("AR", oru("LAB", "1", 1, "F1", "9")); !strings.Contains(answer, "205^") {
			t.Errorf("another one under the same id: %q", answer)
		}
		l.ask("AA", strings.ReplaceAll(oru("LAB", "2", 1, "F1", "13.9"), "|||F", "|||C"))
		is("Observation?code=718-7", "2")
		if got := c.found(t, token, "Observation?code=718-7")[0]["status"]; got != "corrected" {
			t.Errorf("the corrected one is %v", got)
		}
		for _, wrong := range []string{"hola", "MSH|^~\\&|LAB\rPID|1\r", oru("OTRO", "9", 1, "F9", "1"), strings.Replace(oru("LAB", "8", 1, "F9", "1"), "ORU^R01", "ORU^R77", 1)} {
			l.send(wrong)
			if answer := l.answer(); !strings.Contains(answer, "MSA|A") || strings.Contains(answer, "MSA|AA") {
				t.Errorf("%.30q is answered with %q", wrong, answer)
			}
		}
		is("Observation", "2 2 2 2 2")
		p := strings.Replace(oru("LAB", "3", 1, "F2", "1"), "|P|2.5.1", "|P|2.5.1|||AL|AL", 1)
		if commit := l.ask("CA", p); strings.Contains(commit, "ERR") {
			t.Errorf("the commit is %q", commit)
		}
		if answer := l.answer(); !strings.Contains(answer, "MSA|AA|3") {
			t.Errorf("the application answers %q", answer)
		}
		c.terminate(t)
		if log := signed.ReplaceAllString(c.log.String(), ""); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "REZ") || strings.Contains(log, "E000001") {
			t.Errorf("the log: %s", log)
		}
	})
}

// signed are signatures in a log, in whose letters any three may follow one another.
var signed = regexp.MustCompile(`"signed":"[^"]*"`)

// TestVisits follows a patient through a clinic, and merges two records of them.
func TestVisits(t *testing.T) {
	t.Parallel()
	messageStores(t, func(t *testing.T, where []string) {
		registerSender(t, where, "lab", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		c := startClinic(t, where)
		token := c.token(t, "system")
		l := c.dial(t)
		pv1 := func(end string) string {
			return "PV1|1|I|PISO1^2^3||||D1^RUIZ^EVA|||||||||||V1|||||||||||||||||||||||||20261120080000-0600|" + end + "\r"
		}
		l.ask("AA", adt("A01", "1", "M1^^^H1", strings.Replace(pv1(""), "|V1|", "||V1|", 1), ""))
		encounter := c.found(t, token, "Encounter?identifier=V1")
		if len(encounter) != 1 || encounter[0]["status"] != "in-progress" {
			t.Fatalf("the encounter is %v", encounter)
		}
		l.ask("AA", adt("A03", "2", "M1^^^H1", strings.Replace(pv1("20261121080000-0600"), "|V1|", "||V1|", 1), ""))
		encounter = c.found(t, token, "Encounter?identifier=V1")
		if len(encounter) != 1 || encounter[0]["status"] != "finished" || fmt.Sprint(encounter[0]["period"]) != "map[end:2026-11-21T08:00:00-06:00 start:2026-11-20T08:00:00-06:00]" {
			t.Errorf("after discharge: %v", encounter)
		}
		l.ask("AA", strings.Replace(adt("A31", "3", "M1^^^H1~N7^^^IMSS", "", ""), "JUAN", "JUAN PABLO", 1))
		l.ask("AA", adt("A28", "4", "M2^^^H1", "", ""))
		if got := len(c.found(t, token, "Patient?identifier=urn:h1|M1&given=JUAN%20PABLO&active=true")); got != 1 {
			t.Errorf("%d patients have the new name", got)
		}
		l.ask("AE", adt("A40", "5", "M1^^^H1", "", "MRG|M99^^^H1\r"))
		l.ask("AA", adt("A40", "6", "M1^^^H1", "", "MRG|M2^^^H1\r"))
		prior := c.found(t, token, "Patient?identifier=urn:h1|M2")[0]
		survivor := c.found(t, token, "Patient?identifier=urn:h1|M1")[0]
		link, _ := json.Marshal(prior["link"])
		if prior["active"] != false || string(link) != fmt.Sprintf(`[{"other":{"reference":"Patient/%s"},"type":"replaced-by"}]`, survivor["id"]) {
			t.Errorf("the one who was merged is %v %s", prior["active"], link)
		}
		l.ask("AA", strings.Replace(oru("LAB", "7", 1, "F7", "1"), "E000001", "M2", 1))
		if got := len(c.found(t, token, "Observation?patient="+survivor["id"].(string))); got != 5 {
			t.Errorf("%d results under the old number are with the one who is left", got)
		}
	})
}

// TestSenderRights: what a sender may not write, it does not; the message is kept, and
// written once the sender may. Nobody sees or replays dead letters who may not.
func TestSenderRights(t *testing.T) {
	t.Parallel()
	messageStores(t, func(t *testing.T, where []string) {
		registerSender(t, where, "lab", "system/Observation.cruds system/DiagnosticReport.cruds system/ServiceRequest.cruds system/Patient.rs", "")
		c := startClinic(t, where)
		l := c.dial(t)
		if answer := l.ask("AR", oru("LAB", "1", 1, "F1", "13.5")); !strings.Contains(answer, "may not") {
			t.Errorf("the refusal says %q", answer)
		}
		l.ask("AR", oru("LAB", "2", 1, "F1", "13.9"))
		token := c.token(t, "system")
		if n := len(c.found(t, token, "Observation")); n != 0 {
			t.Errorf("%d observations were written", n)
		}
		letters := func(want int) {
			t.Helper()
			list := mustRun(t, where, "message", "dead", "list")
			if got := strings.Count(list, "ORU^R01"); got != want || strings.Contains(list, "REZ") {
				t.Errorf("the dead letters are %s", list)
			}
		}
		letters(2)
		for _, role := range []string{"clinician", "analyst", "auditor", "patient"} {
			args := []string{"token", "--role", role}
			if role == "patient" {
				args = append(args, "--patient", "1")
			}
			other := strings.TrimSpace(mustRun(t, where, args...))
			if status, _ := fetch(t, c.base+"/$message-dead-letters", other); status != http.StatusForbidden {
				t.Errorf("a %s may list dead letters: %d", role, status)
			}
			if status, _ := c.post(t, c.base+"/$message-replay", other, "application/fhir+json", `{"resourceType":"Parameters"}`); status != http.StatusForbidden {
				t.Errorf("a %s may replay: %d", role, status)
			}
		}
		admin := strings.TrimSpace(mustRun(t, where, "token", "--role", "administrator", "--purpose", "HSYSADMIN"))
		if status, body := fetch(t, c.base+"/$message-dead-letters", admin); status != http.StatusOK || strings.Count(body, `"name":"control"`) != 2 || strings.Contains(body, "REZ") {
			t.Errorf("an administrator sees %d %s", status, body)
		}
		replay := func(want string) {
			t.Helper()
			status, body := c.post(t, c.base+"/$message-replay", admin, "application/fhir+json", `{"resourceType":"Parameters"}`)
			if status != http.StatusOK || strings.Count(body, `"valueString":"`+want+`"`) < 1 {
				t.Errorf("replay: %d %s, want %s", status, body, want)
			}
		}
		replay("held") // the second waits behind the first, which fails
		letters(2)
		mustRun(t, where, "client", "remove", "lab")
		registerSender(t, where, "lab", everyScope, "")
		replay("written")
		letters(0)
		if v := c.found(t, token, "Observation?code=718-7")[0]["valueQuantity"].(map[string]any)["value"]; v != 13.9 {
			t.Errorf("the last value is %v", v)
		}
	})
}

// post sends a body with a token.
func (c *clinic) post(t testing.TB, url, token, media, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// TestMessagesByHTTP: with a token, one message and a batch of them.
func TestMessagesByHTTP(t *testing.T) {
	t.Parallel()
	where := []string{"--data", t.TempDir()}
	registerSender(t, where, "lab", everyScope, "")
	c := startClinic(t, where)
	system := c.token(t, "system")
	read := strings.TrimSpace(mustRun(t, where, "token", "--role", "system", "--scope", "system/*.rs"))
	doctor := strings.TrimSpace(mustRun(t, where, "token", "--role", "clinician", "--user", "Practitioner/d"))
	patient := strings.TrimSpace(mustRun(t, where, "token", "--role", "patient", "--patient", "p"))
	const er7 = "application/hl7-v2; charset=utf-8"
	for name, of := range map[string]struct {
		token, media, body string
		status             int
		want               string
	}{
		"a message":      {system, er7, oru("X", "1", 1, "F1", "1"), 200, "MSA|AA|1\r"},
		"the old name":   {system, "x-application/hl7-v2+er7", oru("X", "1", 1, "F1", "1"), 200, "MSA|AA|1\r"},
		"without rights": {read, er7, oru("X", "2", 1, "F1", "1"), 400, "MSA|AR|2|"},
		"a wrong one":    {system, er7, strings.Replace(oru("X", "3", 1, "F1", "1"), "OBX|1|NM|718-7^Hemoglobina^LN", "OBX|1|NM|", 1), 500, "ERR||OBX^1^3|101^"},
		"without token":  {"", er7, oru("X", "4", 1, "F1", "1"), 401, "token"},
		"a doctor":       {doctor, er7, oru("X", "4", 1, "F1", "1"), 403, "systems"},
		"a patient":      {patient, er7, oru("X", "4", 1, "F1", "1"), 403, "systems"},
		"with another":   {"abc", er7, oru("X", "4", 1, "F1", "1"), 401, "token"},
		"another type":   {system, "text/plain", oru("X", "4", 1, "F1", "1"), 415, "Content-Type"},
		"a batch":        {system, er7, "BHS|^~\\&|X||||||||77\r" + oru("X", "5", 2, "F2", "1") + oru("X", "6", 3, "F3", "1") + "BTS|2\r", 200, "MSA|AA|6\rBTS|2\r"},
		"half a batch":   {system, er7, "BHS|^~\\&|X||||||||78\r" + oru("X", "7", 2, "F2", "1") + "BTS|2\r", 400, "BTS-1"},
	} {
		status, body := c.post(t, c.root("/hl7v2"), of.token, of.media, of.body)
		if status != of.status || !strings.Contains(body, of.want) {
			t.Errorf("%s: %d %q, want %d with %q", name, status, body, of.status, of.want)
		}
	}
	_, metrics := get(t, c.root("/metrics"))
	for _, outcome := range []string{"accepted", "repeated", "failed", "rejected"} {
		if line := fmt.Sprintf("amate_messages_total{outcome=%q} ", outcome); !strings.Contains(metrics, line) || outcome != "repeated" && strings.Contains(metrics, line+"0\n") {
			t.Errorf("/metrics does not count messages that were %s", outcome)
		}
	}
}

// TestMessagesSurviveKill: what was acknowledged is there, whenever the server is
// killed, and what a client sends again for lack of an answer is there once.
func TestMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	messageStores(t, func(t *testing.T, where []string) {
		registerSender(t, where, "lab", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		sent, acked := 0, map[int]bool{}
		for round := range 3 {
			c := startClinic(t, where)
			conn, err := net.Dial("tcp", c.mllp)
			if err != nil {
				t.Fatal(err)
			}
			var writing sync.WaitGroup
			from, to := max(0, sent-60), sent+4000 // some of them again
			writing.Go(func() {
				w := bufio.NewWriter(conn)
				for n := from; n < to; n++ {
					if _, err := w.Write(mllp.Append(nil, []byte(oru("LAB", fmt.Sprint("c", n), n%40, fmt.Sprint("F", n), fmt.Sprint(n))))); err != nil || w.Flush() != nil {
						return
					}
				}
			})
			in := mllp.NewReader(conn, 1<<20)
			left := 50 + rand.IntN(300) // answers until the kill
			for {
				answer, err := in.Next()
				if err != nil {
					break
				}
				if left--; left == 0 {
					go c.kill()
				}
				var n int
				_, tail, _ := bytes.Cut(answer, []byte("MSA|AA|c"))
				if _, err := fmt.Sscan(strings.TrimSpace(string(tail)), &n); err == nil {
					acked[n] = true
					sent = max(sent, n)
				}
			}
			conn.Close()
			writing.Wait()
			t.Logf("round %d: %d acknowledged", round, len(acked))
		}
		if len(acked) == 0 {
			t.Fatal("nothing was acknowledged")
		}
		c := startClinic(t, where)
		token := c.token(t, "system")
		for n := range acked {
			if n%7 == 0 { // each is a request
				if got := len(c.found(t, token, "DiagnosticReport?identifier=F"+fmt.Sprint(n))); got != 1 {
					t.Errorf("of order %d there are %d reports", n, got)
				}
			}
		}
		if got := len(c.found(t, token, "Patient?_count=100")); got > 40 {
			t.Errorf("there are %d patients instead of 40", got)
		}
	})
}

// TestStopAnswers: a server that stops answers what it has taken in.
func TestStopAnswers(t *testing.T) {
	t.Parallel()
	where := []string{"--data", t.TempDir()}
	registerSender(t, where, "lab", everyScope, "")
	c := startClinic(t, where)
	l := c.dial(t)
	l.ask("AA", oru("LAB", "0", 0, "before", "1"))
	for n := range 200 {
		l.send(oru("LAB", fmt.Sprint("s", n), n, fmt.Sprint("F", n), "1"))
	}
	l.answer()
	if err := c.terminate(t); err != nil {
		t.Errorf("it ended with %v", err)
	}
	answered := 1
	for {
		b, err := l.in.Next()
		if err != nil {
			break
		}
		if !strings.Contains(string(b), "MSA|AA|s") {
			t.Errorf("an answer is %q", b)
		}
		answered++
	}
	again := startClinic(t, where)
	token := again.token(t, "system")
	if got := len(again.found(t, token, "DiagnosticReport?_count=500")) - 1; got != answered {
		t.Errorf("%d messages were answered, and %d are stored", answered, got)
	}
}

// TestMLLPNeedsSenders: where nobody could be known, nothing listens.
func TestMLLPNeedsSenders(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var out, errs bytes.Buffer
	status := run(ctx, []string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--mllp-listen", "127.0.0.1:0"}, streams{out: &out, err: &errs})
	if status != exitUsage || !strings.Contains(errs.String(), "message sender add") {
		t.Errorf("status %d, %s", status, errs.String())
	}
}
