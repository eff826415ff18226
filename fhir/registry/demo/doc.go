// Package demo makes up a plausible Mexican population: people, clinics, visits,
// pregnancies, births and vaccinations, as FHIR R4 transaction bundles.
//
// Nobody in it exists. Every resource carries the tag HTEST ("test health data")
// and every identifier the assigner "DATOS DE PRUEBA". CURPs have a right check
// digit, so that they pass the checks that real ones pass.
//
// The same Options give the same bytes, on every machine. Asking for more people
// adds to the population: those who were there before stay as they were.
package demo
