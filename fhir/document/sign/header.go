package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// The algorithms: those of RSA keys, which e.firma has, and of P-256.
//
// See https://www.rfc-editor.org/rfc/rfc7518#section-3.1.
const (
	RS256 = "RS256"
	ES256 = "ES256"
)

// The capacities in which somebody signs, of urn:iso-astm:E1762-95:2013.
//
// See https://hl7.org/fhir/R4/valueset-signature-type.html.
const (
	PurposeSystem  = "urn:iso-astm:E1762-95:2013"
	Author         = "1.2.840.10065.1.12.1.1"
	CoAuthor       = "1.2.840.10065.1.12.1.2"
	Verification   = "1.2.840.10065.1.12.1.5" // who has checked it
	Consent        = "1.2.840.10065.1.12.1.7"
	Witness        = "1.2.840.10065.1.12.1.8" // of a signature
	Administrative = "1.2.840.10065.1.12.1.15"
)

// purposes are the names of the capacities.
var purposes = map[string]string{
	Author: "Author's Signature", CoAuthor: "Coauthor's Signature", Verification: "Verification Signature",
	Consent: "Consent Signature", Witness: "Signature Witness Signature", Administrative: "Administrative Signature",
}

// PurposeName returns what the code system calls a capacity, and whether it is known here.
func PurposeName(code string) (string, bool) {
	name, ok := purposes[code]
	return name, ok
}

// What a header may hold at most.
const (
	maxHeader = 64 << 10 // bytes of its base64
	maxChain  = 8        // certificates
)

// header is the protected header of a signature.
//
// See https://www.rfc-editor.org/rfc/rfc7515#section-4.1.
type header struct {
	Algorithm string
	Chain     []*x509.Certificate // the signer's first
	SignedAt  time.Time           // as the signer says
	Purpose   string              // code of PurposeSystem; "" when it does not say
}

// headerJSON is how a header is written. The order of its members is that of the text.
type headerJSON struct {
	Algorithm  string       `json:"alg"`
	Signed     string       `json:"sigT"`
	Commitment []commitment `json:"srCms,omitempty"`
	Chain      []string     `json:"x5c"`
	Thumbprint string       `json:"x5t#S256"`
	Critical   []string     `json:"crit,omitempty"`
}

// commitment is what somebody signs as.
//
// See ETSI TS 119 182-1 clause 5.2.3.
type commitment struct {
	ID struct {
		ID          string `json:"id"`
		Description string `json:"desc,omitempty"`
	} `json:"commId"`
}

var b64 = base64.RawURLEncoding.Strict()

// algorithmOf returns the algorithm that a key signs with.
func algorithmOf(key any) (string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return "", fmt.Errorf("the RSA key has %d bits, and must have from %d to %d", bits, minRSA, maxRSA)
		}
		return RS256, nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return ES256, nil
		}
		return "", errors.New("the elliptic curve must be P-256")
	}
	return "", errors.New("the key must be of RSA or of the curve P-256")
}

// How many bits an RSA key has: fewer are weak, and more only take long.
const (
	minRSA = 2048
	maxRSA = 8192
)

// encode writes the header as the first part of a JWS.
func (h *header) encode() (string, error) {
	out := headerJSON{Algorithm: h.Algorithm, Signed: h.SignedAt.UTC().Format(time.RFC3339), Thumbprint: thumbprint(h.Chain[0])}
	if h.Purpose != "" {
		var c commitment
		c.ID.ID, c.ID.Description = "urn:oid:"+h.Purpose, purposes[h.Purpose]
		out.Commitment = []commitment{c}
	}
	for _, c := range h.Chain {
		out.Chain = append(out.Chain, base64.StdEncoding.EncodeToString(c.Raw))
	}
	text, err := json.Marshal(out)
	if err != nil {
		return "", err
	}
	return b64.EncodeToString(text), nil
}

func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return b64.EncodeToString(sum[:])
}

// errForm says that something is no signature of the form that is read here.
type errForm struct{ reason, why string }

func (e *errForm) Error() string { return e.why }

func malformed(reason, format string, args ...any) error {
	return &errForm{reason, fmt.Sprintf(format, args...)}
}

// forbidden are the members that would bring another key, or another way to read the
// content, than the certificate and the form that is read here.
var forbidden = []string{"jwk", "jku", "x5u", "kid", "b64", "zip"}

// decodeHeader reads the first part of a JWS. Whatever it does not know is refused when
// it is critical, and passed over otherwise.
//
// See https://www.rfc-editor.org/rfc/rfc7515#section-4.
func decodeHeader(text string) (*header, error) {
	if len(text) > maxHeader {
		return nil, malformed("header", "the header is too long")
	}
	raw, err := b64.DecodeString(text)
	if err != nil {
		return nil, malformed("header", "the header is not base64url")
	}
	doc, err := element.Parse(raw) // strict: a member stands once, and under one name
	if err != nil || doc.Kind(0) != element.Object {
		return nil, malformed("header", "the header is no JSON object")
	}
	for _, name := range forbidden {
		if doc.Get(0, name) != element.None {
			return nil, malformed("header-member", "the header has %s, which is not taken", name)
		}
	}
	var in headerJSON
	strict := json.NewDecoder(bytes.NewReader(raw))
	if err := strict.Decode(&in); err != nil || doubled(doc) {
		return nil, malformed("header", "the header is not as it should be")
	}
	return in.header(doc.Get(0, "crit") != element.None)
}

// doubled reports whether a member that is read here stands in other capitals as well,
// which encoding/json would take for it.
func doubled(doc *element.Doc) bool {
	known := []string{"alg", "sigT", "srCms", "x5c", "x5t#S256", "crit"}
	for m := doc.First(0); m != element.None; m = doc.Next(0, m) {
		name := doc.Name(m)
		for _, k := range known {
			if string(name) != k && bytes.EqualFold(name, []byte(k)) {
				return true
			}
		}
	}
	return false
}

func (in *headerJSON) header(critical bool) (*header, error) {
	h := &header{Algorithm: in.Algorithm}
	if in.Algorithm != RS256 && in.Algorithm != ES256 {
		return nil, malformed("algorithm", "the algorithm must be RS256 or ES256")
	}
	if critical && len(in.Critical) == 0 || slices.ContainsFunc(in.Critical, func(name string) bool { return name != "sigT" && name != "srCms" }) {
		return nil, malformed("critical", "the header has a critical member that is not understood")
	}
	var err error
	if h.SignedAt, err = time.Parse(time.RFC3339, in.Signed); err != nil {
		return nil, malformed("signing-time", "the header does not say when it was signed (sigT)")
	}
	if len(in.Commitment) > 1 {
		return nil, malformed("header", "the header names several capacities")
	}
	for _, c := range in.Commitment {
		h.Purpose = trimOID(c.ID.ID)
	}
	if len(in.Chain) == 0 || len(in.Chain) > maxChain {
		return nil, malformed("certificate", "the header has no certificates (x5c), or more than %d", maxChain)
	}
	for _, text := range in.Chain {
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, malformed("certificate", "a certificate of the header is not base64")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, malformed("certificate", "a certificate of the header cannot be read")
		}
		h.Chain = append(h.Chain, c)
	}
	if in.Thumbprint != "" && in.Thumbprint != thumbprint(h.Chain[0]) {
		return nil, malformed("certificate", "the first certificate is not the one whose thumbprint the header has")
	}
	if want, err := algorithmOf(h.Chain[0].PublicKey); err == nil && want != h.Algorithm {
		return nil, malformed("algorithm", "the algorithm is not that of the key in the certificate")
	}
	return h, nil
}

// trimOID returns an OID without the beginnings that it is written with.
func trimOID(id string) string {
	for _, head := range []string{"urn:oid:", PurposeSystem + "|", PurposeSystem + "#"} {
		if rest, ok := bytes.CutPrefix([]byte(id), []byte(head)); ok {
			return string(rest)
		}
	}
	return id
}
