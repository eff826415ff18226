package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
)

const (
	curp = "PEPJ800101HDFRRN09"
	rfc  = "PEPJ800101AB1"
)

// bundle is a document.
var bundle = []byte(`{"resourceType":"Bundle","id":"b","meta":{"versionId":"1"},"type":"document","entry":[{"resource":{"resourceType":"Observation",` +
	`"valueQuantity":{"value":70.50,"unit":"kg"},"note":[{"text":"Nota de evoluci\u00f3n"}]}}]}`)

func canonical(t testing.TB, json []byte) []byte {
	t.Helper()
	payload, err := sign.Document(json)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// world is an authority with one below it, and somebody who signs.
type world struct {
	root, ca *signtest.CA
	juan     *signtest.Holder
	trust    *sign.Trust
}

func newWorld(t testing.TB, key crypto.Signer) *world {
	w := &world{root: signtest.NewCA(t, "AC Raíz de prueba")}
	w.ca = w.root.Under(t, "AC de prueba")
	w.juan = w.ca.Issue(t, signtest.Subject{Name: "JUAN PEREZ PEREZ", CURP: curp, RFC: rfc, Key: key})
	w.trust = signtest.Trust(t, w.root, w.root.List(t, time.Now()), w.ca.List(t, time.Now()))
	return w
}

var person = sign.Want{Person: []string{curp}}

func TestSignAndVerify(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"RS256": signtest.RSA(), "ES256": signtest.EC()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, key)
			jws, err := w.juan.Signer().Sign(canonical(t, bundle), time.Now(), sign.Author)
			if err != nil {
				t.Fatal(err)
			}
			v := w.trust.Verify(t.Context(), jws, canonical(t, bundle), sign.Want{Person: []string{"x", curp}, Purpose: sign.Author, When: v0(t, jws)})
			if v.Status() != sign.Passed || len(v.Checks) != 8 {
				t.Fatalf("%+v", v)
			}
			if id := v.Signer; id.CURP != curp || id.RFC != rfc || id.Name != "JUAN PEREZ PEREZ" || id.Issuer != "AC de prueba" || len(id.Serial) != 20 || !strings.HasPrefix(id.Serial, "3000100000") {
				t.Errorf("signed by %+v", id)
			}
			// Another implementation of JWS agrees, both ways.
			theirs, err := jose.ParseDetached(jws, canonical(t, bundle), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(name)})
			if err == nil {
				err = theirs.DetachedVerify(canonical(t, bundle), key.Public())
			}
			if err != nil {
				t.Errorf("go-jose: %v", err)
			}
		})
	}
}

// v0 is the time of signing in the header of a JWS.
func v0(t *testing.T, jws string) time.Time {
	p, err := sign.Resume(strings.Split(jws, ".")[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.At
}

// TestTwoSteps signs where the key is, apart from where it is prepared and completed.
func TestTwoSteps(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"RS256": signtest.RSA(), "ES256": signtest.EC()} {
		w := newWorld(t, key)
		payload := canonical(t, bundle)
		p, err := sign.Prepare(payload, w.juan.Chain, time.Now(), sign.Author)
		if err != nil || p.Algorithm() != name {
			t.Fatal(p, err)
		}
		raw, err := key.Sign(rand.Reader, p.Digest(), crypto.SHA256) // ASN.1 for ES256
		if err != nil {
			t.Fatal(err)
		}
		later, err := sign.Resume(p.Header, payload)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := later.Complete(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v := w.trust.Verify(t.Context(), jws, payload, person); v.Status() != sign.Passed {
			t.Errorf("%s: %+v", name, v.Checks)
		}
		for what, bad := range map[string][]byte{"nothing": nil, "short": raw[:len(raw)-1], "long": append(bytes.Clone(raw), 0), "flipped": flip(raw, len(raw)/2)} {
			if _, err := later.Complete(bad); fhir.CodeOf(err) != fhir.Unprocessable {
				t.Errorf("%s: a signature that is %s: %v", name, what, err)
			}
		}
		other, err := sign.Resume(p.Header, append(bytes.Clone(payload), ' '))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Complete(raw); err == nil {
			t.Errorf("%s: a signature of other content was taken", name)
		}
		if _, err := (&sign.Signer{Key: signtest.EC(), Chain: w.juan.Chain}).Sign(payload, time.Now(), sign.Author); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("%s: with another key: %v", name, err)
		}
	}
}

func flip(of []byte, at int) []byte {
	out := bytes.Clone(of)
	out[at] ^= 1
	return out
}

// TestChangesAreNoticed: whatever byte of the document is changed, it verifies only when
// it still means the same.
func TestChangesAreNoticed(t *testing.T) {
	w := newWorld(t, nil)
	payload := canonical(t, bundle)
	jws, err := w.juan.Signer().Sign(payload, time.Now(), sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		changed := bytes.Clone(bundle)
		changed[rapid.IntRange(0, len(bundle)-1).Draw(r, "at")] ^= byte(1 << rapid.IntRange(0, 7).Draw(r, "bit"))
		now, err := sign.Document(changed)
		if err != nil {
			return
		}
		passed := w.trust.Verify(context.Background(), jws, now, person).Status() == sign.Passed
		if passed != bytes.Equal(now, payload) {
			r.Fatalf("passed %v: %s", passed, changed)
		}
	})
	var v any
	if json.Unmarshal(bundle, &v) != nil {
		t.Fatal("no JSON")
	}
	again, err := json.MarshalIndent(v, " ", "\t") // members sorted, white space, 70.50 as 70.5
	if err != nil || bytes.Equal(again, bundle) {
		t.Fatal(err)
	}
	if got := w.trust.Verify(t.Context(), jws, canonical(t, again), person); got.Status() != sign.Passed {
		t.Errorf("written anew, it is %+v", got.Checks)
	}
	for i := range payload {
		if got := w.trust.Verify(t.Context(), jws, flip(payload, i), person); got.Of(sign.Content).Result != sign.Failed {
			t.Fatalf("byte %d is changed: %+v", i, got.Checks)
		}
	}
}

// forge returns jws with members of its header replaced, signed by key unless nil.
func forge(t *testing.T, jws string, key crypto.Signer, payload []byte, set map[string]any) string {
	t.Helper()
	parts := strings.Split(jws, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	var h map[string]any
	if err != nil || json.Unmarshal(raw, &h) != nil {
		t.Fatal(err)
	}
	for name, value := range set {
		if value == nil {
			delete(h, name)
		} else {
			h[name] = value
		}
	}
	raw, _ = json.Marshal(h)
	head := base64.RawURLEncoding.EncodeToString(raw)
	signature := []byte{}
	if key != nil {
		sum := crypto.SHA256.New()
		sum.Write([]byte(head + "." + base64.RawURLEncoding.EncodeToString(payload)))
		if signature, err = key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	return head + ".." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestForgeries are attacks on JWS, each of which fails at the check that is named.
func TestForgeries(t *testing.T) {
	w := newWorld(t, signtest.RSA())
	payload := canonical(t, bundle)
	jws, err := w.juan.Signer().Sign(payload, time.Now(), sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	key := w.juan.Key
	other := signtest.EC()
	mallory := w.ca.Issue(t, signtest.Subject{Name: "MALLORY", CURP: "MALL800101HDFRRN09", RFC: "MALL800101AB1", Key: signtest.RSA()})
	x5c := func(c ...*x509.Certificate) (out []string) {
		for _, c := range c {
			out = append(out, base64.StdEncoding.EncodeToString(c.Raw))
		}
		return out
	}
	many := make([]*x509.Certificate, 9)
	for i := range many {
		many[i] = w.juan.Certificate
	}
	parts := strings.Split(jws, ".")
	for name, attack := range map[string]struct{ jws, check string }{
		"unchanged":              {forge(t, jws, key, payload, nil), ""},
		"alg none":               {forge(t, jws, nil, payload, map[string]any{"alg": "none"}), sign.Form},
		"alg None":               {forge(t, jws, nil, payload, map[string]any{"alg": "None"}), sign.Form},
		"no alg":                 {forge(t, jws, key, payload, map[string]any{"alg": nil}), sign.Form},
		"HS256":                  {forge(t, jws, key, payload, map[string]any{"alg": "HS256"}), sign.Form},
		"PS256":                  {forge(t, jws, key, payload, map[string]any{"alg": "PS256"}), sign.Form},
		"alg of another key":     {forge(t, jws, key, payload, map[string]any{"alg": "ES256"}), sign.Form},
		"embedded jwk":           {forge(t, jws, other, payload, map[string]any{"jwk": map[string]any{"kty": "EC"}}), sign.Form},
		"jku":                    {forge(t, jws, key, payload, map[string]any{"jku": "https://evil.example/keys"}), sign.Form},
		"x5u":                    {forge(t, jws, key, payload, map[string]any{"x5u": "https://evil.example/cert"}), sign.Form},
		"b64 false":              {forge(t, jws, key, payload, map[string]any{"b64": false, "crit": []string{"b64"}}), sign.Form},
		"crit unknown":           {forge(t, jws, key, payload, map[string]any{"crit": []string{"exp"}}), sign.Form},
		"crit empty":             {forge(t, jws, key, payload, map[string]any{"crit": []string{}}), sign.Form},
		"crit understood":        {forge(t, jws, key, payload, map[string]any{"crit": []string{"sigT"}}), ""},
		"member in capitals":     {forge(t, jws, key, payload, map[string]any{"ALG": "none"}), sign.Form},
		"unknown member":         {forge(t, jws, key, payload, map[string]any{"typ": "JOSE"}), ""},
		"no x5c":                 {forge(t, jws, key, payload, map[string]any{"x5c": nil}), sign.Form},
		"x5c too long":           {forge(t, jws, key, payload, map[string]any{"x5c": x5c(many...)}), sign.Form},
		"x5c no certificate":     {forge(t, jws, key, payload, map[string]any{"x5c": []string{"AAAA"}}), sign.Form},
		"x5c of another":         {forge(t, jws, key, payload, map[string]any{"x5c": x5c(mallory.Chain...), "x5t#S256": nil}), sign.Person},
		"thumbprint of another":  {forge(t, jws, key, payload, map[string]any{"x5c": x5c(mallory.Chain...)}), sign.Form},
		"no intermediate":        {forge(t, jws, key, payload, map[string]any{"x5c": x5c(w.juan.Certificate)}), sign.Chain},
		"signed by another key":  {forge(t, jws, other, payload, nil), sign.Content},
		"no signature":           {forge(t, jws, nil, payload, nil), sign.Content},
		"no sigT":                {forge(t, jws, key, payload, map[string]any{"sigT": nil}), sign.Form},
		"sigT in the future":     {forge(t, jws, key, payload, map[string]any{"sigT": time.Now().Add(time.Hour).Format(time.RFC3339)}), sign.Validity},
		"another purpose":        {forge(t, jws, key, payload, map[string]any{"srCms": []any{map[string]any{"commId": map[string]any{"id": "urn:oid:" + sign.Witness}}}}), sign.Purpose},
		"two purposes":           {forge(t, jws, key, payload, map[string]any{"srCms": []any{map[string]any{}, map[string]any{}}}), sign.Form},
		"payload within":         {parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2], sign.Form},
		"another part":           {jws + ".AA", sign.Form},
		"nothing":                {"", sign.Form},
		"header no JSON":         {"AAAA.." + parts[2], sign.Form},
		"header twice":           {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","alg":"RS256"}`)) + ".." + parts[2], sign.Form},
		"header too long":        {strings.Repeat("A", 70_000) + ".." + parts[2], sign.Form},
		"signature padded":       {jws + "=", sign.Form},
		"signature not base64":   {parts[0] + "..!!", sign.Form},
		"signature with newline": {jws + "\n", sign.Form},
	} {
		v := w.trust.Verify(t.Context(), attack.jws, payload, sign.Want{Person: []string{curp}, Purpose: sign.Author})
		if attack.check == "" && v.Status() != sign.Passed || attack.check != "" && v.Of(attack.check).Result != sign.Failed {
			t.Errorf("%s: %+v", name, v.Checks)
		}
	}
	if v := w.trust.Verify(t.Context(), jws, payload, sign.Want{Person: []string{curp}, When: time.Now().Add(-time.Hour)}); v.Of(sign.Purpose).Result != sign.Failed {
		t.Errorf("stated to be of an hour ago: %+v", v.Checks)
	}
}

// TestKeys reads the files of an e.firma.
func TestKeys(t *testing.T) {
	ca := signtest.NewCA(t, "AC")
	for _, key := range []crypto.Signer{signtest.RSA(), signtest.EC()} {
		h := ca.Issue(t, signtest.Subject{CURP: curp, RFC: rfc, Key: key})
		encrypted, plain := h.EncryptedKey(t), h.PlainKey(t)
		for name, file := range map[string][]byte{
			"encrypted DER": encrypted, "plain DER": plain,
			"encrypted PEM": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted}),
			"plain PEM":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}),
		} {
			got, err := sign.ReadKey(file, []byte(signtest.Password))
			if err != nil || !got.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, password := range []string{"", "another", signtest.Password + " "} {
			if _, err := sign.ReadKey(encrypted, []byte(password)); !errors.Is(err, sign.ErrPassword) {
				t.Errorf("password %q: %v", password, err)
			}
		}
		for _, file := range [][]byte{h.Certificate.Raw, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate.Raw})} {
			if got, err := sign.ReadCertificates(file); err != nil || len(got) != 1 || !got[0].Equal(h.Certificate) {
				t.Errorf("certificate: %v", err)
			}
		}
	}
	weak := ca.Issue(t, signtest.Subject{Key: signtest.WeakRSA()})
	if _, err := sign.ReadKey(weak.PlainKey(t), nil); err == nil {
		t.Error("a weak key was read")
	}
	if _, err := sign.Prepare(nil, weak.Chain, time.Now(), sign.Author); fhir.CodeOf(err) != fhir.Unprocessable {
		t.Errorf("prepared with a weak key: %v", err)
	}
	for _, file := range []string{"", "x", "-----BEGIN X-----\n", "\x30\x03\x02\x01\x00"} {
		if _, err := sign.ReadKey([]byte(file), []byte("p")); err == nil {
			t.Errorf("%q is a key", file)
		}
		if _, err := sign.ReadCertificates([]byte(file)); err == nil {
			t.Errorf("%q is a certificate", file)
		}
	}
	if _, err := sign.Prepare(nil, nil, time.Now(), sign.Author); err == nil {
		t.Error("prepared without a certificate")
	}
	if _, err := sign.Prepare(nil, ca.Chain, time.Now(), "1.2.3"); err == nil {
		t.Error("prepared in an unknown capacity")
	}
}

func FuzzVerify(f *testing.F) {
	w := newWorld(f, nil)
	payload := canonical(f, bundle)
	jws, err := w.juan.Signer().Sign(payload, time.Now(), sign.Author)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{jws, "", "..", "e30..", "eyJhbGciOiJub25lIn0..", jws + "A", strings.Replace(jws, "..", ".e30.", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if w.trust.Verify(context.Background(), in, payload, person).Status() == sign.Passed && in != jws {
			t.Fatalf("passed: %q", in)
		}
	})
}
