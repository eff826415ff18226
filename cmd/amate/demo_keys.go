package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// demoKeys is a folder of keys that only a demonstration has: an authority of its own, the
// e.firma of some who work there, and a seal. Nobody elsewhere believes them.
//
//	trust/            the authority's certificate and revocation list: --signature-trust
//	seals/            default.cer and default.key: --birth-seals
//	authority.key     PKCS #8, as all keys here not encrypted
//	cedula-....cer    and .key, of a Practitioner
type demoKeys struct {
	dir string
	mu  sync.Mutex // over making what is not there
}

func (k *demoKeys) trust() string { return filepath.Join(k.dir, "trust") }
func (k *demoKeys) seals() string { return filepath.Join(k.dir, "seals") }

// demoSubject is who a certificate is of.
type demoSubject struct{ name, curp, rfc string }

// open makes what is missing of the folder, and a fresh revocation list.
func (k *demoKeys) open() error {
	for _, dir := range []string{k.dir, k.trust(), k.seals()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	authority, err := k.authority()
	if err != nil {
		return err
	}
	// It tells of the time before, too, in which the demonstration has things signed.
	now := time.Now()
	list := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now.AddDate(-2, 0, 0), NextUpdate: now.AddDate(2, 0, 0)}
	der, err := x509.CreateRevocationList(rand.Reader, list, authority.Chain[0], authority.Key)
	if err == nil {
		err = os.WriteFile(filepath.Join(k.trust(), "authority.crl"), der, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = k.issue(filepath.Join(k.seals(), "default"), demoSubject{name: "ESTABLECIMIENTOS DE DEMOSTRACION", rfc: "EDD990101AB1"})
	return err
}

// authority returns who issues certificates.
func (k *demoKeys) authority() (*sign.Signer, error) {
	cer, key := filepath.Join(k.trust(), "authority.cer"), filepath.Join(k.dir, "authority.key")
	if s, err := readSigner(cer, key); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Autoridad de demostración: nada de esto vale", Country: []string{"MX"}},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte("amate demo"),
		NotBefore: time.Now().AddDate(-3, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
	}
	return writeSigner(cer, key, from, nil)
}

// of returns the e.firma of a Practitioner, who has a CURP.
func (k *demoKeys) of(ctx context.Context, store interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
}, practitioner string) (*sign.Signer, error) {
	r, err := store.Read(ctx, fhir.Ref{Type: "Practitioner", ID: practitioner})
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	var who demoSubject
	for id := range d.Items(0, "identifier") {
		if d.TextAt(id, "system") == identity.SystemCURP {
			who.curp = d.TextAt(id, "value")
		}
	}
	for name := range d.Items(0, "name") {
		who.name = d.TextAt(name, "text")
	}
	if len(who.curp) != 18 {
		return nil, fmt.Errorf("%s has no CURP", r.Ref)
	}
	who.rfc = who.curp[:10] + "XX0"
	return k.issue(filepath.Join(k.dir, practitioner), who)
}

// issue returns the certificate in the files of a name, and makes it where there is none.
func (k *demoKeys) issue(name string, who demoSubject) (*sign.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, err := readSigner(name+".cer", name+".key"); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	authority, err := k.authority()
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 60))
	if err != nil {
		return nil, err
	}
	from := &x509.Certificate{
		SerialNumber: serial, BasicConstraintsValid: true, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(4, 0, 0),
		Subject: pkix.Name{CommonName: who.name, Country: []string{"MX"}, ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: who.rfc}, // as an e.firma has them
		}},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement,
	}
	if who.curp != "" {
		from.Subject.ExtraNames = append(from.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: who.curp})
	}
	return writeSigner(name+".cer", name+".key", from, authority)
}

// readSigner reads a certificate with its key. Errors: fs.ErrNotExist where one is missing.
func readSigner(cer, key string) (*sign.Signer, error) {
	public, err := os.ReadFile(cer)
	if err != nil {
		return nil, err
	}
	private, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	s := &sign.Signer{}
	if s.Chain, err = sign.ReadCertificates(public); err == nil {
		s.Key, err = sign.ReadKey(private, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cer, err)
	}
	return s, nil
}

// writeSigner makes a key, and a certificate of it by an authority, or by itself for nil.
func writeSigner(cer, key string, from *x509.Certificate, by *sign.Signer) (*sign.Signer, error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signing := from, crypto.Signer(own)
	if by != nil {
		parent, signing = by.Chain[0], by.Key
	}
	public, err := x509.CreateCertificate(rand.Reader, from, parent, own.Public(), signing)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err == nil {
		err = errors.Join(os.WriteFile(key, private, 0o600), os.WriteFile(cer, public, 0o600))
	}
	if err != nil {
		return nil, err
	}
	return readSigner(cer, key)
}

// demoSigning lets a demonstration sign with keys of its own, where nobody said whose
// signatures are believed. A database with anything else in it believes none of them.
func (s *serve) demoSigning(ctx context.Context, store *opened) error {
	if !s.Demo || s.DemoPeople {
		return nil
	}
	own, err := demoOwns(ctx, store)
	if err != nil || !own {
		return err
	}
	if s.Opening.Publisher == openPublisher {
		s.Opening.Publisher = openPublisher + " (demostración: los datos son inventados)"
	}
	if s.Signing.Trust != "" || s.Certifying.Seals != "" {
		return nil
	}
	keys := &demoKeys{dir: filepath.Join(s.Storage.Data, "demo-keys")}
	if err := keys.open(); err != nil {
		return fmt.Errorf("keys of the demonstration: %w", err)
	}
	s.Signing.Trust, s.Certifying.Seals = keys.trust(), keys.seals()
	s.demoKeys = keys
	return nil
}
