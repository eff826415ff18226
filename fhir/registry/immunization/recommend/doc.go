// Package recommend tells people and programs what the immunization schedule says of a
// person: by $immds-forecast and Patient/[id]/$immunization-status, as one
// ImmunizationRecommendation in the record of each Patient, which is kept current as
// doses are recorded, amended and refuted, and as rows from which it is listed who is due
// and counted how far a population is protected.
//
// See the Immunization Decision Support Forecast IG (ImmDS) 2.0.0,
// http://hl7.org/fhir/us/immds/.
package recommend
