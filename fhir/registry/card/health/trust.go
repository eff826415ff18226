package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/key"
)

// Verdict is what becomes of a card.
type Verdict string

// The verdicts.
const (
	Valid     Verdict = "valid"
	Altered   Verdict = "altered"   // the signature does not fit
	Unknown   Verdict = "unknown"   // nobody who is trusted is its issuer
	NoKey     Verdict = "no-key"    // the issuer has no such key, or took it back
	Revoked   Verdict = "revoked"   // the issuer took the card back
	Expired   Verdict = "expired"   //
	NotYet    Verdict = "not-yet"   // its time has not come
	Malformed Verdict = "malformed" // it is no card
)

// List is a list of revoked cards.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/cards-specification.html#revocation.
type List struct {
	Key     string   `json:"kid"`
	Method  string   `json:"method"` // "rid"
	Counter int      `json:"ctr"`    // how often the list was changed
	RIDs    []string `json:"rids"`   // each with .seconds behind it where only cards of before are revoked
}

// UnmarshalJSON reads a list, whose counter some issuers write as a text.
func (l *List) UnmarshalJSON(b []byte) error {
	type plain List
	var one struct {
		plain
		Counter json.RawMessage `json:"ctr"`
	}
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = List(one.plain)
	l.Counter, _ = strconv.Atoi(strings.Trim(string(one.Counter), `"`))
	return nil
}

// Has reports whether a card that was issued at a time is revoked.
func (l *List) Has(rid string, issued time.Time) bool {
	if rid == "" {
		return false
	}
	for _, one := range l.RIDs {
		id, seconds, timed := strings.Cut(one, ".")
		if id != rid {
			continue
		}
		before, err := strconv.ParseInt(seconds, 10, 64)
		if !timed || err != nil || issued.Before(time.Unix(before, 0)) {
			return true
		}
	}
	return false
}

// Issuer is who is trusted to issue cards.
type Issuer struct {
	URL   string
	Name  string // for people; "" for none
	Keys  key.Keys
	Lists []List
}

// Trust is the issuers that are trusted, by URL.
type Trust map[string]*Issuer

// Result is what was found of a card.
type Result struct {
	Verdict Verdict
	Signed  *Signed // nil when it is malformed. What it says is not to be believed unless Verdict is Valid, Revoked, Expired or NotYet
	Issuer  *Issuer // nil unless somebody is trusted under the card's issuer
}

// Check verifies a card, without a connection.
func (t Trust) Check(jws string, now time.Time) (r Result) {
	signed, err := Parse(jws)
	if err != nil {
		return Result{Verdict: Malformed}
	}
	r.Signed, r.Issuer = signed, t[signed.Issuer]
	if r.Issuer == nil {
		r.Verdict = Unknown
		return r
	}
	r.Verdict = r.Issuer.check(signed, now)
	return r
}

func (i *Issuer) check(s *Signed, now time.Time) Verdict {
	k := i.Keys.Find(s.Key)
	if k == nil {
		return NoKey
	}
	if !s.By(k) {
		return Altered
	}
	if !k.Revoked.IsZero() {
		return NoKey
	}
	for j := range i.Lists {
		if l := &i.Lists[j]; l.Key == s.Key && l.Has(s.RID, s.From) {
			return Revoked
		}
	}
	switch {
	case !s.Until.IsZero() && !now.Before(s.Until):
		return Expired
	case now.Add(clocks).Before(s.From):
		return NotYet
	}
	return Valid
}

// clocks is by how much the clock of an issuer may be ahead.
const clocks = 5 * time.Minute

// jwks reads the keys of an issuer of cards: their ids are whole thumbprints.
func jwks(text []byte) (key.Keys, error) {
	keys, err := key.Parse(text)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(keys, func(k *key.Key) bool { return len(k.ID) != thumbprint }), nil
}

// thumbprint is how many characters a SHA-256 has in base64url.
const thumbprint = 43

// NewIssuer returns an issuer by its keys, a JWK set.
func NewIssuer(url string, set []byte) (i *Issuer, err error) {
	i = &Issuer{URL: strings.TrimSuffix(url, "/")}
	i.Keys, err = jwks(set)
	return i, err
}

// ReadIssuer reads what an issuer publishes, out of a folder: .well-known/jwks.json and
// .well-known/crl/KID.json.
func ReadIssuer(dir fs.FS, url string) (*Issuer, error) {
	text, err := fs.ReadFile(dir, ".well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	i, err := NewIssuer(url, text)
	if err != nil {
		return nil, fmt.Errorf(".well-known/jwks.json: %w", err)
	}
	names, err := fs.Glob(dir, ".well-known/crl/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		var l List
		if err := json.Unmarshal(text, &l); err != nil || l.Key == "" {
			return nil, fmt.Errorf("%s is no list of revoked cards", name)
		}
		i.Lists = append(i.Lists, l)
	}
	return i, nil
}

// ParseDirectory reads a list of trusted issuers with their keys and revoked cards, in the
// layout of the snapshots of the VCI directory: issuerInfo, each with issuer (iss, name),
// keys and crls. Keys that are not of a card are passed over. Errors: a list that is none,
// or that has no keys.
//
// See https://github.com/the-commons-project/vci-directory.
func ParseDirectory(text []byte) (Trust, error) {
	var d struct {
		Info []struct {
			Issuer struct {
				URL  string `json:"iss"`
				Name string `json:"name"`
			} `json:"issuer"`
			Keys []json.RawMessage `json:"keys"`
			CRLs []List            `json:"crls"`
		} `json:"issuerInfo"`
		Participants []json.RawMessage `json:"participating_issuers"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, errors.New("this is no list of issuers in JSON")
	}
	if d.Info == nil {
		if d.Participants != nil {
			return nil, errors.New("this list of issuers has names, but no keys: take a snapshot of the directory, which has issuerInfo")
		}
		return nil, errors.New("this list of issuers has no issuerInfo")
	}
	trust := Trust{}
	for _, one := range d.Info {
		i := &Issuer{URL: strings.TrimSuffix(one.Issuer.URL, "/"), Name: one.Issuer.Name, Lists: one.CRLs}
		for _, raw := range one.Keys {
			var j key.JWK
			if json.Unmarshal(raw, &j) != nil || j.Type != "EC" || j.Curve != "P-256" || len(j.ID) != thumbprint {
				continue
			}
			if k, err := j.Key(); err == nil {
				i.Keys = append(i.Keys, k)
			}
		}
		if i.URL == "" {
			return nil, errors.New("an issuer of the list has no URL (iss)")
		}
		trust[i.URL] = i
	}
	return trust, nil
}

// Add adds issuers to t, in place of those with the same URL.
func (t Trust) Add(more Trust) { maps.Copy(t, more) }
