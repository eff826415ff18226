// Package health writes, reads and verifies SMART Health Cards: FHIR resources that an
// issuer signed, as a compact JWS, a file or the digits of QR codes.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/cards-specification.html.
package health
