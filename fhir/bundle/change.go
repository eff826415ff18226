package bundle

import (
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Op is what a Change does.
type Op uint8

// The operations.
const (
	Create Op = 1 + iota // at Ref.ID, which the server chose; with Where: only when nothing matches it
	Update               // at Ref.ID, created there when it is not; with Where: the one match, or a new resource
	Patch                // of an existing resource; with Where: the one match
	Delete               // done as well when there is nothing to delete; with Where: the matches
)

// Change is one write, with its preconditions.
type Change struct {
	Op          Op
	Ref         fhir.Ref      // where to write. With Where, ID is the id to use should the write create; Version is always 0
	Where       *search.Query // the criterion of a conditional interaction; nil otherwise
	Many        bool          // Delete with Where: delete every match, not just a single one
	IfMatch     int64         // the version that must be current; 0 asks for none
	IfNoneMatch bool          // Update: If-None-Match: * , there must be no current version
	FixedID     bool          // Update with Where: the body carried an id, so a match with another id is an error
	NoneNew     bool          // Update with Where: without a match there is nothing to update, and nothing is created

	// Build makes the content to store. For Create and Update, current is nil
	// unless NeedsCurrent; for Patch it is the current version. at is the
	// resource's final place: with Where, the match's. Build is pure and may be
	// called more than once.
	Build        func(env *Env, at fhir.Ref, current *fhir.Resource) (*Content, error)
	NeedsCurrent bool
}

// Env is what is known only inside the database transaction.
type Env struct {
	Targets []fhir.Ref // final place of each Change of the Batch, by its index
	Lookups []fhir.Ref // match of each of Batch.Lookups, by its index
}

// Content is a resource ready to be stored.
type Content struct {
	Body  Body
	Index search.Index
	Blobs [][]byte // SHA-256 of what of it is kept outside of Body
}

// Body is compact JSON with two gaps, where the version and the time go.
type Body struct {
	JSON      []byte // with "id" set, and "meta" present with empty versionId and lastUpdated strings
	VersionAt int    // offset in JSON at which the digits of meta.versionId go
	UpdatedAt int    // offset at which meta.lastUpdated goes; after VersionAt
}

// Stamp returns the final JSON.
func (b *Body) Stamp(version int64, updated time.Time) []byte {
	out := make([]byte, 0, len(b.JSON)+24+20)
	out = append(out, b.JSON[:b.VersionAt]...)
	out = appendInt(out, version)
	out = append(out, b.JSON[b.VersionAt:b.UpdatedAt]...)
	out = updated.AppendFormat(out, fhir.InstantLayout)
	return append(out, b.JSON[b.UpdatedAt:]...)
}

// Batch is a list of Changes that are applied together or not at all, in order.
type Batch struct {
	Changes []Change
	Lookups []*search.Query // conditional references found in the bodies; each must match exactly one resource

	// Events makes what the audit trail is to hold of the changes, which is stored
	// in their transaction. It may be called more than once, and is not called when
	// nothing is written. nil for nothing.
	Events func([]Result) []fhir.Event

	// Entries makes state that is stored in the transaction of the changes, also when
	// they come to nothing that is written: all of it is done, or nothing. Each entry is
	// held to its version as in Put; where one has moved, the batch fails with
	// fhir.Conflict. It may be called more than once. nil for nothing.
	Entries func([]Result) []fhir.Entry

	// Births are rows of the ledger of births that are written, in their order, in the
	// transaction of the changes. Where one is not at its version, or its newborn has
	// another live certificate, the batch fails with fhir.Conflict.
	Births []fhir.Birth

	// Holds are asked about every version before it is written. Whoever opens the store
	// sets them, for all writers alike; a writer only names what passes them.
	Holds []Hold
	// Rights are the names of the Holds that do not bind this batch: those of the
	// operation that makes it, never of anything that a client sends.
	Rights []string
}

// Result is what became of a Change.
type Result struct {
	Resource fhir.Resource // the version that is current now. For an If-None-Exist that matched: the match
	Outcome  Outcome       //
	Deleted  []fhir.Ref    // Delete with Many: what was deleted, with the version that records it

	Before []fhir.Resource // for Batch.Events: what an update, patch or delete replaced
}

// Outcome says what a Change came to.
type Outcome uint8

// The outcomes.
const (
	Created   Outcome = 1 + iota // a first version, or the first after a deletion
	Updated                      // a later version
	Unchanged                    // nothing was written: an If-None-Exist matched, or an update or patch changed nothing
	Removed                      // deleted
	Absent                       // there was nothing to delete
)

// ChangeError says which Change of a Batch failed, and why.
type ChangeError struct {
	Index int // position in Batch.Changes, or -1 - i for Batch.Lookups[i]
	Err   error
}

// Error returns the text of the cause.
func (e *ChangeError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ChangeError) Unwrap() error { return e.Err }
