package token

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// What can be revoked.
type revocable string

const (
	oneToken  revocable = "jti"
	oneGrant  revocable = "grant"  // every token that comes from one consent
	oneClient revocable = "client" // every token of an app, issued until then
	oneHolder revocable = "holder" // every token of an account, issued until then
)

const (
	revokedKind  = "revoked"
	refreshEvery = 2 * time.Second
)

// Longest is the longest that an access token may last. A revocation is forgotten
// after that, with the tokens that it is about.
const Longest = 24 * time.Hour

// Revocations are the tokens that count no more before they expire. They are few,
// and kept in memory; those of other servers arrive within two seconds.
type Revocations struct {
	state authz.State
	now   func() time.Time

	mu  sync.Mutex // over changes of set
	set atomic.Pointer[map[revoked]time.Time]
}

// revoked names what is revoked.
type revoked struct {
	what revocable
	id   string
}

// OpenRevocations loads what is revoked. now is nil for time.Now.
func OpenRevocations(ctx context.Context, state authz.State, now func() time.Time) (*Revocations, error) {
	if now == nil {
		now = time.Now
	}
	r := &Revocations{state: state, now: now}
	return r, r.Refresh(ctx)
}

// Token revokes one access token, by its jti.
func (r *Revocations) Token(ctx context.Context, jti string) error {
	return r.add(ctx, revoked{oneToken, jti})
}

// Grant revokes every access token of a grant.
func (r *Revocations) Grant(ctx context.Context, id string) error {
	return r.add(ctx, revoked{oneGrant, id})
}

// Client revokes every access token that an app holds now.
func (r *Revocations) Client(ctx context.Context, id string) error {
	return r.add(ctx, revoked{oneClient, id})
}

// Holder revokes every access token that speaks for an account now.
func (r *Revocations) Holder(ctx context.Context, id string) error {
	return r.add(ctx, revoked{oneHolder, id})
}

// storedRevocation is one as the state has it.
type storedRevocation struct {
	What   revocable
	ID     string
	Before time.Time // tokens issued until then
}

// add revokes, here at once and elsewhere soon.
func (r *Revocations) add(ctx context.Context, what revoked) error {
	at := r.now().UTC()
	e := fhir.Entry{Kind: revokedKind, Key: string(what.what) + "/" + what.id}
	for {
		old, err := r.state.Entry(ctx, e.Kind, e.Key)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return fmt.Errorf("revoke: %w", err)
		}
		if err == nil {
			var s storedRevocation
			if err := json.Unmarshal(old.Value, &s); err != nil {
				return fmt.Errorf("revocation %s: %w", e.Key, err)
			}
			if s.Before.After(at) { // who revoked the same later was faster
				at = s.Before
			}
		}
		if e.Value, err = json.Marshal(storedRevocation{What: what.what, ID: what.id, Before: at}); err != nil {
			return err
		}
		e.Version, e.Expires = old.Version, at.Add(Longest)
		err = r.state.Put(ctx, e)
		if fhir.CodeOf(err) == fhir.Conflict && ctx.Err() == nil {
			continue // somebody else revokes the same
		}
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[revoked]time.Time{what: at}
	for k, v := range *r.set.Load() {
		if k != what || v.After(at) {
			next[k] = v
		}
	}
	r.set.Store(&next)
	return nil
}

// Refresh loads what other servers have revoked.
func (r *Revocations) Refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[revoked]time.Time{}
	const page = 1000
	for after := ""; ; {
		entries, err := r.state.Entries(ctx, revokedKind, "", after, page)
		if err != nil {
			return fmt.Errorf("read what is revoked: %w", err)
		}
		for _, e := range entries {
			var s storedRevocation
			if err := json.Unmarshal(e.Value, &s); err != nil {
				return fmt.Errorf("revocation %s: %w", e.Key, err)
			}
			next[revoked{s.What, s.ID}] = s.Before
			after = e.Key
		}
		if len(entries) < page {
			break
		}
	}
	r.set.Store(&next)
	return nil
}

// Follow refreshes until ctx ends, and hands on what goes wrong.
func (r *Revocations) Follow(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// Ended reports whether a token with these claims is revoked, for whoever goes on in its
// name after it has expired.
func (r *Revocations) Ended(c *Claims) bool { return r.has(c) }

// has reports whether a token with these claims is revoked. One that was issued
// within the second of the revocation counts as issued before it.
func (r *Revocations) has(c *Claims) bool {
	set := *r.set.Load()
	if len(set) == 0 {
		return false
	}
	for _, one := range [...]revoked{{oneToken, c.ID}, {oneGrant, c.Grant}} {
		if _, ok := set[one]; ok && one.id != "" {
			return true
		}
	}
	for _, one := range [...]revoked{{oneClient, c.Client}, {oneHolder, c.Subject}} {
		if before, ok := set[one]; ok && one.id != "" && !c.issued().After(before) {
			return true
		}
	}
	return false
}
