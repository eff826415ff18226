package rest

import (
	"io"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Interaction names what is asked for, in the words of CapabilityStatement.
//
// See https://hl7.org/fhir/R4/valueset-type-restful-interaction.html.
type Interaction string

// The interactions.
const (
	Read            Interaction = "read"
	VRead           Interaction = "vread"
	Create          Interaction = "create"
	Update          Interaction = "update"
	Patch           Interaction = "patch"
	Delete          Interaction = "delete"
	HistoryInstance Interaction = "history-instance"
	HistoryType     Interaction = "history-type"
	HistorySystem   Interaction = "history-system"
	SearchType      Interaction = "search-type"
	SearchSystem    Interaction = "search-system"
	Batch           Interaction = "batch" // a Bundle sent to the base: its type says whether it is a transaction
	Transaction     Interaction = "transaction"
	Capabilities    Interaction = "capabilities"
	Versions        Interaction = "versions"
	Operation       Interaction = "operation" // Request.Operation says which
)

// Request is one interaction asked for: over HTTP, or by an entry of a batch.
type Request struct {
	Interaction Interaction
	Type        string // "" for the whole system
	ID          string // "" where the interaction is not on an instance, and for conditional update, patch and delete
	Version     int64  // VRead only

	// Compartment is the resource in whose compartment a search looks; zero for a
	// search of everything. Type is then the type that is looked for.
	Compartment fhir.Ref

	Operation string // name of the operation, without the $; "" for every other interaction

	// Params are the query parameters, decoded, in order, without those that
	// became Form. For conditional update, patch and delete they are the criterion.
	Params []search.Param

	IfMatch         int64     // the version that must be current; 0 asks for none
	IfNoneMatch     string    // as sent
	IfNoneExist     string    // Create: the criterion, as sent; "" when there is none
	IfModifiedSince time.Time // zero when not asked for
	Prefer          Prefer
	Form            Form
	Language        string // Accept-Language, as sent

	Body   []byte         // as sent, decoded from its content encoding; nil for an entry of a batch
	Media  string         // media type of Body, without parameters
	Source *bundle.Source // the resource of an entry of a batch; nil over HTTP

	native  bool      // the content of a Binary is asked for, or sent, by itself
	upload  io.Reader // the content sent, until it is kept
	accepts []string  // media types of content that are taken; nil for all

	operation *operation.Operation // what Operation names
	wants     string               // which of its Media the client asks for; "" for none
	cancels   bool                 // it is to be given up: DELETE
	turn      *turn                // the page that a link asks for; nil for the first
	principal string               // who asks, once the Guard has said so
}

// Prefer is what the Prefer header asks for.
//
// See https://hl7.org/fhir/R4/http.html#ops.
type Prefer struct {
	Return  string // "minimal", "representation", "OperationOutcome"; "" leaves it to the interaction
	Lenient bool   // handling=lenient: unknown parameters are passed over
	Async   bool   // respond-async
}

// Form is how a response is to look.
//
// See https://hl7.org/fhir/R4/http.html#parameters.
type Form struct {
	Pretty   bool
	Summary  string   // "", "true", "text", "data" or "count"
	Elements []string // _elements; nil for all
	mask     *Mask    // what the caller is not shown, once the Guard has said so
}

// whole reports whether resources go out as they are stored.
func (f *Form) whole() bool { return f.Summary == "" && f.Elements == nil && f.mask.Empty() }

// ref returns the resource, or the version of it, that r names.
func (r *Request) ref() fhir.Ref { return fhir.Ref{Type: r.Type, ID: r.ID, Version: r.Version} }

// source returns the resource in the request, parsed.
func (r *Request) source() (*bundle.Source, error) {
	if r.Source != nil {
		return r.Source, nil
	}
	if len(r.Body) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "%s needs a resource in the body", r.Interaction)
	}
	return bundle.Parse(r.Body)
}
