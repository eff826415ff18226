package smart

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/token"
)

// Config is what a server needs. All but Patients, Observe and Now must be set.
type Config struct {
	State       authz.State
	People      *people.Directory
	Clients     *client.Registry
	Minter      *token.Minter // its Issuer is where the server is mounted, its Audience the FHIR base
	Verifier    *token.Verifier
	Revocations *token.Revocations
	Key         []byte // for form and refresh tokens; the same on every server, at least 32 bytes
	Patients    Patients
	Log         *slog.Logger
	Observe     func(ctx context.Context, e Event) // nil observes nothing
	Now         func() time.Time                   // nil is time.Now
}

// Patients is what the server asks of the records. Each question is put for the
// principal in ctx, who gets no more than they may see.
type Patients interface {
	// Find returns patients by a name or an identifier.
	Find(ctx context.Context, text string, limit int) ([]Patient, error)

	// Patient returns one. Errors: fhir.NotFound, fhir.Gone, fhir.Forbidden.
	Patient(ctx context.Context, id string) (Patient, error)

	// Encounter returns the id of the patient of an encounter, with the same errors.
	Encounter(ctx context.Context, id string) (patient string, err error)
}

// Patient is what is shown of a patient, to choose them.
type Patient struct {
	ID         string
	Name       string
	Born       string // a date as FHIR writes it
	Identifier string // CURP, or another that people know
}

// Event is something about access that is worth recording.
type Event struct {
	What    string // "sign-in", "sign-out", "consent", "token", "revoke", "launch", "password", "emergency", "administration"
	Account string // id; "" for none
	Client  string
	Failed  string // why it was refused; "" when it was not
	Remote  string // address of the other end
}

// Server is the authorization server. It is safe for many goroutines.
type Server struct {
	Config
	issuer   string // without a slash at the end
	base     string // the FHIR base
	root     string // path of issuer
	secure   bool   // whether it is reached over TLS
	passkeys *people.Passkeys
	mux      *http.ServeMux
	guard    *http.CrossOriginProtection
}

// New returns the server that cfg describes.
func New(cfg Config) (*Server, error) {
	if cfg.State == nil || cfg.People == nil || cfg.Clients == nil || cfg.Minter == nil || cfg.Verifier == nil || cfg.Revocations == nil || cfg.Log == nil {
		return nil, errors.New("smart: the configuration is incomplete")
	}
	if len(cfg.Key) < 32 {
		return nil, errors.New("smart: the key must have at least 32 bytes")
	}
	u, err := url.Parse(cfg.Minter.Issuer)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("issuer %q: want an absolute URL", cfg.Minter.Issuer)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(context.Context, Event) {}
	}
	s := &Server{
		Config: cfg, issuer: cfg.Minter.Issuer, base: cfg.Minter.Audience, root: strings.TrimSuffix(u.Path, "/"),
		secure: u.Scheme == "https", mux: http.NewServeMux(), guard: http.NewCrossOriginProtection(),
	}
	if passkeysAt(u) {
		if s.passkeys, err = people.OpenPasskeys(cfg.People, u.Hostname(), u.Scheme+"://"+u.Host); err != nil {
			return nil, err
		}
	}
	s.routes()
	return s, nil
}

// passkeysAt reports whether browsers let pages of this host use passkeys: over TLS or
// on this machine, by a name.
func passkeysAt(u *url.URL) bool {
	host := u.Hostname()
	return host == "localhost" || u.Scheme == "https" && strings.ContainsAny(host, "abcdefghijklmnopqrstuvwxyz") && !strings.Contains(host, ":")
}

// routes mounts what the server answers.
func (s *Server) routes() {
	fhirPath := strings.TrimPrefix(s.base, s.issuer)
	handle := func(pattern string, h http.Handler) {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.Handle(method+" "+s.root+path, h)
	}
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /.well-known/openid-configuration":                s.openid,
		"GET /.well-known/oauth-authorization-server":          s.openid,
		"GET " + fhirPath + "/.well-known/smart-configuration": s.smartConfiguration,
		"GET /oauth/jwks":       s.jwks,
		"POST /oauth/launch":    s.launch,
		"POST /oauth/emergency": s.emergency,
	} {
		handle(pattern, h)
	}
	for path, h := range map[string]http.HandlerFunc{
		"/oauth/token": s.token, "/oauth/introspect": s.introspect, "/oauth/revoke": s.revoke, "/oauth/userinfo": s.userinfo,
	} {
		handle("OPTIONS "+path, s.scripts(h))
		handle("POST "+path, s.scripts(h))
	}
	s.administration(handle)
	handle("GET /oauth/userinfo", s.scripts(http.HandlerFunc(s.userinfo)))
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /oauth/authorize":             s.authorize,
		"POST /oauth/authorize":            s.decide,
		"GET /account":                     s.account,
		"GET /account/sign-in":             s.signInPage,
		"POST /account/sign-in":            s.signIn,
		"GET /account/code":                s.codePage,
		"POST /account/code":               s.code,
		"POST /account/sign-out":           s.signOut,
		"GET /account/reset":               s.resetPage,
		"POST /account/reset":              s.reset,
		"GET /account/password":            s.passwordPage,
		"POST /account/password":           s.password,
		"GET /account/authenticator":       s.authenticatorPage,
		"POST /account/authenticator":      s.authenticator,
		"POST /account/passkey/begin":      s.passkeyBegin,
		"POST /account/passkey/finish":     s.passkeyFinish,
		"POST /account/passkey/add/begin":  s.passkeyAddBegin,
		"POST /account/passkey/add/finish": s.passkeyAddFinish,
		"POST /account/passkey/drop":       s.passkeyDrop,
	} {
		handle(pattern, s.page(h))
	}
	handle("GET /account/assets/{file}", http.StripPrefix(s.root+"/account/assets", assets()))
}

// assets serves the style sheet and the script, and no templates.
func assets() http.Handler {
	files := http.FileServerFS(pages.Assets())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".css") && !strings.HasSuffix(r.URL.Path, ".js") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		files.ServeHTTP(w, r)
	})
}

// Paths are the paths under which the server is to be mounted; one that ends in a
// slash stands for all below it.
func (s *Server) Paths() []string {
	return []string{
		s.root + "/.well-known/openid-configuration", s.root + "/.well-known/oauth-authorization-server",
		s.root + strings.TrimPrefix(s.base, s.issuer) + "/.well-known/smart-configuration",
		s.root + "/oauth/", s.root + "/account", s.root + "/account/",
	}
}

// maxForm bounds the body of a request to the server.
const maxForm = 256 << 10

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.mux.ServeHTTP(w, r)
}

// page makes a handler of f, which draws a page. A POST from a page of another origin
// is refused before f sees it.
func (s *Server) page(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.guard.Check(r); err != nil {
			s.problem(w, r, http.StatusForbidden, "expired-title", "expired", "")
			return
		}
		pages.Remember(w, r, s.secure)
		err := f(w, r)
		switch {
		case err == nil:
		case errors.Is(err, errForm):
			s.problem(w, r, http.StatusForbidden, "expired-title", "expired", "")
		case r.Context().Err() != nil:
		default:
			s.Log.ErrorContext(r.Context(), "a page failed", "page", r.Pattern, "error", err)
			s.problem(w, r, http.StatusInternalServerError, "error-title", "fault", "")
		}
	})
}

// problem draws a page that says why it does not go on.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, status int, title, text, detail string) {
	lang := pages.Language(r)
	p := &pages.Page{Root: s.root, Heading: title, Body: message{
		Text: pages.Text(lang, text), Detail: detail, Link: s.root + "/account", LinkText: pages.Text(lang, "start-again"),
	}}
	if err := p.Write(w, r, status, "message"); err != nil {
		s.Log.ErrorContext(r.Context(), "a page failed", "error", err)
	}
}

// message fills the page of that name.
type message struct{ Text, Detail, Link, LinkText string }

// mac proves that a text comes from this server, for one purpose.
func (s *Server) mac(purpose string, parts ...string) string {
	m := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(m, "%s", purpose)
	for _, p := range parts {
		fmt.Fprintf(m, "\x00%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// observe tells of e.
func (s *Server) observe(r *http.Request, e Event) {
	e.Remote = r.RemoteAddr
	s.Observe(r.Context(), e)
}
