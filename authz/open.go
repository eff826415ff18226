package authz

import (
	"context"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// Open is the guard that lets everyone do everything: --insecure-no-auth. It is
// for first steps and benchmarks on a loopback address, and for nothing else.
type Open struct{}

// Check allows req, and says out loud that nothing is restricted.
func (Open) Check(context.Context, *rest.Request) (rest.Decision, error) {
	return rest.Decision{Restriction: search.Unrestricted, Principal: "anyone", Caller: operation.Caller{Principal: "anyone"}, Explain: true}, nil
}
