package paper

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/key"
)

// Claim is what the QR code of a certificate says by itself, for those who read it without
// a connection: what tells whether the paper around it was altered, and nothing more. The
// registry signs it when the paper is printed, for a certificate that counts at that time.
type Claim struct {
	Kind     string `json:"k"`           // what it is a claim of: claimKind
	Folio    string `json:"f"`           //
	Facility string `json:"c"`           // CLUES
	Born     string `json:"b"`           // yyyy-mm-ddThh:mm; the day alone where the hour is not known
	Sex      string `json:"s"`           // as SINAC writes it
	Order    string `json:"o,omitempty"` // of a multiple birth: "1/2"; "" for a single child
	Newborn  string `json:"n,omitempty"` // initials; "" for no name
	Mother   string `json:"m"`           // initials
	Hash     string `json:"h"`           // SHA-256 of the signed document, in base64url
	Printed  int64  `json:"i"`           // seconds since 1970
}

// claimKind keeps a claim of a birth apart from those of other documents that a key of the
// registry may sign.
const claimKind = "birth"

// NewClaim returns the claim of a certificate that is printed at a time.
func NewClaim(c *birth.Certificate, printed time.Time) (*Claim, error) {
	if !c.State.Live() {
		return nil, fmt.Errorf("paper: no claim is made of a certificate that is %s", c.State)
	}
	hash, err := hex.DecodeString(c.Hash)
	if err != nil || len(hash) != sha256.Size {
		return nil, errors.New("paper: the certificate has no SHA-256")
	}
	return &Claim{
		Kind: claimKind, Folio: c.Folio, Facility: c.Certifier.Facility, Born: bornAt(&c.Row), Sex: c.Row[sinac.Sex], Order: order(&c.Row),
		Newborn: Initials(c.Newborn.Name), Mother: Initials(c.Mother.Name), Hash: b64.EncodeToString(hash), Printed: printed.Unix(),
	}, nil
}

// At is when the paper was printed.
func (c *Claim) At() time.Time { return time.Unix(c.Printed, 0).UTC() }

// SHA256 is the hash of the signed document in hex; "" when it is none.
func (c *Claim) SHA256() string {
	hash, err := b64.DecodeString(c.Hash)
	if err != nil || len(hash) != sha256.Size {
		return ""
	}
	return hex.EncodeToString(hash)
}

// bornAt is the moment of birth, as far as it is known.
func bornAt(r *sinac.Row) string {
	day, ok := r.Date(sinac.Born)
	if !ok {
		return ""
	}
	text := day.Format(time.DateOnly)
	if r.Known(sinac.BornAt) {
		text += "T" + r[sinac.BornAt]
	}
	return text
}

// order is the place of a child among those of one birth, "" for a single one.
func order(r *sinac.Row) string {
	total, ok := r.Int(sinac.Total)
	n, known := r.Int(sinac.Order)
	if !ok || !known || total < 2 {
		return ""
	}
	return fmt.Sprintf("%d/%d", n, total)
}

// Initials are the first letters of the words of a name: enough to see that it is another
// one, too few to tell whose it is.
func Initials(n birth.Name) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(n.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		first, _ := utf8.DecodeRuneInString(word)
		b.WriteRune(unicode.ToUpper(first))
	}
	return b.String()
}

var b64 = base64.RawURLEncoding.Strict()

// codeHeader is the protected header of a claim.
type codeHeader struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
}

// KeyKind is the kind of the entries of the keys that sign claims.
const KeyKind = "birth-paper-key"

// keyLength is short, since the id of the key is part of each QR code.
const keyLength = 16

// Ring returns the keys of a registry by which claims are signed.
func Ring(state key.State) *key.Ring {
	return &key.Ring{State: state, Kind: KeyKind, Length: keyLength}
}

// Sign returns the claim as a compact JWS, signed by k.
//
// See https://www.rfc-editor.org/rfc/rfc7515#section-7.1.
func (c *Claim) Sign(k *key.Key) (string, error) {
	header, err := json.Marshal(codeHeader{"ES256", k.ID})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	input := b64.EncodeToString(header) + "." + b64.EncodeToString(payload)
	signature, err := k.Sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + b64.EncodeToString(signature), nil
}

// Why a claim is not believed.
var (
	ErrForm      = errors.New("it is no signed code of a certificate of birth")
	ErrKey       = errors.New("the registry has no such key")
	ErrSignature = errors.New("the signature does not fit: the code was altered, or made by somebody else")
	ErrPeriod    = key.ErrPeriod
	ErrRevoked   = key.ErrRevoked
)

// longestCode is how many characters a QR code of level M can hold at most.
const longestCode = 2331

// Open returns the claim in a compact JWS, once it is found to be signed by one of keys.
// Errors: those of this file; with ErrPeriod and ErrRevoked the claim comes as well.
func Open(keys key.Keys, jws string) (*Claim, *key.Key, error) {
	parts := strings.Split(jws, ".")
	if len(jws) > longestCode || len(parts) != 3 || strings.ContainsAny(jws, "\r\n") { // base64 passes over line ends
		return nil, nil, ErrForm
	}
	var header codeHeader
	var claim Claim
	if !decode(parts[0], &header) || header.Algorithm != "ES256" {
		return nil, nil, ErrForm
	}
	k := keys.Find(header.Key)
	if k == nil {
		return nil, nil, ErrKey
	}
	signature, err := b64.DecodeString(parts[2])
	if err != nil || !k.Verify([]byte(parts[0]+"."+parts[1]), signature) {
		return nil, nil, ErrSignature
	}
	if !decode(parts[1], &claim) || claim.Kind != claimKind {
		return nil, nil, ErrForm
	}
	return &claim, k, k.Covers(claim.At())
}

// decode reads JSON in base64url.
func decode(text string, into any) bool {
	raw, err := b64.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// Code returns what the QR code holds: the address of the page that verifies it, and after
// a #, which browsers never send, the claim. claim is "" for none.
func Code(page, claim string) string {
	if claim == "" {
		return page
	}
	return page + "#" + claim
}

// Claimed returns the claim in what a QR code holds, "" for none.
func Claimed(code string) string {
	if _, claim, ok := strings.Cut(code, "#"); ok {
		return claim
	}
	if strings.Count(code, ".") == 2 && !strings.Contains(code, "/") {
		return code
	}
	return ""
}
