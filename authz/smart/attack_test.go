package smart

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
)

// TestRedirectTricks holds that nothing is ever sent to a place that is not registered
// to the letter.
func TestRedirectTricks(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("ana")
	for _, redirect := range []string{
		"", "https://evil.example/", callback + "/", callback + "?x=1", callback + "/../evil", callback + "%2f..", "https://app.example/CALLBACK",
		"https://app.example.evil.example/callback", "https://app.example@evil.example/callback", "https://evil.example/callback#https://app.example",
		"http://app.example/callback", "https://app.example:444/callback", "//app.example/callback", "https:app.example/callback",
		"https://app.example\\.evil.example/callback", callback + "#", callback + " ", " " + callback, "javascript:alert(1)", "data:text/html,x",
	} {
		got := b.get(h.ask("redirect_uri", redirect))
		if got.to != "" || got.status != http.StatusBadRequest {
			t.Errorf("redirect_uri %q: %d, sent to %q", redirect, got.status, got.to)
		}
	}
	for name, q := range map[string]string{
		"an unknown client":        h.ask("client_id", "nobody"),
		"a client that is a path":  h.ask("client_id", "../app"),
		"two redirect URIs":        h.ask() + "&redirect_uri=" + url.QueryEscape("https://evil.example/"),
		"two clients":              h.ask() + "&client_id=other",
		"two redirects, one first": strings.Replace(h.ask(), "?", "?redirect_uri=https%3A%2F%2Fevil.example&", 1),
	} {
		if got := b.get(q); got.to != "" || got.status != http.StatusBadRequest {
			t.Errorf("%s: %d, sent to %q", name, got.status, got.to)
		}
	}
}

// TestAuthorizeRefuses holds that a request that is wrong in one respect gives the app
// an error, and no code.
func TestAuthorizeRefuses(t *testing.T) {
	h := newHouse(t)
	h.app(&client.Client{ID: "service", Grants: []string{client.Code, client.Credentials}, Scopes: []string{"system/*.rs"}, Secrets: []client.Secret{{Digest: []byte("x")}}})
	b := h.browser()
	b.signIn("ana")
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"without PKCE":             {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"PKCE plain":               {[]string{"code_challenge", verifier, "code_challenge_method", "plain"}, "invalid_request"},
		"PKCE without a method":    {[]string{"code_challenge_method", ""}, "invalid_request"},
		"a short challenge":        {[]string{"code_challenge", "abc"}, "invalid_request"},
		"another audience":         {[]string{"aud", "https://other.example/fhir"}, "invalid_request"},
		"no audience":              {[]string{"aud", ""}, "invalid_request"},
		"no state":                 {[]string{"state", ""}, "invalid_request"},
		"an implicit flow":         {[]string{"response_type", "token"}, "unsupported_response_type"},
		"a hybrid flow":            {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"a request object":         {[]string{"request", "eyJ"}, "request_not_supported"},
		"a request object's URL":   {[]string{"request_uri", "https://evil.example"}, "request_not_supported"},
		"form_post":                {[]string{"response_mode", "form_post"}, "invalid_request"},
		"nothing it may have":      {[]string{"scope", "system/*.cruds"}, "invalid_scope"},
		"no scope":                 {[]string{"scope", ""}, "invalid_scope"},
		"silently":                 {[]string{"prompt", "none"}, "interaction_required"},
		"system scopes for people": {[]string{"client_id", "service", "scope", "system/*.rs"}, "invalid_scope"},
	} {
		got := b.get(h.ask(c.change...))
		u, err := url.Parse(got.to)
		if err != nil || u.Query().Get("error") != c.want || u.Query().Has("code") || !strings.HasPrefix(got.to, callback+"?") {
			t.Errorf("%s: %d, sent to %q, want %s", name, got.status, got.to, c.want)
		}
	}
}

// TestCodeInterception holds that a code is of no use to whoever intercepts it.
func TestCodeInterception(t *testing.T) {
	for name, change := range map[string][]string{
		"without a verifier":      {"code_verifier", ""},
		"another verifier":        {"code_verifier", strings.Repeat("x", 43)},
		"the challenge itself":    {"code_verifier", challengeOf(verifier)},
		"a verifier that is long": {"code_verifier", strings.Repeat(verifier, 5)},
		"another redirect URI":    {"redirect_uri", "https://app.example/other?x=1"},
		"no redirect URI":         {"redirect_uri", ""},
		"another client":          {"client_id", "other"},
		"no client":               {"client_id", ""},
		"another grant":           {"grant_type", "password"},
	} {
		h := newHouse(t)
		h.app(&client.Client{ID: "other"})
		b := h.browser()
		b.signIn("ana")
		code := b.code(h.ask())
		if got := h.exchangeCode(code, change...); got.Error == "" || got.AccessToken != "" {
			t.Errorf("%s: %+v", name, got)
		}
		// Where it was plain that a thief has it, it is over for its owner too.
		burnt := strings.Contains(name, "verifier") || strings.Contains(name, "challenge") || strings.Contains(name, "redirect")
		if got := h.exchangeCode(code); (got.Error != "") != burnt {
			t.Errorf("%s, and then its owner comes: %+v", name, got)
		}
	}
}

func TestCodeIsGoodOnce(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("ana")
	code := b.code(h.ask())
	first := h.exchangeCode(code)
	if !h.good(first.AccessToken) {
		t.Fatalf("%+v", first)
	}
	if again := h.exchangeCode(code); again.Error != "invalid_grant" {
		t.Errorf("a second time: %+v", again)
	}
	if h.good(first.AccessToken) {
		t.Error("the tokens of a code that came twice are good")
	}
	if got := h.refreshWith(first.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("its refresh token: %+v", got)
	}

	late := b.code(h.ask())
	h.pass(codeLasts + time.Second)
	if got := h.exchangeCode(late); got.Error != "invalid_grant" {
		t.Errorf("a code that is old: %+v", got)
	}

	racing := b.code(h.ask())
	var wait sync.WaitGroup
	results := make([]*reply, 8)
	for i := range results {
		wait.Go(func() { results[i] = h.exchangeCode(racing) })
	}
	wait.Wait()
	won := 0
	for _, r := range results {
		if r.AccessToken != "" {
			won++
			if h.good(r.AccessToken) {
				t.Error("the tokens of a code that came eight times at once are good")
			}
		}
	}
	if won > 1 {
		t.Errorf("%d of 8 who come at once with a code get tokens", won)
	}
}

func (h *house) refreshWith(token string, change ...string) *reply {
	h.t.Helper()
	v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"app"}}
	for i := 0; i+1 < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return h.call("/oauth/token", v)
}

// TestRefreshReplay holds that a refresh token that comes twice ends the whole family.
func TestRefreshReplay(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("ana")
	first := h.exchangeCode(b.code(h.ask()))
	second := h.refreshWith(first.RefreshToken)
	third := h.refreshWith(second.RefreshToken)
	if third.Error != "" || !h.good(third.AccessToken) {
		t.Fatalf("%+v", third)
	}
	for name, token := range map[string]string{
		"made up":                 strings.Repeat("x", 43) + ".1." + strings.Repeat("y", 43),
		"with another number":     strings.Replace(third.RefreshToken, ".3.", ".4.", 1),
		"with an earlier number":  strings.Replace(third.RefreshToken, ".3.", ".1.", 1),
		"cut off":                 third.RefreshToken[:len(third.RefreshToken)-1],
		"an access token":         third.AccessToken,
		"empty":                   "",
		"with its signature gone": third.RefreshToken[:strings.LastIndexByte(third.RefreshToken, '.')+1],
	} {
		if got := h.refreshWith(token); got.Error != "invalid_grant" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if !h.good(third.AccessToken) {
		t.Fatal("somebody who makes refresh tokens up can end those of others")
	}
	if got := h.refreshWith(first.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("the first refresh token again: %+v", got)
	}
	for name, token := range map[string]string{"first": first.AccessToken, "second": second.AccessToken, "third": third.AccessToken} {
		if h.good(token) {
			t.Errorf("after a replay, the %s access token is good", name)
		}
	}
	if got := h.refreshWith(third.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("after a replay, the newest refresh token gives %+v", got)
	}
}

func TestRefreshBounds(t *testing.T) {
	h := newHouse(t)
	h.app(&client.Client{ID: "other"})
	b := h.browser()
	b.signIn("ana")
	begin := func() *reply {
		t.Helper()
		got := h.exchangeCode(b.code(h.ask("scope", "openid offline_access launch/patient patient/Immunization.rs")))
		if got.RefreshToken == "" {
			t.Fatalf("%+v", got)
		}
		return got
	}
	for _, more := range []string{"patient/*.rs", "patient/Immunization.cruds", "user/Immunization.rs", "fhirUser", "patient/Immunization.rs system/*.rs", "nonsense"} {
		if got := h.refreshWith(begin().RefreshToken, "scope", more); got.Error != "invalid_scope" {
			t.Errorf("a refresh to %q gives %+v", more, got)
		}
	}
	less := h.refreshWith(begin().RefreshToken, "scope", "patient/Immunization.r")
	if less.Scope != "patient/Immunization.r" {
		t.Errorf("a refresh to less gives %+v", less)
	}
	if got := h.refreshWith(less.RefreshToken); !strings.Contains(got.Scope, "patient/Immunization.rs") {
		t.Errorf("a refresh after one to less gives %+v", got)
	}
	if got := h.refreshWith(begin().RefreshToken, "client_id", "other"); got.Error != "invalid_grant" {
		t.Errorf("another client's refresh gives %+v", got)
	}
	if got := h.call("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {begin().RefreshToken}}); got.AccessToken == "" {
		t.Errorf("a refresh that does not name its public client gives %+v", got)
	}
	site := &client.Client{ID: "site"}
	site.NewSecret(h.now(), 0)
	h.app(site)
	theirs := h.exchangeSecretly(b.code(h.ask("client_id", "site")), site)
	if got := h.call("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {theirs.RefreshToken}}); got.Error != "invalid_client" || theirs.RefreshToken == "" {
		t.Errorf("a refresh for a client that does not show that it is itself gives %+v", got)
	}
	online := h.exchangeCode(b.code(h.ask("scope", "online_access launch/patient patient/*.rs")))
	if got := h.refreshWith(online.RefreshToken); got.Error != "" {
		t.Errorf("while somebody is signed in, a refresh gives %+v", got)
	} else {
		online = got
	}
	action, form := b.get("/account").form(t, 0)
	if got := b.post(action, form); got.status != http.StatusSeeOther {
		t.Fatalf("signing out gives %d\n%s", got.status, got.body)
	}
	if got := h.refreshWith(online.RefreshToken); got.Error != "invalid_grant" || h.good(online.AccessToken) {
		t.Errorf("when they have signed out, a refresh gives %+v", got)
	}
	b.signIn("ana")
	idle := begin()
	h.pass(refreshIdle)
	if got := h.refreshWith(idle.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("a refresh token that was not used for a month gives %+v", got)
	}
	b.signIn("ana")
	locked := begin()
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.People.Change(t.Context(), a.ID, func(a *people.Account) error { a.Locked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if got := h.refreshWith(locked.RefreshToken); got.Error != "invalid_grant" || h.good(locked.AccessToken) {
		t.Errorf("for an account that is locked, a refresh gives %+v", got)
	}
	if got := b.get(h.ask()); !strings.HasPrefix(got.to, "/account/sign-in") {
		t.Errorf("somebody who is locked out is still signed in: %d %q", got.status, got.to)
	}
}

// exchangeSecretly exchanges a code for a client that has a secret, which is made anew.
func (h *house) exchangeSecretly(code string, c *client.Client) *reply {
	h.t.Helper()
	key := c.NewSecret(h.now(), 0)
	if err := h.Clients.Put(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
	return h.call("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}, c.ID, key)
}

func TestRevocationIsForItsOwner(t *testing.T) {
	h := newHouse(t)
	h.app(&client.Client{ID: "other"})
	b := h.browser()
	b.signIn("ana")
	got := h.exchangeCode(b.code(h.ask()))
	for _, token := range []string{got.AccessToken, got.RefreshToken, "nonsense"} {
		if r := h.call("/oauth/revoke", url.Values{"token": {token}, "client_id": {"other"}}); r.status != http.StatusOK {
			t.Errorf("a revocation by another client answers %d", r.status)
		}
	}
	if !h.good(got.AccessToken) {
		t.Error("another client can revoke tokens")
	}
	if r := h.call("/oauth/revoke", url.Values{"token": {got.AccessToken}, "client_id": {"nobody"}}); r.status != http.StatusUnauthorized {
		t.Errorf("an unknown client: %d", r.status)
	}
	if r := h.call("/oauth/revoke", url.Values{"token": {got.AccessToken}, "client_id": {"app"}}); r.status != http.StatusOK || h.good(got.AccessToken) {
		t.Errorf("its own client revokes an access token: %d, and it is still good", r.status)
	}
	if r := h.refreshWith(got.RefreshToken); r.Error != "" {
		t.Errorf("the refresh token beside it: %+v", r)
	}
}
