package profile

import (
	"context"
	"fmt"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

// TestVirtualService: what says that an appointment or an encounter is at a distance, the R5
// element that R4 carries as an extension, is known and checked.
func TestVirtualService(t *testing.T) {
	v := validator(t)
	for typ, rest := range map[string]string{
		"Appointment": `"status":"booked","start":"2026-11-23T09:00:00-06:00","end":"2026-11-23T09:30:00-06:00","participant":[{"actor":{"reference":"Patient/p"},"status":"accepted"}]`,
		"Encounter":   `"status":"planned","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VR"}`,
	} {
		for parts, want := range map[string]int{
			`{"url":"channelType","valueCoding":{"system":"urn:x","code":"amate-visit"}},{"url":"address","valueUrl":"https://h/visit/#r"}`:   0,
			`{"url":"address","valueContactPoint":{"system":"phone","value":"+525512345678"}},{"url":"maxParticipants","valuePositiveInt":3}`: 0,
			`{"url":"additionalInfo","valueUrl":"https://h/1"},{"url":"additionalInfo","valueUrl":"https://h/2"}`:                             0,
			`{"url":"maxParticipants","valueString":"three"}`:                                                                                 1,
			`{"url":"channelType","valueCode":"video"}`:                                                                                       1,
			`{"url":"sessionKey","valueString":"a"},{"url":"sessionKey","valueString":"b"}`:                                                   1,
			``: 1,
		} {
			text := fmt.Sprintf(`{"resourceType":%q,"text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">-</div>"},"extension":[{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-%s.virtualService","extension":[%s]}],%s}`, typ, typ, parts, rest)
			doc, err := element.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			errors := 0
			for _, i := range v.Validate(context.Background(), doc, 0) {
				if i.Severity == "error" {
					errors++
					t.Logf("%s %s: %s %s", typ, parts, i.Rule, i.Details)
				}
			}
			if (errors > 0) != (want > 0) {
				t.Errorf("%s, %s: %d errors", typ, parts, errors)
			}
		}
	}
}
