// Package renapo asks the Registro Nacional de Población about a CURP: whether it is in
// force, of whom, and by which it was replaced. The registry is behind a port, since who may
// ask it, and how, is settled between an institution and RENAPO.
//
// Nothing is sent anywhere unless somebody sets up a Registry.
package renapo

import (
	"context"
	"errors"
	"time"
)

// Status says how a CURP stands in the registry.
type Status string

// The statuses.
const (
	InForce   Status = "in-force"   // it is that of its bearer now
	Replaced  Status = "replaced"   // it was corrected: Answer.Current is the one now
	Cancelled Status = "cancelled"  // it is nobody's any more
	NotFound  Status = "not-found"  // the registry does not know it
	Deceased  Status = "deceased"   // its bearer has died
	Unsure    Status = "unresolved" // the registry cannot say at present
)

// Person is somebody as the registry has them.
type Person struct {
	Given, Father, Mother string
	Born                  time.Time
	Sex                   string // H, M or X
	Entity                string // of birth, as a CURP has it
	Nationality           string // three letters
}

// Answer is what the registry says of a CURP.
type Answer struct {
	CURP       string
	Status     Status
	Current    string   // the CURP in force, when Status is Replaced
	Historical []string // those that were in force before
	Person     Person   // zero when the registry says nothing of them
	Document   string   // what their registration rests on: the act of birth, ...
	Simulated  bool     // it comes from a Simulator and proves nothing
}

// Registry is the port. Errors that wrap ErrUnavailable pass; others do not.
type Registry interface {
	// Validate says what the registry knows of a CURP.
	Validate(ctx context.Context, curp string) (*Answer, error)
	// SearchByData finds the CURPs of people with such data.
	SearchByData(ctx context.Context, p Person) ([]Answer, error)
	// Simulated reports whether the answers are made up.
	Simulated() bool
}

// ErrUnavailable says that the registry cannot be reached at present.
var ErrUnavailable = errors.New("the population registry cannot be reached")
