// Package validate checks the content of a resource against the definitions of
// FHIR R4 in fhir/spec: its members, their JSON types, how often they stand, the
// text of primitives, required bindings and the types that references point to.
//
// It knows nothing of profiles, and judges one resource by itself: whether what a
// reference names exists is the store's business.
//
// See https://hl7.org/fhir/R4/json.html and https://hl7.org/fhir/R4/validation.html.
package validate
