package chart

import (
	"math"

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
// between start and end, nil for no bound, or has no date of care. A period counts
// when any part of it is between them; a resource with several dates, when one of
// them is.
func care(compartment string, start, end *search.Value) search.Expr {
	var within, dated search.Or
	for _, typ := range spec.Resources() {
		if !search.InCompartment(compartment, typ) {
			continue
		}
		for _, code := range careDates[typ] {
			param := spec.Param(typ, code)
			within = append(within, between(param, start, end))
			dated = append(dated, search.Match{Param: param, Compared: param.Type, Modifier: "missing", Values: []search.Value{{Raw: "false"}}})
		}
	}
	return search.Or{within, search.Not{X: dated}}
}

// between is the condition that a value of param has a part between the beginning of
// start and the end of end: the range that "about" stands for.
func between(param *spec.SearchParam, start, end *search.Value) search.Expr {
	v := search.Value{Raw: "ap", Prefix: "ap", Lo: math.MinInt64, Hi: math.MaxInt64}
	if start != nil {
		v.Lo, v.Raw = start.Lo, v.Raw+start.Raw[2:]
	}
	if end != nil {
		v.Hi, v.Raw = end.Hi, v.Raw+"/"+end.Raw[2:]
	}
	return search.Match{Param: param, Compared: param.Type, Values: []search.Value{v}}
}
