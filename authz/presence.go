package authz

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir/search"
)

// freshFor is how long it is believed that there are no consents. Another server
// may have taken the very first one in the meantime.
const freshFor = time.Second

// presence knows whether there is any consent at all. As long as there is none, a
// plain read stays one; from the first on, every query looks for those that apply.
type presence struct {
	stale atomic.Bool
	last  atomic.Pointer[seen]
	mu    sync.Mutex // held by who looks
}

type seen struct {
	any bool
	at  time.Time
}

// any reports whether there are active consents.
func (c *presence) any(ctx context.Context, g *Guard) (bool, error) {
	last := c.last.Load()
	if last != nil && !c.stale.Load() && (last.any || g.Now().Sub(last.at) < freshFor) {
		return last.any, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if again := c.last.Load(); again != last && !c.stale.Load() {
		return again.any, nil // somebody else has just looked
	}
	c.stale.Store(false)
	now := seen{at: g.Now()}
	q, err := search.Parse("Consent", []search.Param{{Name: "status", Value: "active"}, {Name: "_count", Value: "1"}}, search.Options{})
	if err != nil {
		return false, err
	}
	q.Restriction = search.Unrestricted // only whether there is one matters
	found, err := g.Store.Search(ctx, q)
	if err != nil {
		c.stale.Store(true)
		return false, err
	}
	now.any = len(found.Matches) > 0
	c.last.Store(&now)
	return now.any, nil
}
