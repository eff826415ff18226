package smart

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// token answers a request for tokens.
//
// See https://www.rfc-editor.org/rfc/rfc6749#section-3.2.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	f, err := form(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if err := s.nameClient(r, f); err != nil {
		s.fail(w, r, err)
		return
	}
	c, shown, err := s.clientOf(r, f)
	if err != nil {
		s.observe(r, Event{What: "token", Client: printable(f.Get("client_id")), Failed: reason(err)})
		s.fail(w, r, err)
		return
	}
	var out *answer
	switch grant := f.Get("grant_type"); grant {
	case client.Code:
		out, err = s.exchange(r, c, f)
	case client.Refresh:
		out, err = s.refresh(r, c, f)
	case client.Credentials:
		out, err = s.credentials(r, c, shown, f)
	case "":
		err = invalidRequest("grant_type is missing")
	default:
		err = &oauthError{Code: "unsupported_grant_type", Description: "grant_type is authorization_code, refresh_token or client_credentials"}
	}
	s.observe(r, Event{What: "token", Client: c.ID, Failed: reason(err)})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	private(w)
	send(w, http.StatusOK, out)
}

// nameClient sets the client_id of a refresh that has none to that of the refresh
// token: RFC 6749 does not ask for it, and apps leave it out. A client that has
// something to show that it is itself still has to show it.
func (s *Server) nameClient(r *http.Request, f url.Values) error {
	if f.Get("grant_type") != client.Refresh || f.Has("client_id") || f.Has("client_assertion") || r.Header.Get("Authorization") != "" {
		return nil
	}
	g, _, err := s.readRefresh(r.Context(), f.Get("refresh_token"))
	if err == nil {
		f.Set("client_id", g.Client)
	}
	return err
}

// reason is what an event says of an error.
func reason(err error) string {
	var e *oauthError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	return "server_error"
}

const (
	codeKind  = "authorization-code"
	codeLasts = time.Minute
	codeKept  = 10 * time.Minute // so that it is noticed when it comes again
)

// authorized is what an authorization code stands for.
type authorized struct {
	Client    string
	Redirect  string
	Challenge string // of PKCE, S256
	Until     time.Time
	Used      bool
	Grant     grant
}

func codeKey(code string) string {
	sum := sha256.Sum256([]byte(code))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verifierForm is a PKCE code_verifier: RFC 7636, section 4.1.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// exchange gives tokens for an authorization code. A code that comes twice ends what
// came of it; so does one whose PKCE verifier is wrong, since somebody has it who
// should not.
func (s *Server) exchange(r *http.Request, c *client.Client, f url.Values) (*answer, error) {
	ctx := r.Context()
	if !c.May(client.Code) {
		return nil, unauthorized("this client does not use authorization codes")
	}
	bad := invalidGrant("the code is not good, or was used before")
	e, err := s.State.Entry(ctx, codeKind, codeKey(f.Get("code")))
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, bad
	}
	if err != nil {
		return nil, err
	}
	var a authorized
	if err := json.Unmarshal(e.Value, &a); err != nil {
		return nil, fmt.Errorf("authorization code: %w", err)
	}
	if a.Client != c.ID {
		return nil, bad // of another client: it stays good for its own
	}
	if a.Used {
		return nil, s.endFor(ctx, a.Grant.ID, bad)
	}
	a.Used = true
	if e.Value, err = json.Marshal(a); err != nil {
		return nil, err
	}
	err = s.State.Put(ctx, e)
	if fhir.CodeOf(err) == fhir.Conflict { // it came twice at once
		return nil, s.endFor(ctx, a.Grant.ID, bad)
	}
	if err != nil {
		return nil, err
	}
	verifier := f.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case s.Now().After(a.Until):
		return nil, bad
	case f.Get("redirect_uri") != a.Redirect:
		return nil, invalidGrant("redirect_uri is another than that of the authorization request")
	case !verifierForm.MatchString(verifier) || !same(base64.RawURLEncoding.EncodeToString(sum[:]), a.Challenge):
		return nil, invalidGrant("code_verifier does not fit the code_challenge")
	}
	g := &a.Grant
	account, err := s.holder(ctx, g)
	if err != nil {
		return nil, err
	}
	granted, err := scope.Parse(g.Scope)
	if err != nil {
		return nil, err
	}
	certificate, err := certificateOf(r, c)
	if err != nil {
		return nil, err
	}
	if err := s.keep(ctx, g); err != nil {
		return nil, err
	}
	return s.issue(g, c, account, granted, certificate)
}

// holder returns the account of a grant, if it may still be used.
func (s *Server) holder(ctx context.Context, g *grant) (*people.Account, error) {
	a, err := s.People.Get(ctx, g.Account)
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && a.Locked {
		return nil, s.endFor(ctx, g.ID, invalidGrant("the account is not there any more, or is locked"))
	}
	return a, err
}

// refresh gives new tokens for a refresh token, which is good once. One that comes
// again is in two hands, so everything that came of the consent ends.
//
// See https://www.rfc-editor.org/rfc/rfc9700#section-4.14.
func (s *Server) refresh(r *http.Request, c *client.Client, f url.Values) (*answer, error) {
	ctx := r.Context()
	g, number, err := s.readRefresh(ctx, f.Get("refresh_token"))
	if err != nil {
		return nil, err
	}
	bad := invalidGrant("the refresh token is not good")
	if g.Client != c.ID {
		return nil, bad
	}
	if number != g.Number {
		return nil, s.endFor(ctx, g.ID, bad)
	}
	if !g.Offline {
		alive, err := s.People.Alive(ctx, g.Session)
		if err != nil {
			return nil, err
		}
		if !alive {
			return nil, s.endFor(ctx, g.ID, invalidGrant("the session has ended"))
		}
	}
	account, err := s.holder(ctx, g)
	if err != nil {
		return nil, err
	}
	granted, err := s.fewer(g, c, f.Get("scope"))
	if err != nil {
		return nil, err
	}
	certificate, err := certificateOf(r, c)
	if err != nil {
		return nil, err
	}
	g.Number++
	err = s.keep(ctx, g)
	if fhir.CodeOf(err) == fhir.Conflict { // it came twice at once
		return nil, s.endFor(ctx, g.ID, bad)
	}
	if err != nil {
		return nil, err
	}
	return s.issue(g, c, account, granted, certificate)
}

// fewer returns the scopes of a refreshed token: what was consented to and the client
// may still have, or as much of it as is asked for.
func (s *Server) fewer(g *grant, c *client.Client, asked string) (scope.Set, error) {
	consented, err := scope.Parse(g.Scope)
	if err != nil {
		return scope.Set{}, err
	}
	allowed, err := scope.Parse(c.Scopes...)
	if err != nil {
		return scope.Set{}, err
	}
	granted := scope.Narrow(consented, allowed)
	if asked == "" {
		return granted, nil
	}
	wanted, err := scope.Parse(asked)
	if err != nil {
		return scope.Set{}, invalidScope("the scope is not understood")
	}
	if !consented.Covers(wanted) {
		return scope.Set{}, invalidScope("a refresh cannot give more than what was consented to")
	}
	return scope.Narrow(wanted, granted), nil
}

// credentials gives a token to a system that asks by itself.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html.
func (s *Server) credentials(r *http.Request, c *client.Client, shown bool, f url.Values) (*answer, error) {
	if !c.May(client.Credentials) || !shown {
		return nil, unauthorized("this client does not get tokens by itself")
	}
	allowed, err := scope.Parse(c.Scopes...)
	if err != nil {
		return nil, err
	}
	granted := allowed
	if asked := f.Get("scope"); asked != "" {
		wanted, unknown := scope.Known(asked)
		if granted = scope.Narrow(wanted, allowed); granted.Empty() {
			why := "the client may have nothing of the scope"
			if len(unknown) > 0 {
				why = "the scope is not understood"
			}
			return nil, invalidScope(why)
		}
	}
	certificate, err := certificateOf(r, c)
	if err != nil {
		return nil, err
	}
	life := lifetime(c, systemLife)
	raw, err := s.Minter.Access(SystemClaims(c, granted, certificate), life)
	if err != nil {
		return nil, err
	}
	return &answer{
		AccessToken: raw, TokenType: "Bearer", ExpiresIn: int64(life / time.Second), Scope: granted.String(), Patient: c.Patient,
	}, nil
}

// SystemClaims are the claims of a token that a client asks for by itself.
func SystemClaims(c *client.Client, granted scope.Set, certificate string) *token.Claims {
	return &token.Claims{
		Claims: jwt.Claims{Subject: c.ID}, Client: c.ID, Scope: granted.String(), Roles: c.Roles, Org: c.Org,
		User: c.User, Patient: c.Patient, Purpose: c.Purpose, Confirm: confirm(certificate),
	}
}

// certificateOf returns the thumbprint that the tokens of c are bound to, "" for none.
//
// See https://www.rfc-editor.org/rfc/rfc8705.
func certificateOf(r *http.Request, c *client.Client) (string, error) {
	if !c.Certificate {
		return "", nil
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "", invalidClient("this client has to show its certificate")
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
