package token

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The types of a token, as its header says them, so that none passes for another.
const (
	accessType = "at+jwt"
	idType     = "JWT"
)

// Minter signs tokens.
type Minter struct {
	Keys     *Keys
	Issuer   string // of this server
	Audience string // the FHIR base
}

// Access completes c and signs it as an access token that is good for life. It sets
// what the clock and chance decide: iat, nbf, exp and jti.
func (m *Minter) Access(c *Claims, life time.Duration) (string, error) {
	now := m.Keys.now()
	c.Issuer, c.Audience, c.ID = m.Issuer, jwt.Audience{m.Audience}, Random()
	c.IssuedAt, c.NotBefore = jwt.NewNumericDate(now), jwt.NewNumericDate(now)
	c.Expiry = jwt.NewNumericDate(now.Add(life))
	return m.sign(accessAlg, accessType, c)
}

// ID is what an ID token says.
//
// See https://openid.net/specs/openid-connect-core-1_0.html#IDToken.
type ID struct {
	jwt.Claims

	Party    string           `json:"azp,omitempty"`
	Nonce    string           `json:"nonce,omitempty"`
	AuthTime *jwt.NumericDate `json:"auth_time,omitempty"`
	Methods  []string         `json:"amr,omitempty"` // RFC 8176: "pwd", "otp", "hwk"
	User     string           `json:"fhirUser,omitempty"`
	Profile  string           `json:"profile,omitempty"`
	Name     string           `json:"name,omitempty"`
}

// Identity completes c and signs it as an ID token for a client.
func (m *Minter) Identity(c *ID, client string, life time.Duration) (string, error) {
	now := m.Keys.now()
	c.Issuer, c.Audience, c.Party = m.Issuer, jwt.Audience{client}, client
	c.IssuedAt, c.Expiry = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(life))
	return m.sign(idAlg, idType, c)
}

func (m *Minter) sign(alg jose.SignatureAlgorithm, typ string, claims any) (string, error) {
	k, err := m.Keys.signing(alg)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: k.private, KeyID: k.ID}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// Random returns 256 random bits as text: an id that nobody guesses.
func Random() string {
	var b [32]byte
	rand.Read(b[:]) // it never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
