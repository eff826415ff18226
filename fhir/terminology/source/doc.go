// Package source reads code systems from the files that their publishers hand out, and
// writes them as FHIR resources.
//
// It knows FHIR's own JSON and NDJSON; CSV and TSV with columns for code, display
// and parent; the layout of CIE-10 in Spanish with a column for each level; CDC's
// XML of vaccines (CVX) and manufacturers (MVX); the snapshot of a SNOMED CT release
// (RF2), and the table of LOINC. The last two need licences, which users bring.
package source
