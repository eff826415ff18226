package limit

import (
	"context"

	"github.com/amate-health/amate/fhir/rest"
)

// Guard asks another guard about those who are not stopped. Each entry of a batch
// passes through it, so that a batch gets no further than single requests.
type Guard struct {
	rest.Guard
	Limiter *Limiter
}

// Check implements rest.Guard.
func (g Guard) Check(ctx context.Context, req *rest.Request) (rest.Decision, error) {
	if err := g.Limiter.Stopped(ctx, rest.From(ctx)); err != nil {
		return rest.Decision{}, err
	}
	return g.Guard.Check(ctx, req)
}
