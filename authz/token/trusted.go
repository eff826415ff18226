package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/fhir"
)

// Trusted is an issuer of access tokens elsewhere that is believed: a Keycloak, a
// national identity provider.
type Trusted struct {
	Name       string   // stands before the subjects, so that two issuers never mean the same person: "keycloak"
	Issuer     string   // as its tokens say it, to the letter
	Audience   string   // that its tokens for this server have
	Keys       string   // URL of its key set; "" for the one that its OpenID configuration names
	Algorithms []string // signatures that are taken; none is RS256 and ES256
	Claims     Mapping

	// Roles says which of our roles each of theirs stands for. A role that is not
	// here stands for none: whoever may name roles there cannot name ours.
	Roles map[string]string

	remote *Remote
}

// Mapping says in which claims an issuer puts what. A dot leads into an object:
// "realm_access.roles". What is "" has a usual name, given here.
type Mapping struct {
	Subject   string // "sub"
	Client    string // "azp"
	Roles     string // "roles"
	Org       string // "org"
	User      string // "fhirUser"
	Patient   string // "patient"
	Encounter string // "encounter"
	Scope     string // "scope"
	Purpose   string // "purpose"
}

// asymmetric are the signatures that may be taken from others. There is no HMAC among
// them: with one, a public key would pass for a secret.
var asymmetric = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Open checks the configuration, and completes it.
func (t *Trusted) Open() error {
	if t.Name == "" || strings.ContainsAny(t.Name, ": /") {
		return errors.New("a trusted issuer needs a name without spaces, colons and slashes")
	}
	if err := CheckSecureURL(t.Issuer); err != nil {
		return fmt.Errorf("trusted issuer %s: %w", t.Name, err)
	}
	if t.Audience == "" {
		return fmt.Errorf("trusted issuer %s: without an audience, its tokens for anybody would be taken", t.Name)
	}
	if len(t.Algorithms) == 0 {
		t.Algorithms = []string{string(jose.RS256), string(jose.ES256)}
	}
	for _, a := range t.Algorithms {
		if !slices.Contains(asymmetric, jose.SignatureAlgorithm(a)) {
			return fmt.Errorf("trusted issuer %s: the signature %q is not taken", t.Name, a)
		}
	}
	m := &t.Claims
	for _, one := range []struct {
		claim *string
		usual string
	}{
		{&m.Subject, "sub"}, {&m.Client, "azp"}, {&m.Roles, "roles"}, {&m.Org, "org"}, {&m.User, "fhirUser"},
		{&m.Patient, "patient"}, {&m.Encounter, "encounter"}, {&m.Scope, "scope"}, {&m.Purpose, "purpose"},
	} {
		if *one.claim == "" {
			*one.claim = one.usual
		}
	}
	t.remote = &Remote{URL: t.Keys, Issuer: t.Issuer, Discovery: strings.TrimSuffix(t.Issuer, "/") + "/.well-known/openid-configuration"}
	return nil
}

// parse checks a token of this issuer.
func (t *Trusted) parse(ctx context.Context, raw string, now func() time.Time) (*verified, error) {
	allowed := make([]jose.SignatureAlgorithm, len(t.Algorithms))
	for i, a := range t.Algorithms {
		allowed[i] = jose.SignatureAlgorithm(a)
	}
	parsed, err := jwt.ParseSigned(raw, allowed)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, refused("the form or the algorithm of the access token is not taken from its issuer")
	}
	head := parsed.Headers[0]
	if typ, ok := head.ExtraHeaders[jose.HeaderType].(string); ok && !strings.EqualFold(typ, "JWT") && !strings.EqualFold(strings.TrimPrefix(typ, "application/"), accessType) {
		return nil, refused("the token is no access token")
	}
	keys, err := t.remote.Keys(ctx, head.KeyID, now())
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Unavailable, Details: "the keys of the issuer of the access token cannot be had now"}
	}
	for _, k := range keys {
		if k.Use == "enc" || k.Algorithm != "" && k.Algorithm != head.Algorithm || !k.IsPublic() {
			continue
		}
		var standard jwt.Claims
		var all map[string]any
		if parsed.Claims(k.Key, &standard, &all) == nil {
			return t.accept(standard, all)
		}
	}
	return nil, refused("the signature of the access token is wrong, or its key is not known")
}

// accept reads claims whose signature is right.
func (t *Trusted) accept(standard jwt.Claims, all map[string]any) (*verified, error) {
	switch {
	case standard.Issuer != t.Issuer:
		return nil, refused("the access token is of another issuer than it says")
	case !standard.Audience.Contains(t.Audience):
		return nil, refused("the access token is for another server")
	case standard.Expiry == nil:
		return nil, refused("the access token never expires")
	}
	m := t.Claims
	subject := text(at(all, m.Subject))
	if subject == "" {
		return nil, refused("the access token does not say whom it speaks for")
	}
	c := &Claims{
		Claims: standard, Client: text(at(all, m.Client)), Scope: strings.Join(words(at(all, m.Scope)), " "),
		Org: text(at(all, m.Org)), User: relative(text(at(all, m.User))), Patient: text(at(all, m.Patient)),
		Encounter: text(at(all, m.Encounter)), Purpose: text(at(all, m.Purpose)),
	}
	c.Subject = t.Name + ":" + subject
	if thumbprint := text(at(all, "cnf.x5t#S256")); thumbprint != "" {
		c.Confirm = &Confirm{Certificate: thumbprint}
	}
	for _, role := range words(at(all, m.Roles)) {
		if own, ok := t.Roles[role]; ok && !slices.Contains(c.Roles, own) {
			c.Roles = append(c.Roles, own)
		}
	}
	v := &verified{claims: c, principal: c.Principal(), expires: standard.Expiry.Time()}
	if standard.NotBefore != nil {
		v.starts = standard.NotBefore.Time().Add(-skew)
	}
	return v, nil
}

// at follows a path of member names.
func at(from map[string]any, path string) any {
	if v, ok := from[path]; ok { // a claim may have dots in its own name, as those with URLs do
		return v
	}
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil
	}
	inner, _ := from[name].(map[string]any)
	return at(inner, rest)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// words reads a list, or a text with spaces between its parts.
func words(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, one := range v {
			if s := text(one); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// relative returns the last two segments of a URL of a resource.
func relative(reference string) string {
	parts := strings.Split(reference, "/")
	if len(parts) > 2 {
		parts = parts[len(parts)-2:]
	}
	return strings.Join(parts, "/")
}
