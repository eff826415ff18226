// Package mpi is the master patient index: which Patients are about one person.
//
// A [Finder] looks for the person of a record among all Patients, by the keys and
// features that are stored with each (see [Index]), and [Operations] offers that as
// Patient/$match. A [Clerk] does the same for what was written, and leaves a Task for
// each pair that somebody should look at. Nothing here ever joins two records.
//
// See https://hl7.org/fhir/R4/patient-operation-match.html.
package mpi
