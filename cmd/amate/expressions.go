package main

import (
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/terminology"
)

// expressions answers the questions about codes that FHIRPath has.
type expressions struct{ registry *terminology.Registry }

// Member reports whether a value set has a code.
func (e expressions) Member(valueSet string, c fhirpath.Coding) (member, known bool) {
	switch e.registry.Member(valueSet, c.System, c.Code, "").Status {
	case terminology.In:
		return true, true
	case terminology.NotIn, terminology.Abstract:
		return false, true
	}
	return false, false
}

// Subsumes reports whether a code is the same as other, or above it in their system.
func (e expressions) Subsumes(c, other fhirpath.Coding) (subsumes, known bool) {
	if c.System != other.System {
		return false, true
	}
	below, err := e.registry.Subsumed(c.System, c.Code, false)
	if err != nil {
		return c == other, c == other
	}
	for code := range below {
		if code == other.Code {
			return true, true
		}
	}
	return false, true
}
