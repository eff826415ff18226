// Package rest is the FHIR RESTful API: one file an interaction, HTTP in and
// out at the edge, and the one table that turns errors into responses.
//
// A request over HTTP and an entry of a batch become the same [Request]; an
// interaction is a function from a Request to a [Response] and never sees a
// socket.
//
// See https://hl7.org/fhir/R4/http.html.
package rest
