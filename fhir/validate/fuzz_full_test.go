package validate

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
)

// attacks are resources that are wrong in ways that a walk could stumble over, or
// that could make it long.
var attacks = []string{
	`{"resourceType":"Patient","name":"x","_name":[1],"contained":[{"resourceType":"Patient","contained":[{}]}],"text":{"div":3}}`,
	`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":[]}]}}`,
	`{"resourceType":"Patient","_birthDate":[{"extension":1},null],"birthDate":{"a":[null]}}`,
	`{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","section":[{"section":[{"entry":[{"reference":"#"}]}]}]}},{"fullUrl":"urn:uuid:x","resource":{}},{}]}`,
	`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Nothing"}}]}}]}`,
	`{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[{"code":{"coding":[{}]}},[],null]}`,
	`{"resourceType":"QuestionnaireResponse","questionnaire":"#q","contained":[{"resourceType":"Questionnaire","id":"q","item":[{"linkId":"1","type":"choice","enableWhen":[{"question":"1","operator":">","answerInteger":1}]}]}],"item":[{"linkId":"1","answer":[{"valueString":"a","item":[{"linkId":"1"}]}]}]}`,
	`{"resourceType":"StructureDefinition","derivation":"constraint","differential":{"element":[{"path":"Patient.nameX"},{"slicing":[]},null]}}`,
	`{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-nationality","extension":[{"url":"code"}]}],"text":{"status":"x","div":"<!DOCTYPE a [<!ENTITY b \"c\">]><div>&b;</div>"}}`,
	`{"resourceType":"Parameters","parameter":[{"name":"a","resource":3},{"part":[{"valueReference":{"reference":"#a"}}]}]}`,
	`{"resourceType":"Patient","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/bp","http://hl7.org/fhir/StructureDefinition/Patient","",1]}}`,
}

// FuzzValidate holds that no JSON makes the validator panic or run away.
func FuzzValidate(f *testing.F) {
	for _, a := range attacks {
		f.Add([]byte(a))
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "validator", "files", "*.json"))
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil && len(text) < 20_000 {
			f.Add(text)
		}
	}
	v := &Validator{Profiles: profile.NewRegistry()}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := element.Parse(text)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		v.Validate(ctx, d, 0, "http://hl7.org/fhir/StructureDefinition/vitalsigns")
		if ctx.Err() != nil {
			t.Errorf("it took too long: %.300s", text)
		}
	})
}
