package smart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/fhir"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionKind = "client-assertion"
	assertionMost = 5 * time.Minute // that an assertion may last
	clockSkew     = 10 * time.Second
	longestID     = 200 // bytes of a jti
)

// form reads the parameters of a request in its body. None may stand twice.
func form(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("the body is no form, or too long")
	}
	return r.PostForm, once(r.PostForm)
}

// once refuses parameters that stand twice: one reader could take the first, another
// the second.
func once(v url.Values) error {
	for name, values := range v {
		if len(values) > 1 {
			return invalidRequest("the parameter " + printable(name) + " stands more than once")
		}
	}
	return nil
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s[:min(len(s), 60)])
}

// clientOf returns the client that a request comes from, and whether it has shown that
// it is itself; a public client has nothing to show. Exactly one way is taken.
func (s *Server) clientOf(r *http.Request, f url.Values) (c *client.Client, shown bool, err error) {
	id, secret, basic := r.BasicAuth()
	assertion, posted := f.Get("client_assertion"), f.Get("client_secret")
	ways := 0
	for _, used := range []bool{basic, assertion != "", posted != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, false, invalidRequest("a client authenticates in one way at a time")
	case r.Header.Get("Authorization") != "" && !basic:
		return nil, false, invalidClient("the Authorization header is not Basic")
	case assertion != "":
		c, err := s.asserted(r.Context(), f)
		return c, err == nil, err
	case basic:
		var errs [2]error
		id, errs[0] = url.QueryUnescape(id)
		secret, errs[1] = url.QueryUnescape(secret)
		if errs[0] != nil || errs[1] != nil {
			return nil, false, invalidClient("the client is not known, or its secret is wrong")
		}
		if named := f.Get("client_id"); named != "" && named != id {
			return nil, false, invalidRequest("client_id is another than that of the Authorization header")
		}
	default:
		id, secret = f.Get("client_id"), posted
	}
	c, err = s.Clients.Get(r.Context(), id)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return nil, false, err
	}
	if c == nil || secret == "" && !c.Public() || secret != "" && !c.HasSecret(secret, s.Now()) {
		return nil, false, invalidClient("the client is not known, or its secret is wrong")
	}
	return c, secret != "", nil
}

// asserted returns the client that has signed an assertion. Each is good once.
//
// See https://www.rfc-editor.org/rfc/rfc7523 and
// https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html.
func (s *Server) asserted(ctx context.Context, f url.Values) (*client.Client, error) {
	if f.Get("client_assertion_type") != assertionType {
		return nil, invalidRequest("client_assertion_type must be " + assertionType)
	}
	parsed, err := jwt.ParseSigned(f.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS384, jose.ES384})
	if err != nil || len(parsed.Headers) != 1 {
		return nil, invalidClient("the client assertion is no JWT signed with " + strings.Join(assertionAlgs, " or "))
	}
	var named jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&named); err != nil {
		return nil, invalidClient("the client assertion has no claims")
	}
	c, err := s.Clients.Get(ctx, named.Issuer)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, invalidClient("the client is not known")
	}
	if err != nil {
		return nil, err
	}
	keys, err := s.Clients.Keys(ctx, c, parsed.Headers[0].KeyID)
	if err != nil {
		s.Log.WarnContext(ctx, "the keys of a client cannot be had", "client", c.ID, "error", err)
		return nil, invalidClient("the keys of the client cannot be had")
	}
	claims, ok := signedBy(parsed, keys)
	if !ok {
		return nil, invalidClient("the client assertion is signed with no key of the client")
	}
	if why := s.checkAssertion(c, claims, f); why != "" {
		return nil, invalidClient(why)
	}
	sum := sha256.Sum256([]byte(c.ID + "\x00" + claims.ID))
	err = s.State.Put(ctx, fhir.Entry{
		Kind: assertionKind, Key: hex.EncodeToString(sum[:]), Expires: claims.Expiry.Time().Add(2 * clockSkew), Value: []byte("{}"),
	})
	if fhir.CodeOf(err) == fhir.Conflict {
		return nil, invalidClient("the client assertion was used before: its jti is not new")
	}
	return c, err
}

// signedBy returns the claims of a JWT, if one of keys has signed it.
func signedBy(parsed *jwt.JSONWebToken, keys []jose.JSONWebKey) (claims jwt.Claims, ok bool) {
	for _, k := range keys {
		if k.Use == "enc" || k.Algorithm != "" && k.Algorithm != parsed.Headers[0].Algorithm || !k.IsPublic() {
			continue
		}
		if parsed.Claims(k.Key, &claims) == nil {
			return claims, true
		}
	}
	return claims, false
}

// checkAssertion returns why the claims of an assertion are not good, or "".
func (s *Server) checkAssertion(c *client.Client, claims jwt.Claims, f url.Values) string {
	now := s.Now()
	switch {
	case claims.Issuer != c.ID || claims.Subject != c.ID:
		return "iss and sub of the client assertion must both be the client id"
	case f.Get("client_id") != "" && f.Get("client_id") != c.ID:
		return "client_id is another than that of the client assertion"
	case len(claims.Audience) != 1 || claims.Audience[0] != s.issuer+"/oauth/token" && claims.Audience[0] != s.issuer:
		return "aud of the client assertion must be " + s.issuer + "/oauth/token"
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time().Add(clockSkew)):
		return "the client assertion has expired"
	case claims.Expiry.Time().After(now.Add(assertionMost + clockSkew)):
		return "the client assertion must expire within five minutes"
	case claims.NotBefore != nil && now.Add(clockSkew).Before(claims.NotBefore.Time()):
		return "the client assertion is not valid yet"
	case claims.ID == "" || len(claims.ID) > longestID:
		return "the client assertion needs a jti"
	}
	return ""
}
