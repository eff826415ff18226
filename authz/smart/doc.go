// Package smart is the authorization server: OAuth 2.0, OpenID Connect and SMART App
// Launch over HTTP, and the pages on which people sign in and give their consent.
//
// The protocol's cryptography is go-jose's; the endpoints are our own, because the
// server library that came nearest (zitadel/oidc v3.45) has no aud and launch in its
// requests and no patient in the answer of the token endpoint, as SMART needs them, and
// no check for a client assertion that is sent twice.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/, RFC 6749, 7009, 7636, 7662, 8414,
// 9068, 9207 and 9700.
package smart
