package fhir

import (
	"errors"
	"fmt"
)

// Code says what went wrong, in our own words. fhir/rest alone turns it into
// an HTTP status and an issue type, since those two do not pair off.
type Code uint8

// The codes. The comment is the meaning, and the HTTP status that rest gives it.
const (
	Invalid          Code = 1 + iota // the request cannot be understood: syntax, parameter, header (400)
	Unprocessable                    // understood, but breaks a rule of FHIR or of this server (422)
	UnknownType                      // no such resource type (404)
	NotFound                         // no such resource or version (404)
	Gone                             // the resource was deleted (410)
	NotAllowed                       // the interaction is not offered here (405)
	Conflict                         // the change collides with the current state (409)
	Stale                            // If-Match names a version that is not current (412)
	MultipleMatches                  // a criterion that must select one resource selects several (412)
	NotAcceptable                    // no representation that the client accepts (406)
	UnsupportedMedia                 // the body is in a format that is not read here (415)
	TooLarge                         // body, bundle or depth beyond its limit (413)
	TooCostly                        // the search would take more than its limit (403)
	Forbidden                        // the caller may not do this (403)
	LoginRequired                    // the caller is not known (401)
	Throttled                        // too many requests; try later (429)
	Unavailable                      // the server cannot answer now; try later (503)
	NotSupported                     // a part of the specification that this server does not have (501)
	codeEnd
)

// Codes returns every code, for tests that hold tables to be complete.
func Codes() []Code {
	var all []Code
	for c := Invalid; c < codeEnd; c++ {
		all = append(all, c)
	}
	return all
}

// Error is a fault that a caller can be told about. Any other error is our own
// fault, and shows a caller nothing but a request id.
type Error struct {
	Code        Code
	Details     string  // loggable: never holds anything from a request body or a stored resource
	Diagnostics string  // for the caller; may quote input, so it is never logged
	Expression  string  // FHIRPath of the element at fault; "" when there is none
	Issues      []Issue // further findings, in order; the first stands for the error when Details is ""
	RetryAfter  int     // seconds, for Throttled, Unavailable and Conflict; 0 lets rest choose
}

// Issue is one finding of a check, as in OperationOutcome.issue.
type Issue struct {
	Severity    string // fatal | error | warning | information
	Type        string // http://hl7.org/fhir/issue-type code: "structure", "required", "value", "invalid", ...
	Rule        string // our short key for the rule: "cardinality", "unknown-element", "binding-required", ...
	Details     string // loggable text of the rule
	Diagnostics string // for the caller; may quote input
	Expression  string // FHIRPath of the element: "Patient.name[0].given"
	Line, Col   int    // 1-based position in the input; 0 when unknown
}

// Error returns Details only, so that a logged error never carries patient data.
func (e *Error) Error() string {
	if e.Details == "" && len(e.Issues) > 0 {
		return e.Issues[0].Details
	}
	return e.Details
}

// Errorf returns an *Error with Details. The arguments must be loggable.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Details: fmt.Sprintf(format, args...)}
}

// With returns e with Diagnostics set.
func (e *Error) With(format string, args ...any) *Error {
	e.Diagnostics = fmt.Sprintf(format, args...)
	return e
}

// At returns e with Expression set.
func (e *Error) At(expression string) *Error {
	e.Expression = expression
	return e
}

// CodeOf returns the code of err, or 0 when err is not a caller's fault.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
