package fhir

import "time"

// Method says what made a version, in the words of Bundle.entry.request.method.
type Method uint8

// The methods that make versions.
const (
	POST   Method = 1 + iota // created at an id the server chose
	PUT                      // updated, or created at an id the client chose
	PATCH                    // patched
	DELETE                   // deleted; such a version has no content
)

// String returns the HTTP verb.
func (m Method) String() string {
	return [...]string{"", "POST", "PUT", "PATCH", "DELETE"}[m]
}

// Resource is one stored version of a resource.
type Resource struct {
	Ref     Ref       // Version is set, and at least 1
	Updated time.Time // UTC, to the millisecond; equal to meta.lastUpdated
	Method  Method    // DELETE marks a deletion
	JSON    []byte    // compact JSON with id, meta.versionId and meta.lastUpdated; nil for a deletion
}

// Deleted reports whether this version records a deletion.
func (r *Resource) Deleted() bool { return r.Method == DELETE }

// InstantLayout is how the server writes instants: UTC, always milliseconds.
//
// See https://hl7.org/fhir/R4/datatypes.html#instant.
const InstantLayout = "2006-01-02T15:04:05.000Z"
