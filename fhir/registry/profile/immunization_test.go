package profile

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

// given is a dose of the electronic card, as whoever gave it records it.
const given = `{"resourceType":"Immunization","status":"completed","primarySource":true,
 "extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/immunization-override","extension":[{"url":"warning","valueCode":"too-young"},{"url":"reason","valueCodeableConcept":{"text":"Brote"}}]},
  {"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/immunization-campaign","valueCodeableConcept":{"text":"Semana Nacional"}},
  {"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/recalled-lot","valueReference":{"reference":"Medication/lot-1"}}],
 "vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"03","display":"SRP"}]},"patient":{"reference":"Patient/1"},"occurrenceDateTime":"2026-03-14T09:30:00-06:00",
 "location":{"identifier":{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA000001"}},"lotNumber":"AB-12","expirationDate":"2027-06",
 "site":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActSite","code":"LA"}]},"route":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration","code":"SQ"}]},
 "doseQuantity":{"value":0.5,"unit":"mL","system":"http://unitsofmeasure.org","code":"mL"},
 "performer":[{"actor":{"reference":"Practitioner/1","identifier":{"system":"urn:oid:2.16.840.1.113883.3.215.12.18","value":"1234567"}}}],
 "protocolApplied":[{"series":"SRP","doseNumberPositiveInt":1,"targetDisease":[{"coding":[{"system":"http://snomed.info/sct","code":"14189004"}]}]}]}`

const event = `{"resourceType":"AdverseEvent","actuality":"actual","category":[{"coding":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/vaccination-event","code":"esavi"}]}],
 "event":{"text":"Convulsión febril"},"subject":{"reference":"Patient/1"},"date":"2026-03-15","seriousness":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/adverse-event-seriousness","code":"Serious"}]},
 "outcome":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/adverse-event-outcome","code":"resolved"}]},
 "suspectEntity":[{"instance":{"reference":"Immunization/1"},"causality":[{"assessment":{"coding":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/esavi-causality","code":"B1"}]}}]}]}`

const recalled = `{"resourceType":"Medication","status":"inactive","identifier":[{"system":"https://github.com/amate-health/amate/fhir/NamingSystem/vaccine-lot","value":"AB12"}],
 "extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/vaccine-lot-recall","extension":[{"url":"reason","valueString":"Partículas"},{"url":"date","valueDateTime":"2026-03-20T10:00:00Z"},{"url":"invalid","valueBoolean":true}]}],
 "code":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"03"}]},"manufacturer":{"display":"Serum"},"batch":{"lotNumber":"AB-12","expirationDate":"2027-06-30"}}`

// TestVaccination leaves out what doses, events and lots are to have, one thing at a time.
func TestVaccination(t *testing.T) {
	v := validator(t)
	for name, c := range map[string]struct{ example, profile, from, to, rule string }{
		"a dose":                     {given, Immunization, "", "", ""},
		"no lot":                     {given, Immunization, `"lotNumber":"AB-12",`, "", "mx-imm-1"},
		"nobody gave it":             {given, Immunization, ` "performer":[{"actor":{"reference":"Practitioner/1","identifier":{"system":"urn:oid:2.16.840.1.113883.3.215.12.18","value":"1234567"}}}],`, "", "mx-imm-1"},
		"history needs no lot":       {given, Immunization, `"primarySource":true`, `"primarySource":false,"reportOrigin":{"text":"cartilla"}`, ""},
		"history of no source":       {given, Immunization, `"primarySource":true`, `"primarySource":false`, "mx-imm-4"},
		"not given, without why":     {given, Immunization, `"status":"completed"`, `"status":"not-done"`, "mx-imm-2"},
		"no CVX":                     {given, Immunization, "sid/cvx", "sid/other", "mx-imm-5"},
		"a place without CLUES":      {given, Immunization, "4.631", "4.632", "mx-imm-3"},
		"when it was is words":       {given, Immunization, `"occurrenceDateTime":"2026-03-14T09:30:00-06:00"`, `"occurrenceString":"hace un año"`, "type"},
		"a warning without a reason": {given, Immunization, `,{"url":"reason","valueCodeableConcept":{"text":"Brote"}}`, "", "cardinality-min"},
		"an event":                   {event, ESAVI, "", "", ""},
		"an event of no dose":        {event, ESAVI, "Immunization/1", "Medication/1", "mx-esavi-2"},
		"an event of another kind":   {event, ESAVI, `"code":"esavi"`, `"code":"other"`, "mx-esavi-1"},
		"fatal, and not serious":     {event, ESAVI, `"resolved"`, `"fatal"`, "mx-esavi-3"},
		"a lot":                      {recalled, VaccineLot, "", "", ""},
		"a lot as it is printed":     {recalled, VaccineLot, `"value":"AB12"`, `"value":"AB-12"`, "mx-lot-1"},
		"a recall without a reason":  {recalled, VaccineLot, `{"url":"reason","valueString":"Partículas"},`, "", "cardinality-min"},
	} {
		doc, err := element.Parse([]byte(strings.Replace(c.example, c.from, c.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, i := range v.Validate(context.Background(), doc, 0, c.profile) {
			if i.Severity == "error" {
				rules = append(rules, i.Rule)
			}
		}
		if c.rule == "" && rules != nil || c.rule != "" && !slices.Contains(rules, c.rule) {
			t.Errorf("%s: found %v, want %q", name, rules, c.rule)
		}
	}
}
