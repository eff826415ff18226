// Package lab offers FHIRPath to the outside: the operation $fhirpath, by the
// contract of the public FHIRPath Lab, so that its page and other tools can run
// expressions here.
//
// Two things go beyond the contract. Names are checked against the definitions
// before an expression is evaluated, unless validate is false. And what trace()
// shows comes in parts called trace beside each result, so that whoever counts the
// parts of a result counts values; with trace=true in the request, or in the URL
// that the Lab is told, it is inside the result, as the Lab expects it.
//
// Nothing is read from or written to the store: the request carries the resource.
//
// See https://github.com/brianpos/fhirpath-lab/blob/develop/server-api.md.
package lab
