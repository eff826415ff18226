package bulk

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Kind is a sort of work. Name, Plan and Run must be set.
type Kind struct {
	// Name is that of the operation by which it is ordered, without the $: whoever may call
	// it then and now gets its files.
	Name string

	// Plan checks a call, and returns what is to be done, which is kept as JSON: all that
	// can be refused is refused here, to the caller's face. Errors: *fhir.Error.
	Plan func(ctx context.Context, call *operation.Call) (plan any, err error)

	// Run does the work. It returns soon after ctx ends, and may be called again for the same
	// order, on another server: Run.Position then tells from where to go on. An error that is
	// a *fhir.Error, other than of what passes (Unavailable, Throttled, Conflict), ends the
	// order and is told to whoever asks for it; after any other it is tried again.
	Run func(ctx context.Context, run *Run) error

	// Manifest returns what is answered when the order is done, and its media type. Nil is
	// the manifest of Bulk Data Access.
	Manifest func(order *Order, base string) (body []byte, media string, err error)
}

// Rights are what the orderer may do now.
type Rights struct {
	Restriction *search.Restriction          // what they may see; never nil
	Roster      *search.Restriction          // under which a Group is read whose members are exported; nil for Restriction
	Seen        func([]byte) ([]byte, error) // what they may see of a resource; nil when that is all of it
	Caller      operation.Caller
	Search      search.Options // by what they may search

	// As is a context of the orderer, under which Send acts for them.
	As context.Context
	// Send performs a batch or transaction, a Bundle in JSON, under As.
	Send func(ctx context.Context, bundle []byte) ([]byte, error)
}

// Access knows who orders, and becomes them again when the work is done.
type Access interface {
	// Owner returns who a call is of, to be kept, and whether there is access control.
	// Errors: fhir.Forbidden.
	Owner(ctx context.Context) (owner []byte, secured bool, err error)

	// As returns a context of the owner, as they are now.
	// Errors: fhir.Forbidden when they have lost what they ordered by.
	As(ctx context.Context, owner []byte) (context.Context, error)

	// Rights returns what the one whom ctx is of may see by an operation, called on a type
	// and an id or on neither. Errors: those of a refusal.
	Rights(ctx context.Context, operation, typ, id string) (*Rights, error)
}

// Jobs do the work of orders: each calls Service.Work, once at a time, until it ends.
type Jobs interface {
	// Add queues the work of an order.
	Add(ctx context.Context, order string) error
	// Stop has the work of an order end; it may go on for some seconds.
	Stop(ctx context.Context, order string) error
	// Look tells how far the work of an order is.
	Look(ctx context.Context, order string) (State, error)
}

// State is where the work of an order stands.
type State struct {
	Begun, Ended, Cancelled bool // Ended whether it did well or not
	Done, Total             int64
	Note                    string        // what it is at, for people; holds nothing of anybody
	Left                    time.Duration // that it takes on, about; 0 when nobody can say
}

// Task is a job at work on an order.
type Task interface {
	Position(into any) (bool, error)
	Progress(done, total int64, note string)
	Save(ctx context.Context, position any) error
}

// Files keep what comes of orders. All servers of a database share them.
type Files interface {
	// Name is that of the place where they are, the same for all who share it.
	Name() string
	// Append opens a file of an order to be written on from an offset; what is behind that
	// is cut off. It makes the file when it is not there, and the offset is 0.
	Append(order, name string, at int64) (Appender, error)
	// Open opens a file of an order, and tells how long it is.
	// Errors: fhir.NotFound.
	Open(order, name string) (f Reader, size int64, err error)
	// Remove removes all files of an order.
	Remove(order string) error
	// Orders lists the orders of which there are files, and since when.
	Orders() (map[string]time.Time, error)
	// Used returns how many bytes all files take, and how many more there are on their disk:
	// below 0 when nobody can say.
	Used() (used, free int64, err error)
}

// Appender is a file that is being written.
type Appender interface {
	Write(p []byte) (int, error)
	Sync() error // once it returns, what was written survives a crash
	Close() error
}

// Reader is a file that is read.
type Reader interface {
	Read(p []byte) (int, error)
	Close() error
}
