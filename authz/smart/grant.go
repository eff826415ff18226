package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// How long things last.
const (
	userLife    = 10 * time.Minute // of an access token that a person has consented to
	systemLife  = 5 * time.Minute  // of one that a system asked for by itself, as SMART advises
	refreshIdle = 30 * 24 * time.Hour
	refreshMost = 180 * 24 * time.Hour
	grantKind   = "grant"
)

// grant is what a person has consented to: the family of the tokens that follow.
type grant struct {
	ID        string
	Client    string
	Account   string
	Scope     string
	Patient   string
	Encounter string
	Intent    string
	Banner    bool // the app has to show whose record it is
	Nonce     string
	At        time.Time // when the person signed in
	Methods   []string
	Offline   bool   // goes on when the person has left
	Session   string // without Offline: ends with this session
	Salt      string // of its refresh tokens
	Number    int    // of the refresh token that is good now; 0 when there are none
	Created   time.Time

	version int64
}

// refreshToken returns the refresh token with a number. It is signed, not stored: so
// one that was good once is told from one that somebody has made up.
func (s *Server) refreshToken(g *grant, number int) string {
	n := strconv.Itoa(number)
	return g.ID + "." + n + "." + s.mac("refresh", g.ID, n, g.Salt)
}

// keep stores a grant.
func (s *Server) keep(ctx context.Context, g *grant) error {
	value, err := json.Marshal(g)
	if err != nil {
		return err
	}
	expires := s.Now().Add(refreshIdle)
	if most := g.Created.Add(refreshMost); expires.After(most) {
		expires = most
	}
	if g.Number == 0 {
		expires = s.Now().Add(userLife)
	}
	err = s.State.Put(ctx, fhir.Entry{Kind: grantKind, Key: g.ID, Group: g.Account, Version: g.version, Expires: expires, Value: value})
	if err == nil {
		g.version++
	}
	return err
}

// grantOf returns a grant. Errors: fhir.NotFound.
func (s *Server) grantOf(ctx context.Context, id string) (*grant, error) {
	e, err := s.State.Entry(ctx, grantKind, id)
	if err != nil {
		return nil, err
	}
	g := &grant{version: e.Version}
	if err := json.Unmarshal(e.Value, g); err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	return g, nil
}

// end ends a grant with every token that came from it.
func (s *Server) end(ctx context.Context, id string) error {
	return end(ctx, s.State, s.Revocations, id)
}

func end(ctx context.Context, state authz.State, revocations *token.Revocations, id string) error {
	if err := revocations.Grant(ctx, id); err != nil {
		return err
	}
	return state.Remove(ctx, grantKind, id, 0)
}

// endFor ends a grant because of why, and returns that.
func (s *Server) endFor(ctx context.Context, id string, why error) error {
	if err := s.end(ctx, id); err != nil {
		return err
	}
	return why
}

// EndAccount ends every grant and session of an account, and the tokens that it holds.
func EndAccount(ctx context.Context, state authz.State, revocations *token.Revocations, d *people.Directory, account string) error {
	const page = 100
	for {
		entries, err := state.Entries(ctx, grantKind, account, "", page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := end(ctx, state, revocations, e.Key); err != nil {
				return err
			}
		}
		if len(entries) < page {
			return d.EndAll(ctx, account)
		}
	}
}

// answer is what the token endpoint answers.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#response-5.
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Patient      string `json:"patient,omitempty"`
	Encounter    string `json:"encounter,omitempty"`
	FHIRUser     string `json:"fhirUser,omitempty"`
	Banner       *bool  `json:"need_patient_banner,omitempty"`
	Intent       string `json:"intent,omitempty"`
}

// issue makes the tokens of a grant. granted is what they are for: the scopes of the
// grant, or fewer.
func (s *Server) issue(g *grant, c *client.Client, a *people.Account, granted scope.Set, certificate string) (*answer, error) {
	life := lifetime(c, userLife)
	claims := &token.Claims{
		Claims: jwt.Claims{Subject: a.ID}, Client: c.ID, Scope: granted.String(), Roles: a.Roles, Org: a.Org, User: a.User,
		Patient: g.Patient, Encounter: g.Encounter, Grant: g.ID, Confirm: confirm(certificate),
	}
	raw, err := s.Minter.Access(claims, life)
	if err != nil {
		return nil, err
	}
	out := &answer{
		AccessToken: raw, TokenType: "Bearer", ExpiresIn: int64(life / time.Second), Scope: granted.String(),
		Patient: g.Patient, Encounter: g.Encounter, Intent: g.Intent,
	}
	if g.Patient != "" {
		out.Banner = &g.Banner
	}
	if g.Number > 0 {
		out.RefreshToken = s.refreshToken(g, g.Number)
	}
	if granted.Has("openid") {
		out.IDToken, err = s.identity(g, c, a, granted)
	}
	if granted.Has("fhirUser") {
		out.FHIRUser = s.profile(a)
	}
	return out, err
}

// identity makes the ID token of a grant.
func (s *Server) identity(g *grant, c *client.Client, a *people.Account, granted scope.Set) (string, error) {
	id := &token.ID{
		Claims: jwt.Claims{Subject: a.ID}, Nonce: g.Nonce, AuthTime: jwt.NewNumericDate(g.At), Methods: g.Methods,
	}
	if granted.Has("fhirUser") {
		id.User = s.profile(a)
	}
	if granted.Has("profile") {
		id.Profile, id.Name = s.profile(a), a.Login
	}
	return s.Minter.Identity(id, c.ID, userLife)
}

// profile returns the URL of the resource that an account is linked to.
func (s *Server) profile(a *people.Account) string {
	if a.User == "" {
		return ""
	}
	return s.base + "/" + a.User
}

func lifetime(c *client.Client, usual time.Duration) time.Duration {
	if c.Lifetime > 0 {
		return c.Lifetime
	}
	return usual
}

func confirm(certificate string) *token.Confirm {
	if certificate == "" {
		return nil
	}
	return &token.Confirm{Certificate: certificate}
}

// readRefresh takes a refresh token apart, and checks that it is one of g.
func (s *Server) readRefresh(ctx context.Context, raw string) (g *grant, number int, err error) {
	bad := invalidGrant("the refresh token is not good")
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(raw) > 300 {
		return nil, 0, bad
	}
	g, err = s.grantOf(ctx, parts[0])
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, 0, bad
	}
	if err != nil {
		return nil, 0, err
	}
	number, err = strconv.Atoi(parts[1])
	if err != nil || number < 1 || !same(parts[2], s.mac("refresh", g.ID, parts[1], g.Salt)) {
		return nil, 0, bad
	}
	return g, number, nil
}

// Granted reports whether an account lets an app go on by itself: whether there is a grant
// of the two that has not ended.
func Granted(ctx context.Context, state authz.State, account, client string) (bool, error) {
	const page = 100
	for after := ""; ; {
		entries, err := state.Entries(ctx, grantKind, account, after, page)
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			var g grant
			if err := json.Unmarshal(e.Value, &g); err != nil {
				return false, fmt.Errorf("grant: %w", err)
			}
			if after = e.Key; g.Client == client {
				return true, nil
			}
		}
		if len(entries) < page {
			return false, nil
		}
	}
}
