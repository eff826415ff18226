package sign_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
)

const day = 24 * time.Hour

// TestCertificates holds what certificates are good for which signatures.
func TestCertificates(t *testing.T) {
	w := newWorld(t, nil)
	now := time.Now()
	payload := canonical(t, bundle)
	stranger := signtest.NewCA(t, "AC Raíz de prueba") // of the same name
	issue := func(s signtest.Subject) *signtest.Holder {
		if s.CURP == "" {
			s.CURP = curp
		}
		return w.ca.Issue(t, s)
	}
	for name, c := range map[string]struct {
		holder *signtest.Holder
		at     time.Time // of the signature; zero is now
		check  string    // which fails; "" for none
		reason string
	}{
		"valid":                      {holder: issue(signtest.Subject{})},
		"valid when it was signed":   {holder: issue(signtest.Subject{From: now.Add(-10 * day), To: now.Add(-day)}), at: now.Add(-2 * day)},
		"expired":                    {holder: issue(signtest.Subject{From: now.Add(-10 * day), To: now.Add(-day)}), check: sign.Validity, reason: "expired"},
		"not yet valid":              {holder: issue(signtest.Subject{From: now.Add(day)}), check: sign.Validity, reason: "not-yet-valid"},
		"signed before it was valid": {holder: issue(signtest.Subject{}), at: now.Add(-400 * day), check: sign.Validity, reason: "not-yet-valid"},
		"wrong CURP":                 {holder: issue(signtest.Subject{CURP: "XEXX010101HNEXXXA4"}), check: sign.Person, reason: "another-person"},
		"CURP as the RFC":            {holder: issue(signtest.Subject{CURP: "X", RFC: curp})},
		"CURP of the representative": {holder: issue(signtest.Subject{CURP: " / " + curp, RFC: "ABC010101AB1 / " + rfc})},
		"RFC of the representative":  {holder: issue(signtest.Subject{CURP: "X", RFC: "ABC010101AB1 / " + curp}), check: sign.Person, reason: "another-person"},
		"an authority's of the name": {holder: stranger.Issue(t, signtest.Subject{CURP: curp}), check: sign.Chain, reason: "chain-unknown"},
		"for encryption only":        {holder: issue(signtest.Subject{Usage: x509.KeyUsageKeyEncipherment}), check: sign.Key, reason: "key-usage"},
		"non-repudiation only":       {holder: issue(signtest.Subject{Usage: x509.KeyUsageContentCommitment})},
	} {
		at := c.at
		if at.IsZero() {
			at = now
		}
		jws, err := c.holder.Signer().Sign(payload, at, sign.Author)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v := w.trust.Verify(t.Context(), jws, payload, person)
		if c.check == "" && v.Status() != sign.Passed {
			t.Errorf("%s: %+v", name, v.Checks)
		}
		if got := v.Of(c.check); c.check != "" && (v.Status() != sign.Failed || got.Result != sign.Failed || got.Reason != c.reason) {
			t.Errorf("%s: %+v, want %s %s", name, v.Checks, c.check, c.reason)
		}
	}
	jws, err := w.juan.Signer().Sign(payload, now, sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]*sign.Trust{"nil": nil, "empty": {}} {
		if v := trust.Verify(t.Context(), jws, payload, person); v.Status() != sign.Unknown || v.Of(sign.Chain).Reason != "nobody-trusted" || v.Of(sign.Content).Result != sign.Passed {
			t.Errorf("trust that is %s: %+v", name, v.Checks)
		}
	}
	if v := w.trust.Verify(t.Context(), jws, payload, sign.Want{}); v.Status() != sign.Unknown || v.Of(sign.Person).Result != sign.Unknown {
		t.Errorf("of nobody: %+v", v.Checks)
	}
	if v := w.trust.Accept(t.Context(), w.juan.Chain, now, person); v.Status() != sign.Passed {
		t.Errorf("accepted: %+v", v.Checks)
	}
}

// TestRevocation holds what a revocation means for a signature of now minus two days.
func TestRevocation(t *testing.T) {
	w := newWorld(t, nil)
	now := time.Now()
	signed := now.Add(-2 * day)
	payload := canonical(t, bundle)
	jws, err := w.juan.Signer().Sign(payload, signed, sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	other := w.ca.Issue(t, signtest.Subject{})
	of := func(at time.Time, reason int) signtest.Revoked {
		return signtest.Revoked{Certificate: w.juan.Certificate, At: at, Reason: reason}
	}
	above := w.root.List(t, now)
	for name, c := range map[string]struct {
		files     [][]byte
		witnessed time.Time
		result    sign.Result
		reason    string
	}{
		"no list":                            {nil, time.Time{}, sign.Unknown, "revocation-unknown"},
		"no list of the authority above":     {[][]byte{w.ca.List(t, now)}, time.Time{}, sign.Unknown, "revocation-unknown"},
		"no list of the one below":           {[][]byte{above}, time.Time{}, sign.Unknown, "revocation-unknown"},
		"not on the list":                    {[][]byte{above, w.ca.List(t, now)}, time.Time{}, sign.Passed, "not-revoked"},
		"a list from before it was signed":   {[][]byte{above, w.ca.List(t, signed.Add(-20*day))}, time.Time{}, sign.Unknown, "revocation-unknown"},
		"a list that was good then":          {[][]byte{above, w.ca.List(t, signed.Add(-day))}, time.Time{}, sign.Passed, "not-revoked"},
		"a list of tomorrow":                 {[][]byte{above, w.ca.List(t, now.Add(day))}, time.Time{}, sign.Unknown, "revocation-unknown"},
		"another is revoked":                 {[][]byte{above, w.ca.List(t, now, signtest.Revoked{Certificate: other.Certificate, At: now.Add(-5 * day)})}, time.Time{}, sign.Passed, "not-revoked"},
		"revoked before":                     {[][]byte{above, w.ca.List(t, now, of(now.Add(-3*day), 0))}, time.Time{}, sign.Failed, "revoked"},
		"revoked after":                      {[][]byte{above, w.ca.List(t, now, of(now.Add(-day), 0))}, time.Time{}, sign.Passed, "revoked-later"},
		"compromised after":                  {[][]byte{above, w.ca.List(t, now, of(now.Add(-day), 1))}, time.Time{}, sign.Failed, "compromised"},
		"compromised after it was seen":      {[][]byte{above, w.ca.List(t, now, of(now.Add(-day), 1))}, signed, sign.Passed, "revoked-later"},
		"seen after it was compromised":      {[][]byte{above, w.ca.List(t, now, of(now.Add(-day), 1))}, now, sign.Failed, "compromised"},
		"two lists, revoked on the newer":    {[][]byte{above, w.ca.List(t, signed), w.ca.List(t, now, of(now.Add(-3*day), 0))}, time.Time{}, sign.Failed, "revoked"},
		"the authority is revoked":           {[][]byte{w.root.List(t, now, signtest.Revoked{Certificate: w.ca.Certificate, At: now.Add(-9 * day)}), w.ca.List(t, now)}, time.Time{}, sign.Failed, "revoked"},
		"a list that another authority made": {[][]byte{above, signtest.NewCA(t, "AC de prueba").List(t, now, of(now.Add(-3*day), 0))}, time.Time{}, sign.Unknown, "revocation-unknown"},
	} {
		trust := signtest.Trust(t, w.root, c.files...)
		v := trust.Verify(t.Context(), jws, payload, sign.Want{Person: []string{curp}, Witnessed: c.witnessed})
		if got := v.Of(sign.Revocation); got.Result != c.result || got.Reason != c.reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// response makes an OCSP response.
func response(t *testing.T, issuer, by *signtest.Holder, from ocsp.Response) []byte {
	t.Helper()
	from.Certificate = nil
	if by != issuer {
		from.Certificate = by.Certificate
	}
	from.IssuerHash = crypto.SHA1
	der, err := ocsp.CreateResponse(issuer.Certificate, by.Certificate, from, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestOCSP(t *testing.T) {
	root := signtest.NewCA(t, "AC")
	juan := root.Issue(t, signtest.Subject{CURP: curp})
	now := time.Now()
	payload := canonical(t, bundle)
	jws, err := juan.Signer().Sign(payload, now, sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: juan.Certificate.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	revoked := good
	revoked.Status, revoked.RevokedAt, revoked.RevocationReason = ocsp.Revoked, now.Add(-day), ocsp.KeyCompromise
	unknown, stale, another := good, good, good
	unknown.Status = ocsp.Unknown
	stale.ThisUpdate, stale.NextUpdate = now.Add(-3*day), now.Add(-2*day)
	another.SerialNumber = root.Certificate.SerialNumber
	responder := root.Issue(t, signtest.Subject{Extended: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	for name, c := range map[string]struct {
		der    []byte
		result sign.Result
	}{
		"good":                        {response(t, &root.Holder, &root.Holder, good), sign.Passed},
		"good, by a responder":        {response(t, &root.Holder, responder, good), sign.Passed},
		"by one who may not answer":   {response(t, &root.Holder, juan, good), sign.Unknown},
		"revoked":                     {response(t, &root.Holder, &root.Holder, revoked), sign.Failed},
		"unknown":                     {response(t, &root.Holder, &root.Holder, unknown), sign.Unknown},
		"stale":                       {response(t, &root.Holder, &root.Holder, stale), sign.Unknown},
		"of another certificate":      {response(t, &root.Holder, &root.Holder, another), sign.Unknown},
		"of another authority's hand": {response(t, &root.Holder, &signtest.NewCA(t, "AC").Holder, good), sign.Unknown},
		"no response":                 {[]byte("x"), sign.Unknown},
	} {
		asked := signtest.Trust(t, root)
		asked.Ask = func(context.Context, *x509.Certificate, *x509.Certificate) ([]byte, error) { return c.der, nil }
		trusts := map[string]*sign.Trust{"asked": asked}
		if name != "no response" && name != "of another authority's hand" && name != "by one who may not answer" {
			trusts["kept"] = signtest.Trust(t, root, c.der)
		}
		for how, trust := range trusts {
			if got := trust.Verify(t.Context(), jws, payload, person).Of(sign.Revocation); got.Result != c.result {
				t.Errorf("%s, %s: %+v", name, how, got)
			}
		}
	}
}

func TestReadTrust(t *testing.T) {
	w := newWorld(t, nil)
	list := w.ca.List(t, time.Now())
	folder := fstest.MapFS{
		"raiz.cer":       {Data: w.root.Certificate.Raw},
		"intermedia.pem": {Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.Certificate.Raw})},
		"lista.crl":      {Data: pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})},
		"raiz.crl":       {Data: w.root.List(t, time.Now())},
		".hidden":        {Data: []byte("x")},
		"folder/x":       {Data: []byte("x")},
	}
	trust, err := sign.ReadTrust(folder)
	if err != nil || trust.Empty() {
		t.Fatal(err)
	}
	alone := *w.juan
	alone.Chain = alone.Chain[:1] // the intermediate is in the folder
	jws, err := alone.Signer().Sign(canonical(t, bundle), time.Now(), sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	if v := trust.Verify(t.Context(), jws, canonical(t, bundle), person); v.Status() != sign.Passed {
		t.Errorf("%+v", v.Checks)
	}
	key, err := x509.MarshalPKCS8PrivateKey(signtest.EC())
	if err != nil {
		t.Fatal(err)
	}
	bad := make([]byte, 100)
	if _, err := rand.Read(bad); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"a person's certificate": w.juan.Certificate.Raw, "noise": bad, "nothing": nil, "text": []byte("hola"),
		"a key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), "an empty PEM": []byte("-----BEGIN"),
	} {
		if _, err := sign.ReadTrust(fstest.MapFS{"x.cer": {Data: data}}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if !(*sign.Trust)(nil).Empty() || !(&sign.Trust{}).Empty() {
		t.Error("trust in nobody is not empty")
	}
}

// TestWords: every reason has words in both languages.
func TestWords(t *testing.T) {
	w := newWorld(t, nil)
	payload := canonical(t, bundle)
	jws, err := w.juan.Signer().Sign(payload, time.Now(), sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	v := w.trust.Verify(t.Context(), jws, payload, person)
	bad := w.trust.Verify(t.Context(), "x", payload, person)
	for _, c := range append(append(v.Checks, bad.Checks...), sign.Check{Reason: "revoked-later", At: time.Now()}) {
		if es, en := c.Text("es"), c.Text("en"); es == "" || en == "" || es == en || es[len(es)-1] != '.' {
			t.Errorf("%+v: %q, %q", c, es, en)
		}
	}
	if v.Text("es") != "La firma es válida." || v.Text("en") != "The signature is valid." || bad.Text("es") != "La firma NO es válida." {
		t.Error(v.Text("es"), v.Text("en"), bad.Text("es"))
	}
}
