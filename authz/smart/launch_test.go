package smart

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// TestStandaloneLaunch goes the whole way of a citizen's app, from the request to the
// tokens, and what they are then good for.
func TestStandaloneLaunch(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	toSignIn := b.get(h.ask())
	if toSignIn.status != http.StatusSeeOther || !strings.HasPrefix(toSignIn.to, "/account/sign-in?") {
		t.Fatalf("nobody is signed in, and it leads to %q", toSignIn.to)
	}
	page := b.get(toSignIn.to)
	if !strings.Contains(page.body, "Una &lt;App&gt;") {
		t.Errorf("the page does not say which app it is for:\n%s", page.body)
	}
	after := b.signInAt(toSignIn.to, "ana", secret)
	if after.status != http.StatusSeeOther || !strings.HasPrefix(after.to, "/oauth/authorize?") {
		t.Fatalf("having signed in, it leads to %d %q\n%s", after.status, after.to, after.body)
	}
	page = b.get(after.to)
	for _, want := range []string{"Una &lt;App&gt;", "Ana López", "https://app.example", "patient/*.rs", "All data of this patient: read, search", "offline_access"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the consent page does not show %q\n%s", want, page.body)
		}
	}
	if policy := page.head.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.example") {
		t.Errorf("the page cannot lead back to the app: %s", policy)
	}
	action, form := page.form(t, 0)
	back := b.post(action, form)
	u, err := url.Parse(back.to)
	if err != nil || !strings.HasPrefix(back.to, callback+"?") {
		t.Fatalf("it leads to %q\n%s", back.to, back.body)
	}
	q := u.Query()
	if q.Get("state") != "st" || q.Get("iss") != h.issuer || q.Get("code") == "" {
		t.Errorf("the app is told %v", q)
	}
	got := h.exchangeCode(q.Get("code"))
	if got.status != http.StatusOK || got.TokenType != "Bearer" || got.ExpiresIn != 600 || got.Patient != "p1" || got.RefreshToken == "" ||
		got.FHIRUser != h.base+"/Patient/p1" || got.Scope != "fhirUser launch/patient offline_access openid patient/*.rs" || got.Banner == nil || !*got.Banner {
		t.Errorf("the app gets %+v", got)
	}
	if got.head.Get("Cache-Control") != "no-store" {
		t.Error("tokens may be cached")
	}
	p, err := h.Verifier.Verify(t.Context(), got.AccessToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.User != (fhir.Ref{Type: "Patient", ID: "p1"}) || p.Patient != "p1" || p.Client != "app" || p.Roles[0] != "patient" || p.Org != "DFSSA000001" {
		t.Errorf("the token speaks for %+v", p)
	}
	h.checkIdentity(got.IDToken, p.ID)

	info := h.withBearer(http.MethodGet, "/oauth/userinfo", got.AccessToken, "")
	if info["sub"] != p.ID || info["fhirUser"] != h.base+"/Patient/p1" {
		t.Errorf("userinfo says %v", info)
	}
	h.pass(9 * time.Minute)
	again := h.call("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.RefreshToken}, "client_id": {"app"}})
	if again.status != http.StatusOK || again.RefreshToken == got.RefreshToken || again.Patient != "p1" || !h.good(again.AccessToken) {
		t.Errorf("a refresh gives %+v", again)
	}
	if revoked := h.call("/oauth/revoke", url.Values{"token": {again.RefreshToken}, "client_id": {"app"}}); revoked.status != http.StatusOK {
		t.Errorf("a revocation answers %+v", revoked)
	}
	if h.good(again.AccessToken) || h.good(got.AccessToken) {
		t.Error("the tokens are good after the consent was revoked")
	}
}

// checkIdentity verifies an ID token as an app does, with the published keys.
func (h *house) checkIdentity(raw, subject string) {
	h.t.Helper()
	var set jose.JSONWebKeySet
	res, err := http.Get(h.full("/oauth/jwks"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		h.t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		h.t.Fatal(err)
	}
	var c token.ID
	if err := parsed.Claims(set, &c); err != nil {
		h.t.Fatal(err)
	}
	if c.Issuer != h.issuer || !c.Audience.Contains("app") || c.Nonce != "no" || c.Subject != subject || c.User != h.base+"/Patient/p1" || c.AuthTime == nil || c.Methods[0] != "pwd" {
		h.t.Errorf("the ID token says %+v", c)
	}
}

// withBearer calls an endpoint with an access token, and JSON.
func (h *house) withBearer(method, path, raw, body string) map[string]any {
	h.t.Helper()
	req, err := http.NewRequest(method, h.full(path), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+raw)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&out); err != nil {
		h.t.Fatalf("%s answers %d %s", path, res.StatusCode, text)
	}
	out["status"] = res.StatusCode
	return out
}

// TestPatientPicker lets a clinician choose whose record an app opens.
func TestPatientPicker(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("doctora")
	page := b.get(h.ask())
	if !strings.Contains(page.body, `name="find"`) || strings.Contains(page.body, "Ana López") {
		t.Fatalf("it shows\n%s", page.body)
	}
	page = b.get(h.ask("find", "ruiz"))
	if !strings.Contains(page.body, "Luis &lt;b&gt;Ruiz") || strings.Contains(page.body, "Ana López") {
		t.Fatalf("it shows\n%s", page.body)
	}
	action, form := page.form(t, 0)
	page = b.post(action, form)
	if !strings.Contains(page.body, "Record of:") || !strings.Contains(page.body, "Luis") {
		t.Fatalf("having chosen, it shows\n%s", page.body)
	}
	action, form = page.form(t, 0)
	form["scope"] = []string{"openid", "launch/patient", "patient/Immunization.r"} // fewer than what was asked for
	u, err := url.Parse(b.post(action, form).to)
	if err != nil {
		t.Fatal(err)
	}
	got := h.exchangeCode(u.Query().Get("code"))
	if got.Patient != "p2" || got.Scope != "launch/patient openid patient/Immunization.r" || got.RefreshToken != "" {
		t.Errorf("the app gets %+v", got)
	}
	none := b.get(h.ask("find", "nobody of this name"))
	if !strings.Contains(none.body, "Nobody was found") {
		t.Errorf("it shows\n%s", none.body)
	}
}

// TestConsentIsBounded holds that what a browser sends back cannot widen what an app
// gets, nor lead to the record of somebody else.
func TestConsentIsBounded(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("ana")
	send := func(change func(url.Values)) (*seen, url.Values) {
		action, form := b.get(h.ask("scope", "openid launch/patient patient/Immunization.rs")).form(t, 0)
		change(form)
		back := b.post(action, form)
		u, err := url.Parse(back.to)
		if err != nil {
			t.Fatal(err)
		}
		return back, u.Query()
	}
	_, q := send(func(f url.Values) {
		f["scope"] = []string{"openid", "patient/*.cruds", "user/*.cruds", "system/*.cruds", "offline_access", "patient/Immunization.cruds"}
	})
	got := h.exchangeCode(q.Get("code"))
	if got.Scope != "openid patient/Immunization.rs" || got.RefreshToken != "" {
		t.Errorf("more was ticked than was asked for, and the app gets %q", got.Scope)
	}
	if back, q := send(func(f url.Values) { f.Set("patient", "p2") }); q.Has("code") || back.status != http.StatusForbidden {
		t.Errorf("the record of somebody else: %d %s", back.status, back.to)
	}
	if _, q := send(func(f url.Values) { f.Del("scope") }); q.Get("error") != "access_denied" {
		t.Errorf("nothing was ticked: %v", q)
	}
	if _, q := send(func(f url.Values) { f.Set("step", "refuse") }); q.Get("error") != "access_denied" || q.Get("state") != "st" {
		t.Errorf("it was refused: %v", q)
	}
}

func TestEHRLaunch(t *testing.T) {
	h := newHouse(t)
	h.app(&client.Client{ID: "growth", Launch: "https://app.example/launch?v=1"})
	ehr := h.browser()
	ehr.signIn("doctora")
	tokens := func(login string) string {
		b := h.browser()
		b.signIn(login)
		return h.exchangeCode(b.code(h.ask("scope", "openid user/*.rs"))).AccessToken
	}
	doctor, ana := tokens("doctora"), tokens("ana")
	launch := func(raw, body string) map[string]any {
		return h.withBearer(http.MethodPost, "/oauth/launch", raw, body)
	}
	for name, got := range map[string]map[string]any{
		"without a token":        launch("x", `{"client_id":"growth","patient":"p1"}`),
		"another's record":       launch(ana, `{"client_id":"growth","patient":"p2"}`),
		"no such patient":        launch(doctor, `{"client_id":"growth","patient":"p9"}`),
		"another's encounter":    launch(doctor, `{"client_id":"growth","patient":"p2","encounter":"e1"}`),
		"an encounter, nobody":   launch(doctor, `{"client_id":"growth","encounter":"e1"}`),
		"an app without launch":  launch(doctor, `{"client_id":"app","patient":"p1"}`),
		"an app that is unknown": launch(doctor, `{"client_id":"nobody","patient":"p1"}`),
	} {
		if got["launch"] != nil || got["error"] == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	begin := func() string {
		got := launch(doctor, `{"client_id":"growth","patient":"p1","encounter":"e1","intent":"order"}`)
		if u, _ := got["url"].(string); !strings.HasPrefix(u, "https://app.example/launch?v=1&iss=") {
			t.Fatalf("a launch gives %v", got)
		}
		return got["launch"].(string)
	}
	ask := func(name string, change ...string) string {
		return h.ask(append([]string{"client_id", "growth", "launch", name, "scope", "openid launch launch/encounter patient/*.rs"}, change...)...)
	}
	name := begin()
	if other := h.browser(); other.signIn("ana") == nil || other.get(ask(name)).status != http.StatusForbidden {
		t.Error("somebody else can use a launch")
	}
	for what, q := range map[string]string{
		"another app":       h.ask("launch", name, "scope", "launch patient/*.rs"),
		"without the scope": ask(name, "scope", "patient/*.rs"),
		"made up":           ask("made-up"),
	} {
		if got := ehr.get(q); !strings.Contains(got.to, "error=invalid_") {
			t.Errorf("%s: %d %q", what, got.status, got.to)
		}
	}
	code := ehr.code(ask(name))
	got := h.exchangeCode(code, "client_id", "growth")
	if got.Patient != "p1" || got.Encounter != "e1" || got.Intent != "order" || *got.Banner {
		t.Errorf("the app gets %+v", got)
	}
	if again := ehr.get(ask(name)); !strings.Contains(again.to, "error=invalid_request") {
		t.Errorf("a launch is good twice: %q", again.to)
	}
	late := begin()
	h.pass(launchLasts)
	if got := ehr.get(ask(late)); !strings.Contains(got.to, "error=invalid_request") {
		t.Errorf("a launch is good for too long: %q", got.to)
	}
}

func TestDiscovery(t *testing.T) {
	h := newHouse(t)
	for path, want := range map[string][]string{
		"/fhir/.well-known/smart-configuration": {
			"issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "grant_types_supported", "token_endpoint_auth_methods_supported",
			"introspection_endpoint", "revocation_endpoint", "code_challenge_methods_supported", "capabilities", "scopes_supported", "response_types_supported", "management_endpoint",
		},
		"/.well-known/openid-configuration": {
			"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "response_types_supported", "subject_types_supported",
			"id_token_signing_alg_values_supported", "authorization_response_iss_parameter_supported",
		},
		"/.well-known/oauth-authorization-server": {"issuer", "token_endpoint"},
	} {
		got := h.withBearer(http.MethodGet, path, "", "")
		for _, name := range want {
			if got[name] == nil {
				t.Errorf("%s has no %s", path, name)
			}
		}
		if got["issuer"] != h.issuer {
			t.Errorf("%s is of %v", path, got["issuer"])
		}
		for name, v := range got {
			if u, ok := v.(string); ok && strings.HasSuffix(name, "_endpoint") {
				res, err := http.Get(u)
				if err != nil || res.StatusCode == http.StatusNotFound {
					t.Errorf("%s is not there: %v", name, err)
				}
			}
		}
		if methods, ok := got["code_challenge_methods_supported"].([]any); ok && (len(methods) != 1 || methods[0] != "S256") {
			t.Errorf("%s offers %v for PKCE", path, methods)
		}
	}
}

// TestScripts holds that scripts of registered apps, and no others, may read what the
// token endpoint answers.
func TestScripts(t *testing.T) {
	h := newHouse(t)
	for origin, want := range map[string]string{
		"https://app.example": "https://app.example", "https://evil.example": "", "null": "", "http://app.example": "", "https://app.example.evil.example": "", "": "",
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			req, err := http.NewRequest(method, h.full("/oauth/token"), strings.NewReader("grant_type=x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", origin)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != want || res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %q: it may be read by %q", method, origin, got)
			}
		}
	}
}
