package search_test

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// observation is a vital sign as Synthea writes it, 1.2 KB compact.
const observation = `{"resourceType":"Observation","id":"03f27a9d-1bd7-4b1e-b7a2-2ef0a4bb6a1c","meta":{"versionId":"1","lastUpdated":"2026-11-21T10:00:00.000Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-body-height","http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"Patient/a1fb6c33-0d36-4a3c-8f3e-7e6a2f3fd6f3"},"encounter":{"reference":"Encounter/b7d3f1f9-4a35-4f0e-9d68-c2d3c9a1e0b4"},"effectiveDateTime":"2015-06-17T09:41:23-05:00","issued":"2015-06-17T09:41:23.101-05:00","performer":[{"reference":"Practitioner/0000016d-3a85-4cca-0000-000000000172","display":"Dr. Elva Ortiz"}],"valueQuantity":{"value":171.4,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"},"note":[{"text":"Measured standing, without shoes, at the beginning of the visit. The patient was asked to stand upright against the wall."}]}`

func BenchmarkExtract(b *testing.B) {
	d, err := element.Parse([]byte(observation))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(observation)))
	for b.Loop() {
		if _, err := search.Extract(d, 0, "http://127.0.0.1:8080/fhir"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	params := []search.Param{{"patient", "Patient/123"}, {"code", "http://loinc.org|8302-2"}, {"date", "ge2015-01-01"}, {"_count", "20"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := search.Parse("Observation", params, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		search.Fold("José Ángel Muñoz-Peña")
	}
}

// BenchmarkExtractFullText is BenchmarkExtract with _text and _content.
func BenchmarkExtractFullText(b *testing.B) {
	d, err := element.Parse([]byte(observation))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	in := search.Indexing{Base: "http://127.0.0.1:8080/fhir", FullText: true}
	for b.Loop() {
		if _, err := in.Extract(d, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFilter reads a _filter of usual size.
func BenchmarkFilter(b *testing.B) {
	params := []search.Param{{"_filter", `given eq "peter" and birthdate ge 2014-10-10 and (gender eq female or not (active eq true))`}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := search.Parse("Patient", params, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHeavyFilter reads a _filter that leads to as many types as is allowed.
func BenchmarkHeavyFilter(b *testing.B) {
	params := []search.Param{{"_filter", strings.Repeat("_has:Observation:patient:focus.code eq x or ", 6) + "active eq true"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := search.Parse("Patient", params, search.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
