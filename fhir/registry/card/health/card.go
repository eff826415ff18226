package health

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir/registry/key"
)

// The types of a card.
const (
	TypeCard         = "https://smarthealth.cards#health-card"
	TypeImmunization = "https://smarthealth.cards#immunization" // no longer asked for by the specification since 1.4.0, known to wallets of before
)

// MediaType is that of files.
const MediaType = "application/smart-health-card"

// Card is what a health card says.
type Card struct {
	Issuer string    // URL without a slash at its end
	From   time.Time // when it was issued
	Until  time.Time // from then on it does not count; zero for never
	Types  []string
	FHIR   string // version: "4.0.1"
	Bundle []byte // Bundle, compact JSON
	RID    string // by which it can be revoked, at most 24 characters of base64url; "" for never
}

// payload is a card within its JWS.
type payload struct {
	Issuer string   `json:"iss"`
	From   float64  `json:"nbf"` // seconds since 1970
	Until  *float64 `json:"exp,omitempty"`
	VC     struct {
		Types   []string `json:"type"`
		Subject struct {
			FHIR   string          `json:"fhirVersion"`
			Bundle json.RawMessage `json:"fhirBundle"`
		} `json:"credentialSubject"`
		RID string `json:"rid,omitempty"`
	} `json:"vc"`
}

// header is the protected header of a card.
type header struct {
	Zip       string `json:"zip"`
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
}

var b64 = base64.RawURLEncoding.Strict()

// writers compress cards; each holds half a megabyte of tables.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// Sign returns the card as a compact JWS. Errors: a card that the specification forbids,
// and a key that only verifies.
func (c *Card) Sign(k *key.Key) (string, error) {
	if c.Issuer == "" || strings.HasSuffix(c.Issuer, "/") {
		return "", errors.New("health: an issuer is a URL without a slash at its end")
	}
	if len(c.RID) > longestRID || !inBase64(c.RID) {
		return "", errors.New("health: a revocation identifier has at most 24 characters of base64url")
	}
	var p payload
	p.Issuer, p.From = c.Issuer, float64(c.From.Unix())
	if !c.Until.IsZero() {
		until := float64(c.Until.Unix())
		p.Until = &until
	}
	p.VC.Types, p.VC.RID = c.Types, c.RID
	p.VC.Subject.FHIR, p.VC.Subject.Bundle = c.FHIR, c.Bundle
	var plain, packed bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&p); err != nil {
		return "", fmt.Errorf("health: %w", err)
	}
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(&packed)
	if _, err := w.Write(bytes.TrimRight(plain.Bytes(), "\n")); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	head, err := json.Marshal(header{"DEF", "ES256", k.ID})
	if err != nil {
		return "", err
	}
	input := make([]byte, 0, 2*packed.Len()+200)
	input = b64.AppendEncode(input, head)
	input = b64.AppendEncode(append(input, '.'), packed.Bytes())
	signature, err := k.Sign(input)
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(input, '.'), signature)), nil
}

const longestRID = 24

func inBase64(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// Signed is a card as it was read, before anybody has looked at its signature.
type Signed struct {
	Card
	Key       string // id of the key that it says it is signed by
	input     []byte
	signature []byte
}

// Limits of what is read.
const (
	longestJWS  = 2 << 20 // characters
	longestCard = 1 << 20 // bytes of a card once it is unpacked
)

// ErrForm is why something is no card. What wraps it says why, and nothing of the content.
var ErrForm = errors.New("it is no SMART Health Card")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrForm}, args...)...)
}

// Parse reads a compact JWS. Nothing in it is believed yet: see [Signed.By] and [Check].
// Errors: those that wrap ErrForm.
func Parse(jws string) (*Signed, error) {
	if len(jws) > longestJWS {
		return nil, malformed("it is longer than %d characters", longestJWS)
	}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 || strings.ContainsAny(jws, "\r\n") { // base64 passes over line ends
		return nil, malformed("a compact JWS has three parts")
	}
	raw, err := b64.DecodeString(parts[0])
	var h header
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return nil, malformed("its header cannot be read")
	}
	if h.Algorithm != "ES256" || h.Zip != "DEF" || h.Key == "" {
		return nil, malformed("its header is not that of a card (alg ES256, zip DEF, kid)")
	}
	packed, err := b64.DecodeString(parts[1])
	if err != nil {
		return nil, malformed("its content is not base64url")
	}
	plain, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	s := &Signed{Key: h.Key, input: []byte(jws[:len(parts[0])+1+len(parts[1])])}
	if s.signature, err = b64.DecodeString(parts[2]); err != nil {
		return nil, malformed("its signature is not base64url")
	}
	return s, s.read(plain)
}

func unpack(packed []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(packed))
	plain, err := io.ReadAll(io.LimitReader(r, longestCard+1))
	if err != nil {
		return nil, malformed("its content is not compressed by DEFLATE (RFC 1951)")
	}
	if len(plain) > longestCard {
		return nil, malformed("its content is longer than %d bytes", longestCard)
	}
	return plain, nil
}

// read fills in the card from its JSON.
func (s *Signed) read(plain []byte) error {
	var p payload
	if err := json.Unmarshal(plain, &p); err != nil {
		return malformed("its content is not the JSON of a card")
	}
	s.Card = Card{Issuer: p.Issuer, Types: p.VC.Types, FHIR: p.VC.Subject.FHIR, Bundle: p.VC.Subject.Bundle, RID: p.VC.RID}
	var ok bool
	if s.From, ok = instant(p.From); !ok {
		return malformed("nbf is no time")
	}
	if p.Until != nil {
		if s.Until, ok = instant(*p.Until); !ok {
			return malformed("exp is no time")
		}
	}
	has := false
	for _, t := range p.VC.Types {
		has = has || t == TypeCard
	}
	switch {
	case s.Issuer == "":
		return malformed("it names no issuer")
	case !has:
		return malformed("its type is not that of a card")
	case !bytes.HasPrefix(s.Bundle, []byte("{")):
		return malformed("it holds no Bundle")
	}
	return nil
}

// instant reads a NumericDate, which may have a fraction.
//
// See https://www.rfc-editor.org/rfc/rfc7519#section-2.
func instant(seconds float64) (time.Time, bool) {
	if !(seconds > 0 && seconds < 253402300800) { // year 10000
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// By reports whether k signed the card.
func (s *Signed) By(k *key.Key) bool { return k.ID == s.Key && k.Verify(s.input, s.signature) }

// File returns cards as a file of the type MediaType.
func File(jws ...string) ([]byte, error) {
	return json.Marshal(struct {
		Cards []string `json:"verifiableCredential"`
	}{append([]string{}, jws...)})
}

// ReadFile returns the cards of a file. Errors: those that wrap ErrForm.
func ReadFile(text []byte) ([]string, error) {
	var f struct {
		Cards []string `json:"verifiableCredential"`
	}
	if err := json.Unmarshal(text, &f); err != nil || len(f.Cards) == 0 {
		return nil, malformed("a file of cards is a JSON object with verifiableCredential")
	}
	return f.Cards, nil
}
