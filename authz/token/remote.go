package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How keys are fetched.
const (
	fetchWithin = 5 * time.Second
	fetchMost   = 1 << 20          // bytes of a key set
	freshFor    = 10 * time.Minute // then it is fetched again
	fetchEvery  = 10 * time.Second // at most, however many unknown keys are named
)

// Remote is a key set that somebody else publishes. It is fetched when it is first
// needed, when it has grown old, and when a token names a key that it lacks: so a
// rotation at the other end is noticed at once.
type Remote struct {
	// URL is where the key set is. Where it is "", Discovery says it.
	URL string

	// Discovery is where an OpenID configuration with a jwks_uri is.
	Discovery string

	// Issuer is what the configuration must call itself.
	Issuer string

	// Client fetches; nil for one that follows no redirection.
	Client *http.Client

	mu      sync.Mutex
	set     jose.JSONWebKeySet
	fetched time.Time
	tried   time.Time
}

// plainFetcher follows no redirection: a key set is where its owner says it is.
var plainFetcher = &http.Client{
	Timeout:       fetchWithin,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Keys returns the keys that may have made a signature: those with this id, or all
// for a signature that names none.
func (r *Remote) Keys(ctx context.Context, id string, now time.Time) ([]jose.JSONWebKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.find(id)
	old := now.Sub(r.fetched) >= freshFor
	if (len(found) == 0 || old) && now.Sub(r.tried) >= fetchEvery {
		r.tried = now
		set, err := r.fetch(ctx)
		if err != nil && len(found) == 0 {
			return nil, err
		}
		if err == nil { // what is known stays in use while its owner cannot be reached
			r.set, r.fetched = set, now
			found = r.find(id)
		}
	}
	return found, nil
}

func (r *Remote) find(id string) []jose.JSONWebKey {
	if id == "" {
		return r.set.Keys
	}
	return r.set.Key(id)
}

func (r *Remote) fetch(ctx context.Context) (set jose.JSONWebKeySet, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	from := r.URL
	if from == "" {
		var configuration struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if err := r.get(ctx, r.Discovery, &configuration); err != nil {
			return set, err
		}
		if configuration.Issuer != r.Issuer {
			return set, fmt.Errorf("the configuration of %s is of another issuer", r.Issuer)
		}
		from = configuration.Keys
	}
	return set, r.get(ctx, from, &set)
}

func (r *Remote) get(ctx context.Context, from string, into any) error {
	if err := CheckSecureURL(from); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	client := r.Client
	if client == nil {
		client = plainFetcher
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch keys: %s answers %s", from, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, fetchMost+1))
	switch {
	case err != nil:
		return fmt.Errorf("fetch keys: %w", err)
	case len(body) > fetchMost:
		return errors.New("fetch keys: the answer is too long")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	return nil
}

// CheckSecureURL refuses a URL that is not absolute https; http is for this machine.
func CheckSecureURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%q is no absolute URL", s)
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q must begin with https://", s)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
