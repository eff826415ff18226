package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Key is one key. Its public part outlives it: it stays published when others sign.
type Key struct {
	ID      string // thumbprint of its public part (RFC 7638), or what that begins with
	Public  *ecdsa.PublicKey
	From    time.Time // it signs from then on; zero where that is not known
	Until   time.Time // and not later; zero where that is not known
	Revoked time.Time // it got into wrong hands: what it signs from then on is not believed; zero for never
	private *ecdsa.PrivateKey
}

// Keys are the keys of a registry, the oldest first.
type Keys []*Key

// skew is by how much the clocks of servers may be apart.
const skew = 5 * time.Minute

// Why a key does not speak for what it signed.
var (
	ErrPeriod  = errors.New("the key did not sign at that time")
	ErrRevoked = errors.New("the key was taken back by then")
)

// Find returns the key with an id, nil when there is none.
func (keys Keys) Find(id string) *Key {
	for _, k := range keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// Covers says whether the key signed at a time. Errors: ErrPeriod, ErrRevoked.
func (k *Key) Covers(at time.Time) error {
	switch {
	case !k.Revoked.IsZero() && !at.Before(k.Revoked):
		return ErrRevoked
	case !k.From.IsZero() && at.Before(k.From.Add(-skew)), !k.Until.IsZero() && at.After(k.Until):
		return ErrPeriod
	}
	return nil
}

// Signs reports whether k has its private part.
func (k *Key) Signs() bool { return k.private != nil }

// Sign returns the signature of a JWS over input, 64 bytes.
//
// See https://www.rfc-editor.org/rfc/rfc7518#section-3.4.
func (k *Key) Sign(input []byte) ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("key: this key only verifies")
	}
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature, nil
}

// Verify reports whether k made the signature of input.
func (k *Key) Verify(input, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	digest := sha256.Sum256(input)
	return ecdsa.Verify(k.Public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// JWK is a public key as it is published. The times of a key are named as OpenID
// Federation names them for keys of the past; RevocationList is of SMART Health Cards.
//
// See https://www.rfc-editor.org/rfc/rfc7517 and
// https://openid.net/specs/openid-federation-1_0.html#section-8.7.
type JWK struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	From      int64  `json:"nbf,omitempty"` // seconds since 1970
	Until     int64  `json:"exp,omitempty"`

	Revoked *Revocation `json:"revoked,omitempty"`

	RevocationList int `json:"crlVersion,omitempty"`
}

// Revocation says since when a key is not believed.
type Revocation struct {
	At int64 `json:"revoked_at"` // seconds since 1970
}

// JWK returns the public part, without times.
func (k *Key) JWK() (JWK, error) {
	x, y, err := coordinates(k.Public)
	return JWK{Type: "EC", Curve: "P-256", X: x, Y: y, Use: "sig", Algorithm: "ES256", ID: k.ID}, err
}

// Set is a JWK set.
type Set struct {
	Keys []JWK `json:"keys"`
}

// JSON returns the public parts with their times as a JWK set, to be published.
func (keys Keys) JSON() ([]byte, error) {
	set := Set{Keys: []JWK{}}
	for _, k := range keys {
		one, err := k.JWK()
		if err != nil {
			return nil, err
		}
		one.From, one.Until = k.From.Unix(), k.Until.Unix()
		if !k.Revoked.IsZero() {
			one.Revoked = &Revocation{k.Revoked.Unix()}
		}
		set.Keys = append(set.Keys, one)
	}
	return json.Marshal(set)
}

// Parse reads a JWK set. Keys that are not of P-256 are passed over. Errors: a set that is
// none, and a key under an id that is not its own.
func Parse(text []byte) (Keys, error) {
	var set Set
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.New("this is no set of keys (JWK set)")
	}
	var keys Keys
	for i := range set.Keys {
		one := &set.Keys[i]
		if one.Type != "EC" || one.Curve != "P-256" {
			continue
		}
		k, err := one.Key()
		if err != nil {
			return nil, fmt.Errorf("key %.50q: %w", one.ID, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Key returns the key, which only verifies. Errors: it is no point of the curve, or its
// id is not its own.
func (j *JWK) Key() (*Key, error) {
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
	k := &Key{ID: j.ID, Public: public, From: moment(j.From), Until: moment(j.Until)}
	if j.Revoked != nil {
		k.Revoked = moment(j.Revoked.At)
	}
	if id, err := thumbprint(public); err != nil || len(j.ID) < shortest || !strings.HasPrefix(id, j.ID) {
		return nil, errors.New("kid is not that of the key")
	}
	return k, nil
}

// shortest is how many characters an id has at least: 96 bits.
const shortest = 16

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

var b64 = base64.RawURLEncoding.Strict()

// coordinates of a public key, in base64url.
func coordinates(public *ecdsa.PublicKey) (x, y string, err error) {
	raw, err := public.Bytes() // 4, x and y of 32 bytes each
	if err != nil || len(raw) != 65 {
		return "", "", errors.New("key: it is not of P-256")
	}
	return b64.EncodeToString(raw[1:33]), b64.EncodeToString(raw[33:]), nil
}

// thumbprint is 43 characters.
//
// See https://www.rfc-editor.org/rfc/rfc7638.
func thumbprint(public *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y))
	return b64.EncodeToString(sum[:]), nil
}

// New makes a key that signs between two times. Its id has as many characters of its
// thumbprint as length says; 0 is all 43.
func New(from, until time.Time, length int) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &Key{Public: &private.PublicKey, private: private, From: from.UTC().Truncate(time.Second), Until: until.UTC().Truncate(time.Second)}
	k.ID, err = idOf(k.Public, length)
	return k, err
}

func idOf(public *ecdsa.PublicKey, length int) (string, error) {
	id, err := thumbprint(public)
	if err == nil && length > 0 {
		id = id[:length]
	}
	return id, err
}
