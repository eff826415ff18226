package smart

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/token"
)

// backend is a system with keys of its own.
type backend struct {
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
	set *jose.JSONWebKeySet
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{}
	var err error
	if b.ec, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	b.set = &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: b.ec.Public(), KeyID: "ec", Algorithm: "ES384"}, {Key: b.rsa.Public(), KeyID: "rsa", Algorithm: "RS384"},
	}}
	return b
}

// sign signs the claims of an assertion.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// assertion returns the claims of one that is good, changed by f.
func (h *house) assertion(f func(*jwt.Claims)) jwt.Claims {
	c := jwt.Claims{
		Issuer: "backend", Subject: "backend", Audience: jwt.Audience{h.issuer + "/oauth/token"}, ID: token.Random(), Expiry: jwt.NewNumericDate(h.now().Add(time.Minute)),
	}
	if f != nil {
		f(&c)
	}
	return c
}

func (h *house) credentialsWith(assertion string, more ...string) *reply {
	h.t.Helper()
	v := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return h.call("/oauth/token", v)
}

func TestBackendServices(t *testing.T) {
	h := newHouse(t)
	b := newBackend(t)
	h.app(&client.Client{ID: "backend", Grants: []string{client.Credentials}, JWKS: b.set, Scopes: []string{"system/Patient.rs system/Observation.rs"}, Roles: []string{"system"}, Org: "DFSSA000001"})
	for name, raw := range map[string]string{
		"ES384":  sign(t, jose.ES384, b.ec, "ec", h.assertion(nil)),
		"RS384":  sign(t, jose.RS384, b.rsa, "rsa", h.assertion(nil)),
		"issuer": sign(t, jose.ES384, b.ec, "ec", h.assertion(func(c *jwt.Claims) { c.Audience = jwt.Audience{h.issuer} })),
	} {
		got := h.credentialsWith(raw)
		if got.Scope != "system/Observation.rs system/Patient.rs" || got.ExpiresIn != 300 || got.RefreshToken != "" {
			t.Fatalf("%s: %+v", name, got)
		}
		p, err := h.Verifier.Verify(t.Context(), got.AccessToken, nil)
		if err != nil || p.ID != "backend" || p.Roles[0] != "system" || p.Org != "DFSSA000001" {
			t.Errorf("%s: the token speaks for %+v, %v", name, p, err)
		}
		if again := h.credentialsWith(raw); again.Error != "invalid_client" {
			t.Errorf("%s: the assertion is good twice: %+v", name, again)
		}
	}
	stranger := newBackend(t)
	good := func() string { return sign(t, jose.ES384, b.ec, "ec", h.assertion(nil)) }
	with := func(f func(*jwt.Claims)) string { return sign(t, jose.ES384, b.ec, "ec", h.assertion(f)) }
	public, err := json.Marshal(b.set.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*reply{
		"a stranger's key":           h.credentialsWith(sign(t, jose.ES384, stranger.ec, "ec", h.assertion(nil))),
		"another algorithm":          h.credentialsWith(sign(t, jose.RS256, b.rsa, "rsa", h.assertion(nil))),
		"HMAC with the public key":   h.credentialsWith(sign(t, jose.HS384, public, "ec", h.assertion(nil))),
		"no signature":               h.credentialsWith("eyJhbGciOiJub25lIn0.eyJpc3MiOiJiYWNrZW5kIn0."),
		"the other key's algorithm":  h.credentialsWith(sign(t, jose.RS384, b.rsa, "ec", h.assertion(nil))),
		"another audience":           h.credentialsWith(with(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://other.example/token"} })),
		"two audiences":              h.credentialsWith(with(func(c *jwt.Claims) { c.Audience = append(c.Audience, "https://other.example/token") })),
		"no audience":                h.credentialsWith(with(func(c *jwt.Claims) { c.Audience = nil })),
		"another subject":            h.credentialsWith(with(func(c *jwt.Claims) { c.Subject = "app" })),
		"no subject":                 h.credentialsWith(with(func(c *jwt.Claims) { c.Subject = "" })),
		"another issuer":             h.credentialsWith(with(func(c *jwt.Claims) { c.Issuer = "app" })),
		"nobody":                     h.credentialsWith(with(func(c *jwt.Claims) { c.Issuer, c.Subject = "nobody", "nobody" })),
		"expired":                    h.credentialsWith(with(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(h.now().Add(-clockSkew)) })),
		"never expires":              h.credentialsWith(with(func(c *jwt.Claims) { c.Expiry = nil })),
		"lasts too long":             h.credentialsWith(with(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(h.now().Add(time.Hour)) })),
		"not valid yet":              h.credentialsWith(with(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(h.now().Add(time.Minute)) })),
		"without jti":                h.credentialsWith(with(func(c *jwt.Claims) { c.ID = "" })),
		"a long jti":                 h.credentialsWith(with(func(c *jwt.Claims) { c.ID = strings.Repeat("x", 201) })),
		"another type of assertion":  h.credentialsWith(good(), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
		"for another client":         h.credentialsWith(good(), "client_id", "app"),
		"together with a secret":     h.credentialsWith(good(), "client_secret", "x"),
		"a secret instead":           h.call("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"backend"}, "client_secret": {"x"}}),
		"nothing to show":            h.call("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"backend"}}),
		"more scope than registered": h.credentialsWith(good(), "scope", "system/Condition.rs"),
		"scope of another context":   h.credentialsWith(good(), "scope", "user/Patient.rs"),
		"a code":                     h.credentialsWith(good(), "grant_type", "authorization_code", "code", "x"),
	} {
		if got.AccessToken != "" || got.Error == "" || got.status != http.StatusBadRequest && got.status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestKeysByURL lets a system publish its keys, and change them.
func TestKeysByURL(t *testing.T) {
	h := newHouse(t)
	b := newBackend(t)
	fetched := 0
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		json.NewEncoder(w).Encode(b.set)
	}))
	defer keys.Close()
	h.app(&client.Client{ID: "backend", Grants: []string{client.Credentials}, JWKSURI: keys.URL, Scopes: []string{"system/*.rs"}})
	for range 3 {
		if got := h.credentialsWith(sign(t, jose.ES384, b.ec, "ec", h.assertion(nil))); got.AccessToken == "" {
			t.Fatalf("%+v", got)
		}
	}
	if fetched != 1 {
		t.Errorf("the keys were fetched %d times", fetched)
	}
	b.set.Keys[0].KeyID = "new"
	for range 20 { // somebody who makes keys up does not make the server fetch as often
		h.credentialsWith(sign(t, jose.ES384, b.ec, "made-up", h.assertion(nil)))
	}
	h.pass(time.Minute)
	if got := h.credentialsWith(sign(t, jose.ES384, b.ec, "new", h.assertion(nil))); got.AccessToken == "" || fetched != 2 {
		t.Errorf("with a new key: %+v after %d fetches", got, fetched)
	}
}

func TestClientSecrets(t *testing.T) {
	h := newHouse(t)
	c := &client.Client{ID: "site", Grants: []string{client.Credentials}, Scopes: []string{"system/*.rs"}, Lifetime: time.Hour}
	old := c.NewSecret(h.now(), 0)
	h.app(c)
	ask := url.Values{"grant_type": {"client_credentials"}}
	posted := func(id, secret string) url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	}
	for name, got := range map[string]*reply{"basic": h.call("/oauth/token", ask, "site", old), "post": h.call("/oauth/token", posted("site", old))} {
		if got.AccessToken == "" || got.ExpiresIn != 3600 || got.Scope != "system/*.rs" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	both := posted("site", old)
	for name, got := range map[string]*reply{
		"another secret":       h.call("/oauth/token", ask, "site", old+"x"),
		"an empty secret":      h.call("/oauth/token", ask, "site", ""),
		"the digest":           h.call("/oauth/token", ask, "site", string(c.Secrets[0].Digest)),
		"an unknown client":    h.call("/oauth/token", ask, "nobody", old),
		"both ways at once":    h.call("/oauth/token", both, "site", old),
		"another client_id":    h.call("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}}, "site", old),
		"a public client":      h.call("/oauth/token", posted("app", "")),
		"a parameter twice":    h.call("/oauth/token", url.Values{"grant_type": {"client_credentials", "client_credentials"}}, "site", old),
		"the URL's parameters": h.call("/oauth/token?grant_type=client_credentials&client_id=site&client_secret="+old, url.Values{}),
		"a password grant":     h.call("/oauth/token", url.Values{"grant_type": {"password"}, "username": {"ana"}, "password": {secret}}, "site", old),
	} {
		if got.AccessToken != "" || got.Error == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	fresh := c.NewSecret(h.now(), time.Hour)
	if err := h.Clients.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{old, fresh} {
		if got := h.call("/oauth/token", ask, "site", s); got.AccessToken == "" {
			t.Errorf("while both secrets are good: %+v", got)
		}
	}
	h.pass(time.Hour)
	if got := h.call("/oauth/token", ask, "site", old); got.Error != "invalid_client" || got.status != http.StatusUnauthorized || got.head.Get("WWW-Authenticate") == "" {
		t.Errorf("the old secret, later: %+v", got)
	}
}

func TestIntrospection(t *testing.T) {
	h := newHouse(t)
	server := &client.Client{ID: "resource-server", Grants: []string{}, Introspects: true}
	key := server.NewSecret(h.now(), 0)
	h.app(server)
	stranger := &client.Client{ID: "stranger", Grants: []string{client.Credentials}}
	theirs := stranger.NewSecret(h.now(), 0)
	h.app(stranger)
	b := h.browser()
	b.signIn("ana")
	got := h.exchangeCode(b.code(h.ask()))
	ask := func(token string, basic ...string) *reply {
		return h.call("/oauth/introspect", url.Values{"token": {token}}, basic...)
	}
	r := ask(got.AccessToken, "resource-server", key)
	if r.all["active"] != true || r.all["patient"] != "p1" || r.all["client_id"] != "app" || r.all["fhirUser"] != h.base+"/Patient/p1" || !strings.Contains(r.Scope, "patient/*.rs") {
		t.Errorf("an access token means %v", r.all)
	}
	if r := ask(got.RefreshToken, "resource-server", key); r.all["active"] != true {
		t.Errorf("a refresh token means %v", r.all)
	}
	for name, r := range map[string]*reply{
		"a stranger's question": ask(got.AccessToken, "stranger", theirs), "its refresh token": ask(got.RefreshToken, "stranger", theirs),
		"nonsense": ask("nonsense", "resource-server", key), "nothing": ask("", "resource-server", key), "an ID token": ask(got.IDToken, "resource-server", key),
	} {
		if r.all["active"] != false || len(r.all) != 1 {
			t.Errorf("%s: %v", name, r.all)
		}
	}
	for name, r := range map[string]*reply{
		"nobody": ask(got.AccessToken), "a public client": h.call("/oauth/introspect", url.Values{"token": {got.AccessToken}, "client_id": {"app"}}),
	} {
		if r.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", name, r.status, r.all)
		}
	}
	h.pass(time.Hour)
	if r := ask(got.AccessToken, "resource-server", key); r.all["active"] != false {
		t.Errorf("when it has expired, a token means %v", r.all)
	}
}
