package subscription_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/subscription"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

type engine interface {
	rest.Store
	authz.State
	Feed() *store.Feed
}

var engines = map[string]func(testing.TB) engine{
	"sqlite": func(t testing.TB) engine {
		s, err := sqlite.Open(t.Context(), t.TempDir()+"/amate.db", sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
	"postgres": func(t testing.TB) engine {
		s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

// both runs a test on both engines.
func both(t *testing.T, f func(t *testing.T, w *world)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, open(t)))
		})
	}
}

// people are who there is at the beginning. Each is chosen by a header.
func people() map[string]*authz.Principal {
	return map[string]*authz.Principal{
		"system":    {ID: "system", Roles: []string{"system"}, Scopes: []string{"system/*.cruds"}, Purpose: "TREAT"},
		"clinician": {ID: "clinician", Roles: []string{"clinician"}, Scopes: []string{"user/*.cruds"}, Purpose: "TREAT", Org: "CLUES0"},
		"clinic":    {ID: "clinic", Roles: []string{"clinic-system"}, Scopes: []string{"system/*.cruds"}, Purpose: "TREAT", Org: "CLUES0"},
		"analyst":   {ID: "analyst", Roles: []string{"analyst"}, Scopes: []string{"system/*.cruds"}, Purpose: "HRESCH"},
		"patient":   {ID: "patient", Roles: []string{"patient"}, Scopes: []string{"patient/*.cruds"}, Purpose: "PATRQT", Patient: "p1", User: fhir.Ref{Type: "Patient", ID: "p1"}},
	}
}

// world is a database with the servers on it.
type world struct {
	t      testing.TB
	engine engine
	clock  *clock

	mu     sync.Mutex
	people map[string]*authz.Principal
	seen   []subscription.Sent
	change func(*subscription.Config) // before a server begins

	greeting *notice // of a websocket, not looked at yet

	*server // the first
}

// server is one process.
type server struct {
	w     *world
	url   string
	svc   *subscription.Service
	guard *authz.Guard
	api   *rest.API
	stop  func()
}

func newWorld(t testing.TB, s engine) *world {
	w := &world{t: t, engine: s, clock: newClock(), people: people()}
	s.Feed().Pause(5 * time.Millisecond)
	w.server = w.serve()
	w.put("system", `{"resourceType":"Patient","id":"p1","name":[{"family":"Uno"}]}`)
	w.put("system", `{"resourceType":"Patient","id":"p2","name":[{"family":"Dos"}]}`)
	return w
}

// heeded tells the guard of what is written, and completes Subscriptions.
type heeded struct {
	engine
	s *server
}

func (h *heeded) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := h.engine.Apply(ctx, h.s.svc.Batch(ctx, b))
	for i := range results {
		h.s.guard.Written(&results[i].Resource)
	}
	return results, err
}

// serve begins a server.
func (w *world) serve() *server {
	router := chi.NewRouter()
	s := &server{w: w}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == subscription.SocketPath {
			s.svc.ServeHTTP(rw, r)
			return
		}
		if p := w.person(r.Header.Get("X-Who")); p != nil {
			r = r.WithContext(p.With(r.Context()))
		}
		router.ServeHTTP(rw, r)
	}))
	s.url = web.URL + "/fhir"
	s.guard = authz.NewGuard(authz.GuardConfig{Store: w.engine, Base: s.url, Seen: w.engine.Feed().Seen, Now: w.clock.Now})
	h := &heeded{w.engine, s}
	ctx, cancel := context.WithCancel(context.Background())
	cfg := subscription.Config{
		Store: w.engine, Shown: w.engine.Search, Changes: w.engine.Feed(), Other: store.ErrOtherHistory, Access: w, Apply: h.Apply, Base: s.url, Key: bytes.Repeat([]byte{1}, 32),
		Topics: subscription.Topics(), Reach: subscription.Reach{Loopback: true}, Now: w.clock.Now, After: w.clock.After,
		Index: func(r *fhir.Resource) (search.Index, error) {
			d, err := element.Parse(r.JSON)
			if err != nil {
				return search.Index{}, err
			}
			return search.Extract(d, 0, s.url)
		},
		Send: func(ctx context.Context, b []byte) ([]byte, error) {
			resp, err := s.api.Do(ctx, &rest.Request{Interaction: rest.Batch, Body: b, Media: "application/fhir+json"})
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		},
		Observe: func(e subscription.Sent) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, e)
		},
	}
	if w.change != nil {
		w.change(&cfg)
	}
	s.svc = subscription.New(ctx, cfg)
	var err error
	s.api, err = rest.New(rest.Config{Store: h, State: w.engine, Guard: s.guard, BaseURL: s.url, CursorKey: bytes.Repeat([]byte{2}, 32), Operations: s.svc.Operations()})
	if err != nil {
		w.t.Fatal(err)
	}
	s.api.Mount(router)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.svc.Run(ctx)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		web.CloseClientConnections()
		web.Close()
	})
	w.t.Cleanup(s.stop)
	return s
}

func (w *world) person(id string) *authz.Principal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.people[id]
}

// alter changes what somebody may do; nil removes them.
func (w *world) alter(id string, p *authz.Principal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.people[id] = p
}

// Owner implements subscription.Access.
func (w *world) Owner(ctx context.Context) ([]byte, string, error) {
	p := authz.From(ctx)
	return []byte(p.ID), p.ID, nil
}

// As implements subscription.Access.
func (w *world) As(ctx context.Context, owner []byte) (context.Context, string, error) {
	p := w.person(string(owner))
	if p == nil {
		return ctx, "", subscription.ErrRevoked
	}
	return p.With(ctx), fmt.Sprint(p.Roles, p.Patient), nil
}

// Bound implements subscription.Access.
func (w *world) Bound(owner []byte) string {
	if p := w.person(string(owner)); p != nil && strings.HasPrefix(p.Scopes[0], "patient/") {
		return p.Patient
	}
	return ""
}

func (s *server) do(who, method, url, body string) (int, []byte) {
	s.w.t.Helper()
	if !strings.HasPrefix(url, "http") {
		url = s.url + url
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		s.w.t.Fatal(err)
	}
	req.Header.Set("X-Who", who)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.w.t.Errorf("%s %s: %v", method, url, err)
		return 0, nil
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		s.w.t.Error(err)
	}
	return resp.StatusCode, out
}

// put writes a resource at its id.
func (s *server) put(who, resource string) {
	s.w.t.Helper()
	var r struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(resource), &r); err != nil {
		s.w.t.Fatalf("%s: %v", resource, err)
	}
	if status, body := s.do(who, "PUT", "/"+r.ResourceType+"/"+r.ID, resource); status >= 300 {
		s.w.t.Fatalf("PUT %s: %d %s", resource, status, body)
	}
}

// asked is a Subscription to be written.
type asked struct {
	topic, filter, endpoint, content, more, header string
	id                                             string
	count                                          int
}

func (a asked) json() string {
	filter, channel, id := "", `"type":"websocket"`, ""
	if a.filter != "" {
		filter = fmt.Sprintf(`"_criteria":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":%q}]},`, a.filter)
	}
	if a.endpoint != "" {
		channel = fmt.Sprintf(`"type":"rest-hook","endpoint":%q`, a.endpoint)
	}
	if a.header != "" {
		channel += fmt.Sprintf(`,"header":[%q]`, a.header)
	}
	if a.count > 0 {
		channel += fmt.Sprintf(`,"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-max-count","valuePositiveInt":%d}]`, a.count)
	}
	if a.content == "" {
		a.content = "full-resource"
	}
	if a.id != "" {
		id = fmt.Sprintf(`"id":%q,`, a.id)
	}
	return fmt.Sprintf(`{"resourceType":"Subscription",%s%s%s"status":"requested","reason":"x","criteria":"https://github.com/amate-health/amate/fhir/SubscriptionTopic/%s",
	"channel":{%s,"payload":"application/fhir+json","_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":%q}]}}}`,
		id, a.more, filter, a.topic, channel, a.content)
}

// subscribe writes a Subscription, and waits until it is active.
func (s *server) subscribe(who string, a asked) (id string) {
	s.w.t.Helper()
	status, body := s.do(who, "POST", "/Subscription", a.json())
	var r struct{ ID string }
	if status != 201 || json.Unmarshal(body, &r) != nil {
		s.w.t.Fatalf("POST Subscription: %d %s", status, body)
	}
	s.until(r.ID, "active")
	return r.ID
}

// until waits until a Subscription has a status.
func (s *server) until(id, status string) {
	s.w.t.Helper()
	last := ""
	if !eventually(func() bool { last = s.w.status(id); return last == status }) {
		s.w.t.Fatalf("Subscription/%s is %s, want %s", id, last, status)
	}
}

func (w *world) status(id string) string {
	r, err := w.engine.Read(context.Background(), fhir.Ref{Type: "Subscription", ID: id})
	if err != nil {
		return err.Error()
	}
	var s struct{ Status, Error string }
	_ = json.Unmarshal(r.JSON, &s)
	return s.Status
}

// eventually polls for a minute and a half.
func eventually(f func() bool) bool {
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return true
		}
	}
	return false
}

// notice is a notification as a subscriber reads it.
type notice struct {
	typ    string
	total  string
	events []told
	raw    string
	header http.Header
}

type told struct {
	number, focus string
	deleted       bool
	resource      map[string]any
}

func read(text []byte) (n notice, err error) {
	var b struct {
		Type  string
		Entry []struct {
			FullURL  string
			Resource json.RawMessage
			Request  struct{ Method string }
		}
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return n, err
	}
	if b.Type != "history" || len(b.Entry) == 0 {
		return n, fmt.Errorf("no notification: %s", text)
	}
	var p struct {
		Parameter []struct {
			Name                   string
			ValueCode, ValueString string
			Part                   []struct {
				Name, ValueString string
				ValueReference    struct{ Reference string }
			}
		}
	}
	if err := json.Unmarshal(b.Entry[0].Resource, &p); err != nil {
		return n, err
	}
	n.raw = string(text)
	for _, one := range p.Parameter {
		switch one.Name {
		case "type":
			n.typ = one.ValueCode
		case "events-since-subscription-start":
			n.total = one.ValueString
		case "notification-event":
			var t told
			for _, part := range one.Part {
				switch part.Name {
				case "event-number":
					t.number = part.ValueString
				case "focus":
					t.focus = part.ValueReference.Reference[strings.Index(part.ValueReference.Reference, "/fhir/")+6:]
				}
			}
			for _, e := range b.Entry[1:] {
				if strings.HasSuffix(e.FullURL, "/"+t.focus) {
					t.deleted = e.Request.Method == "DELETE"
					if len(e.Resource) > 0 {
						if err := json.Unmarshal(e.Resource, &t.resource); err != nil {
							return n, err
						}
					}
				}
			}
			n.events = append(n.events, t)
		}
	}
	return n, nil
}

// endpoint is a subscriber's server.
type endpoint struct {
	t   testing.TB
	web *httptest.Server

	mu    sync.Mutex
	all   []notice
	down  bool
	calls int
	hang  chan struct{}
}

func newEndpoint(t testing.TB) *endpoint {
	e := &endpoint{t: t}
	e.web = httptest.NewServer(e)
	t.Cleanup(e.web.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.calls++
	hang, down := e.hang, e.down
	e.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return
	}
	if down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	n, err := read(body)
	if err != nil {
		e.t.Error(err)
	}
	n.header = r.Header
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, n)
}

func (e *endpoint) set(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// events returns what has come, in the order in which it did.
func (e *endpoint) events() (all []told) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.all {
		all = append(all, n.events...)
	}
	return all
}

// has waits for events of these resources, in any order, each at least once.
func (e *endpoint) has(refs ...string) []told {
	e.t.Helper()
	var got []told
	ok := eventually(func() bool {
		got = e.events()
		return !slices.ContainsFunc(refs, func(ref string) bool {
			return !slices.ContainsFunc(got, func(t told) bool { return t.focus == ref })
		})
	})
	if !ok {
		e.t.Fatalf("it was told of %v, want %v", got, refs)
	}
	return got
}

// clock is the time of a world, which is moved on by hand. Waits of up to a second are real.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	waits  map[chan time.Time]time.Time
}

func newClock() *clock { return &clock{waits: map[chan time.Time]time.Time{}} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(chan time.Time, 1)
	c.waits[out] = time.Now().Add(c.offset + d)
	time.AfterFunc(d, func() { c.fire() })
	return out
}

func (c *clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Add(c.offset)
	for w, at := range c.waits {
		if !at.After(now) {
			w <- now
			delete(c.waits, w)
		}
	}
}

// advance moves the clock on.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.offset += d
	c.mu.Unlock()
	c.fire()
}
