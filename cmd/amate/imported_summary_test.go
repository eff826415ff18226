package main

import (
	"strings"
	"testing"
)

// TestImportedSummaryIsOfThePatient: a summary from elsewhere belongs to the record that
// it was taken into, whatever it says of itself: who may not see that does not see the
// document either, and nobody else's record has it.
func TestImportedSummaryIsOfThePatient(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, _ func() string) {
		s := newRightsScene(t, where)
		s.fill()
		// q is another patient here, and called so where the document was made.
		summary := `{"resourceType":"Bundle","type":"document","meta":{"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/of-patient","valueReference":{"reference":"Patient/q"}}]},` +
			`"identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:0f8b5f4e-5a56-4a2e-9d6c-6c1f3d1f1d55"},"timestamp":"2026-01-01T00:00:00Z","entry":[` +
			`{"fullUrl":"http://elsewhere.example/fhir/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},"subject":{"reference":"Patient/q"},"date":"2026-01-01","author":[{"display":"Alguien"}],"title":"DELPACIENTE","section":[{"title":"x","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}]}},` +
			`{"fullUrl":"http://elsewhere.example/fhir/Patient/q","resource":{"resourceType":"Patient","id":"q","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"ID` + rightsMark + `"}],"name":[{"family":"` + rightsMark + `"}],"birthDate":"1980-05-17"}}]}`
		answer := s.must(200, "clinician", "POST", "Patient/p/$import-summary", summary)
		_, ref, _ := strings.Cut(answer, `"reference":"`)
		ref, _, _ = strings.Cut(ref, `"`)
		_, at, _ := strings.Cut(s.must(200, "clinician", "GET", ref, ""), `"url":"`)
		at, _, _ = strings.Cut(at, `"`)
		if !strings.HasPrefix(at, "Bundle/") {
			s.Fatalf("the document is at %q", at)
		}
		s.must(200, "clinician", "GET", at, "")
		s.must(200, "patient", "GET", at, "")
		s.must(404, "other", "GET", at, "")
		s.resolve(200, s.file("patient", "right", codeValue("cancelacion")), "grant")
		s.must(404, "clinician", "GET", at, "")
		s.must(404, "system", "GET", at, "")
		s.must(200, "officer", "GET", at, "")
	})
}
