package search

import (
	"time"

	"github.com/amate-health/amate/fhir"
)

// History asks for versions, newest first.
//
// See https://hl7.org/fhir/R4/http.html#history.
type History struct {
	Type        string    // "" for the history of the whole system
	ID          string    // "" for the history of a type or the system
	Since       time.Time // only versions made at or after it; zero for no limit
	At          time.Time // only versions that were current at some time at or after it (_at); zero for no limit
	Count       int       // versions a page
	Bytes       int64     // a page ends early, after one version at least, once its JSON would be longer; 0 sets no bound
	After       string    // where the previous page ended: the engine's cursor; "" is the first page
	Restriction *Restriction
}

// Versions is a page of a history.
type Versions struct {
	Entries []fhir.Resource // deletions included
	Total   int64           // versions in all, or -1 when not counted
	Next    string          // for History.After of the next page; "" on the last
}
