package rest

import (
	"context"
	"io"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store keeps resources. store/sqlite and store/postgres are the two engines.
type Store interface {
	// Read returns the version that ref names, or the current one when ref.Version is 0.
	// Errors: fhir.NotFound; fhir.Gone when that version is a deletion.
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)

	// History returns versions, newest first. It answers fhir.NotFound when q names a
	// resource that never existed.
	History(ctx context.Context, q *search.History) (*search.Versions, error)

	// Search returns a page of matches and what they include.
	Search(ctx context.Context, q *search.Query) (*search.Result, error)

	// Apply makes all changes of b, or none. Once it returns without an error, they
	// survive a crash. Errors name the failed change in a *bundle.ChangeError.
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)

	// Ready reports whether the store can answer now.
	Ready(ctx context.Context) error
}

// Contents keeps what Binaries hold.
type Contents interface {
	// Receive keeps what body yields, durably. It returns the member of a Binary that
	// stands for its data, and a context under which such a Binary may be written.
	Receive(ctx context.Context, body io.Reader, contentType string) (context.Context, []byte, error)

	// Open returns what a stored Binary holds that was read under fhir.Lean.
	Open(ctx context.Context, r *fhir.Resource) (*Content, error)
}

// Content is what a Binary holds.
type Content struct {
	ContentType string
	Context     string // its security context; "" for none
	io.ReadSeekCloser
}

// Guard answers the one question: may they? Every request passes through it once.
type Guard interface {
	Check(ctx context.Context, req *Request) (Decision, error)
}

// Decision is what a Guard allows. It carries a search restriction that becomes
// part of every query made for the request.
type Decision struct {
	Restriction *search.Restriction // never nil
	Roster      *search.Restriction // under which a Group is read whose members are exported; nil for Restriction
	Principal   string              // who asks, for the record of the request: a stable key, never a person's name; "" when unknown

	// Content is what a resource that the request writes must be like: all of it must
	// hold for the new version, as the Restriction must for the old one.
	Content []search.Expr

	// Existing says that an update only replaces: none creates a resource at an id of
	// the caller's choosing, so that nobody learns which ids are taken.
	Existing bool

	Mask      *Mask            // what is left out of every answer; nil for nothing
	Caller    operation.Caller // who asks, for operations that act in their name
	Emergency bool             // the caller broke the glass: consents did not bind the decision
	Explain   bool             // the caller may see how searches are carried out, which tells how much there is of everything
}
