// Package operation says what a $operation is: its name, where it may be called,
// what it takes and what it runs. fhir/rest mounts whatever it is given, and
// /metadata follows from that.
//
// See https://hl7.org/fhir/R4/operations.html.
package operation

import (
	"context"
	"io"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Scope is where an operation may be called; a set of bits.
type Scope uint8

// The scopes.
const (
	OnSystem   Scope = 1 << iota // [base]/$name
	OnType                       // [base]/Type/$name
	OnInstance                   // [base]/Type/id/$name
)

// Operation is one $operation.
type Operation struct {
	Name    string   // "validate", without the $
	URL     string   // canonical URL of its OperationDefinition
	Scope   Scope    //
	Types   []string // resource types that it is on; nil for every type
	Changes bool     // it changes what is stored, so it takes POST only

	// Documentation says in a line what it does, for /metadata. "" says nothing.
	Documentation string

	// Quotes says that what it answers can quote any element of the stored resource
	// that it is called on. It is refused there to those who see only a part.
	Quotes bool
	// Whole says that what it answers can quote any element of any resource, whatever it
	// is called on. It is refused to those who see only a part of some type.
	Whole bool

	// Sees says that it shows resources only as Call.Seen leaves them, so that it may be
	// called by those who see only a part, and may answer them with a file. It shows them
	// none that it read without Call.Restriction.
	Sees bool

	// Item is the name of the parameter that a segment after the name gives, on the
	// system: [base]/$name/[value]. "" when there is no such segment.
	Item string

	// Media are the media types, beside those of FHIR, in which it can answer: "text/html".
	// _format and Accept choose among them, and Call.Media says which.
	Media []string

	// AnyOrder takes XML whose elements are out of order, which FHIR does not allow.
	AnyOrder bool
	Run      func(ctx context.Context, call *Call) (*Answer, error)

	// Cancel is what DELETE does where the operation stands for something that can be given
	// up, such as work under way; nil where DELETE is not taken.
	Cancel func(ctx context.Context, call *Call) (*Answer, error)
}

// On reports whether o may be called on a resource type.
func (o *Operation) On(typ string) bool {
	if o.Types == nil {
		return true
	}
	for _, t := range o.Types {
		if t == typ {
			return true
		}
	}
	return false
}

// Call is one use of an operation.
type Call struct {
	Type, ID    string // what it was called on; "" for none
	In          *Inputs
	Base        string              // the server's FHIR base URL, without a slash at the end
	Restriction *search.Restriction // what the caller may see; never nil
	Roster      *search.Restriction // under which a Group is read whose members are exported; nil for Restriction
	Lenient     bool                // Prefer: handling=lenient
	Async       bool                // Prefer: respond-async
	Elements    []string            // _elements, for operations that take it
	URL         string              // that was called, with its query; "" in a batch

	Cursor   string // where the page before ended: the Next of its Answer.Set; "" for the first page
	MaxCount int    // resources that a page has at most when the client asks for pages
	MaxBytes int64  // bytes of resources in one answer

	Search search.Options // how search parameters are read

	// Language is what the client likes to read, as Accept-Language has it; "" for no wish.
	Language string

	Media  string // which of Operation.Media the client asks for; "" for none of them
	Caller Caller // who calls, as the guard knows them

	// Send performs a batch or transaction, a Bundle in JSON, as the caller: each of its
	// entries passes the guard, is held to the rules and recorded as if it had been sent.
	// It returns the Bundle that answers it.
	Send func(ctx context.Context, bundle []byte) ([]byte, error)

	// Idle performs f, which only waits for something, while others are served in place
	// of this call.
	Idle func(ctx context.Context, f func(context.Context) error) error

	// Renew asks again what the caller may see, after a time in which that may have
	// changed, and puts it into Restriction and Caller. Errors: those of a refusal.
	Renew func(ctx context.Context) error

	// Seen returns what the caller may see of a resource, in JSON; nil when that is the
	// whole of every resource.
	Seen func(resource []byte) ([]byte, error)

	// Place turns a line and column of In into those of the XML that was sent; nil
	// when it was JSON.
	Place func(line, col int) (int, int)
}

// Caller is who calls an operation. What they may see and write is not for an operation
// to conclude from it: that is Call.Restriction and Call.Send. It says in whose name
// something is signed, certified or booked.
type Caller struct {
	Principal string   // stable key of the account or client, never a name; "" when unknown
	Client    string   // client_id of the app that asks, "" when unknown
	User      fhir.Ref // Practitioner, Patient or RelatedPerson; zero for a system
	Org       string   // CLUES of the establishment that they act for; "" for none
	Roles     []string // of the role policy; nil without access control
	Purpose   string   // of use, a code of v3-PurposeOfUse; "" without access control
}

// Ref returns the instance that c was called on.
func (c *Call) Ref() fhir.Ref { return fhir.Ref{Type: c.Type, ID: c.ID} }

// Answer is what an operation returns: one resource, mostly a Parameters, or a set
// of resources that goes out as a Bundle.
type Answer struct {
	Status int    // 0 is 200
	JSON   []byte // compact JSON

	// Tag is of what JSON, or Set, says, in the letters of an entity tag: a client that has
	// it by If-None-Match is answered 304. "" for none.
	Tag string

	Set *Set // in place of JSON

	// Nothing says that JSON shows nothing of anybody, so that the audit trail has no need
	// to hold that it was asked for.
	Nothing bool

	// Media is the media type of Raw, which goes out as it is in place of JSON: a PDF, a
	// page, a file. In a batch it becomes a Binary. Callers who see resources only in
	// part get none.
	Media string
	Raw   []byte
	File  *File // in place of Raw; nil for none

	// Of answers about work that goes on behind them.
	Location   string    // where it can be asked for: Content-Location; "" for none
	Progress   string    // how far it is, for people: X-Progress; "" for none
	RetryAfter int       // seconds after which to ask again; 0 for none
	Expires    time.Time // when what was answered is there no more; zero for never
}

// File is what an operation answers with when that may be of any length.
type File struct {
	io.ReadCloser        // its content, as Coded says
	Coded         string // "zstd" when the content is coded so; "" for plain. It goes out as the client likes it.
	Size          int64  // bytes of the content; 0 when that is not known
	Name          string // that it is to be saved under; "" for none

	// Tag stands for the content, which never changes, in letters, digits, dots and hyphens:
	// of a content that can be sought in, parts can be asked for then. "" when it may change.
	Tag string
}

// Set is a page of stored resources, which go out as they are. Next of its Result
// comes back as Call.Cursor, in a link that nobody can alter; it is readable there.
type Set struct {
	search.Result
	Self    []search.Param // what the call was understood to ask for, the links to it and to the next page
	Ignored []string       // parameters that were passed over
}

// Locate gives issues about the document of c the positions in what the client sent.
func (c *Call) Locate(issues []fhir.Issue) {
	if c.Place == nil {
		return
	}
	for i := range issues {
		if at := &issues[i]; at.Line > 0 {
			at.Line, at.Col = c.Place(at.Line, at.Col)
		}
	}
}
