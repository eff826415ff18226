package search

import (
	"time"

	"github.com/amate-health/amate/fhir"
)

// Options says how a query string is read.
type Options struct {
	Lenient      bool      // pass over what is not understood, into Query.Ignored, instead of refusing it
	Base         string    // the server's base URL, without a slash at the end: references below it are local
	Now          time.Time // for the ap prefix on dates; zero refuses ap
	DefaultCount int       // Query.Count when no _count is given; 0 means 20
	MaxCount     int       // the largest page; 0 means 1000
}

// Parse reads the parameters of a search of resources of type typ, "" for all types.
// Errors are *fhir.Error with code Invalid, and name the parameter at fault.
//
// See https://hl7.org/fhir/R4/search.html.
func Parse(typ string, params []Param, opts Options) (*Query, error) {
	q := &Query{Type: typ, Count: opts.DefaultCount}
	for _, p := range params {
		return nil, fhir.Errorf(fhir.Invalid, "search parameter %q is not supported", p.Name)
	}
	return q, nil
}
