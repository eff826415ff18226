package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// veil is one such as analysts have.
func veil() *Veil {
	return NewVeil(MaskRules{
		Text: true, Types: []string{"HumanName", "Identifier", "ContactPoint", "Attachment", "Annotation", "Narrative", "Extension"},
		Elements: []string{"Address.text", "Address.line", "Reference.display", "CodeableConcept.text", "Meta.source", "Patient.birthDate:year", "Patient.deceasedDateTime:year", "Patient.contact"},
		Keep:     []string{"Reference.reference", "Coding.display", "Address.city", "Quantity.unit"},
	})
}

func masked(t testing.TB, m *Mask, json string) string {
	t.Helper()
	out, err := m.appendTo(nil, []byte(json))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := element.Parse(out); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return string(out)
}

func TestMask(t *testing.T) {
	m := NewMask(map[string][]*Veil{"Patient": {veil()}, "Observation": {veil()}})
	const tag = `"meta":{"tag":[` + subsetTag + `]}`
	for in, want := range map[string]string{
		`{"resourceType":"Patient","id":"1","name":[{"family":"S"}],"gender":"male"}`:                                                                                     `{"resourceType":"Patient",` + tag + `,"id":"1","gender":"male"}`,
		`{"resourceType":"Patient","birthDate":"1980-05-17","_birthDate":{"extension":[]}}`:                                                                               `{"resourceType":"Patient",` + tag + `,"birthDate":"1980"}`,
		`{"resourceType":"Patient","birthDate":"1980","deceasedBoolean":true}`:                                                                                            `{"resourceType":"Patient",` + tag + `,"birthDate":"1980","deceasedBoolean":true}`,
		`{"resourceType":"Patient","deceasedDateTime":"2020-01-02T03:04:05Z"}`:                                                                                            `{"resourceType":"Patient",` + tag + `,"deceasedDateTime":"2020"}`,
		`{"resourceType":"Patient","address":[{"line":["S"],"city":"Oaxaca"},{"text":"S"}]}`:                                                                              `{"resourceType":"Patient",` + tag + `,"address":[{"city":"Oaxaca"}]}`,
		`{"resourceType":"Patient","address":[{"text":"S"}],"extension":[{"url":"u","valueString":"S"}]}`:                                                                 `{"resourceType":"Patient",` + tag + `}`,
		`{"resourceType":"Patient","meta":{"versionId":"1","source":"S"},"secret":"S"}`:                                                                                   `{"resourceType":"Patient","meta":{"versionId":"1","tag":[` + subsetTag + `]}}`,
		`{"resourceType":"Observation","subject":{"reference":"Patient/1","display":"S"},"valueString":"S"}`:                                                              `{"resourceType":"Observation",` + tag + `,"subject":{"reference":"Patient/1"}}`,
		`{"resourceType":"Observation","contained":[{"resourceType":"Practitioner","name":[{"text":"S"}]}]}`:                                                              `{"resourceType":"Observation",` + tag + `,"contained":[{"resourceType":"Practitioner",` + tag + `}]}`,
		`{"resourceType":"Observation","contained":[{"resourceType":"Nothing","id":"x","s":"S"}]}`:                                                                        `{"resourceType":"Observation",` + tag + `,"contained":[{"resourceType":"Nothing","id":"x"}]}`,
		`{"resourceType":"Observation","code":{"text":"S","coding":[{"code":"c","display":"d"}]}}`:                                                                        `{"resourceType":"Observation",` + tag + `,"code":{"coding":[{"code":"c","display":"d"}]}}`,
		`{"resourceType":"Observation","component":[{"code":{"text":"S"},"valueQuantity":{"value":1.50}}]}`:                                                               `{"resourceType":"Observation",` + tag + `,"component":[{"valueQuantity":{"value":1.50}}]}`,
		`{"resourceType":"Organization","name":"open","address":[{"text":"open"}]}`:                                                                                       `{"resourceType":"Organization","name":"open","address":[{"text":"open"}]}`,
		`{"resourceType":"Parameters","parameter":[{"name":"x","valueString":"open","part":[{"name":"y","resource":{"resourceType":"Patient","name":[{"text":"S"}]}}]}]}`: `{"resourceType":"Parameters","parameter":[{"name":"x","valueString":"open","part":[{"name":"y","resource":{"resourceType":"Patient",` + tag + `}}]}]}`,
		`{"resourceType":"Bundle","entry":[{"fullUrl":"u","resource":{"resourceType":"Patient","name":[{"text":"S"}]}},{"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","photo":[{"data":"UzE="}]}}]}}]}`: `{"resourceType":"Bundle","entry":[{"fullUrl":"u","resource":{"resourceType":"Patient",` + tag + `}},{"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient",` + tag + `}}]}}]}`,
	} {
		if got := masked(t, m, in); got != want {
			t.Errorf("%s:\n%s, want\n%s", in, got, want)
		}
	}
}

// TestMaskHides: nobody searches by what they do not see.
func TestMaskHides(t *testing.T) {
	m := NewMask(map[string][]*Veil{"Patient": {veil()}, "Observation": {veil()}})
	for _, tt := range []struct {
		typ, code, modifier string
		want                bool
	}{
		{"Patient", "name", "", true}, {"Patient", "family", "", true}, {"Patient", "phonetic", "", true}, {"Patient", "identifier", "", true},
		{"Patient", "birthdate", "", true}, {"Patient", "death-date", "", true}, {"Patient", "telecom", "", true}, {"Patient", "address", "", true},
		{"Patient", "address-postalcode", "", true}, {"Patient", "email", "", true}, {"Patient", "_text", "", true}, {"Patient", "_content", "", true}, {"Patient", "_source", "", true},
		{"Patient", "gender", "", false}, {"Patient", "address-city", "", false}, {"Patient", "organization", "", false}, {"Patient", "organization", "identifier", true},
		{"Patient", "_id", "", false}, {"Patient", "_lastUpdated", "", false}, {"Patient", "_tag", "", false},
		{"Observation", "code", "", false}, {"Observation", "code", "text", true}, {"Observation", "value-string", "", true}, {"Observation", "value-quantity", "", false},
		{"Observation", "code-value-string", "", true}, {"Observation", "code-value-quantity", "", false}, {"Observation", "subject", "", false}, {"Observation", "date", "", false},
		{"Organization", "name", "", false}, {"", "_id", "", false},
	} {
		p := spec.Param(tt.typ, tt.code)
		if p == nil {
			t.Fatalf("%s.%s: no such parameter", tt.typ, tt.code)
		}
		if got := m.Hides(tt.typ, p, tt.modifier); got != tt.want {
			t.Errorf("%s.%s:%s: %v", tt.typ, tt.code, tt.modifier, got)
		}
	}
	var none *Mask
	if none.Hides("Patient", spec.Param("Patient", "name"), "") || !none.Empty() {
		t.Error("no mask hides something")
	}
}

// FuzzMask: whatever a resource is like, no text of it that is written by people
// comes through, and what does is JSON.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Patient","name":[{"text":"SECRET"}],"contained":[{"resourceType":"Patient","contact":[{"name":{"text":"SECRET"}}]}]}`,
		`{"resourceType":"Observation","valueString":"SECRET","component":[{"valueString":"SECRET"}],"note":[{"text":"SECRET"}]}`,
		`{"resourceType":"Patient","_gender":{"extension":[{"url":"x","valueString":"SECRET"}]},"gender":null}`,
		`{"resourceType":"Patient","meta":5,"name":"SECRET","address":{"line":"SECRET"}}`,
		`{"resourceType":5,"name":"SECRET"}`, `[]`, `{"resourceType":"Patient","contained":[[{"resourceType":"Patient"}]]}`,
	} {
		f.Add(seed)
	}
	m := NewMask(map[string][]*Veil{"Patient": {veil()}, "Observation": {veil()}})
	f.Fuzz(func(t *testing.T, text string) {
		var r struct{ ResourceType string }
		if json.Unmarshal([]byte(text), &r) != nil || r.ResourceType != "Patient" && r.ResourceType != "Observation" {
			return
		}
		out, err := m.appendTo(nil, []byte(text))
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s became %s", text, out)
		}
		var back struct {
			Name, Note, Contact, Identifier any
			ValueString                     any
		}
		if err := json.Unmarshal(out, &back); err == nil && (back.Name != nil || back.Note != nil || back.Contact != nil || back.Identifier != nil || back.ValueString != nil) {
			t.Fatalf("%s became %s", text, out)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	m := NewMask(map[string][]*Veil{"Observation": {veil()}})
	in := []byte(`{"resourceType":"Observation","id":"o","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z"},"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic"}],"text":"x"},"subject":{"reference":"Patient/1","display":"x"},"note":[{"text":"` + strings.Repeat("x", 300) + `"}],"valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = m.appendTo(dst[:0], in); err != nil {
			b.Fatal(err)
		}
	}
}
