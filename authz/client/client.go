// Package client knows the apps and systems that may ask for tokens.
package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// The ways to a token.
const (
	Code        = "authorization_code"
	Refresh     = "refresh_token"
	Credentials = "client_credentials"
)

// Client is an app or a system that is registered.
type Client struct {
	ID   string
	Name string // as people read it when they are asked for their consent

	// How it shows that it is itself. One that has neither secrets nor keys is
	// public: an app in a browser or on a telephone, held by PKCE alone.
	Secrets []Secret
	JWKS    *jose.JSONWebKeySet // its public keys
	JWKSURI string              // where it publishes them

	Grants    []string // Code, Refresh, Credentials
	Redirects []string // to where an answer may go, compared to the letter
	Launch    string   // where an EHR launch begins; "" for none
	Scopes    []string // the most that it may be given

	// Whom it speaks for when nobody is there (Credentials).
	Roles   []string
	Org     string // CLUES
	User    string // "Practitioner/1"; "" for a system
	Patient string // whose record is in context; "" for none
	Purpose string // v3-PurposeOfUse

	Lifetime    time.Duration // of its access tokens; 0 for the usual one
	Certificate bool          // its tokens are bound to its TLS certificate
	Introspects bool          // it is a server that asks what a token means
	Disabled    bool
	Created     time.Time

	version int64
}

// Secret is a client secret, of which only the digest is kept. It has 256 random bits,
// so a fast digest is as good as a slow one.
type Secret struct {
	Digest  []byte
	Created time.Time
	Expires time.Time // zero for never
}

// Public reports whether c has nothing to show that it is itself.
func (c *Client) Public() bool { return len(c.Secrets) == 0 && c.JWKS == nil && c.JWKSURI == "" }

// May reports whether c may take this way to a token.
func (c *Client) May(grant string) bool { return slices.Contains(c.Grants, grant) }

// HasSecret reports whether s is a secret of c.
func (c *Client) HasSecret(s string, now time.Time) bool {
	sum := sha256.Sum256([]byte(s))
	ok := false
	for _, one := range c.Secrets {
		if subtle.ConstantTimeCompare(one.Digest, sum[:]) == 1 && (one.Expires.IsZero() || now.Before(one.Expires)) {
			ok = true
		}
	}
	return ok
}

// Origins returns from which pages c's scripts ask: those of its redirects.
func (c *Client) Origins() (all []string) {
	for _, r := range c.Redirects {
		u, err := url.Parse(r)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		if o := u.Scheme + "://" + u.Host; !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all
}

const kind = "client"

var goodID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`)

// check refuses what cannot be, or should not. Errors: fhir.Invalid.
func (c *Client) check() error {
	wrong := func(format string, args ...any) error { return fhir.Errorf(fhir.Invalid, format, args...) }
	if !goodID.MatchString(c.ID) {
		return wrong("a client id has 2 to 100 of the characters A-Z a-z 0-9 . _ -, and begins with a letter or digit")
	}
	for _, g := range c.Grants {
		if g != Code && g != Refresh && g != Credentials {
			return wrong("a client may have the grants %s, %s and %s", Code, Refresh, Credentials)
		}
	}
	if c.May(Credentials) && c.Public() {
		return wrong("a client that has neither a secret nor keys cannot ask for tokens by itself")
	}
	if c.May(Code) && len(c.Redirects) == 0 {
		return wrong("a client that people sign in to needs a redirect URI")
	}
	for _, r := range c.Redirects {
		if err := checkRedirect(r); err != nil {
			return wrong("redirect URI: %v", err)
		}
	}
	for what, u := range map[string]string{"the launch URL": c.Launch, "the URL of the keys": c.JWKSURI} {
		if u != "" && token.CheckSecureURL(u) != nil {
			return wrong("%s must begin with https://", what)
		}
	}
	if c.JWKS != nil {
		for _, k := range c.JWKS.Keys {
			if !k.IsPublic() || !k.Valid() {
				return wrong("the keys of a client must be public ones, and complete")
			}
		}
	}
	if c.Lifetime < 0 || c.Lifetime > token.Longest {
		return wrong("access tokens last %s at most", token.Longest)
	}
	return nil
}

// privateScheme is what an app on a telephone may be called back by: a reversed name
// of a domain, as RFC 8252 asks, so that javascript: and data: never pass.
var privateScheme = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$`)

func checkRedirect(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || !u.IsAbs():
		return fmt.Errorf("%q is no absolute URI", s)
	case u.Fragment != "" || strings.Contains(s, "#"):
		return fmt.Errorf("%q has a fragment", s)
	case strings.ContainsAny(s, "* \\"):
		return fmt.Errorf("%q has a character that is not taken; it is compared to the letter, without wildcards", s)
	case privateScheme.MatchString(u.Scheme):
		return nil
	}
	return token.CheckSecureURL(s)
}

// Registry keeps the clients. It is safe for many goroutines.
type Registry struct {
	State authz.State
	Now   func() time.Time // nil is time.Now

	mu      sync.Mutex
	remotes map[string]*token.Remote // by the URL of the keys
	origins map[string]bool
	looked  time.Time
}

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Get returns a client. Errors: fhir.NotFound, also for one that is disabled.
func (r *Registry) Get(ctx context.Context, id string) (*Client, error) {
	if !goodID.MatchString(id) {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such client")
	}
	c, err := r.any(ctx, id)
	if err == nil && c.Disabled {
		return nil, fhir.Errorf(fhir.NotFound, "the client is disabled")
	}
	return c, err
}

func (r *Registry) any(ctx context.Context, id string) (*Client, error) {
	e, err := r.State.Entry(ctx, kind, id)
	if err != nil {
		return nil, err
	}
	return parse(e)
}

func parse(e fhir.Entry) (*Client, error) {
	c := &Client{version: e.Version}
	if err := json.Unmarshal(e.Value, c); err != nil {
		return nil, fmt.Errorf("client %s: %w", e.Key, err)
	}
	return c, nil
}

// List returns up to limit clients, ordered by id, after the one with the id after.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]*Client, error) {
	entries, err := r.State.Entries(ctx, kind, "", after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]*Client, len(entries))
	for i, e := range entries {
		if all[i], err = parse(e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Put keeps a client: a new one, or one that Get returned and that was changed.
// Errors: fhir.Invalid; fhir.Conflict when it was changed meanwhile, or is new and
// its id is taken.
func (r *Registry) Put(ctx context.Context, c *Client) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Created.IsZero() {
		c.Created = r.now().UTC()
	}
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := r.State.Put(ctx, fhir.Entry{Kind: kind, Key: c.ID, Version: c.version, Value: value}); err != nil {
		return err
	}
	c.version++
	r.forget()
	return nil
}

// Remove removes a client. Its tokens are revoked by whoever removes it.
func (r *Registry) Remove(ctx context.Context, id string) error {
	r.forget()
	return r.State.Remove(ctx, kind, id, 0)
}

// NewSecret adds a secret to c, which is not kept yet, and returns it. The secrets
// that c had are good for overlap longer, so that the new one can be handed out.
func (c *Client) NewSecret(now time.Time, overlap time.Duration) string {
	var b [32]byte
	rand.Read(b[:])
	secret := base64.RawURLEncoding.EncodeToString(b[:])
	var kept []Secret
	for _, s := range c.Secrets {
		if s.Expires.IsZero() || s.Expires.After(now.Add(overlap)) {
			s.Expires = now.Add(overlap)
		}
		if s.Expires.After(now) {
			kept = append(kept, s)
		}
	}
	sum := sha256.Sum256([]byte(secret))
	c.Secrets = append(kept, Secret{Digest: sum[:], Created: now.UTC()})
	return secret
}

// Keys returns the keys with which c may have signed.
func (r *Registry) Keys(ctx context.Context, c *Client, id string) ([]jose.JSONWebKey, error) {
	if c.JWKS != nil {
		if id == "" {
			return c.JWKS.Keys, nil
		}
		return c.JWKS.Key(id), nil
	}
	if c.JWKSURI == "" {
		return nil, nil
	}
	r.mu.Lock()
	if r.remotes == nil {
		r.remotes = map[string]*token.Remote{}
	}
	remote, ok := r.remotes[c.JWKSURI]
	if !ok {
		remote = &token.Remote{URL: c.JWKSURI}
		r.remotes[c.JWKSURI] = remote
	}
	r.mu.Unlock()
	return remote.Keys(ctx, id, r.now())
}

// How long it is remembered from which pages may be asked; and how long it is that one
// which is not among them is refused without another look, since it may be of an app
// that was registered a moment ago.
const (
	originsFor    = 10 * time.Second
	notOriginsFor = time.Second
)

// Origin reports whether scripts of pages with this origin may call: those of the
// redirect URIs of a client.
func (r *Registry) Origin(ctx context.Context, origin string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.now().Sub(r.looked)
	if r.origins == nil || old > originsFor || !r.origins[origin] && old > notOriginsFor {
		found := map[string]bool{}
		const page = 1000
		for after := ""; ; {
			all, err := r.List(ctx, after, page)
			if err != nil {
				return false, err
			}
			for _, c := range all {
				after = c.ID
				if c.Disabled {
					continue
				}
				for _, o := range c.Origins() {
					found[o] = true
				}
			}
			if len(all) < page {
				break
			}
		}
		r.origins, r.looked = found, r.now()
	}
	return r.origins[origin], nil
}

func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.origins = nil
}
