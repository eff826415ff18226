package smart

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/token"
)

// emergencyLife is how long the glass stays broken.
const emergencyLife = 15 * time.Minute

// The length of a reason, in characters.
const (
	shortestReason = 10
	longestReason  = 300
)

// emergency gives a health professional a token with which the consents of patients do
// not bind for a while, for a reason that goes on record with every access. Whether
// their role lets them is the guard's to say.
func (s *Server) emergency(w http.ResponseWriter, r *http.Request) {
	p, err := s.bearer(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="amate", error="invalid_token"`)
		s.fail(w, r, &oauthError{Code: "invalid_token", Description: "this needs an access token", status: http.StatusUnauthorized})
		return
	}
	out, err := s.breakGlass(r, p)
	s.observe(r, Event{What: "emergency", Account: p.ID, Client: p.Client, Failed: reason(err)})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	private(w)
	send(w, http.StatusOK, out)
}

func (s *Server) breakGlass(r *http.Request, p *authz.Principal) (*answer, error) {
	var asked struct {
		Reason string `json:"reason"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		return nil, invalidRequest("the body must be JSON: reason")
	}
	why := strings.Join(strings.Fields(asked.Reason), " ")
	if n := utf8.RuneCountInString(why); n < shortestReason || n > longestReason {
		return nil, invalidRequest("reason must say in 10 to 300 characters why this is an emergency")
	}
	if t := p.User.Type; t != "Practitioner" {
		return nil, &oauthError{Code: "access_denied", Description: "emergency access is for health professionals", status: http.StatusForbidden}
	}
	if p.Purpose == "BTG" { // else one that was stolen would prolong itself for ever
		return nil, &oauthError{Code: "access_denied", Description: "an emergency token gives no other: ask with that of the session", status: http.StatusForbidden}
	}
	// What the token at hand is bound to, the new one is bound to as well.
	_, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	had, err := s.Verifier.Claims(r.Context(), raw)
	if err != nil {
		return nil, err
	}
	if had.Issuer != s.issuer {
		return nil, &oauthError{Code: "access_denied", Description: "the issuer of this token has to give it", status: http.StatusForbidden}
	}
	claims := &token.Claims{
		Claims: jwt.Claims{Subject: had.Subject}, Client: had.Client, Scope: had.Scope, Roles: had.Roles, Org: had.Org, User: had.User,
		Patient: had.Patient, Encounter: had.Encounter, Purpose: "BTG", Reason: why, Grant: had.Grant, Confirm: had.Confirm,
	}
	fresh, err := s.Minter.Access(claims, emergencyLife)
	if err != nil {
		return nil, err
	}
	return &answer{
		AccessToken: fresh, TokenType: "Bearer", ExpiresIn: int64(emergencyLife / time.Second), Scope: had.Scope, Patient: had.Patient, Encounter: had.Encounter,
	}, nil
}
