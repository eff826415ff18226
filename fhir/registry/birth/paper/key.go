package paper

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Key is a key by which the registry signs what its QR codes say. It outlives the papers:
// its public part stays published when others sign.
type Key struct {
	ID      string // first 16 characters of the thumbprint of its public part (RFC 7638)
	Public  *ecdsa.PublicKey
	From    time.Time // it signs from then on
	Until   time.Time // and not later
	Revoked time.Time // what it signs from then on is not believed; zero for never
	private *ecdsa.PrivateKey
}

// Keys are the keys of a registry, the oldest first.
type Keys []*Key

// The life of a key. It may sign a little longer than the next one waits, so that papers
// printed by a server that has not seen the next one are good.
const (
	rotateAfter = 365 * 24 * time.Hour
	signsFor    = 400 * 24 * time.Hour
	skew        = 5 * time.Minute // by which clocks may be apart
)

func (keys Keys) find(id string) *Key {
	for _, k := range keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// covers says whether the key signed at a time.
func (k *Key) covers(at time.Time) error {
	switch {
	case !k.Revoked.IsZero() && !at.Before(k.Revoked):
		return ErrRevoked
	case at.Before(k.From.Add(-skew)) || at.After(k.Until):
		return ErrPeriod
	}
	return nil
}

// jwk is a public key as it is published. The times of a key are named as OpenID
// Federation names them for keys of the past.
//
// See https://www.rfc-editor.org/rfc/rfc7517 and
// https://openid.net/specs/openid-federation-1_0.html#section-8.7.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	From      int64  `json:"nbf"` // seconds since 1970
	Until     int64  `json:"exp"`

	Revoked *revocation `json:"revoked,omitempty"`
}

type revocation struct {
	At int64 `json:"revoked_at"`
}

// JSON returns the public parts as a JWK set, to be published.
func (keys Keys) JSON() ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		x, y, err := coordinates(k.Public)
		if err != nil {
			return nil, err
		}
		one := jwk{Type: "EC", Curve: "P-256", X: x, Y: y, Use: "sig", Algorithm: "ES256", ID: k.ID, From: k.From.Unix(), Until: k.Until.Unix()}
		if !k.Revoked.IsZero() {
			one.Revoked = &revocation{k.Revoked.Unix()}
		}
		set.Keys = append(set.Keys, one)
	}
	return json.Marshal(set)
}

// ParseKeys reads what JSON wrote. Keys that nothing of ours can be signed with are passed
// over. Errors: a set that is none, and a key under an id that is not its own.
func ParseKeys(text []byte) (Keys, error) {
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.New("this is no set of keys (JWK set)")
	}
	var keys Keys
	for _, one := range set.Keys {
		if one.Type != "EC" || one.Curve != "P-256" || one.Until == 0 {
			continue
		}
		k, err := one.key()
		if err != nil {
			return nil, fmt.Errorf("key %.50q: %w", one.ID, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (j *jwk) key() (*Key, error) {
	x, err := b64.DecodeString(j.X)
	if err != nil {
		return nil, errors.New("x is not base64url")
	}
	y, err := b64.DecodeString(j.Y)
	if err != nil {
		return nil, errors.New("y is not base64url")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("it is no point of the curve")
	}
	k := &Key{Public: public, From: time.Unix(j.From, 0).UTC(), Until: time.Unix(j.Until, 0).UTC()}
	if j.Revoked != nil {
		k.Revoked = time.Unix(j.Revoked.At, 0).UTC()
	}
	if k.ID, err = idOf(public); err != nil || k.ID != j.ID {
		return nil, errors.New("kid is not that of the key")
	}
	return k, nil
}

// coordinates of a public key, in base64url.
func coordinates(public *ecdsa.PublicKey) (x, y string, err error) {
	raw, err := public.Bytes() // 4, x and y of 32 bytes each
	if err != nil || len(raw) != 65 {
		return "", "", errors.New("paper: the key is not of P-256")
	}
	return b64.EncodeToString(raw[1:33]), b64.EncodeToString(raw[33:]), nil
}

// idOf is short, since it is part of each QR code.
func idOf(public *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y))
	return b64.EncodeToString(sum[:])[:16], nil
}

// NewKey makes a key that signs from a time on.
func NewKey(from time.Time) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &Key{Public: &private.PublicKey, private: private, From: from.UTC().Truncate(time.Second), Until: from.Add(signsFor).UTC().Truncate(time.Second)}
	k.ID, err = idOf(k.Public)
	return k, err
}

// State keeps the keys of a registry, for all its servers.
type State interface {
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, e ...fhir.Entry) error
}

// Ring is the keys of a registry where its papers are printed.
type Ring struct {
	State State
	Now   func() time.Time // nil is time.Now

	mu     sync.Mutex
	keys   Keys
	loaded time.Time
}

const (
	keyKind     = "birth-paper-key"
	reloadEvery = time.Minute
)

// storedKey is a key as the state has it. It is a secret.
type storedKey struct {
	Number  int
	Private []byte // PKCS #8
	From    time.Time
	Until   time.Time
	Revoked time.Time `json:",omitzero"`
}

func (r *Ring) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Keys returns all keys, as they were a minute ago at most.
func (r *Ring) Keys(ctx context.Context) (Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := r.now().Sub(r.loaded); r.keys == nil || since > reloadEvery || since < 0 {
		if err := r.load(ctx); err != nil {
			return nil, err
		}
	}
	return r.keys, nil
}

// Signing returns the key that signs now, a new one where the last has signed long enough.
func (r *Ring) Signing(ctx context.Context) (*Key, error) {
	for range 3 {
		keys, err := r.Keys(ctx)
		if err != nil {
			return nil, err
		}
		if n := len(keys); n > 0 {
			if k := keys[n-1]; k.Revoked.IsZero() && r.now().Before(k.From.Add(rotateAfter)) {
				return k, nil
			}
		}
		if err := r.Rotate(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("paper: no key to sign with")
}

// Rotate makes a new key. Where two servers do so at once, both go on with the same.
func (r *Ring) Rotate(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx); err != nil {
		return err
	}
	k, err := NewKey(r.now())
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	number := len(r.keys) + 1
	value, err := json.Marshal(storedKey{Number: number, Private: private, From: k.From, Until: k.Until})
	if err != nil {
		return err
	}
	err = r.State.Put(ctx, fhir.Entry{Kind: keyKind, Key: fmt.Sprintf("%06d", number), Value: value})
	if err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return fmt.Errorf("keep a key of papers: %w", err)
	}
	return r.load(ctx)
}

// Revoke takes a key back: papers that were printed from a time on by it are not believed
// without a connection any more. Errors: fhir.NotFound.
func (r *Ring) Revoke(ctx context.Context, id string, from time.Time) error {
	entries, err := r.State.Entries(ctx, keyKind, "", "", 1000)
	if err != nil {
		return err
	}
	for _, e := range entries {
		k, stored, err := parseStored(e)
		if err != nil {
			return err
		}
		if k.ID != id {
			continue
		}
		stored.Revoked = from.UTC().Truncate(time.Second)
		if e.Value, err = json.Marshal(stored); err != nil {
			return err
		}
		return r.State.Put(ctx, e)
	}
	return fhir.Errorf(fhir.NotFound, "the registry has no such key")
}

// load reads all keys.
func (r *Ring) load(ctx context.Context) error {
	entries, err := r.State.Entries(ctx, keyKind, "", "", 1000)
	if err != nil {
		return fmt.Errorf("read the keys of papers: %w", err)
	}
	slices.SortFunc(entries, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	keys := Keys{}
	for _, e := range entries {
		k, _, err := parseStored(e)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	r.keys, r.loaded = keys, r.now()
	return nil
}

func parseStored(e fhir.Entry) (*Key, *storedKey, error) {
	var s storedKey
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return nil, nil, fmt.Errorf("key of papers %s: %w", e.Key, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		return nil, nil, fmt.Errorf("key of papers %s: %w", e.Key, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("key of papers %s is of another kind", e.Key)
	}
	k := &Key{Public: &private.PublicKey, private: private, From: s.From, Until: s.Until, Revoked: s.Revoked}
	k.ID, err = idOf(k.Public)
	return k, &s, err
}
