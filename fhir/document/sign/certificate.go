package sign

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/youmark/pkcs8"
)

// Identity is whom a certificate names.
type Identity struct {
	Name    string // common name
	CURP    string // of the person; for an organization, of who represents it; "" when it has none
	RFC     string // taxpayer's code of the person or organization; "" when it has none
	Deputy  string // RFC of who represents an organization; "" otherwise
	Serial  string // of the certificate; its digits where it is written in such, as SAT does
	Issuer  string // common name of who issued it
	Expires string // yyyy-mm-dd
}

// The attributes of the subject in which an e.firma has the codes of its holder.
//
// See https://www.itu.int/rec/T-REC-X.520 (uniqueIdentifier, serialNumber).
var (
	uniqueIdentifier = asn1.ObjectIdentifier{2, 5, 4, 45}
	serialNumber     = asn1.ObjectIdentifier{2, 5, 4, 5}
)

// IdentityOf returns whom a certificate names. An e.firma has the RFC as
// x500UniqueIdentifier and the CURP as serialNumber; that of an organization has behind
// a slash those of who represents it: "RFC / RFC", " / CURP".
func IdentityOf(c *x509.Certificate) Identity {
	id := Identity{Name: c.Subject.CommonName, Issuer: c.Issuer.CommonName, Serial: serialOf(c), Expires: c.NotAfter.UTC().Format("2006-01-02")}
	for _, a := range c.Subject.Names {
		text, ok := a.Value.(string)
		if !ok {
			continue
		}
		first, second, two := strings.Cut(text, "/")
		first, second = strings.ToUpper(strings.TrimSpace(first)), strings.ToUpper(strings.TrimSpace(second))
		switch {
		case a.Type.Equal(uniqueIdentifier):
			id.RFC, id.Deputy = first, second
		case a.Type.Equal(serialNumber) && two && second != "":
			id.CURP = second
		case a.Type.Equal(serialNumber):
			id.CURP = first
		}
	}
	return id
}

// Has reports whether id is the identity that goes by a code: its CURP or its RFC. The
// codes of the deputy of an organization are not those of the organization.
func (id *Identity) Has(code string) bool {
	code = strings.ToUpper(strings.TrimSpace(code))
	return code != "" && (code == id.CURP || code == id.RFC)
}

// serialOf returns the serial number of c: as digits when its bytes are such.
func serialOf(c *x509.Certificate) string {
	digits := c.SerialNumber.Bytes()
	if len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0 {
		return string(digits)
	}
	return c.SerialNumber.Text(16)
}

// ReadCertificates reads certificates in DER or PEM, as many as there are.
func ReadCertificates(data []byte) ([]*x509.Certificate, error) {
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		all, err := x509.ParseCertificates(data)
		if err == nil && len(all) == 0 {
			err = errors.New("there is no certificate")
		}
		return all, err
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return all, nil
}

// ErrPassword says that a private key needs another password than was given.
var ErrPassword = errors.New("the private key is encrypted with another password")

// ReadKey reads a private key in PKCS #8, DER or PEM, encrypted (PBES2) as an e.firma is,
// or not. Errors: ErrPassword.
//
// See https://www.rfc-editor.org/rfc/rfc5958 and https://www.rfc-editor.org/rfc/rfc8018.
func ReadKey(data, password []byte) (crypto.Signer, error) {
	der, encrypted := data, false
	if block, _ := pem.Decode(data); block != nil {
		der, encrypted = block.Bytes, block.Type == "ENCRYPTED PRIVATE KEY"
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil || encrypted {
		if len(password) == 0 {
			return nil, ErrPassword
		}
		if key, _, err = pkcs8.ParsePrivateKey(der, password); err != nil {
			if strings.Contains(err.Error(), "incorrect password") {
				return nil, ErrPassword
			}
			return nil, errors.New("the private key cannot be read: it must be PKCS #8, encrypted with PBES2 or not at all")
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("nothing can be signed with this kind of key")
	}
	_, err = algorithmOf(signer.Public())
	return signer, err
}
