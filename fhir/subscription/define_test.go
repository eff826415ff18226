package subscription_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/subscription"
)

// TestRefused: what is wrong with a Subscription is said, by rule and element, and nothing
// is written.
func TestRefused(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	good := asked{topic: "alert", endpoint: "https://example.org/x", content: "id-only"}.json()
	for name, c := range map[string]struct{ from, to, rule string }{
		"status":         {`"status":"requested"`, `"status":"active"`, "subscription-status"},
		"topic":          {`/alert"`, `/alarm"`, "subscription-topic"},
		"filter":         {`"status":`, filtered("Flag?code=x"), "subscription-filter"},
		"other type":     {`"status":`, filtered("Patient?gender=female"), "subscription-filter"},
		"chain":          {`"status":`, filtered("Flag?patient.name=x"), "subscription-filter"},
		"reverse":        {`"status":`, filtered("Flag?_has:Task:focus:code=x"), "subscription-filter"},
		"empty filter":   {`"status":`, filtered("Flag?"), "subscription-filter"},
		"value":          {`"status":`, filtered("Task?status:in=x"), "subscription-filter"},
		"channel":        {"rest-hook", "email", "subscription-channel"},
		"payload":        {`"payload":"application/fhir+json"`, `"payload":"application/fhir+xml"`, "subscription-payload"},
		"content":        {"id-only", "everything", "subscription-content"},
		"heartbeat":      {`"payload":`, extended("backport-heartbeat-period", "valueUnsignedInt", "3"), "subscription-heartbeat-period"},
		"timeout":        {`"payload":`, extended("backport-timeout", "valueUnsignedInt", "90"), "subscription-timeout"},
		"max-count":      {`"payload":`, extended("backport-max-count", "valuePositiveInt", "2.5"), "primitive-format"},
		"header":         {`"payload":`, `"header":["no colon"],"payload":`, "subscription-header"},
		"reserved":       {`"payload":`, `"header":["Host: x"],"payload":`, "subscription-header"},
		"split":          {`"payload":`, `"header":["X: a\nHost: b"],"payload":`, "subscription-header"},
		"forged":         {`"payload":`, `"header":["X: sealed:v1:AAAA"],"payload":`, "subscription-header"},
		"http":           {"https://example.org/x", "http://example.org/x", "subscription-endpoint"},
		"metadata":       {"https://example.org/x", "https://169.254.169.254/latest", "subscription-endpoint"},
		"private":        {"https://example.org/x", "https://10.1.2.3/", "subscription-endpoint"},
		"mapped":         {"https://example.org/x", "https://[::ffff:10.0.0.1]/", "subscription-endpoint"},
		"nat64":          {"https://example.org/x", "https://[64:ff9b::a00:1]/", "subscription-endpoint"},
		"octal":          {"https://example.org/x", "https://0177.0.0.1/", "subscription-endpoint"},
		"one number":     {"https://example.org/x", "https://2130706433/", "subscription-endpoint"},
		"with user":      {"https://example.org/x", "https://a:b@example.org/", "subscription-endpoint"},
		"file":           {"https://example.org/x", "file:///etc/passwd", "subscription-endpoint"},
		"end":            {`"status":`, `"end":"2030-01-01","status":`, ""},
		"socket with it": {"rest-hook", "websocket", "subscription-endpoint"},
	} {
		if !strings.Contains(good, c.from) {
			t.Fatalf("%s: %s", name, good)
		}
		status, body := w.do("clinic", "POST", "/Subscription", strings.Replace(good, c.from, c.to, 1))
		if status != 422 && status != 400 || !strings.Contains(string(body), c.rule) || !strings.Contains(string(body), "Subscription.") {
			t.Errorf("%s: %d %s, want the rule %s", name, status, body, c.rule)
		}
	}
	if _, body := w.do("clinic", "GET", "/Subscription?_summary=count", ""); !strings.Contains(string(body), `"total":0`) {
		t.Errorf("something was written: %s", body)
	}
	if status, _ := w.do("analyst", "POST", "/Subscription", good); status != 403 {
		t.Errorf("a role without the right makes one: %d", status)
	}
}

func filtered(text string) string {
	return `"_criteria":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"` + text + `"}]},"status":`
}

func extended(name, value, n string) string {
	return `"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/` + name + `","` + value + `":` + n + `}],"payload":`
}

// TestOwner: a Subscription stays that of who made it, and its header stays with its
// endpoint.
func TestOwner(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	e, thief := newEndpoint(t), newEndpoint(t)
	id := w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL, header: "Authorization: Bearer SECRETO"})
	_, body := w.do("clinic", "GET", "/Subscription/"+id, "")
	stored := string(body)
	if strings.Contains(stored, "SECRETO") {
		t.Fatalf("the header is shown: %s", stored)
	}
	if status, body := w.do("system", "PUT", "/Subscription/"+id, strings.Replace(stored, e.web.URL, thief.web.URL, 1)); status != 403 {
		t.Errorf("another redirects it: %d %s", status, body)
	}
	if status, body := w.do("clinic", "PUT", "/Subscription/"+id, strings.Replace(stored, e.web.URL, thief.web.URL, 1)); status != 422 || !strings.Contains(string(body), "subscription-header") {
		t.Errorf("a header goes to another endpoint: %d %s", status, body)
	}
	// A copy with the owner and the header of another.
	copied := strings.Replace(strings.Replace(stored, `"id":"`+id+`"`, `"id":"copy"`, 1), `"status":"active"`, `"status":"requested"`, 1)
	if status, body := w.do("system", "PUT", "/Subscription/copy", copied); status != 422 {
		t.Errorf("a copy takes the header along: %d %s", status, body)
	}
	// As it was read, changed and written back: the header is still good, and is sent.
	if status, body := w.do("clinic", "PUT", "/Subscription/"+id, strings.Replace(stored, `"reason":"x"`, `"reason":"y"`, 1)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	w.until(id, "active")
	w.put("system", flag("f1", "p1", 1))
	e.has("Flag/f1")
	e.mu.Lock()
	if got := e.all[len(e.all)-1].header.Get("Authorization"); got != "Bearer SECRETO" {
		t.Errorf("the header is %q", got)
	}
	e.mu.Unlock()
	if status, _ := w.do("system", "PUT", "/Subscription/"+id, strings.Replace(stored, `"status":"active"`, `"status":"off"`, 1)); status != 200 {
		t.Errorf("who may change all cannot put it to off: %d", status)
	}
	w.until(id, "off")
	if thief.called() > 0 {
		t.Error("something was sent elsewhere")
	}
}

// An account has so many Subscriptions and no more, even where it makes them at once.
func TestTooMany(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	asking := asked{topic: "alert", endpoint: newEndpoint(t).web.URL}
	w.subscribe("clinic", asking)
	many := func(n int) string {
		one := `{"resource":` + asking.json() + `,"request":{"method":"POST","url":"Subscription"}}`
		return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
	}
	if status, body := w.do("clinic", "POST", "", many(2000)); status != 429 {
		t.Errorf("too many: %d %.300s", status, body)
	}
	if status, body := w.do("clinic", "POST", "", many(2)); status != 200 {
		t.Errorf("some more: %d %.300s", status, body)
	}
	if _, body := w.do("clinic", "GET", "/Subscription?_summary=count", ""); !strings.Contains(string(body), `"total":3`) {
		t.Errorf("there are %s", body)
	}
}

// TestSocket: a websocket is sent what happens; one that comes again is sent what it missed.
func TestSocket(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		id := w.subscribe("patient", asked{topic: "alert"})
		if status, _ := w.do("system", "GET", "/Subscription/"+id+"/$get-ws-binding-token", ""); status != 403 {
			t.Errorf("another gets a token: %d", status)
		}
		c := w.socket("patient", id)
		if n := c.next(); n.typ != "handshake" {
			t.Fatalf("it begins with %s", n.raw)
		}
		w.put("system", flag("f1", "p1", 1))
		if n := c.next(); n.typ != "event-notification" || n.events[0].focus != "Flag/f1" || text(n.events[0]) != "aviso 1" {
			t.Fatalf("it was sent %s", n.raw)
		}
		c.conn.CloseNow()
		w.put("system", flag("f2", "p2", 1))
		w.put("system", flag("f3", "p1", 1))
		w.put("system", flag("f4", "p1", 1))
		c = w.socket("patient", id)
		var refs []string
		for len(refs) == 0 || refs[len(refs)-1] != "Flag/f4" {
			for _, e := range c.next().events {
				refs = append(refs, e.focus)
			}
		}
		if got := strings.TrimPrefix(strings.Join(refs, " "), "Flag/f1 "); got != "Flag/f3 Flag/f4" {
			t.Errorf("it was sent %s", got)
		}
		w.alter("patient", nil)
		w.put("system", flag("f5", "p1", 1))
		if m := <-c.in; websocket.CloseStatus(m.err) != 4401 {
			t.Errorf("somebody without an account goes on: %v", m.err)
		}
	})
}

type socket struct {
	w    *world
	conn *websocket.Conn
	in   chan message
}

type message struct {
	from *socket
	text []byte
	err  error
}

// newSocket reads what comes all the time, so that pings are answered however long the test
// looks elsewhere; it is told apart in the order in which it came.
func newSocket(w *world, conn *websocket.Conn) *socket {
	s := &socket{w, conn, make(chan message, 100)}
	go func() {
		for {
			_, text, err := conn.Read(context.Background())
			if s.in <- (message{s, text, err}); err != nil {
				return
			}
		}
	}()
	return s
}

// socket opens a websocket, and tries that its token is good once.
func (w *world) socket(who, id string) *socket {
	status, body := w.do(who, "GET", "/Subscription/"+id+"/$get-ws-binding-token", "")
	var p struct {
		Parameter []struct{ Name, ValueString, ValueUrl string }
	}
	if status != 200 || json.Unmarshal(body, &p) != nil {
		w.t.Fatalf("%d %s", status, body)
	}
	token, url := "", ""
	for _, one := range p.Parameter {
		switch one.Name {
		case "token":
			token = one.ValueString
		case "websocket-url":
			url = one.ValueUrl
		}
	}
	var all []*socket
	for range 2 {
		c, _, err := websocket.Dial(w.t.Context(), url, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		c.SetReadLimit(1 << 20)
		w.t.Cleanup(func() { c.CloseNow() })
		if err := c.Write(w.t.Context(), websocket.MessageText, []byte("bind-with-token "+token)); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, newSocket(w, c))
	}
	// One of the two is let in.
	return all[0].orElse(all[1])
}

// orElse returns the one of two that is let in.
func (s *socket) orElse(o *socket) *socket {
	a, b := <-s.in, <-o.in
	if (a.err == nil) == (b.err == nil) {
		s.w.t.Fatalf("a token is good twice, or never: %v, %v", a.err, b.err)
	}
	in := a
	if a.err != nil {
		in = b
	}
	n, err := read(in.text)
	if err != nil || n.typ != "handshake" {
		s.w.t.Fatalf("%s %v", in.text, err)
	}
	in.from.w.greeting = &n
	return in.from
}

// next returns the next message.
func (s *socket) next() notice {
	s.w.t.Helper()
	if n := s.w.greeting; n != nil {
		s.w.greeting = nil
		return *n
	}
	m := <-s.in
	if m.err != nil {
		s.w.t.Fatal(m.err)
	}
	n, err := read(m.text)
	if err != nil {
		s.w.t.Fatal(err)
	}
	return n
}

// FuzzSubscription: whatever is sent as one is refused or served; nothing private is ever
// an endpoint.
func FuzzSubscription(f *testing.F) {
	for _, s := range []string{"Flag?patient=Patient/p1", "?", "Flag?_id=a,b&status:not=active", "Task?_has:x:y=z", "Flag?patient=Patient/p1&patient:missing=true", "%00", "Flag?date=ap2020", "a=b\x00", "Flag?patient:Patient._id=1", "&&&", strings.Repeat("status=a&", 300)} {
		f.Add(s, "https://example.org/")
	}
	for _, u := range []string{"http://127.0.0.1", "https://[fe80::1%25eth0]/", "https://0x7f000001/", "https://localhost./", "https://example.org:22/", "https://10.0.0.1./", "javascript:x", "https://\\169.254.169.254", "https://①⑥⑨.254.169.254/"} {
		f.Add("Flag?patient=Patient/p1", u)
	}
	svc := subscription.New(f.Context(), subscription.Config{Topics: subscription.Topics(), Base: "http://a/fhir", Key: make([]byte, 32)})
	f.Fuzz(func(t *testing.T, filter, endpoint string) {
		raw, err := json.Marshal(map[string]any{
			"resourceType": "Subscription", "status": "requested", "criteria": "https://github.com/amate-health/amate/fhir/SubscriptionTopic/alert",
			"_criteria": map[string]any{"extension": []any{map[string]any{"url": "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria", "valueString": filter}}},
			"channel":   map[string]any{"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json"},
		})
		if err != nil {
			t.Skip()
		}
		err = svc.Check(fhir.Ref{Type: "Subscription", ID: "x"}, raw)
		if err == nil && !strings.HasPrefix(strings.ToLower(endpoint), "https://") {
			t.Errorf("%q is taken", endpoint)
		}
		if err != nil && fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("%q %q: %v", filter, endpoint, err)
		}
	})
}
