// Package element is the one model of a resource's content: JSON in, an arena of
// nodes that point into the source bytes, JSON out.
//
// It knows JSON and nothing of FHIR but its size and depth limits. Numbers stay
// text, so a decimal keeps its digits; order and unknown members survive. The
// validator, FHIRPath, search extraction and patch all walk the same arena.
package element
