package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Prepared is a signature that lacks only what the private key makes. The key need not
// be where it was prepared: the one signs Input (or Digest, its SHA-256) wherever the key
// is, and Complete puts the result in.
type Prepared struct {
	Header string            // the protected header, as it stands in the JWS
	Signer *x509.Certificate // whose key signs
	At     time.Time         // when it is signed, to the second

	algorithm string
	payload   []byte
}

// Prepare begins a signature of payload by the holder of the first certificate of chain,
// at a time, in a capacity such as Author. payload is canonical: see Document.
// Errors: fhir.Unprocessable for a certificate that nothing can be signed with.
func Prepare(payload []byte, chain []*x509.Certificate, at time.Time, purpose string) (*Prepared, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, fhir.Errorf(fhir.Unprocessable, "a signature needs the certificate of the signer, and at most %d in all", maxChain)
	}
	if _, ok := purposes[purpose]; !ok {
		return nil, fhir.Errorf(fhir.Unprocessable, "nobody signs in this capacity here").With("it is %.100q of %s", purpose, PurposeSystem)
	}
	algorithm, err := algorithmOf(chain[0].PublicKey)
	if err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "nothing can be signed with this certificate: %v", err)
	}
	h := &header{Algorithm: algorithm, Chain: chain, SignedAt: at.UTC().Truncate(time.Second), Purpose: purpose}
	text, err := h.encode()
	if err != nil {
		return nil, err
	}
	return &Prepared{Header: text, Signer: chain[0], At: h.SignedAt, algorithm: algorithm, payload: payload}, nil
}

// Resume returns what Prepare returned, from its header and the payload.
// Errors: those of a header that is not as it should be.
func Resume(headerText string, payload []byte) (*Prepared, error) {
	h, err := decodeHeader(headerText)
	if err != nil {
		return nil, err
	}
	return &Prepared{Header: headerText, Signer: h.Chain[0], At: h.SignedAt, algorithm: h.Algorithm, payload: payload}, nil
}

// Algorithm returns RS256 or ES256.
func (p *Prepared) Algorithm() string { return p.algorithm }

// Input returns the bytes that are to be signed.
//
// See https://www.rfc-editor.org/rfc/rfc7515#section-5.1.
func (p *Prepared) Input() []byte { return input(p.Header, p.payload) }

func input(headerText string, payload []byte) []byte {
	out := make([]byte, 0, len(headerText)+1+b64.EncodedLen(len(payload)))
	out = append(append(out, headerText...), '.')
	return b64.AppendEncode(out, payload)
}

// Digest returns the SHA-256 of Input, for keys that sign digests.
func (p *Prepared) Digest() []byte {
	sum := sha256.Sum256(p.Input())
	return sum[:]
}

// Complete returns the JWS with the signature that the private key made: PKCS #1 v1.5 for
// RS256; for ES256 the two numbers of 32 bytes each, or as ASN.1.
// Errors: fhir.Unprocessable when it is not a signature of Input by the key of the certificate.
func (p *Prepared) Complete(signature []byte) (string, error) {
	if raw, ok := fromASN1(signature); ok && p.algorithm == ES256 {
		signature = raw
	}
	if err := verify(p.algorithm, p.Signer.PublicKey, p.Digest(), signature); err != nil {
		return "", fhir.Errorf(fhir.Unprocessable, "this is not the signature of what was prepared, by the key of the certificate")
	}
	return p.Header + ".." + b64.EncodeToString(signature), nil
}

// errSignature says that a signature is not one of the content by the key.
var errSignature = errors.New("the signature does not fit")

// verify checks a signature of a digest.
func verify(algorithm string, key any, digest, signature []byte) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if algorithm == RS256 && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if algorithm != ES256 || len(signature) != 64 {
			return errSignature
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if ecdsa.Verify(key, digest, r, s) {
			return nil
		}
	}
	return errSignature
}

// fromASN1 returns a signature of an elliptic curve as JWS has it.
//
// See https://www.rfc-editor.org/rfc/rfc7518#section-3.4.
func fromASN1(der []byte) ([]byte, bool) {
	var of struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &of)
	if err != nil || len(rest) > 0 || of.R.Sign() <= 0 || of.S.Sign() <= 0 || of.R.BitLen() > 256 || of.S.BitLen() > 256 {
		return nil, false
	}
	out := make([]byte, 64)
	of.R.FillBytes(out[:32])
	of.S.FillBytes(out[32:])
	return out, true
}

// Signer signs with a key that is here: on the desk of a signer, or the seal of an
// establishment.
type Signer struct {
	Key   crypto.Signer
	Chain []*x509.Certificate // that of the key first
}

// Sign returns the JWS of payload. Errors: those of Prepare, Finish and the key.
func (s *Signer) Sign(payload []byte, at time.Time, purpose string) (string, error) {
	p, err := Prepare(payload, s.Chain, at, purpose)
	if err != nil {
		return "", err
	}
	signature, err := s.Finish(p)
	if err != nil {
		return "", err
	}
	return p.Complete(signature)
}

// Finish returns the signature for p, which must have been prepared for this signer.
func (s *Signer) Finish(p *Prepared) ([]byte, error) {
	public, ok := s.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(p.Signer.PublicKey) {
		return nil, fhir.Errorf(fhir.Unprocessable, "the private key is not that of the certificate")
	}
	signature, err := s.Key.Sign(rand.Reader, p.Digest(), crypto.SHA256)
	if raw, ok := fromASN1(signature); ok && p.algorithm == ES256 {
		signature = raw
	}
	return signature, err
}

// split takes a detached JWS apart.
//
// See https://www.rfc-editor.org/rfc/rfc7515#appendix-F.
func split(jws string) (headerText string, signature []byte, err error) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 || parts[1] != "" || strings.ContainsAny(jws, "\r\n") { // base64 passes over line ends
		return "", nil, malformed("form", "it is not a JWS without its content: header..signature")
	}
	if signature, err = b64.DecodeString(parts[2]); err != nil {
		return "", nil, malformed("form", "the signature is not base64url")
	}
	return parts[0], signature, nil
}
