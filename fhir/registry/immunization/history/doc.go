// Package history reads what FHIR resources say of a person's vaccines into the history
// that package immunization assesses. It drops nothing silently: what cannot be counted
// is told as a doubt.
package history
