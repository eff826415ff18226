package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/smart"
)

// certified is a certificate with its key, as files and as a pair.
type certified struct {
	cert, key string
	pair      tls.Certificate
}

// certify makes a certificate for this machine, signed by ca or by itself.
func certify(t *testing.T, name string, ca *certified) *certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.pair.Leaf, ca.pair.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &certified{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{c.cert: {Type: "CERTIFICATE", Bytes: der}, c.key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c.pair, err = tls.LoadX509KeyPair(c.cert, c.key); err != nil {
		t.Fatal(err)
	}
	return c
}

// client trusts ca and shows own, unless that is nil.
func (ca *certified) client(own *certified, change func(*tls.Config)) *http.Client {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(ca.pair.Leaf)
	if own != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own.pair, nil } // even where it is not asked for
	}
	if change != nil {
		change(c)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}}
}

// TestTLS: certificates of files, no old version, and a token that is bound to the
// certificate of its client (RFC 8705) is good with that one only.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := certify(t, "authority", nil)
	own, facility, other := certify(t, "server", ca), certify(t, "facility", ca), certify(t, "other", ca)
	stranger := certify(t, "stranger", nil)
	dir := t.TempDir()
	p := startGuarded(t, "--data", dir, "--demo", "--tls-cert", own.cert, "--tls-key", own.key, "--tls-client-ca", ca.cert)
	if !strings.HasPrefix(p.base, "https://") {
		t.Fatalf("base %s", p.base)
	}
	res, err := ca.client(nil, nil).Get(p.base + "/metadata")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" || res.Header.Get("Server") != "" {
		t.Errorf("%s %v", res.Proto, res.Header)
	}
	for name, client := range map[string]*http.Client{
		"TLS 1.1":                    ca.client(nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }),
		"a certificate of strangers": ca.client(stranger, nil),
	} {
		if res, err := client.Get(p.base + "/metadata"); err == nil {
			t.Errorf("%s: %s", name, res.Status)
			res.Body.Close()
		}
	}

	sum := sha256.Sum256(facility.pair.Leaf.Raw)
	bound := boundToken(t, storage{Data: dir}, base64.RawURLEncoding.EncodeToString(sum[:]))
	for name, c := range map[string]struct {
		own  *certified
		want int
	}{"its own certificate": {facility, http.StatusOK}, "another": {other, http.StatusUnauthorized}, "none": {nil, http.StatusUnauthorized}} {
		req, err := http.NewRequest(http.MethodGet, p.base+"/Patient/mx1-1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bound)
		res, err := ca.client(c.own, nil).Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("with %s: %d, want %d", name, res.StatusCode, c.want)
		}
	}
}

// TestCertificateIsRenewed: new files are used without a restart, and files that do
// not fit together are not.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	first, second := certify(t, "first", nil), certify(t, "second", nil)
	var log bytes.Buffer
	f := &certificateFiles{cert: first.cert, key: first.key, log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	named := func(want string) {
		t.Helper()
		f.checked = time.Time{}
		c, err := f.get(nil)
		if err != nil || c.Leaf.Subject.CommonName != want {
			t.Errorf("%v %v, want %s", c.Leaf.Subject, err, want)
		}
	}
	replace := func(from, to string) {
		t.Helper()
		raw, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, raw, 0o600)
		}
		if err == nil {
			later := time.Now().Add(time.Minute)
			err = os.Chtimes(to, later, later)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	named("first")
	replace(second.cert, first.cert)
	named("first") // its key has not come yet
	if !strings.Contains(log.String(), "cannot be read") {
		t.Errorf("log: %s", log.String())
	}
	replace(second.key, first.key)
	named("second")
	if err := os.Remove(first.key); err != nil {
		t.Fatal(err)
	}
	named("second")
}

// TestTransportIsChecked: settings that contradict one another are refused.
func TestTransportIsChecked(t *testing.T) {
	t.Parallel()
	own := certify(t, "x", nil)
	for want, s := range map[string]transport{
		"go together":      {Cert: own.cert},
		"needs TLS":        {ClientCA: own.cert},
		"want one of the":  {Cert: own.cert, Key: own.key, Acme: []string{"x.example.org"}},
		"no certificate":   {Cert: own.cert, Key: own.key, ClientCA: own.key},
		"no such file":     {Cert: own.cert, Key: own.key + "x"},
		"--tls-client-ca:": {Cert: own.cert, Key: own.key, ClientCA: own.cert + "x"},
	} {
		if _, err := s.config("", slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	acme := transport{Acme: []string{"fhir.example.org"}, AcmeServer: "https://acme.invalid/directory"}
	c, err := acme.config(t.TempDir(), slog.Default())
	if err != nil || c.MinVersion != tls.VersionTLS12 {
		t.Fatal(err)
	}
	if _, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example.org"}); err == nil {
		t.Error("a certificate for a host that is not ours was asked for")
	}
}

// boundToken makes a clinician's token that is bound to a certificate.
func boundToken(t *testing.T, s storage, thumbprint string) (raw string) {
	t.Helper()
	err := s.withAccess(t.Context(), slog.New(slog.DiscardHandler), "", func(a *access) error {
		c, err := (&bearer{Role: "clinician"}).app(t.Context(), a)
		if err != nil {
			return err
		}
		granted, err := scope.Parse(c.Scopes...)
		if err != nil {
			return err
		}
		raw, err = a.minter.Access(smart.SystemClaims(c, granted, thumbprint), time.Minute)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
