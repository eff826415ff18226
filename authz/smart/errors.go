package smart

import (
	"errors"
	"net/http"
)

// oauthError is an error that OAuth has a word for.
//
// See https://www.rfc-editor.org/rfc/rfc6749#section-5.2.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`

	status int // 0 is 400
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func invalidRequest(why string) error { return &oauthError{Code: "invalid_request", Description: why} }
func invalidGrant(why string) error   { return &oauthError{Code: "invalid_grant", Description: why} }
func invalidScope(why string) error   { return &oauthError{Code: "invalid_scope", Description: why} }
func unauthorized(why string) error {
	return &oauthError{Code: "unauthorized_client", Description: why}
}
func invalidClient(why string) error {
	return &oauthError{Code: "invalid_client", Description: why, status: http.StatusUnauthorized}
}

// fail sends an error of an endpoint that clients call.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *oauthError
	if !errors.As(err, &e) {
		if r.Context().Err() == nil {
			s.Log.ErrorContext(r.Context(), "an OAuth request failed", "endpoint", r.Pattern, "error", err)
		}
		e = &oauthError{Code: "server_error", status: http.StatusInternalServerError}
	}
	if e.status == 0 {
		e.status = http.StatusBadRequest
	}
	if e.status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="amate"`)
	}
	private(w)
	send(w, e.status, e)
}

// private keeps an answer out of caches.
func private(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}
