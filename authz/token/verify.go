package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

const (
	longestToken = 16 << 10        // bytes of a token that is looked at
	skew         = 5 * time.Second // by which the clocks of servers may differ
)

// Verifier says whom a bearer token speaks for. It is safe for many goroutines.
type Verifier struct {
	keys        *Keys
	revocations *Revocations
	issuer      string
	audience    string
	others      map[string]*Trusted // by issuer
	seen        cache
}

// NewVerifier returns a verifier of the tokens that m signs and of those of others.
func NewVerifier(m *Minter, r *Revocations, others ...*Trusted) *Verifier {
	v := &Verifier{keys: m.Keys, revocations: r, issuer: m.Issuer, audience: m.Audience, others: map[string]*Trusted{}}
	for _, t := range others {
		v.others[t.Issuer] = t
	}
	return v
}

// verified is a token that was found to be good, until it expires or is revoked.
type verified struct {
	claims    *Claims
	principal *authz.Principal
	expires   time.Time
	starts    time.Time
}

// Verify returns whom raw speaks for; nobody may change it. certificate is the DER of
// the certificate that the client showed, nil for none.
// Errors: fhir.LoginRequired.
func (v *Verifier) Verify(ctx context.Context, raw string, certificate []byte) (*authz.Principal, error) {
	found, err := v.claims(ctx, raw)
	if err != nil {
		return nil, err
	}
	if bound := found.claims.certificate(); bound != "" {
		sum := sha256.Sum256(certificate)
		shown := base64.RawURLEncoding.EncodeToString(sum[:])
		if certificate == nil || subtle.ConstantTimeCompare([]byte(bound), []byte(shown)) != 1 {
			return nil, refused("the access token is bound to the certificate of another client")
		}
	}
	return found.principal, nil
}

// Claims returns what a token says, if it is good: for introspection.
// Errors: fhir.LoginRequired.
func (v *Verifier) Claims(ctx context.Context, raw string) (*Claims, error) {
	found, err := v.claims(ctx, raw)
	if err != nil {
		return nil, err
	}
	return found.claims, nil
}

func (v *Verifier) claims(ctx context.Context, raw string) (*verified, error) {
	if len(raw) > longestToken {
		return nil, refused("the access token is too long")
	}
	d := digest(sha256.Sum256([]byte(raw)))
	found, ok := v.seen.get(d)
	if !ok {
		var err error
		if found, err = v.parse(ctx, raw); err != nil {
			return nil, err
		}
	}
	now := v.keys.now()
	switch {
	case !now.Before(found.expires):
		return nil, refused("the access token has expired")
	case now.Before(found.starts):
		return nil, refused("the access token is not valid yet")
	case v.revocations.has(found.claims):
		return nil, refused("the access token was revoked")
	}
	if !ok {
		v.seen.put(d, found)
	}
	return found, nil
}

// parse checks everything about a token that does not change with time.
func (v *Verifier) parse(ctx context.Context, raw string) (*verified, error) {
	iss, err := issuerOf(raw)
	if err != nil {
		return nil, err
	}
	if t, ok := v.others[iss]; ok && iss != v.issuer {
		return t.parse(ctx, raw, v.keys.now)
	}
	if iss != v.issuer {
		return nil, refused("the access token is of an issuer that is not trusted here")
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{accessAlg})
	if err != nil || len(parsed.Headers) != 1 {
		return nil, refused("the access token is not one of this server's: its form or its algorithm is another")
	}
	head := parsed.Headers[0]
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != accessType {
		return nil, refused("the token is no access token")
	}
	key, ok := v.keys.verifying(ctx, head.KeyID, accessAlg)
	if !ok {
		return nil, refused("the access token is signed with a key that this server does not have")
	}
	var c Claims
	if err := parsed.Claims(key, &c); err != nil {
		return nil, refused("the signature of the access token is wrong")
	}
	if !c.Audience.Contains(v.audience) || len(c.Audience) != 1 {
		return nil, refused("the access token is for another server")
	}
	if c.Expiry == nil || c.ID == "" || c.Subject == "" {
		return nil, refused("the access token is incomplete")
	}
	found := &verified{claims: &c, principal: c.Principal(), expires: c.Expiry.Time()}
	if c.NotBefore != nil {
		found.starts = c.NotBefore.Time().Add(-skew)
	}
	return found, nil
}

// issuerOf reads the issuer that a token names, which is not to be believed yet.
func issuerOf(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", refused("the access token is no signed JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return "", refused("the access token is no signed JWT")
	}
	return c.Issuer, nil
}

// refused is the answer to a token that is not good. The reason helps whoever holds
// the token, and gives nothing away to somebody who makes one up.
func refused(reason string) error { return fhir.Errorf(fhir.LoginRequired, "%s", reason) }
