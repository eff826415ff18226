package birth

import (
	"context"

	"github.com/amate-health/amate/fhir"
)

// Ledger is where certificates are read. Writing is part of the operations of this
// package alone.
type Ledger interface {
	// Certificate returns the one with a folio. Errors: fhir.NotFound.
	Certificate(ctx context.Context, folio string) (*Certificate, error)

	// Verified returns the one that the public may verify under a token.
	// Errors: fhir.NotFound, for drafts as well.
	Verified(ctx context.Context, token string) (*Certificate, error)

	// Each calls f with those that are asked for, in the order of their folios, a page of
	// them in memory at a time. It ends with the first error of f.
	Each(ctx context.Context, q Query, f func(*Certificate) error) error

	// History returns the steps of the life of one, first to last.
	History(ctx context.Context, folio string) ([]fhir.BirthEvent, error)
}

// Query says which certificates are asked for. Zero fields ask nothing; drafts are left
// out unless States names them.
type Query struct {
	Facility    string // CLUES that certifies, or what it begins with
	From, Until string // days of birth, yyyy-mm-dd: from the first, before the second
	States      []State
}
