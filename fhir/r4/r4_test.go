package r4

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	codes "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	d "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	bundle "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	immunization "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/immunization_go_proto"
	patient "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	valuesets "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/valuesets_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/amate-health/amate/fhir"
)

// tree decodes JSON with its numbers as text.
func tree(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(string(src)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return v
}

// TestRoundTrip reads and writes every example: nothing is lost, or it is refused.
func TestRoundTrip(t *testing.T) {
	refused := 0
	all := append(examples(t), synthea(t)...)
	for _, s := range all {
		if verdict(s.json) != nil {
			continue
		}
		m, err := Unmarshal(s.json)
		if err != nil {
			if fhir.CodeOf(err) != fhir.NotSupported {
				t.Errorf("%s: %v", s.name, err)
			}
			refused++
			continue
		}
		out, err := Marshal(m)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if !strings.HasPrefix(string(out), `{"resourceType":"`) {
			t.Errorf("%s begins with %.40s", s.name, out)
		}
		if !reflect.DeepEqual(tree(t, out), tree(t, s.json)) && !sameButForFractions(t, out, s.json) {
			t.Errorf("%s came back as\n%.600s", s.name, out)
		}
	}
	if refused > len(all)/50 {
		t.Errorf("%d of %d were refused", refused, len(all))
	}
}

// sameButForFractions compares with the digits of a second as Unmarshal says they change.
func sameButForFractions(t *testing.T, a, b []byte) bool {
	normal := func(src []byte) any {
		text := re(`(:\d\d)\.(\d+)(Z|[+-]\d\d:\d\d)"`).ReplaceAllStringFunc(string(src), func(s string) string {
			head, rest, _ := strings.Cut(s, ".")
			n := digits([]byte(rest))
			return head + "." + (rest[:n] + "000000")[:6] + rest[n:]
		})
		return tree(t, []byte(text))
	}
	return reflect.DeepEqual(normal(a), normal(b))
}

func TestUnmarshalRefuses(t *testing.T) {
	tests := []struct {
		name, json string
		code       fhir.Code
		says       string
	}{
		{"no JSON", `{`, fhir.Invalid, "ends too early"},
		{"invalid", `{"resourceType":"Patient","gender":"Male"}`, fhir.Unprocessable, "required value set"},
		{"a null in a list", `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}`, fhir.NotSupported, "null"},
		{"a null beside a value", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"x"}]}]}`, fhir.NotSupported, "null"},
		{"a resource in Parameters", `{"resourceType":"Parameters","parameter":[{"name":"x","resource":{"resourceType":"Patient"}}]}`, fhir.NotSupported, "Parameters.parameter.resource"},
		{"an id on Reference.reference", `{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1","_reference":{"id":"x"}}}`, fhir.NotSupported, "Reference.reference"},
		{"nanoseconds", `{"resourceType":"Patient","deceasedDateTime":"2020-01-01T00:00:00.1234567Z"}`, fhir.NotSupported, "microsecond"},
		{"nanoseconds in a list of times", `{"resourceType":"HealthcareService","availableTime":[{"availableStartTime":"10:00:00.1234567"}]}`, fhir.NotSupported, "microsecond"},
		{"its own extension", `{"resourceType":"Patient","_birthDate":{"extension":[{"url":"https://g.co/fhir/StructureDefinition/primitiveHasNoValue","valueBoolean":true}]}}`, fhir.NotSupported, "meaning of its own"},
		{"a leap second", `{"resourceType":"Patient","deceasedDateTime":"2016-12-31T23:59:60Z"}`, fhir.NotSupported, ""},
		{"a version behind a bare host", `{"resourceType":"Patient","meta":{"profile":["http://x.org|1"]}}`, fhir.NotSupported, ""},
	}
	for _, tt := range tests {
		m, err := Unmarshal([]byte(tt.json))
		if err == nil || fhir.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v", tt.name, m, err)
		}
	}
	for _, fine := range []string{
		`{"resourceType":"Patient","name":[{"text":"at 10:00:00.123456789"}]}`,
		`{"resourceType":"Patient","deceasedDateTime":"2020-01-01T00:00:00.123456Z"}`,
		`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"unknown"}]}}`,
		`{"resourceType":"Basic","code":{"text":"x"},"contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}`,
	} {
		m, err := Unmarshal([]byte(fine))
		if err != nil {
			t.Errorf("%s: %v", fine, err)
			continue
		}
		if out, err := Marshal(m); err != nil || !reflect.DeepEqual(tree(t, out), tree(t, []byte(fine))) {
			t.Errorf("%s came back as %s, %v", fine, out, err)
		}
	}
	if _, err := UnmarshalAs[*immunization.Immunization]([]byte(`{"resourceType":"Patient"}`)); fhir.CodeOf(err) != fhir.Invalid || err.Error() != "the resource is a Patient, not a Immunization" {
		t.Errorf("another type: %v", err)
	}
	if p, err := UnmarshalAs[*patient.Patient]([]byte(`{"resourceType":"Patient","managingOrganization":{"reference":"Organization/o/_history/2"}}`)); err != nil || ReferenceText(p.GetManagingOrganization()) != "Organization/o/_history/2" {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestBuild(t *testing.T) {
	at := time.Date(2026, 3, 4, 9, 30, 15, 123_999_999, time.FixedZone("", -6*3600))
	dose := &immunization.Immunization{
		Id:          &d.Id{Value: "i1"},
		Meta:        &d.Meta{LastUpdated: Instant(at), Profile: []*d.Canonical{Canonical("http://example.org/p|1")}},
		Identifier:  []*d.Identifier{Identifier("http://example.org/doses", "7")},
		Status:      &immunization.Immunization_StatusCode{Value: valuesets.ImmunizationStatusCodesValueSet_COMPLETED},
		VaccineCode: Concept("BCG", Coding("http://hl7.org/fhir/sid/cvx", "19", "BCG"), Coding("http://x", "", "")),
		Patient:     Reference(fhir.Ref{Type: "Patient", ID: "p1"}),
		Encounter:   ReferenceURI("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"),
		Occurrence:  &immunization.Immunization_OccurrenceX{Choice: &immunization.Immunization_OccurrenceX_DateTime{DateTime: DateTime(at)}},
		LotNumber:   String(""),
		Site:        Concept(""),
	}
	const want = `{"resourceType":"Immunization","id":"i1","meta":{"lastUpdated":"2026-03-04T09:30:15.123-06:00","profile":["http://example.org/p|1"]},` +
		`"identifier":[{"system":"http://example.org/doses","value":"7"}],"status":"completed",` +
		`"vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"19","display":"BCG"}],"text":"BCG"},` +
		`"patient":{"reference":"Patient/p1"},"encounter":{"reference":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},` +
		`"occurrenceDateTime":"2026-03-04T09:30:15-06:00"}`
	out, err := Marshal(dose)
	if err != nil || string(out) != want {
		t.Fatalf("got  %s, %v\nwant %s", out, err, want)
	}
	back, err := UnmarshalAs[*immunization.Immunization](out)
	if err != nil || ReferenceText(back.GetPatient()) != "Patient/p1" {
		t.Errorf("got %v, %v", back, err)
	}
	child := &patient.Patient{BirthDate: Date(2026, 3, 4)}
	wrapped, err := Wrap(child)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{
		Type:  &bundle.Bundle_TypeCode{Value: codes.BundleTypeCode_COLLECTION},
		Entry: []*bundle.Bundle_Entry{{Resource: wrapped}},
	}
	out, err = Marshal(b)
	if err != nil || string(out) != `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","birthDate":"2026-03-04"}}]}` {
		t.Errorf("got %s, %v", out, err)
	}
	if inner, err := Unwrap(wrapped); err != nil || inner != proto.Message(child) {
		t.Errorf("unwrapped: %v, %v", inner, err)
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, m := range map[string]proto.Message{
		"nothing":                nil,
		"a nil resource":         (*patient.Patient)(nil),
		"an empty wrapper":       &bundle.ContainedResource{},
		"a datatype":             &d.HumanName{},
		"what a rule forbids":    &patient.Patient{Language: Code("x y  z ")},
		"what R4 requires":       &immunization.Immunization{},
		"a reference to nothing": &patient.Patient{ManagingOrganization: ReferenceURI("Patient/1")},
	} {
		if out, err := Marshal(m); err == nil {
			t.Errorf("%s was written: %s", name, out)
		}
	}
	if _, err := Wrap(&d.HumanName{}); err == nil {
		t.Error("a datatype was wrapped as a resource")
	}
}
