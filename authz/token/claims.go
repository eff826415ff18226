package token

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// Claims are the contents of an access token.
type Claims struct {
	jwt.Claims

	Client    string   `json:"client_id,omitempty"`
	Scope     string   `json:"scope,omitempty"` // separated by spaces
	Roles     []string `json:"roles,omitempty"`
	Org       string   `json:"org,omitempty"`      // CLUES
	User      string   `json:"fhirUser,omitempty"` // "Practitioner/1"
	Patient   string   `json:"patient,omitempty"`
	Encounter string   `json:"encounter,omitempty"`
	Purpose   string   `json:"purpose,omitempty"`
	Reason    string   `json:"reason,omitempty"` // of Purpose BTG
	Grant     string   `json:"gid,omitempty"`    // the grant it comes from, with which it is revoked
	Confirm   *Confirm `json:"cnf,omitempty"`
}

// Confirm binds a token to the certificate of a client.
//
// See https://www.rfc-editor.org/rfc/rfc8705#section-3.1.
type Confirm struct {
	Certificate string `json:"x5t#S256,omitempty"` // SHA-256 of its DER, base64url
}

// Principal returns whom the claims speak for.
func (c *Claims) Principal() *authz.Principal {
	p := &authz.Principal{
		ID: c.Subject, Client: c.Client, Roles: slices.Clone(c.Roles), Org: c.Org,
		Patient: c.Patient, Encounter: c.Encounter, Scopes: strings.Fields(c.Scope),
		Purpose: c.Purpose, Reason: c.Reason, Token: c.ID, Grant: c.Grant,
	}
	if ref, ok := fhir.ParseRef(c.User); ok {
		p.User = ref
	}
	if c.Expiry != nil {
		p.Expires = c.Expiry.Time()
	}
	return p
}

// certificate returns the thumbprint that the token is bound to, "" for none.
func (c *Claims) certificate() string {
	if c.Confirm == nil {
		return ""
	}
	return c.Confirm.Certificate
}

// issued returns when the token was made, the zero time when it does not say.
func (c *Claims) issued() time.Time {
	if c.IssuedAt == nil {
		return time.Time{}
	}
	return c.IssuedAt.Time()
}
