package token

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// provider is an issuer elsewhere.
type provider struct {
	*httptest.Server
	keys    jose.JSONWebKeySet
	private crypto.Signer
	fetched int
	down    bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.rotate(t, "k1")
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
		case r.URL.Path == "/keys":
			p.fetched++
			json.NewEncoder(w).Encode(p.keys)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) rotate(t *testing.T, id string) {
	t.Helper()
	k, err := generate(idAlg)
	if err != nil {
		t.Fatal(err)
	}
	p.private = k.(crypto.Signer)
	p.keys.Keys = []jose.JSONWebKey{{Key: p.private.Public(), KeyID: id, Use: "sig"}}
}

func TestTrusted(t *testing.T) {
	p := newProvider(t)
	trusted := &Trusted{
		Name: "kc", Issuer: p.URL, Audience: "amate", Claims: Mapping{Roles: "realm_access.roles"},
		Roles: map[string]string{"medico": "clinician"},
	}
	if err := trusted.Open(); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, trusted)
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{
			"iss": p.URL, "aud": []string{"account", "amate"}, "sub": "u1", "azp": "his", "jti": "j",
			"exp": h.now().Add(time.Minute).Unix(), "scope": "openid user/*.rs", "fhirUser": "https://x/fhir/Practitioner/9",
			"realm_access": map[string]any{"roles": []string{"medico", "administrator"}},
		}
		if change != nil {
			change(c)
		}
		return c
	}
	sign := func(change func(map[string]any)) string {
		return forge(t, jose.RS256, p.private, p.keys.Keys[0].KeyID, "JWT", claims(change))
	}
	got, err := h.verifier.Verify(t.Context(), sign(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &authz.Principal{
		ID: "kc:u1", Client: "his", Roles: []string{"clinician"}, User: fhir.Ref{Type: "Practitioner", ID: "9"},
		Scopes: []string{"openid", "user/*.rs"}, Token: "j", Expires: got.Expires,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the principal differs (-want +got):\n%s", diff)
	}
	secret, _ := x509.MarshalPKIXPublicKey(p.private.Public())
	for name, raw := range map[string]string{
		"another audience":                sign(func(c map[string]any) { c["aud"] = "account" }),
		"no audience":                     sign(func(c map[string]any) { delete(c, "aud") }),
		"expired":                         sign(func(c map[string]any) { c["exp"] = h.now().Unix() }),
		"never expires":                   sign(func(c map[string]any) { delete(c, "exp") }),
		"not valid yet":                   sign(func(c map[string]any) { c["nbf"] = h.now().Add(time.Minute).Unix() }),
		"our issuer":                      sign(func(c map[string]any) { c["iss"] = issuer }),
		"nobody":                          sign(func(c map[string]any) { delete(c, "sub") }),
		"HMAC with its key":               forge(t, jose.HS256, secret, "k1", "JWT", claims(nil)),
		"an algorithm that is not listed": forge(t, jose.RS512, p.private, "k1", "JWT", claims(nil)),
		"a logout token":                  forge(t, jose.RS256, p.private, "k1", "logout+jwt", claims(nil)),
	} {
		if got, err := h.verifier.Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if p.fetched != 1 {
		t.Errorf("its keys were fetched %d times, want once", p.fetched)
	}
	p.rotate(t, "k2")
	h.pass(fetchEvery)
	if _, err := h.verifier.Verify(t.Context(), sign(nil), nil); err != nil || p.fetched != 2 {
		t.Errorf("after it has rotated its keys: %v, %d fetches", err, p.fetched)
	}
	p.down = true
	h.pass(freshFor)
	if _, err := h.verifier.Verify(t.Context(), sign(nil), nil); err != nil {
		t.Errorf("while it cannot be reached: %v", err)
	}
}

func TestTrustedRefusesConfigurations(t *testing.T) {
	for name, c := range map[string]Trusted{
		"no name":     {Issuer: "https://x", Audience: "a"},
		"no audience": {Name: "x", Issuer: "https://x"},
		"plain http":  {Name: "x", Issuer: "http://x.example", Audience: "a"},
		"HMAC":        {Name: "x", Issuer: "https://x", Audience: "a", Algorithms: []string{"HS256"}},
		"none":        {Name: "x", Issuer: "https://x", Audience: "a", Algorithms: []string{"none"}},
	} {
		if c.Open() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
