// Package job runs work in the background that outlives its server: what is queued
// is done, once at a time, however many servers share the database and however
// often one of them dies.
//
// A job is an entry of the store (fhir.Entry). A server that has room takes one and
// renews its hold while it works; when the entry has not changed for the time of
// the lease, by the clock of whoever watches, another takes it over, so that the
// clocks of the servers need not agree. The work itself says from where it can go
// on, and therefore may do the last piece twice: it must bear that.
//
// What a job carries (payload, position, note, error) is seen by operators: it
// holds nothing about patients.
package job
