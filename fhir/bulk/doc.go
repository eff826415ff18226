// Package bulk does what takes longer than a request: exports of any size, and whatever
// else is ordered and fetched later. Its frame is the asynchronous pattern of Bulk Data
// Access: an order is answered with 202 and a place to ask at, which tells how far the work
// is, and then lists the files that came of it. The files are shown to nobody but the one
// who ordered, and only as long as they may still order such a thing.
//
// Work plugs in as a Kind. An order is kept in the store and done by a job that outlives its
// server: the work saves positions as it goes on, and what it had written to its files until
// then is there when it is called again, on whichever server.
//
//	bulk.Kind{Name: "export", Plan: plan, Run: run}
//
// The work is done with the rights that the orderer has while it runs, not with those of
// when it was ordered: Run.Rights asks again and again, and whoever has lost them gets no
// file. A file that is made is shown only as long as the orderer sees by the same conditions
// as when it was begun: other roles, scopes or establishments, the first consent that binds
// them and the first record that is blocked have it ordered again. It holds what could be
// seen at its moment: that another patient refuses, when some have done so before, does not
// reach files that are there, which Config.Keep has expire.
//
// The files of all orders take a part of the disk that is bounded by Config.Disk and by what
// is free: nothing is ordered when it is full, and what would exceed it ends.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html.
package bulk
