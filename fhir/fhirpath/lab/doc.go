// Package lab offers FHIRPath to the outside: the operation $fhirpath, by the
// contract of the public FHIRPath Lab, so that its page and other tools can run
// expressions here.
//
// Nothing is read from or written to the store: the request carries the resource.
//
// See https://github.com/brianpos/fhirpath-lab/blob/develop/server-api.md.
package lab
