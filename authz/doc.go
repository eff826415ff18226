// Package authz answers one question: may they?
//
// A guard looks at a request before it is performed and returns a decision, which
// carries the restriction that becomes part of every query made for the request.
package authz
