// Package query turns a search or a history into SQL: one SELECT and its
// arguments, per dialect. It is pure; the engines run what it writes.
//
// A query must say what its caller may see. Without a Restriction nothing is
// compiled, and the restriction is part of every SELECT, that of an _include
// too, before that SELECT's limit.
//
// The compiler also chooses how an engine finds what is asked for: where it begins,
// and what it then checks, one resource after the other. It knows how many rows there
// are of what is asked for, as far as that was counted (Probe), and writes SQL that can
// be carried out in that way alone.
//
// Every SELECT of resources has the columns rkey, type, id, version, updated,
// method, content, then the keys of its order, and postings last if asked for.
package query
