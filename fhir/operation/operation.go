// Package operation says what a $operation is: its name, where it may be called,
// what it takes and what it runs. fhir/rest mounts whatever it is given, and
// /metadata follows from that.
//
// See https://hl7.org/fhir/R4/operations.html.
package operation

import (
	"context"

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
	Run     func(ctx context.Context, call *Call) (*Answer, error)
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
	Lenient     bool                // Prefer: handling=lenient
}

// Ref returns the instance that c was called on.
func (c *Call) Ref() fhir.Ref { return fhir.Ref{Type: c.Type, ID: c.ID} }

// Answer is what an operation returns: one resource, mostly a Parameters.
type Answer struct {
	Status int    // 0 is 200
	JSON   []byte // compact JSON
}
