package prescription

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/key"
)

// Claim is what the QR code of a prescription says by itself, for those who read it
// without a connection: what tells whether the paper around it was altered, and of the
// patient no more than initials. It cannot say what came later: that it was dispensed.
type Claim struct {
	Kind     string   `json:"k"` // what it is a claim of: claimKind
	Folio    string   `json:"f"`
	CLUES    string   `json:"c"`
	Cedula   string   `json:"p"`
	Initials string   `json:"n"`
	Signed   int64    `json:"s"` // seconds since 1970
	Expires  int64    `json:"e"`
	Count    int      `json:"q"`           // medicines
	Items    []string `json:"m,omitempty"` // each with its strength and quantity; none where they are many
	Hash     string   `json:"h"`           // SHA-256 of the signed document, base64url
	Printed  int64    `json:"i"`
}

const (
	claimKind   = "prescription"
	mostClaimed = 6    // medicines in a code: more make it too dense to be read from paper
	longestName = 60   // characters of a medicine in a code
	keyLength   = 16   // characters of the id of a key in a code
	longestCode = 2331 // characters that a QR code of level M can hold at most
)

// NewRing returns the keys that sign QR codes of prescriptions.
func NewRing(state key.State) *key.Ring {
	return &key.Ring{State: state, Kind: KeyKind, Length: keyLength}
}

// claim returns what the code of a paper says that is printed at a time.
func (p *Prescription) claim(printed time.Time) *Claim {
	c := &Claim{
		Kind: claimKind, Folio: p.Folio, CLUES: p.CLUES, Cedula: p.Cedula, Initials: p.Initials(), Signed: p.Signed.Unix(), Expires: p.Expires.Unix(),
		Count: len(p.Items), Hash: p.Hash, Printed: printed.Unix(),
	}
	if len(p.Items) <= mostClaimed {
		for _, m := range p.Items {
			name := []rune(m.Generic())
			c.Items = append(c.Items, string(name[:min(len(name), longestName)])+" × "+amountText(m.Quantity)+" "+m.Unit)
		}
	}
	return c
}

var b64 = base64.RawURLEncoding.Strict()

type codeHeader struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
}

// Sign returns the claim as a compact JWS.
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
	return input + "." + b64.EncodeToString(signature), err
}

// Why a claim is not believed, beside key.ErrPeriod and key.ErrRevoked.
var (
	ErrForm      = errors.New("it is no signed code of a prescription")
	ErrKey       = errors.New("the registry has no such key")
	ErrSignature = errors.New("the signature does not fit: the code was altered, or made by somebody else")
)

// OpenClaim returns the claim in what a QR code holds, once it is found to be signed by
// one of keys. Errors: those of this file; with those of package key the claim comes too.
func OpenClaim(keys key.Keys, code string) (*Claim, error) {
	_, jws, ok := strings.Cut(code, "#")
	if !ok {
		jws = code
	}
	parts := strings.Split(jws, ".")
	if len(code) > longestCode || len(parts) != 3 || strings.ContainsAny(jws, "\r\n") {
		return nil, ErrForm
	}
	var header codeHeader
	var claim Claim
	if !decode(parts[0], &header) || header.Algorithm != "ES256" {
		return nil, ErrForm
	}
	k := keys.Find(header.Key)
	if k == nil {
		return nil, ErrKey
	}
	signature, err := b64.DecodeString(parts[2])
	if err != nil || !k.Verify([]byte(parts[0]+"."+parts[1]), signature) {
		return nil, ErrSignature
	}
	if !decode(parts[1], &claim) || claim.Kind != claimKind {
		return nil, ErrForm
	}
	return &claim, k.Covers(time.Unix(claim.Printed, 0))
}

func decode(text string, into any) bool {
	raw, err := b64.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// tokenIn is the token in what a person typed or a scanner read: the token, the address of
// the page, or all that the QR code holds.
func tokenIn(code string) string {
	code, _, _ = strings.Cut(strings.TrimSpace(code), "#")
	code, _, _ = strings.Cut(code, "?")
	return code[strings.LastIndexByte(code, '/')+1:]
}
