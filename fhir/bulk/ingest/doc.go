// Package ingest is $import: it takes resources out of NDJSON files that are fetched from
// elsewhere, each to be put at its id, as work of fhir/bulk. What is taken passes by the
// same guard, rules and audit trail as if its orderer had sent it.
//
// There is no published standard for it. The call is the one that HAPI FHIR and Microsoft's
// server share: Parameters with an input for each file. It can name the manifest of a
// finished bulk export instead, which then says which files there are.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status for
// manifests, and https://github.com/ndjson/ndjson-spec for the files.
package ingest
