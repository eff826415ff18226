package search

import "time"

// Plan is how an engine carries out one statement of a search, for an operator who
// asks why it takes as long as it does.
type Plan struct {
	Purpose string        // "page", "total" or "count of ...": what the statement is for
	Start   string        // what it begins with, in words
	SQL     string        // with placeholders: no value of the search is in it
	Args    int           // number of placeholders
	Text    string        // the engine's own account of the plan, a line for each step
	Took    time.Duration // what it took to run
}
