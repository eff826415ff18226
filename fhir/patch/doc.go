// Package patch changes parts of a JSON document by a JSON Patch, or of a resource
// by a FHIRPath Patch.
//
// Whatever a patch does not touch keeps its text: the digits of a number, the
// order of members, the escapes of a string.
//
// See https://www.rfc-editor.org/rfc/rfc6902 (JSON Patch),
// https://www.rfc-editor.org/rfc/rfc6901 (JSON Pointer),
// https://hl7.org/fhir/R4/fhirpatch.html (FHIRPath Patch) and
// https://hl7.org/fhir/R4/http.html#patch.
package patch
