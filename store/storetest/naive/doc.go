// Package naive answers searches by looking at every resource: it walks the JSON,
// and knows no index, no SQL and no expression. Which values a search parameter
// has is written down by hand in a table, and what matches is read from R4
// search.html anew, so that a server can be compared with it.
//
// It makes up the queries it answers as well: see Generator.
//
// Where R4 leaves a choice, or this project departs from it, naive does as
// fhir/DIVERGENCES.md says.
package naive
