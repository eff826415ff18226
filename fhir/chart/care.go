package chart

import (
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// careDates are the search parameters that say when the care took place that a
// resource tells of, or, where nothing says that, when it was ordered or written
// down. Types that are not here have no such date: who the patient is, how they are
// insured.
var careDates = map[string][]string{
	"AdverseEvent":             {"date"},
	"AllergyIntolerance":       {"date"},
	"Appointment":              {"date"},
	"CarePlan":                 {"date"},
	"CareTeam":                 {"date"},
	"ChargeItem":               {"occurrence"},
	"Claim":                    {"created"},
	"ClaimResponse":            {"created"},
	"ClinicalImpression":       {"date"},
	"Communication":            {"sent", "received"},
	"CommunicationRequest":     {"occurrence", "authored"},
	"Composition":              {"date", "period"},
	"Condition":                {"onset-date", "abatement-date", "recorded-date"},
	"DetectedIssue":            {"identified"},
	"DeviceRequest":            {"event-date", "authored-on"},
	"DiagnosticReport":         {"date"},
	"DocumentManifest":         {"created"},
	"DocumentReference":        {"date", "period"},
	"Encounter":                {"date"},
	"EpisodeOfCare":            {"date"},
	"ExplanationOfBenefit":     {"created"},
	"FamilyMemberHistory":      {"date"},
	"Flag":                     {"date"},
	"Goal":                     {"start-date", "target-date"},
	"ImagingStudy":             {"started"},
	"Immunization":             {"date"},
	"ImmunizationEvaluation":   {"date"},
	"Invoice":                  {"date"},
	"List":                     {"date"},
	"MeasureReport":            {"date"},
	"Media":                    {"created"},
	"MedicationAdministration": {"effective-time"},
	"MedicationDispense":       {"whenhandedover", "whenprepared"},
	"MedicationRequest":        {"authoredon", "date"},
	"MedicationStatement":      {"effective"},
	"NutritionOrder":           {"datetime"},
	"Observation":              {"date"},
	"Procedure":                {"date"},
	"Provenance":               {"when", "recorded"},
	"QuestionnaireResponse":    {"authored"},
	"RequestGroup":             {"authored"},
	"RiskAssessment":           {"date"},
	"ServiceRequest":           {"occurrence", "authored"},
	"Specimen":                 {"collected"},
	"SupplyRequest":            {"date"},
	"VisionPrescription":       {"datewritten"},
}

// care is the condition that a resource in a compartment of that kind tells of care
// between start and end, "" for no bound, or has no date of care. A period counts
// when any part of it is between them; a resource with several dates, when one of
// them is.
func care(compartment, start, end string) search.Expr {
	var within, dated search.Or
	for _, typ := range spec.Resources() {
		if !search.InCompartment(compartment, typ) {
			continue
		}
		for _, code := range careDates[typ] {
			param := spec.Param(typ, code)
			within = append(within, between(typ, code, start, end))
			dated = append(dated, search.Match{Param: param, Compared: param.Type, Modifier: "missing", Values: []search.Value{{Raw: "false"}}})
		}
	}
	return search.Or{within, search.Not{X: dated}}
}

// between is the condition that a date of a resource is between start and end, which
// have been checked.
func between(typ, code, start, end string) search.Expr {
	var params []search.Param
	if start != "" {
		params = append(params, search.Param{Name: code, Value: "ge" + start})
	}
	if end != "" {
		params = append(params, search.Param{Name: code, Value: "le" + end})
	}
	q, err := search.Parse(typ, params, search.Options{})
	if err != nil {
		panic("fhir/chart: " + err.Error()) // the names are ours, and the dates have been read before
	}
	return search.And(q.Where)
}
