package sign

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Trust is whom signatures are believed from: certificate authorities, and what is known
// of certificates that they took back. The zero Trust believes nobody. It does not change
// once it is in use, so many goroutines may use it.
type Trust struct {
	roots         []*x509.Certificate
	intermediates []*x509.Certificate
	lists         []*x509.RevocationList
	responses     [][]byte // OCSP, in DER

	// Ask returns the OCSP response of today for a certificate, in DER. It is asked only
	// about certificates whose chain is trusted. nil asks nobody: then what is known is
	// what was added.
	//
	// See https://www.rfc-editor.org/rfc/rfc6960.
	Ask func(ctx context.Context, certificate, issuer *x509.Certificate) ([]byte, error)
}

// ReadTrust reads all files of a folder, subfolders apart: certificates of authorities and
// revocation lists, in DER or PEM, and OCSP responses in DER. A certificate that signed
// itself is a root; the others are intermediates. Errors name the file.
func ReadTrust(folder fs.FS) (*Trust, error) {
	t := &Trust{}
	files, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.IsDir() || f.Name()[0] == '.' {
			continue
		}
		data, err := fs.ReadFile(folder, f.Name())
		if err != nil {
			return nil, err
		}
		if err := t.Add(data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return t, nil
}

// Add adds the content of one file, before the Trust is used.
func (t *Trust) Add(data []byte) error {
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		return t.addDER(data)
	}
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CRL" {
			return fmt.Errorf("a %s does not belong here", block.Type)
		}
		if err := t.addDER(block.Bytes); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return errors.New("there is neither a certificate nor a revocation list")
	}
	return nil
}

func (t *Trust) addDER(der []byte) error {
	if all, err := x509.ParseCertificates(der); err == nil && len(all) > 0 {
		for _, c := range all {
			if err := t.addCertificate(c); err != nil {
				return err
			}
		}
		return nil
	}
	if list, err := x509.ParseRevocationList(der); err == nil {
		t.lists = append(t.lists, list)
		return nil
	}
	if isResponse(der) {
		t.responses = append(t.responses, bytes.Clone(der))
		return nil
	}
	return errors.New("this is neither a certificate, nor a revocation list, nor an OCSP response")
}

func (t *Trust) addCertificate(c *x509.Certificate) error {
	if !c.IsCA || !c.BasicConstraintsValid {
		return errors.New("this certificate is not that of a certificate authority")
	}
	if bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
		t.roots = append(t.roots, c)
	} else {
		t.intermediates = append(t.intermediates, c)
	}
	return nil
}

// Empty reports whether t believes nobody.
func (t *Trust) Empty() bool { return t == nil || len(t.roots) == 0 }

// chain returns the certificates from c to a root, at a time; nil when there is no such
// chain. brought are further certificates that came with the signature.
func (t *Trust) chain(c *x509.Certificate, brought []*x509.Certificate, at time.Time) []*x509.Certificate {
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	for _, r := range t.roots {
		roots.AddCert(r)
	}
	for _, i := range slices.Concat(t.intermediates, brought) {
		others.AddCert(i)
	}
	chains, err := c.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: others, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil
	}
	for _, chain := range chains {
		strong := true
		for _, c := range chain {
			if _, err := algorithmOf(c.PublicKey); err != nil && !strongCA(c) {
				strong = false
			}
		}
		if strong && len(chain) > 1 {
			return chain
		}
	}
	return nil
}

// strongCA reports whether an authority's key is as good as those that sign here: RSA as
// theirs, or any of the common curves.
func strongCA(c *x509.Certificate) bool {
	return c.IsCA && c.PublicKeyAlgorithm == x509.ECDSA
}
