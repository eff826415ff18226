// Package fhir holds the words that every other package speaks: a reference,
// a stored resource, an error with a code.
//
// It imports nothing of this project.
package fhir
