package search

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Scan asks for every resource of a type, however many there are.
type Scan struct {
	// Query says which: its Type, Where and Restriction count, and, where it is not 0, its
	// Count, as how many are read at a time; nothing else of it.
	Query Query

	// At is the moment as of which resources are shown: later versions are passed over in
	// favour of those that were current then, and whether one is meant is decided by that
	// version. It is not in the future. Zero shows each as it is when it is met.
	At time.Time

	// After is where an earlier Scan ended, as it was told; "" begins.
	After string
}

// Scanner reads a lot.
type Scanner interface {
	// Scan calls page with some resources at a time, in an order of its own, in which each
	// comes once, and with the After by which a later Scan of the same goes on behind them.
	// They are valid until page returns. The memory that it takes is bounded, whatever
	// there is. Errors: those of page; fhir.Invalid for what cannot be asked.
	Scan(ctx context.Context, s *Scan, page func(found []fhir.Resource, after string) error) error
}
