package health

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/registry/key"
)

var now = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

const issuer = "https://salud.example.gob.mx/cards"

func newKey(t testing.TB) *key.Key {
	t.Helper()
	k, err := key.New(now.Add(-time.Hour), now.Add(24*time.Hour), 0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sample() *Card {
	return &Card{Issuer: issuer, From: now, Types: []string{TypeCard, TypeImmunization}, FHIR: "4.0.1", RID: "Zk3vQm9Xb0o",
		Bundle: []byte(`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"resource:0","resource":{"resourceType":"Patient","name":[{"family":"Ñáñez <&>","given":["Xóchitl"]}],"birthDate":"2025-03-15"}},{"fullUrl":"resource:1","resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"resource:0"},"occurrenceDateTime":"2025-05-15","lotNumber":"A1"}}]}`)}
}

func signed(t testing.TB, c *Card, k *key.Key) string {
	t.Helper()
	jws, err := c.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func trusting(k *key.Key) Trust {
	return Trust{issuer: {URL: issuer, Keys: key.Keys{k}, Lists: []List{{Key: k.ID, Method: "rid"}}}}
}

func TestVerdicts(t *testing.T) {
	k, other := newKey(t), newKey(t)
	trust := trusting(k)
	card := func(f func(c *Card)) string {
		c := sample()
		f(c)
		return signed(t, c, k)
	}
	good := card(func(*Card) {})
	revoked := func(rids ...string) Trust {
		return Trust{issuer: {URL: issuer, Keys: key.Keys{k}, Lists: []List{{Key: k.ID, RIDs: rids}}}}
	}
	back := *k
	back.Revoked = now
	for name, c := range map[string]struct {
		trust Trust
		jws   string
		want  Verdict
	}{
		"good":                          {trust, good, Valid},
		"expired":                       {trust, card(func(c *Card) { c.Until = now }), Expired},
		"until tomorrow":                {trust, card(func(c *Card) { c.Until = now.Add(24 * time.Hour) }), Valid},
		"of the future":                 {trust, card(func(c *Card) { c.From = now.Add(time.Hour) }), NotYet},
		"of an issuer's quick clock":    {trust, card(func(c *Card) { c.From = now.Add(time.Minute) }), Valid},
		"another issuer":                {trust, card(func(c *Card) { c.Issuer = "https://evil.example" }), Unknown},
		"another key":                   {trust, signed(t, sample(), other), NoKey},
		"a key that was taken back":     {trusting(&back), good, NoKey},
		"revoked":                       {revoked("x", "Zk3vQm9Xb0o"), good, Revoked},
		"those before it were revoked":  {revoked("Zk3vQm9Xb0o.1795320000"), good, Valid},
		"revoked with those before it":  {revoked("Zk3vQm9Xb0o.1795320001"), good, Revoked},
		"another one is revoked":        {revoked("Zk3vQm9Xb0"), good, Valid},
		"an empty rid revokes nothing":  {revoked(""), card(func(c *Card) { c.RID = "" }), Valid},
		"without the type":              {trust, card(func(c *Card) { c.Types = []string{TypeImmunization} }), Malformed},
		"without a Bundle":              {trust, card(func(c *Card) { c.Bundle = []byte(`"x"`) }), Malformed},
		"without its signature":         {trust, good[:strings.LastIndexByte(good, '.')+1], Altered},
		"with a line end":               {trust, strings.Replace(good, ".", "\n.", 1), Malformed},
		"two parts":                     {trust, good[:strings.LastIndexByte(good, '.')], Malformed},
		"no algorithm":                  {trust, b64.EncodeToString([]byte(`{"zip":"DEF","alg":"none","kid":"`+k.ID+`"}`)) + good[strings.IndexByte(good, '.'):], Malformed},
		"a bomb":                        {trust, bomb(t, k), Malformed},
		"nothing":                       {trust, "", Malformed},
		"longer than any":               {trust, strings.Repeat("A", longestJWS+1), Malformed},
		"a key under the id of another": {trusting(&key.Key{ID: k.ID, Public: other.Public}), good, Altered},
	} {
		if r := c.trust.Check(c.jws, now); r.Verdict != c.want {
			t.Errorf("%s: %s, want %s", name, r.Verdict, c.want)
		}
	}
	for name, c := range map[string]func(c *Card){
		"slash": func(c *Card) { c.Issuer += "/" }, "no issuer": func(c *Card) { c.Issuer = "" }, "long": func(c *Card) { c.RID = strings.Repeat("a", 25) }, "alphabet": func(c *Card) { c.RID = "a.b" },
	} {
		one := sample()
		if c(one); true {
			if _, err := one.Sign(k); err == nil {
				t.Errorf("%s: it is signed", name)
			}
		}
	}
}

// bomb is signed well, and unpacks to far more than a card.
func bomb(t *testing.T, k *key.Key) string {
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, 9)
	w.Write(bytes.Repeat([]byte("a"), longestCard+10))
	w.Close()
	input := b64.EncodeToString([]byte(`{"zip":"DEF","alg":"ES256","kid":"`+k.ID+`"}`)) + "." + b64.EncodeToString(packed.Bytes())
	signature, err := k.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(signature)
}

// TestJOSE lets a library of others verify our cards.
func TestJOSE(t *testing.T) {
	k := newKey(t)
	jws := signed(t, sample(), k)
	parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(publishedSet(t, k))
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	found := set.Key(parsed.Signatures[0].Header.KeyID)
	if len(found) != 1 {
		t.Fatal("the key is not in the set")
	}
	print, err := found[0].Thumbprint(5) // crypto.SHA256
	if err != nil || b64.EncodeToString(print) != k.ID {
		t.Error("the id of the key is not its thumbprint")
	}
	if _, err := parsed.Verify(found[0]); err != nil {
		t.Error(err)
	}
}

func publishedSet(t testing.TB, k *key.Key) key.Set {
	t.Helper()
	j, err := k.JWK()
	if err != nil {
		t.Fatal(err)
	}
	return key.Set{Keys: []key.JWK{j}}
}

// nodeVerifier is a verifier that shares nothing with ours: OpenSSL and zlib, by Node.js.
const nodeVerifier = `
const c = require('crypto'), z = require('zlib');
const {jws, jwks} = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const [h, p, s] = jws.split('.');
const header = JSON.parse(Buffer.from(h, 'base64url'));
const jwk = jwks.keys.find(k => k.kid === header.kid);
const print = c.createHash('sha256').update(JSON.stringify({crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y})).digest('base64url');
const key = c.createPublicKey({key: jwk, format: 'jwk'});
const ok = c.verify('sha256', Buffer.from(h + '.' + p), {key, dsaEncoding: 'ieee-p1363'}, Buffer.from(s, 'base64url'));
const payload = z.inflateRawSync(Buffer.from(p, 'base64url')).toString();
console.log(JSON.stringify({header, ok, print, payload}));`

// TestNode verifies our cards where Node.js is.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED: there is no Node.js")
	}
	k := newKey(t)
	c := sample()
	in, err := json.Marshal(map[string]any{"jws": signed(t, c, k), "jwks": publishedSet(t, k)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", nodeVerifier)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got struct {
		Header  map[string]string
		OK      bool
		Print   string
		Payload string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err, string(out))
	}
	if !got.OK || got.Print != k.ID || got.Header["zip"] != "DEF" || got.Header["alg"] != "ES256" || len(got.Header) != 3 {
		t.Errorf("%+v", got)
	}
	if want := `{"iss":"` + issuer + `","nbf":1795320000,"vc":{"type":["https://smarthealth.cards#health-card","https://smarthealth.cards#immunization"],"credentialSubject":{"fhirVersion":"4.0.1","fhirBundle":` +
		string(c.Bundle) + `},"rid":"Zk3vQm9Xb0o"}}`; got.Payload != want {
		t.Errorf("it says\n%s, want\n%s", got.Payload, want)
	}
}

// TestCodes: whatever the length, codes are short enough, of like size, and come back in
// any order.
func TestCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jws := strings.Repeat("eyJ.-_z", rapid.IntRange(1, 1500).Draw(t, "length"))
		codes := Codes(jws)
		shortest, longest := len(codes[0]), 0
		for _, c := range codes {
			digits := c[strings.LastIndexByte(c, '/')+1:]
			shortest, longest = min(shortest, len(digits)), max(longest, len(digits))
		}
		if len(codes) == 1 && longest > 2*1195 || len(codes) > 1 && (longest > 2*1191 || longest-shortest > 2) {
			t.Fatalf("%d codes of %d to %d digits", len(codes), shortest, longest)
		}
		back, err := Find([]byte(strings.Join(rapid.Permutation(codes).Draw(t, "order"), "\r\n ")))
		if err != nil || len(back) != 1 || back[0] != jws {
			t.Fatalf("%v %.40q", err, back)
		}
	})
	for _, bad := range []string{"shc:/", "shc:/5", "shc:/78", "shc:/1/2/56", "shc:/3/2/56", "shc:/0/1/56", "shc:/1/2/56\nshc:/2/3/56", "shc:/1/2/56\nshc:/1/2/57", "shc:/x/y/56", "shc:/5a", "shc:/1/2/3/56", "shc:/1/999999999999999999/56", "{}", `{"verifiableCredential":[]}`, " "} {
		if found, err := Find([]byte(bad)); err == nil {
			t.Errorf("%q is read as %q", bad, found)
		}
	}
}

func FuzzCheck(f *testing.F) {
	k := newKey(f)
	good := signed(f, sample(), k)
	file, err := File(good)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", good, good + ".", string(file), Codes(good)[0], "shc:/1/2/5676", "shc:/" + strings.Repeat("9", 100), strings.ToUpper(good), `{"verifiableCredential":[null]}`, "eyJ6aXAiOiJERUYifQ.e30.e30"} {
		f.Add(seed)
	}
	trust := trusting(k)
	f.Fuzz(func(t *testing.T, text string) {
		found, err := Find([]byte(text))
		if err != nil {
			return
		}
		for _, jws := range found {
			if r := trust.Check(jws, now); r.Verdict == Valid && jws != good {
				t.Fatalf("%q is believed", jws)
			}
		}
	})
}

func TestDirectory(t *testing.T) {
	k := newKey(t)
	j := publishedSet(t, k).Keys[0]
	text, err := json.Marshal(map[string]any{"directory": "https://x", "issuerInfo": []any{map[string]any{
		"issuer": map[string]string{"iss": issuer, "name": "Secretaría de Salud"}, "keys": []any{j, map[string]string{"kty": "RSA"}},
		"crls": []any{map[string]any{"kid": k.ID, "method": "rid", "ctr": "2", "rids": []string{"a", "b"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	trust, err := ParseDirectory(text)
	if err != nil {
		t.Fatal(err)
	}
	if i := trust[issuer]; i == nil || i.Name != "Secretaría de Salud" || len(i.Keys) != 1 || len(i.Lists) != 1 || i.Lists[0].Counter != 2 {
		t.Fatalf("%+v", trust[issuer])
	}
	if r := trust.Check(signed(t, sample(), k), now); r.Verdict != Valid || r.Issuer.Name == "" {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "[]", "{}", `{"participating_issuers":[]}`, `{"issuerInfo":[{}]}`} {
		if _, err := ParseDirectory([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a list", bad)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k, c := newKey(b), sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sign(k); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	k := newKey(b)
	trust, jws := trusting(k), signed(b, sample(), k)
	b.ReportAllocs()
	for b.Loop() {
		if r := trust.Check(jws, now); r.Verdict != Valid {
			b.Fatal(r.Verdict)
		}
	}
}
