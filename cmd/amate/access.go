package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"go.yaml.in/yaml/v3"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// access is who is let in: the apps, the people, and the keys of their tokens.
type access struct {
	state       authz.State
	people      *people.Directory
	clients     *client.Registry
	keys        *token.Keys
	revocations *token.Revocations
	minter      *token.Minter
	verifier    *token.Verifier
	server      *smart.Server // nil where nothing is served
	trail       *audit.Trail  // nil where nothing is recorded
}

// issuerOf returns the issuer of tokens for a FHIR base: what the base is below.
func issuerOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	path := strings.TrimRight(u.Path, "/")
	u.Path = path[:strings.LastIndexByte("/"+path, '/')]
	return strings.TrimRight(u.String(), "/")
}

// openAccess loads the keys, and makes the first ones.
func openAccess(ctx context.Context, state authz.State, base string, trusted ...*token.Trusted) (*access, error) {
	a := &access{state: state, people: &people.Directory{State: state}, clients: &client.Registry{State: state}}
	var err error
	if a.keys, err = token.OpenKeys(ctx, state, nil); err != nil {
		return nil, err
	}
	if a.revocations, err = token.OpenRevocations(ctx, state, nil); err != nil {
		return nil, err
	}
	a.minter = &token.Minter{Keys: a.keys, Issuer: issuerOf(base), Audience: base}
	a.verifier = token.NewVerifier(a.minter, a.revocations, trusted...)
	return a, nil
}

// follow keeps up with what other servers of the database do, until ctx ends.
func (a *access) follow(ctx context.Context, log *slog.Logger) {
	failed := func(what string) func(error) {
		return func(err error) { log.Error("keep up with "+what, "error", err) }
	}
	go a.keys.Follow(ctx, failed("the signing keys"))
	go a.revocations.Follow(ctx, failed("revoked tokens"))
}

// serve makes the authorization server. key signs its forms, and patients finds whose
// record an app is to open.
func (a *access) serve(key []byte, patients smart.Patients, log *slog.Logger) (err error) {
	a.server, err = smart.New(smart.Config{
		State: a.state, People: a.people, Clients: a.clients, Minter: a.minter, Verifier: a.verifier, Revocations: a.revocations,
		Key: key, Patients: patients, Log: log,
		Observe: func(ctx context.Context, e smart.Event) {
			log.LogAttrs(ctx, slog.LevelInfo, "access", slog.String("what", e.What), slog.String("account", e.Account),
				slog.String("client", e.Client), slog.String("refused", e.Failed))
			recordAccess(ctx, a.trail, &e, log)
		},
	})
	return err
}

// openAccess loads what access control needs, and keeps up with it until ctx ends.
func (s *serve) openAccess(ctx context.Context, ln net.Listener, store *opened, trusted []*token.Trusted, log *slog.Logger) (*access, error) {
	base := s.base(ln)
	a, err := openAccess(ctx, store, base, trusted...)
	if err != nil {
		return nil, err
	}
	a.follow(ctx, log)
	return a, rememberBase(ctx, store, base)
}

// guard returns who decides about requests.
func (o *opened) guard() rest.Guard {
	if o.access == nil {
		return authz.Open{}
	}
	return o.guarded
}

// admit returns who is let in before a guard is asked; nil for everyone.
func (o *opened) admit() func(context.Context, *rest.Request) error {
	if o.access == nil {
		return nil
	}
	return authz.Admit
}

// mount puts the API on r, and with access control the authorization server.
func (o *opened) mount(r chi.Router, api *rest.API, log *slog.Logger) error {
	if o.access == nil {
		r.Post(messagePath, o.takeMessage)
		api.Mount(r)
		return nil
	}
	o.access.trail = o.trail
	if err := o.access.serve(o.key("sign-in"), finder{api}, log); err != nil {
		return err
	}
	o.access.mount(r)
	r.Group(func(r chi.Router) {
		r.Use(authz.Authenticate(o.access.verifier))
		r.Post(messagePath, o.takeMessage)
		api.Mount(r)
	})
	return nil
}

// mount puts the authorization server on r.
func (a *access) mount(r chi.Router) {
	for _, path := range a.server.Paths() {
		if strings.HasSuffix(path, "/") {
			path += "*"
		}
		r.Handle(path, a.server)
	}
}

// settingKind is where the store keeps what commands beside the server need to know.
const (
	settingKind = "setting"
	baseSetting = "base-url"
)

// rememberBase keeps the base for which tokens are made by "amate token".
func rememberBase(ctx context.Context, state authz.State, base string) error {
	old, err := state.Entry(ctx, settingKind, baseSetting)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	if string(old.Value) == base {
		return nil
	}
	err = state.Put(ctx, fhir.Entry{Kind: settingKind, Key: baseSetting, Version: old.Version, Value: []byte(base)})
	if fhir.CodeOf(err) == fhir.Conflict {
		return nil // another server has said it
	}
	return err
}

// rememberedBase returns what rememberBase has kept, or what serve takes by default.
func rememberedBase(ctx context.Context, state authz.State) (string, error) {
	e, err := state.Entry(ctx, settingKind, baseSetting)
	if fhir.CodeOf(err) == fhir.NotFound {
		return "http://127.0.0.1:8080/fhir", nil
	}
	return string(e.Value), err
}

// issuersFile is a YAML file that lists issuers elsewhere whose access tokens are taken:
//
//   - name: keycloak
//     issuer: https://sso.example.org/realms/salud
//     audience: amate
//     algorithms: [RS256]
//     roles: {medico: clinician}
//     claims: {roles: realm_access.roles, org: clues}
type issuersFile string

// read returns the issuers, checked. "" is none.
func (f issuersFile) read() ([]*token.Trusted, error) {
	if f == "" {
		return nil, nil
	}
	text, err := os.ReadFile(string(f))
	if err != nil {
		return nil, usagef("--trust-issuers: %v", err)
	}
	var raw any
	if err := yaml.Unmarshal(text, &raw); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("--trust-issuers %s: %v", f, err)
	}
	asJSON, err := json.Marshal(raw)
	if err != nil {
		return nil, usagef("--trust-issuers %s: %v", f, err)
	}
	d := json.NewDecoder(strings.NewReader(string(asJSON)))
	d.DisallowUnknownFields()
	var all []*token.Trusted
	if err := d.Decode(&all); err != nil {
		return nil, usagef("--trust-issuers %s: want a list of issuers: %v", f, err)
	}
	names := map[string]bool{}
	for _, t := range all {
		if err := t.Open(); err != nil {
			return nil, usagef("--trust-issuers %s: %v", f, err)
		}
		if names[t.Name] || names[t.Issuer] {
			return nil, usagef("--trust-issuers %s: %s stands twice", f, t.Name)
		}
		names[t.Name], names[t.Issuer] = true, true
	}
	return all, nil
}

// withAccess opens the store of a command that manages accounts, apps or tokens. The
// server may be running meanwhile.
func (s storage) withAccess(ctx context.Context, log *slog.Logger, base string, f func(*access) error) error {
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	if base == "" {
		base, err = rememberedBase(ctx, store)
	}
	var a *access
	if err == nil {
		a, err = openAccess(ctx, store, strings.TrimRight(base, "/"))
	}
	if err == nil {
		err = s.recordCommand(ctx, store, log)
	}
	if err == nil {
		err = f(a)
	}
	return errors.Join(err, store.Close())
}

// days is how a list shows when something was made.
func days(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}
