// Package index says how search values are stored: one file a search type, with
// the rows that a resource has there and the SQL condition that finds them.
//
// Tokens, uris and references share one kind of row, the posting: a 64-bit
// number that stands for a parameter and a value. Dates, numbers and strings
// compare by size and have a table each.
//
// It also numbers the resource types, as the database does.
package index
