// Package spec is FHIR R4 (4.0.1) as a compact table: types and their elements,
// cardinality, bindings, reference targets, search parameters, compartments.
//
// The table is generated (see gen) from the definitions that HL7 publishes, and
// read once at start. It holds no logic about any one type.
//
// Required bindings to mime types, currencies, UCUM units and LOINC's LL379-9 have no
// list of codes in R4's own package, so they stand in the table without one.
package spec
