// Package signtest makes up certificate authorities and certificates like those of an
// e.firma, for tests only.
package signtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"github.com/amate-health/amate/fhir/document/sign"
)

// Password is that of every encrypted key.
const Password = "Contraseña-de-prueba-1"

// Holder is a certificate with its key.
type Holder struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Chain       []*x509.Certificate // Certificate, and those above it but the root
}

// CA is an authority.
type CA struct {
	Holder
	serial int64
}

// Keys are made once for all tests of a program: RSA keys take long.
var (
	rsa2048 = sync.OnceValue(func() crypto.Signer { return newRSA(2048) })
	rsa1024 = sync.OnceValue(func() crypto.Signer { return newRSA(1024) })
)

func newRSA(bits int) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// RSA returns the RSA key of 2048 bits that all tests of a program share.
func RSA() crypto.Signer { return rsa2048() }

// WeakRSA returns one of 1024 bits.
func WeakRSA() crypto.Signer { return rsa1024() }

// EC returns a new key of P-256.
func EC() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// NewCA returns an authority that signed itself.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	ca := &CA{Holder: Holder{Key: EC()}}
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-20 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(10 * 365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	ca.Certificate = certify(t, from, from, ca.Key.Public(), ca.Key)
	return ca
}

// Under returns an authority below ca.
func (ca *CA) Under(t testing.TB, name string) *CA {
	t.Helper()
	key := EC()
	ca.serial++
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + ca.serial), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-10 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(10 * 365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	c := certify(t, from, ca.Certificate, key.Public(), ca.Key)
	return &CA{Holder: Holder{Certificate: c, Key: key, Chain: append([]*x509.Certificate{c}, ca.Chain...)}}
}

// Subject says what a certificate is to be like. Zero fields have a default.
type Subject struct {
	Name, CURP, RFC string
	From, To        time.Time     // default: from a year ago for four years
	Key             crypto.Signer // default: a new one of P-256
	Usage           x509.KeyUsage // default: as an e.firma has
	Extended        []x509.ExtKeyUsage
}

// Issue returns a certificate of ca.
func (ca *CA) Issue(t testing.TB, s Subject) *Holder {
	t.Helper()
	if s.Key == nil {
		s.Key = EC()
	}
	if s.From.IsZero() {
		s.From = time.Now().Add(-365 * 24 * time.Hour)
	}
	if s.To.IsZero() {
		s.To = s.From.Add(4 * 365 * 24 * time.Hour)
	}
	if s.Usage == 0 {
		s.Usage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement
	}
	ca.serial++
	from := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(fmt.Appendf(nil, "3000100000%010d", ca.serial)),
		Subject: pkix.Name{CommonName: s.Name, Country: []string{"MX"}, ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: s.RFC}, {Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: s.CURP},
		}},
		NotBefore: s.From, NotAfter: s.To, KeyUsage: s.Usage, ExtKeyUsage: s.Extended, BasicConstraintsValid: true,
	}
	c := certify(t, from, ca.Certificate, s.Key.Public(), ca.Key)
	return &Holder{Certificate: c, Key: s.Key, Chain: append([]*x509.Certificate{c}, ca.Chain...)}
}

// certify makes a certificate, by parent's key.
func certify(t testing.TB, from, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, from, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Revoked is a certificate that was taken back.
type Revoked struct {
	Certificate *x509.Certificate
	At          time.Time
	Reason      int // RFC 5280; 1 is a compromised key
}

// List returns the revocation list of ca in DER, made at a time and good for a week.
func (ca *CA) List(t testing.TB, made time.Time, revoked ...Revoked) []byte {
	t.Helper()
	ca.serial++
	list := &x509.RevocationList{Number: big.NewInt(ca.serial), ThisUpdate: made, NextUpdate: made.Add(7 * 24 * time.Hour)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.Certificate.SerialNumber, RevocationTime: r.At, ReasonCode: r.Reason})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Certificate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Trust returns trust in root, with what files holds beside.
func Trust(t testing.TB, root *CA, files ...[]byte) *sign.Trust {
	t.Helper()
	trust := &sign.Trust{}
	for _, data := range append([][]byte{root.Certificate.Raw}, files...) {
		if err := trust.Add(data); err != nil {
			t.Fatal(err)
		}
	}
	return trust
}

// Signer returns what signs as h.
func (h *Holder) Signer() *sign.Signer { return &sign.Signer{Key: h.Key, Chain: h.Chain} }

// EncryptedKey returns the key of h as an e.firma has it: PKCS #8 encrypted by Password.
func (h *Holder) EncryptedKey(t testing.TB) []byte {
	t.Helper()
	opts := &pkcs8.Opts{Cipher: pkcs8.TripleDESCBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA1}}
	der, err := pkcs8.MarshalPrivateKey(h.Key, []byte(Password), opts)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// PlainKey returns the key of h in PKCS #8, not encrypted.
func (h *Holder) PlainKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(h.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
