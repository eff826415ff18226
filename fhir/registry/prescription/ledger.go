package prescription

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// The kinds of entries.
const (
	KeyKind   = "prescription-key"   // of the keys that sign QR codes
	kind      = "prescription"       // by folio, in the group of the Patient
	tokenKind = "prescription-token" // by a hash of the token: the folio
)

// progress is how far a prescription has come: nothing of what it prescribes.
type progress struct {
	Folio       string
	Token       string // of the public page
	Composition string // its id
	Lines       []line
	Cancelled   bool                `json:",omitempty"`
	Given       map[string][]string `json:",omitempty"` // by the key of the caller: ids of the MedicationDispenses

	entry fhir.Entry
}

// line is one request.
type line struct {
	Request string // its id
	Total   string // what may be dispensed in all
	Given   string `json:",omitempty"` // what was
}

func (l *line) left() *big.Rat {
	left, given := rat(l.Total), rat(l.Given)
	if left == nil {
		return new(big.Rat)
	}
	if given != nil {
		left.Sub(left, given)
	}
	return left
}

// begun reports whether something was dispensed.
func (p *progress) begun() bool {
	for i := range p.Lines {
		if p.Lines[i].Given != "" {
			return true
		}
	}
	return false
}

// done reports whether nothing is left.
func (p *progress) done() bool {
	for i := range p.Lines {
		if p.Lines[i].left().Sign() > 0 {
			return false
		}
	}
	return true
}

// next is the entry with what p says now.
func (p *progress) next() fhir.Entry {
	e := p.entry
	e.Value = []byte(compose.Text(p))
	return e
}

// newToken has 128 random bits.
func newToken() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func tokenEntry(token, folio string) fhir.Entry {
	return fhir.Entry{Kind: tokenKind, Key: hashOf(token), Value: []byte(folio)}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// alphabet of folios has no letters that are taken for digits.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newFolio is unique by its entry: CLUES, day, and 8 random characters.
func (s *service) newFolio(clues string) string {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return clues + "-" + s.Now().In(s.Zone).Format("060102") + "-" + string(b)
}

// progressOf returns how far the prescription with a folio has come. Errors: fhir.NotFound.
func (s *service) progressOf(ctx context.Context, folio string) (*progress, error) {
	e, err := s.Store.Entry(ctx, kind, folio)
	if err != nil {
		return nil, err
	}
	p := &progress{entry: e}
	return p, json.Unmarshal(e.Value, p)
}

// byToken returns the prescription whose paper has a token. Errors: fhir.NotFound.
func (s *service) byToken(ctx context.Context, token string) (*progress, error) {
	e, err := s.Store.Entry(ctx, tokenKind, hashOf(token))
	if err != nil {
		return nil, err
	}
	return s.progressOf(ctx, string(e.Value))
}

// Left is where prescriptions leave something behind.
type Left interface {
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Forget removes what the prescriptions of a Patient left behind who was removed for good:
// how far they had come, and what their papers lead to.
func Forget(ctx context.Context, state Left, patient string) error {
	const page = 100
	for {
		found, err := state.Entries(ctx, kind, patient, "", page)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, e := range found {
			var p progress
			if err := json.Unmarshal(e.Value, &p); err != nil {
				return err
			}
			for _, at := range [][2]string{{tokenKind, hashOf(p.Token)}, {kind, e.Key}} {
				if err := state.Remove(ctx, at[0], at[1], 0); err != nil && fhir.CodeOf(err) != fhir.NotFound {
					return err
				}
			}
		}
	}
}
