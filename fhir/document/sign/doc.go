// Package sign signs JSON documents with X.509 certificates and verifies such
// signatures: canonical JSON, a detached JWS over it, and trust in a certificate as the
// signer's. It knows no server and opens no socket; private keys come to it only where
// they are local, on the desk of who signs or as the seal of an establishment.
//
// What is signed is the canonical form of the JSON (Canonical, RFC 8785), so that a
// document may be written out anew, with other white space, another order of members or
// other escapes, and still verifies. Two documents are equal in that sense when they have
// the same members, strings and list items, and numbers of the same value: 1.0 and 1 are
// equal, since RFC 8785 says so and common libraries turn one into the other. A number of
// more digits than it keeps apart (about 17) cannot be signed, nor verified, so that no
// change of a value goes unnoticed.
//
// A signature is a JWS in compact form with an empty payload part. Its protected header
// has alg (RS256 or ES256), x5c (the chain, signer first), x5t#S256, sigT (when it was
// made, as the signer says) and srCms (in which capacity: author, witness, ...).
//
// See https://www.rfc-editor.org/rfc/rfc8785, https://www.rfc-editor.org/rfc/rfc7515
// (appendix F for detached content) and https://hl7.org/fhir/R4/signatures.html.
package sign
