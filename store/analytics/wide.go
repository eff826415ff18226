package analytics

import "github.com/amate-health/amate/fhir"

// A row stands in memory as a whole before it is written, here and in the connection that
// brings it.
const (
	mostColumns = 250
	longestRow  = 8 << 20 // bytes of the texts of a row, about
)

// valueIn is how many bytes a value has at most in a row of some columns.
func valueIn(columns int) int { return min(longestValue, longestRow/max(columns, 1)) }

func tooWide() error {
	return refuse("the result of a query has at most %d columns", mostColumns)
}

// tooLong is of a value, or of several beside each other, that are longer than a row may be.
func tooLong() error {
	return fhir.Errorf(fhir.TooCostly, "a value of the result has more than %d bytes, or a row of them more than %d", longestValue, longestRow)
}
