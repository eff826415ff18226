package authz

import (
	"context"
	"net/http"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// Verifier says whom a bearer token speaks for.
type Verifier interface {
	// Verify returns the principal of an access token, which nobody may change.
	// certificate is what the client showed in TLS, nil for none.
	// Errors: fhir.LoginRequired, fhir.Unavailable.
	Verify(ctx context.Context, raw string, certificate []byte) (*Principal, error)
}

// Authenticate puts the principal of a request's bearer token into its context. A
// request without a token, or with one that is not good, goes on without: Admit
// refuses it, so that it is answered and recorded as every other.
//
// See https://www.rfc-editor.org/rfc/rfc6750.
func Authenticate(v Verifier) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			const challenge = `Bearer realm="amate"`
			raw, err := bearer(r)
			if err == nil && raw == "" {
				w.Header().Set("WWW-Authenticate", challenge)
				next.ServeHTTP(w, r)
				return
			}
			ctx := r.Context()
			var p *Principal
			if err == nil {
				p, err = v.Verify(ctx, raw, certificate(r))
			}
			if err != nil {
				w.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
				ctx = context.WithValue(ctx, failureKey{}, err)
			} else {
				ctx = p.With(ctx)
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// bearer returns the token of a request, "" for none. It is taken from the header
// only: a URL ends up in logs.
func bearer(r *http.Request) (string, error) {
	lines := r.Header.Values("Authorization")
	if len(lines) == 0 {
		return "", nil
	}
	scheme, raw, _ := strings.Cut(lines[0], " ")
	if raw = strings.TrimSpace(raw); len(lines) > 1 || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return "", fhir.Errorf(fhir.LoginRequired, "the Authorization header must be one bearer token: Bearer, a space, the token")
	}
	return raw, nil
}

// certificate returns the DER of the certificate that the client showed.
func certificate(r *http.Request) []byte {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0].Raw
}

type failureKey struct{}

// Admit refuses a request of nobody, before anything of it is read that costs. What
// the server is, everybody may know.
func Admit(ctx context.Context, req *rest.Request) error {
	if err, ok := ctx.Value(failureKey{}).(error); ok {
		return err
	}
	if From(ctx) != nil || req.Interaction == rest.Capabilities || req.Interaction == rest.Versions {
		return nil
	}
	return fhir.Errorf(fhir.LoginRequired, "this needs an access token, in the header Authorization: Bearer TOKEN")
}
