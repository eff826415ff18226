package smart

import (
	"encoding/json"
	"net/http"
)

// assertionAlgs are the signatures of client assertions.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html.
var assertionAlgs = []string{"RS384", "ES384"}

// metadata is what OAuth, OpenID and SMART discovery have in common.
func (s *Server) metadata() map[string]any {
	at := func(path string) string { return s.issuer + path }
	return map[string]any{
		"issuer":                                           s.issuer,
		"authorization_endpoint":                           at("/oauth/authorize"),
		"token_endpoint":                                   at("/oauth/token"),
		"introspection_endpoint":                           at("/oauth/introspect"),
		"revocation_endpoint":                              at("/oauth/revoke"),
		"jwks_uri":                                         at("/oauth/jwks"),
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"response_types_supported":                         []string{"code"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported": assertionAlgs,
		"scopes_supported": []string{
			"openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter", "offline_access", "online_access",
			"patient/*.cruds", "user/*.cruds", "system/*.cruds", "patient/*.read", "patient/*.write", "user/*.read", "user/*.write",
		},
	}
}

// smartConfiguration answers what SMART apps ask first.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html.
func (s *Server) smartConfiguration(w http.ResponseWriter, r *http.Request) {
	m := s.metadata()
	m["management_endpoint"] = s.issuer + "/account"
	m["capabilities"] = []string{
		"launch-ehr", "launch-standalone", "authorize-by-redirect",
		"client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
		"context-banner", "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient",
		"sso-openid-connect", "permission-offline", "permission-online", "permission-patient", "permission-user",
		"permission-v1", "permission-v2",
	}
	public(w, r, m)
}

// openid answers what OpenID and OAuth clients ask first.
//
// See https://openid.net/specs/openid-connect-discovery-1_0.html and RFC 8414.
func (s *Server) openid(w http.ResponseWriter, r *http.Request) {
	m := s.metadata()
	m["userinfo_endpoint"] = s.issuer + "/oauth/userinfo"
	m["subject_types_supported"] = []string{"public"}
	m["id_token_signing_alg_values_supported"] = []string{"RS256"}
	m["response_modes_supported"] = []string{"query"}
	m["claims_supported"] = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "amr", "nonce", "azp", "fhirUser", "profile", "name"}
	m["ui_locales_supported"] = []string{"es", "en"}
	m["authorization_response_iss_parameter_supported"] = true
	m["request_parameter_supported"] = false
	m["request_uri_parameter_supported"] = false
	public(w, r, m)
}

// jwks answers with the keys that signatures are verified with.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) { public(w, r, s.Minter.Keys.Public()) }

// public sends what everybody may know, to scripts of any page as well.
func public(w http.ResponseWriter, _ *http.Request, v any) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "max-age=300")
	send(w, http.StatusOK, v)
}

// send sends JSON.
func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // when this fails, nobody listens any more
}
