// Package token signs the access tokens and ID tokens of this server, and says whom
// a bearer token speaks for: one of ours, or one of an issuer that is trusted.
//
// Access tokens are JWTs as RFC 9068 shapes them, signed with ES256, for one
// audience: the FHIR base. To verify one that was seen before costs a hash and two
// looks into memory, and no query.
//
// See https://www.rfc-editor.org/rfc/rfc9068 and https://www.rfc-editor.org/rfc/rfc8725.
package token
