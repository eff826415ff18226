package smart

import (
	"net/http"
	"slices"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
)

// introspect answers what a token means: to the client that it was given to, and to
// servers that are registered to ask.
//
// See https://www.rfc-editor.org/rfc/rfc7662 and
// https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	f, err := form(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, shown, err := s.clientOf(r, f)
	if err == nil && !shown {
		err = invalidClient("only a client that shows that it is itself may ask")
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := map[string]any{"active": false}
	claims, err := s.Verifier.Claims(r.Context(), f.Get("token"))
	switch {
	case err == nil && (claims.Client == c.ID || c.Introspects):
		out = map[string]any{
			"active": true, "scope": claims.Scope, "client_id": claims.Client, "token_type": "Bearer", "sub": claims.Subject,
			"iss": claims.Issuer, "aud": claims.Audience, "exp": claims.Expiry, "iat": claims.IssuedAt, "jti": claims.ID,
		}
		if claims.User != "" {
			out["fhirUser"] = s.base + "/" + claims.User
		}
		for name, value := range map[string]string{"patient": claims.Patient, "encounter": claims.Encounter} {
			if value != "" {
				out[name] = value
			}
		}
		if claims.Confirm != nil {
			out["cnf"] = claims.Confirm
		}
	case err != nil && fhir.CodeOf(err) != fhir.LoginRequired:
		s.fail(w, r, err)
		return
	case err != nil:
		g, number, err := s.readRefresh(r.Context(), f.Get("token"))
		if err == nil && number == g.Number && (g.Client == c.ID || c.Introspects) {
			out = map[string]any{"active": true, "scope": g.Scope, "client_id": g.Client, "token_type": "refresh_token", "sub": g.Account, "iss": s.issuer}
		}
	}
	private(w)
	send(w, http.StatusOK, out)
}

// revoke ends a token of the client that asks. Whether there was one, it does not say.
//
// See https://www.rfc-editor.org/rfc/rfc7009.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	f, err := form(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, _, err := s.clientOf(r, f)
	if err == nil && f.Get("token") == "" {
		err = invalidRequest("token is missing")
	}
	if err == nil {
		err = s.revokeOf(r, c, f.Get("token"))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.observe(r, Event{What: "revoke", Client: c.ID})
	private(w)
	w.WriteHeader(http.StatusOK)
}

func (s *Server) revokeOf(r *http.Request, c *client.Client, raw string) error {
	ctx := r.Context()
	g, _, err := s.readRefresh(ctx, raw)
	if err == nil {
		if g.Client == c.ID {
			return s.end(ctx, g.ID)
		}
		return nil
	}
	claims, err := s.Verifier.Claims(ctx, raw)
	if err != nil || claims.Client != c.ID {
		return nil
	}
	return s.Revocations.Token(ctx, claims.ID)
}

// userinfo says who has signed in.
//
// See https://openid.net/specs/openid-connect-core-1_0.html#UserInfo.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) {
	p, err := s.bearer(r)
	if err == nil && !slices.Contains(p.Scopes, "openid") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="amate", error="insufficient_scope", scope="openid"`)
		s.fail(w, r, &oauthError{Code: "insufficient_scope", status: http.StatusForbidden})
		return
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="amate", error="invalid_token"`)
		s.fail(w, r, &oauthError{Code: "invalid_token", status: http.StatusUnauthorized})
		return
	}
	out := map[string]any{"sub": p.ID}
	granted, _ := scope.Known(p.Scopes...)
	if p.User.ID != "" && granted.Has("fhirUser") {
		out["fhirUser"] = s.base + "/" + p.User.String()
	}
	if granted.Has("profile") {
		if a, err := s.People.Get(r.Context(), p.ID); err == nil {
			out["name"] = a.Login
		}
	}
	private(w)
	send(w, http.StatusOK, out)
}
