package smart

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
)

// records are the patients that a test server knows.
type records map[string]Patient

func (r records) Find(ctx context.Context, text string, _ int) (all []Patient, err error) {
	if !slices.Contains(authz.From(ctx).Roles, "clinician") {
		return nil, fhir.Errorf(fhir.Forbidden, "not yours")
	}
	for _, p := range r {
		if strings.Contains(strings.ToLower(p.Name), strings.ToLower(text)) {
			all = append(all, p)
		}
	}
	return all, nil
}

func (r records) Patient(ctx context.Context, id string) (Patient, error) {
	who := authz.From(ctx)
	p, ok := r[id]
	if !ok || !slices.Contains(who.Roles, "clinician") && who.Patient != id {
		return p, fhir.Errorf(fhir.NotFound, "there is no such patient")
	}
	return p, nil
}

func (r records) Encounter(_ context.Context, id string) (string, error) {
	if id == "e1" {
		return "p1", nil
	}
	return "", fhir.Errorf(fhir.NotFound, "there is no such encounter")
}

// house is a server that runs, with apps and people.
type house struct {
	*Server
	t     *testing.T
	web   *httptest.Server
	clock atomic.Int64 // microseconds

	mu   sync.Mutex
	made []Event // what was observed
}

// observed returns what has been observed, and forgets it.
func (h *house) observed() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.made
	h.made = nil
	return all
}

func (h *house) now() time.Time       { return time.UnixMicro(h.clock.Load()).UTC() }
func (h *house) pass(d time.Duration) { h.clock.Add(d.Microseconds()) }

const (
	secret   = "correct horse battery"
	callback = "https://app.example/callback"
)

// newState opens a store, in which entries are kept as they are in production.
func newState(t testing.TB, now func() time.Time) authz.State {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// signingKeys are the keys of every test server: to make an RSA key takes longer than
// most tests.
func signingKeys(t *testing.T) []fhir.Entry {
	t.Helper()
	made.Do(func() {
		noon := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
		state := newState(t, noon)
		_, err := token.OpenKeys(t.Context(), state, noon)
		if err != nil {
			t.Fatal(err)
		}
		if made.keys, err = state.Entries(t.Context(), "signing-key", "", "", 10); err != nil {
			t.Fatal(err)
		}
	})
	keys := slices.Clone(made.keys)
	for i := range keys {
		keys[i].Version = 0
	}
	return keys
}

var made struct {
	sync.Once
	keys []fhir.Entry
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t}
	h.clock.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	h.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	h.web.Start()
	t.Cleanup(h.web.Close)
	ctx := t.Context()
	state := newState(t, h.now)
	if err := state.Put(ctx, signingKeys(t)...); err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeys(ctx, state, h.now)
	if err != nil {
		t.Fatal(err)
	}
	revocations, err := token.OpenRevocations(ctx, state, h.now)
	if err != nil {
		t.Fatal(err)
	}
	minter := &token.Minter{Keys: keys, Issuer: h.web.URL, Audience: h.web.URL + "/fhir"}
	h.Server, err = New(Config{
		State: state, People: &people.Directory{State: state, Now: h.now}, Clients: &client.Registry{State: state, Now: h.now},
		Minter: minter, Verifier: token.NewVerifier(minter, revocations), Revocations: revocations,
		Key: []byte(strings.Repeat("k", 32)), Log: slog.New(slog.DiscardHandler), Now: h.now,
		Patients: records{"p1": {ID: "p1", Name: "Ana López", Born: "1990-01-01"}, "p2": {ID: "p2", Name: "Luis <b>Ruiz</b>"}},
		Observe: func(_ context.Context, e Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.made = append(h.made, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.person("doctora", "Practitioner/d1", "clinician")
	h.person("ana", "Patient/p1", "patient")
	h.app(&client.Client{ID: "app", Name: "Una <App>", Redirects: []string{callback, "https://app.example/other?x=1"}})
	return h
}

// person adds an account whose password is secret.
func (h *house) person(login, user, role string) *people.Account {
	h.t.Helper()
	a := &people.Account{Login: login, User: user, Roles: []string{role}, Org: "DFSSA000001"}
	if err := h.People.Add(h.t.Context(), a, secret); err != nil {
		h.t.Fatal(err)
	}
	return a
}

// app registers a client, with usual values where c has none.
func (h *house) app(c *client.Client) *client.Client {
	h.t.Helper()
	if c.Grants == nil {
		c.Grants = []string{client.Code, client.Refresh}
	}
	if c.Redirects == nil && c.May(client.Code) {
		c.Redirects = []string{callback}
	}
	if c.Scopes == nil {
		c.Scopes = []string{"openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.rs user/*.rs"}
	}
	if err := h.Clients.Put(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// browser is a browser that follows no redirection by itself.
type browser struct {
	h    *house
	http *http.Client
	lang string
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h: h, lang: "en", http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// seen is what a browser was answered.
type seen struct {
	status int
	to     string // Location
	body   string
	head   http.Header
}

func (b *browser) do(req *http.Request) *seen {
	b.h.t.Helper()
	req.Header.Set("Accept-Language", b.lang)
	res, err := b.http.Do(req)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return &seen{status: res.StatusCode, to: res.Header.Get("Location"), body: string(body), head: res.Header}
}

func (h *house) full(path string) string {
	if strings.HasPrefix(path, "/") {
		return h.web.URL + path
	}
	return path
}

func (b *browser) get(path string) *seen {
	b.h.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.h.full(path), nil)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(path string, form url.Values, head ...string) *seen {
	b.h.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.h.full(path), strings.NewReader(form.Encode()))
	if err != nil {
		b.h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	return b.do(req)
}

var (
	formTag   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`<input[^>]*>`)
	attribute = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// form returns the n-th form of a page: where it goes, and what it carries when it is
// sent as it is.
func (s *seen) form(t *testing.T, n int) (action string, values url.Values) {
	t.Helper()
	all := formTag.FindAllStringSubmatch(s.body, -1)
	if n >= len(all) {
		t.Fatalf("status %d, to %q: the page has %d forms\n%s", s.status, s.to, len(all), s.body)
	}
	values = url.Values{}
	for _, tag := range inputTag.FindAllString(all[n][2], -1) {
		at := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(tag[len("<input"):], -1) {
			at[m[1]] = html.UnescapeString(m[2])
		}
		_, checked := at["checked"]
		if at["type"] != "radio" && at["type"] != "checkbox" || checked {
			values.Add(at["name"], at["value"])
		}
	}
	return html.UnescapeString(all[n][1]), values
}

// signIn signs somebody in, and returns where they are led.
func (b *browser) signIn(login string) *seen {
	b.h.t.Helper()
	return b.signInAt("/account/sign-in", login, secret)
}

func (b *browser) signInAt(page, login, password string) *seen {
	b.h.t.Helper()
	action, form := b.get(page).form(b.h.t, 0)
	form.Set("login", login)
	form.Set("password", password)
	return b.post(action, form)
}

const verifier = "a-verifier-that-is-long-enough-for-the-rules-of-pkce"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ask returns an authorization request that is good, changed by pairs of name and value;
// a value of "" removes the parameter.
func (h *house) ask(change ...string) string {
	v := url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {callback}, "state": {"st"}, "nonce": {"no"},
		"scope": {"openid fhirUser launch/patient offline_access patient/*.rs"}, "aud": {h.base},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Set(change[i], change[i+1]); change[i+1] == "" {
			v.Del(change[i])
		}
	}
	return "/oauth/authorize?" + v.Encode()
}

// code lets ana consent to a request, and returns the code.
func (b *browser) code(ask string) string {
	b.h.t.Helper()
	action, form := b.get(ask).form(b.h.t, 0)
	back := b.post(action, form)
	u, err := url.Parse(back.to)
	if err != nil || u.Query().Get("code") == "" {
		b.h.t.Fatalf("status %d, to %q\n%s", back.status, back.to, back.body)
	}
	return u.Query().Get("code")
}

// reply is what an endpoint answers.
type reply struct {
	status int
	answer
	Error       string `json:"error"`
	Description string `json:"error_description"`
	all         map[string]any
	head        http.Header
}

// call posts a form to an endpoint, with a client secret in the header if there is one.
func (h *house) call(path string, form url.Values, basic ...string) *reply {
	h.t.Helper()
	req, err := http.NewRequest(http.MethodPost, h.full(path), strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		req.SetBasicAuth(basic[0], basic[1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out := &reply{status: res.StatusCode, head: res.Header}
	if len(body) > 0 {
		if json.Unmarshal(body, out) != nil || json.Unmarshal(body, &out.all) != nil {
			h.t.Fatalf("%s answers %d %s", path, res.StatusCode, body)
		}
	}
	return out
}

// exchange exchanges a code, with changes as ask takes them.
func (h *house) exchangeCode(code string, change ...string) *reply {
	h.t.Helper()
	v := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "client_id": {"app"}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Set(change[i], change[i+1]); change[i+1] == "" {
			v.Del(change[i])
		}
	}
	return h.call("/oauth/token", v)
}

// good reports whether an access token is accepted.
func (h *house) good(raw string) bool {
	_, err := h.Verifier.Verify(h.t.Context(), raw, nil)
	return err == nil
}
