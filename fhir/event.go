package fhir

import "time"

// Event is one record of the audit trail. A store keeps events in chains, one for
// each month: rows are only ever added, and each holds a hash over itself and the
// row before it.
type Event struct {
	ID      [16]byte // a UUID of version 7, whose time says when; unique
	Month   int      // the chain that it belongs to, of its ID's time in UTC: 202611
	Seq     int64    // its place in the chain, from 1, without gaps; 0 until it is linked
	Hash    []byte   // links it to the row before; nil until it is linked
	Keys    []int64  // hashes that it can be found by
	Content []byte   // who did what, when: its owner alone reads it
}

// EventQuery asks for linked events of the audit trail.
type EventQuery struct {
	From, Until time.Time // only events at or after From and before Until, to the millisecond; zero for no limit
	Keys        [][]int64 // of each list, an event has one key at least
	Oldest      bool      // in order of time; else the newest first
	After       [16]byte  // only those that come after the one with this ID; zero for the first page
	Limit       int
}

// Checkpoint is a signed statement of how far a chain had come.
type Checkpoint struct {
	Number  int64 // from 1, without gaps, over all chains
	Month   int
	Seq     int64  // of the newest event at that time
	Final   bool   // the chain is complete, and its events may be dropped
	Content []byte // a JSON Web Signature
}
