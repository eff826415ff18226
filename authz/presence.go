package authz

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// freshFor is how long it is believed that no consent denies anything to a caller, or
// that nothing is blocked, where it is not known whether any was written: another server may
// have taken the first one in the meantime.
const freshFor = time.Second

// foundFor is how long it is believed that there is something.
const foundFor = 10 * time.Minute

// presence knows whether there is anything that a search finds: Consents that deny
// something to a caller, or resources that are blocked. As long as there is none, a
// plain read stays one; from the first on, every query looks for itself.
type presence struct {
	last atomic.Pointer[seen]
	mu   sync.Mutex // held by who looks
}

type seen struct {
	any     bool
	at      time.Time
	written int64  // changes here before it was looked
	changes uint64 // how often resources of the type had been written anywhere before it was looked
}

// good reports whether what was seen of a type still holds. That there are denials is
// believed for longer: to look for them in vain shows nothing to anybody.
func (s *seen) good(ctx context.Context, g *Guard, typ string) bool {
	if s == nil || s.written != g.changes.Load() {
		return false
	}
	now, known := g.seen(ctx, typ)
	age := g.Now().Sub(s.at)
	switch {
	case known && now == s.changes:
		return true
	case s.any:
		return age < foundFor
	}
	return !known && age < freshFor
}

// any reports whether a resource of type typ, "" for every type, has one of the tokens
// of param.
func (c *presence) any(ctx context.Context, g *Guard, typ string, param *spec.SearchParam, tokens []int64) (bool, error) {
	if s := c.last.Load(); s.good(ctx, g, typ) {
		return s.any, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.last.Load(); s.good(ctx, g, typ) {
		return s.any, nil // somebody else has just looked
	}
	now := &seen{at: g.Now(), written: g.changes.Load()}
	now.changes, _ = g.seen(ctx, typ)
	found, err := g.Store.Search(ctx, &search.Query{
		Type: typ, Where: []search.Expr{search.Match{Param: param, Compared: param.Type, Values: []search.Value{{Tokens: tokens}}}},
		Count: 1, Restriction: search.Unrestricted, // only whether there is one matters
	})
	if err != nil {
		return false, err
	}
	now.any = len(found.Matches) > 0
	c.last.Store(now)
	return now.any, nil
}
