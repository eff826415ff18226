// Package smart is the authorization server: OAuth 2.0, OpenID Connect and SMART App
// Launch over HTTP, and the pages on which people sign in and give their consent.
//
// The protocol's cryptography is go-jose's; the endpoints are our own, because the
// server libraries to be had (zitadel/oidc v3.45, ory/fosite v0.49) drop the aud and
// launch parameters of SMART, have no place for patient and encounter in the answer of
// the token endpoint, and do not notice a client assertion that is sent twice.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/, RFC 6749, 7009, 7636, 7662, 8414,
// 9068, 9207 and 9700.
package smart
