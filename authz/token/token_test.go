package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
)

const (
	issuer = "https://amate.example"
	base   = "https://amate.example/fhir"
)

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }
func newClock() *clock                { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }
func encode(b []byte) string          { return base64.RawURLEncoding.EncodeToString(b) }
func decoded(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

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

// house is a server with its keys.
type house struct {
	*clock
	state       authz.State
	keys        *Keys
	minter      *Minter
	revocations *Revocations
	verifier    *Verifier
}

func newHouse(t *testing.T, others ...*Trusted) *house {
	t.Helper()
	h := &house{clock: newClock()}
	h.state = newState(t, h.now)
	var err error
	if h.keys, err = OpenKeys(t.Context(), h.state, h.now); err != nil {
		t.Fatal(err)
	}
	if h.revocations, err = OpenRevocations(t.Context(), h.state, h.now); err != nil {
		t.Fatal(err)
	}
	h.minter = &Minter{Keys: h.keys, Issuer: issuer, Audience: base}
	h.verifier = NewVerifier(h.minter, h.revocations, others...)
	return h
}

func (h *house) mint(t *testing.T, change ...func(*Claims)) string {
	t.Helper()
	c := &Claims{
		Claims: jwt.Claims{Subject: "account-1"}, Client: "app-1", Scope: "openid patient/*.rs", Roles: []string{"patient"},
		User: "Patient/p1", Patient: "p1", Encounter: "e1", Purpose: "PATRQT", Org: "DFSSA000001", Grant: "grant-1",
	}
	for _, f := range change {
		f(c)
	}
	raw, err := h.minter.Access(c, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerify(t *testing.T) {
	h := newHouse(t)
	raw := h.mint(t)
	for range 2 { // the second time it is remembered
		got, err := h.verifier.Verify(t.Context(), raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := &authz.Principal{
			ID: "account-1", Client: "app-1", Roles: []string{"patient"}, Org: "DFSSA000001", User: fhir.Ref{Type: "Patient", ID: "p1"},
			Patient: "p1", Encounter: "e1", Scopes: []string{"openid", "patient/*.rs"}, Purpose: "PATRQT", Expires: h.now().Add(10 * time.Minute).UTC(), Token: got.Token, Grant: "grant-1",
		}
		got.Expires = got.Expires.UTC()
		if diff := cmp.Diff(want, got); diff != "" || got.Token == "" {
			t.Errorf("the principal differs (-want +got):\n%s", diff)
		}
	}
	h.pass(10 * time.Minute)
	if _, err := h.verifier.Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired {
		t.Errorf("an expired token that is remembered: %v", err)
	}
}

// forge signs claims with any key, under any header.
func forge(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, typ string, claims any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAttacks holds that a token that is wrong in one respect is refused. Each case
// starts from one that is accepted.
func TestAttacks(t *testing.T) {
	h := newHouse(t)
	own, _ := h.keys.signing(accessAlg)
	rsa, _ := h.keys.signing(idAlg)
	stranger, err := generate(accessAlg)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change func(*Claims)) *Claims {
		c := &Claims{Claims: jwt.Claims{
			Issuer: issuer, Audience: jwt.Audience{base}, Subject: "account-1", ID: "jti-1",
			IssuedAt: jwt.NewNumericDate(h.now()), NotBefore: jwt.NewNumericDate(h.now()), Expiry: jwt.NewNumericDate(h.now().Add(time.Minute)),
		}}
		if change != nil {
			change(c)
		}
		return c
	}
	sign := func(change func(*Claims)) string {
		return forge(t, accessAlg, own.private, own.ID, accessType, claims(change))
	}
	good := sign(nil)
	if _, err := h.verifier.Verify(t.Context(), good, nil); err != nil {
		t.Fatalf("what every case starts from is refused: %v", err)
	}
	parts := strings.Split(good, ".")
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(own.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(alg string) string {
		return encode([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`)) + "." + encode(body) + "."
	}
	hmacWith := func(secret []byte) string {
		s := encode([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"`+own.ID+`"}`)) + "." + encode(body)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(s))
		return s + "." + encode(mac.Sum(nil))
	}
	embedded := func() string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: accessAlg, Key: stranger}, (&jose.SignerOptions{EmbedJWK: true}).WithType(accessType))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jwt.Signed(s).Claims(claims(nil)).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	identity, err := h.minter.Identity(&ID{Claims: jwt.Claims{Subject: "account-1"}}, "app-1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	otherBody := strings.Replace(string(body), "account-1", "account-2", 1)
	flipped := decoded(t, parts[2])
	flipped[0] ^= 1
	for name, raw := range map[string]string{
		"nothing":                           "",
		"no JWT":                            "open sesame",
		"alg none":                          unsigned("none"),
		"alg None":                          unsigned("None"),
		"alg none with the old signature":   unsigned("nOnE") + parts[2],
		"no signature":                      parts[0] + "." + parts[1] + ".",
		"another signature":                 parts[0] + "." + parts[1] + "." + encode(flipped),
		"other claims, old signature":       parts[0] + "." + encode([]byte(otherBody)) + "." + parts[2],
		"HMAC with the public key (DER)":    hmacWith(public),
		"HMAC with the public key (JWK)":    hmacWith([]byte(own.ID)),
		"HMAC with an empty secret":         hmacWith(nil),
		"a stranger's key":                  forge(t, accessAlg, stranger, own.ID, accessType, claims(nil)),
		"a stranger's key in its header":    embedded(),
		"no key id":                         forge(t, accessAlg, own.private, "", accessType, claims(nil)),
		"our key for ID tokens":             forge(t, idAlg, rsa.private, rsa.ID, accessType, claims(nil)),
		"an ID token":                       identity,
		"the type of an ID token":           forge(t, accessAlg, own.private, own.ID, "JWT", claims(nil)),
		"no type":                           forge(t, accessAlg, own.private, own.ID, "", claims(nil)),
		"another audience":                  sign(func(c *Claims) { c.Audience = jwt.Audience{"https://other.example/fhir"} }),
		"another audience beside ours":      sign(func(c *Claims) { c.Audience = jwt.Audience{base, "https://other.example/fhir"} }),
		"an audience that begins like ours": sign(func(c *Claims) { c.Audience = jwt.Audience{base + "/x"} }),
		"no audience":                       sign(func(c *Claims) { c.Audience = nil }),
		"another issuer":                    sign(func(c *Claims) { c.Issuer = "https://other.example" }),
		"no issuer":                         sign(func(c *Claims) { c.Issuer = "" }),
		"expired":                           sign(func(c *Claims) { c.Expiry = jwt.NewNumericDate(h.now()) }),
		"never expires":                     sign(func(c *Claims) { c.Expiry = nil }),
		"not valid yet":                     sign(func(c *Claims) { c.NotBefore = jwt.NewNumericDate(h.now().Add(time.Minute)) }),
		"no subject":                        sign(func(c *Claims) { c.Subject = "" }),
		"no id":                             sign(func(c *Claims) { c.ID = "" }),
		"far too long":                      good + strings.Repeat("A", longestToken),
	} {
		if p, err := h.verifier.Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired || p != nil {
			t.Errorf("%s: it gives %v, %v", name, p, err)
		}
	}
}

func TestBoundToCertificate(t *testing.T) {
	h := newHouse(t)
	sum := sha256.Sum256([]byte("certificate"))
	raw := h.mint(t, func(c *Claims) { c.Confirm = &Confirm{Certificate: encode(sum[:])} })
	for name, c := range map[string]struct {
		shown []byte
		ok    bool
	}{
		"its own": {[]byte("certificate"), true}, "another": {[]byte("other"), false}, "none": {nil, false},
	} {
		if _, err := h.verifier.Verify(t.Context(), raw, c.shown); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRevocation(t *testing.T) {
	revoke := map[string]func(*Revocations, context.Context, *Claims) error{
		"the token":  func(r *Revocations, ctx context.Context, c *Claims) error { return r.Token(ctx, c.ID) },
		"the grant":  func(r *Revocations, ctx context.Context, c *Claims) error { return r.Grant(ctx, c.Grant) },
		"the client": func(r *Revocations, ctx context.Context, c *Claims) error { return r.Client(ctx, c.Client) },
		"the holder": func(r *Revocations, ctx context.Context, c *Claims) error { return r.Holder(ctx, c.Subject) },
	}
	for name, f := range revoke {
		h := newHouse(t)
		elsewhere, err := OpenRevocations(t.Context(), h.state, h.now)
		if err != nil {
			t.Fatal(err)
		}
		raw := h.mint(t)
		other := h.mint(t, func(c *Claims) { c.Subject, c.Client, c.Grant = "account-2", "app-2", "grant-2" })
		c, err := h.verifier.Claims(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // again is no error
			if err := f(h.revocations, t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.verifier.Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired {
			t.Errorf("%s is revoked, and its token gives %v", name, err)
		}
		if _, err := h.verifier.Verify(t.Context(), other, nil); err != nil {
			t.Errorf("%s is revoked, and the token of another gives %v", name, err)
		}
		if err := elsewhere.Refresh(t.Context()); err != nil || !elsewhere.has(c) {
			t.Errorf("%s: another server knows nothing of it: %v", name, err)
		}
		h.pass(2 * time.Second)
		later := h.mint(t)
		_, err = h.verifier.Verify(t.Context(), later, nil)
		if again := name == "the grant"; (err != nil) != again {
			t.Errorf("%s is revoked, and a token made afterwards gives %v", name, err)
		}
	}
}

// FuzzVerify holds that only what the server has signed is ever accepted.
func FuzzVerify(f *testing.F) {
	now := newClock()
	state := newState(f, now.now)
	keys, err := OpenKeys(f.Context(), state, now.now)
	if err != nil {
		f.Fatal(err)
	}
	revocations, err := OpenRevocations(f.Context(), state, now.now)
	if err != nil {
		f.Fatal(err)
	}
	m := &Minter{Keys: keys, Issuer: issuer, Audience: base}
	raw, err := m.Access(&Claims{Claims: jwt.Claims{Subject: "a"}}, time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	v := NewVerifier(m, revocations)
	f.Add(raw)
	f.Add(raw + "=")
	f.Add(strings.Replace(raw, ".", "..", 1))
	f.Add(encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"iss":"`+issuer+`"}`)) + ".")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := v.Verify(context.Background(), s, nil); err == nil && s != raw {
			t.Errorf("%q speaks for %v", s, p)
		}
	})
}

func BenchmarkVerifySeen(b *testing.B) {
	state := newState(b, nil)
	keys, err := OpenKeys(b.Context(), state, nil)
	if err != nil {
		b.Fatal(err)
	}
	revocations, err := OpenRevocations(b.Context(), state, nil)
	if err != nil {
		b.Fatal(err)
	}
	m := &Minter{Keys: keys, Issuer: issuer, Audience: base}
	raw, err := m.Access(&Claims{Claims: jwt.Claims{Subject: "account-1"}, Client: "app-1", Scope: "user/*.rs", Roles: []string{"clinician"}, Grant: "g"}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	if err := revocations.Grant(b.Context(), "another"); err != nil {
		b.Fatal(err)
	}
	v := NewVerifier(m, revocations)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRevokedLate: who revokes and is then held up does not take back what was revoked
// later, in the meantime, here or elsewhere.
func TestRevokedLate(t *testing.T) {
	h := newHouse(t)
	began := h.now()
	held, err := OpenRevocations(t.Context(), h.state, func() time.Time { return began })
	if err != nil {
		t.Fatal(err)
	}
	h.pass(10 * time.Second)
	raw := h.mint(t) // before the later one, and after the one that is held up
	h.pass(10 * time.Second)
	if err := h.revocations.Client(t.Context(), "app-1"); err != nil {
		t.Fatal(err)
	}
	if err := held.Client(t.Context(), "app-1"); err != nil {
		t.Fatal(err)
	}
	if err := h.revocations.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Revocations{"here": h.revocations, "elsewhere": held} {
		if _, err := NewVerifier(h.minter, r).Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired {
			t.Errorf("%s the token is good again: %v", name, err)
		}
	}
}
