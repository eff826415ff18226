package profile

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/guide"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/validate"
)

// source finds the definitions of a package.
type source struct{ *guide.Package }

func (s source) Definition(url, _ string) ([]byte, error) {
	for _, d := range s.Definitions {
		if d.URL == url {
			return d.JSON, nil
		}
	}
	return nil, nil
}

func validator(t *testing.T) *validate.Validator {
	t.Helper()
	p, err := Package()
	if err != nil {
		t.Fatal(err)
	}
	return &validate.Validator{Profiles: profile.NewRegistry(source{p})}
}

// TestDefinitionsAreSound holds the profiles to R4's own rules for profiles.
func TestDefinitionsAreSound(t *testing.T) {
	p, err := Package()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Definitions) < 143 || len(p.Refused) != 0 {
		t.Fatalf("%d definitions, refused %v", len(p.Definitions), p.Refused)
	}
	v := validator(t)
	for _, d := range p.Definitions {
		doc, err := element.Parse(d.JSON)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range v.Validate(context.Background(), doc, 0) {
			if i.Severity == "error" {
				t.Errorf("%s: %s %s %s %s", d.Name, i.Rule, i.Expression, i.Details, i.Diagnostics)
			}
		}
	}
}

// profiles says what the demonstration's resources are held to.
var profiles = map[string]string{"Patient": Patient, "Practitioner": Practitioner, "Organization": Organization, "Location": Location}

// TestDemonstrationConforms holds the demonstration's people and facilities to the profiles.
func TestDemonstrationConforms(t *testing.T) {
	v := validator(t)
	checked := map[string]int{}
	for b := range demo.Population(demo.Options{Patients: 150, Seed: 7, Date: demo.ReferenceDate}) {
		var bundle struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			doc, err := element.Parse(e.Resource)
			if err != nil {
				t.Fatal(err)
			}
			typ := doc.Text(doc.Get(0, "resourceType"))
			if profiles[typ] == "" {
				continue
			}
			checked[typ]++
			for _, i := range v.Validate(context.Background(), doc, 0, profiles[typ]) {
				if i.Severity == "error" {
					t.Fatalf("%s\n%s %s %s %s", e.Resource, i.Rule, i.Expression, i.Details, i.Diagnostics)
				}
			}
		}
	}
	for typ := range profiles {
		if checked[typ] == 0 {
			t.Errorf("no %s was checked", typ)
		}
	}
}

const person = `{"resourceType":"Patient",
 "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"state":"Veracruz","country":"MX"}},
  {"url":"http://hl7.org/fhir/StructureDefinition/patient-nationality","extension":[{"url":"code","valueCodeableConcept":{"coding":[{"system":"urn:iso:std:iso:3166","code":"MEX"}]}}]}],
 "identifier":[{"use":"official","system":"urn:oid:2.16.840.1.113883.4.629","value":"HEGG560427MVZRRL04"}],
 "name":[{"family":"Hernández García","_family":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/humanname-fathers-family","valueString":"Hernández"}]},"given":["Gloria"]}],
 "gender":"female","birthDate":"1956-04-27",
 "address":[{"district":"Xalapa","_district":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding","valueCoding":{"system":"https://www.inegi.org.mx/app/ageeml/","code":"30087"}}]},
  "state":"Veracruz","_state":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding","valueCoding":{"system":"https://www.inegi.org.mx/app/ageeml/","code":"30"}}]},"country":"MX"}]}`

// TestPatientMinimum leaves out what Tabla 1 asks for, one thing at a time.
func TestPatientMinimum(t *testing.T) {
	v := validator(t)
	for name, c := range map[string]struct{ from, to, rule string }{
		"nothing":                   {"", "", ""},
		"no CURP":                   {"4.629", "4.630", "mx-pat-1"},
		"temporary identifier":      {`"use":"official","system":"urn:oid:2.16.840.1.113883.4.629"`, `"use":"temp","system":"urn:x:folio"`, ""},
		"a CURP that is none":       {"HEGG560427MVZRRL04", "HEGG560427MXXRRL04", "mx-pat-2"},
		"CURP in small letters":     {"HEGG560427MVZRRL04", "hegg560427mvzrrl04", "mx-pat-2"},
		"no date of birth":          {`"birthDate":"1956-04-27",`, "", "cardinality-min"},
		"no sex":                    {`"gender":"female",`, "", "cardinality-min"},
		"no given name":             {`,"given":["Gloria"]`, "", "cardinality-min"},
		"a long given name":         {"Gloria", strings.Repeat("a", 51), "mx-pat-3"},
		"first surname not told":    {"humanname-fathers-family", "humanname-mothers-family", "mx-pat-4"},
		"no place of birth":         {"patient-birthPlace", "patient-other", "cardinality-min"},
		"no nationality":            {"patient-nationality", "patient-other", "cardinality-min"},
		"no key of the entity":      {`"code":"30"`, `"code":"Ver"`, "mx-pat-5"},
		"no key of the township":    {`"code":"30087"`, `"code":"87"`, "mx-pat-5"},
		"an address somewhere else": {`"code":"30087"}}]},`, `"code":"30087"}}]},"line":["x"],`, ""},
	} {
		doc, err := element.Parse([]byte(strings.Replace(person, c.from, c.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, i := range v.Validate(context.Background(), doc, 0, Patient) {
			if i.Severity == "error" {
				rules = append(rules, i.Rule)
			}
		}
		if c.rule == "" && rules != nil || c.rule != "" && !slices.Contains(rules, c.rule) {
			t.Errorf("%s: found %v, want %q", name, rules, c.rule)
		}
	}
}
