package fhir

import (
	"strconv"
	"strings"
)

// Ref names a resource, or one version of it when Version is not 0.
type Ref struct {
	Type    string // "Patient"
	ID      string // 1 to 64 characters of [A-Za-z0-9.-]
	Version int64  // 1 is the first version
}

// String returns the relative URL of r: "Patient/1", or "Patient/1/_history/2" when r names a version.
func (r Ref) String() string {
	s := r.Type + "/" + r.ID
	if r.Version != 0 {
		s += "/_history/" + strconv.FormatInt(r.Version, 10)
	}
	return s
}

// Current returns r without its version.
func (r Ref) Current() Ref { return Ref{Type: r.Type, ID: r.ID} }

// ParseRef reads a relative literal reference: "Patient/1" or "Patient/1/_history/2".
// It checks the form of the id, not that Type is a resource type.
//
// See https://hl7.org/fhir/R4/references.html#literal.
func ParseRef(s string) (Ref, bool) {
	typ, rest, ok := strings.Cut(s, "/")
	if !ok || typ == "" || typ[0] < 'A' || typ[0] > 'Z' {
		return Ref{}, false
	}
	for i := 0; i < len(typ); i++ {
		if c := typ[i]; !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return Ref{}, false
		}
	}
	id, version, versioned := strings.Cut(rest, "/_history/")
	if !ValidID(id) {
		return Ref{}, false
	}
	ref := Ref{Type: typ, ID: id}
	if versioned {
		v, err := strconv.ParseInt(version, 10, 64)
		if err != nil || v < 1 {
			return Ref{}, false
		}
		ref.Version = v
	}
	return ref, true
}

// ValidID reports whether s has the form of a logical id: 1 to 64 characters of [A-Za-z0-9.-].
//
// See https://hl7.org/fhir/R4/datatypes.html#id.
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}
