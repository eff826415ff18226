// Package monitor takes measurements in that people make at home: from devices and apps,
// in batches, out of order and days late, each of them once. It watches them by the rules
// that clinicians set for a patient, and calls those who care for the patient.
//
// A rule is a target of a Goal, with the extension monitoring-rule: so it is written,
// read, versioned and guarded as any other resource. Nothing is watched for whom nobody
// has set a rule.
package monitor

// canonical begins the URLs of what this package defines.
const canonical = "https://github.com/amate-health/amate/fhir/"

const (
	loinc    = "http://loinc.org"
	ucumURL  = "http://unitsofmeasure.org"
	category = "http://terminology.hl7.org/CodeSystem/observation-category"
)
