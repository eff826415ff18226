package lab_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
	fhirxml "github.com/amate-health/amate/fhir/xml"
)

// TestOfficial runs the official suite through the operation, as an outside runner does.
func TestOfficial(t *testing.T) {
	src, err := os.ReadFile(samples.Path(t, "fhirpath", "r4", "tests-fhir-r4.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests []struct {
			Name       string `xml:"name,attr"`
			Input      string `xml:"inputfile,attr"`
			Predicate  bool   `xml:"predicate,attr"`
			Expression struct {
				Text    string `xml:",chardata"`
				Invalid string `xml:"invalid,attr"`
			} `xml:"expression"`
			Outputs []struct {
				Text string `xml:",chardata"`
			} `xml:"output"`
		} `xml:"group>test"`
	}
	if err := xml.Unmarshal(src, &suite); err != nil {
		t.Fatal(err)
	}
	if len(suite.Tests) < 550 {
		t.Fatalf("only %d cases were read", len(suite.Tests))
	}
	for _, c := range suite.Tests {
		body := `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":` + string(element.Quote(nil, c.Expression.Text)) +
			`},{"name":"resource","resource":` + input(t, c.Input) + `}]}`
		answer, err := run(t, body)
		if c.Expression.Invalid != "" {
			var fault *fhir.Error
			if !errors.As(err, &fault) || fault.Code != fhir.Invalid && fault.Code != fhir.Unprocessable {
				t.Errorf("%s: %s should be refused, got %v", c.Name, c.Expression.Text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %s: %v", c.Name, c.Expression.Text, err)
			continue
		}
		var want []string
		for _, o := range c.Outputs {
			want = append(want, strings.TrimPrefix(strings.TrimPrefix(o.Text, "@"), "T"))
		}
		got := shown(answer)
		if c.Predicate {
			got = []string{map[bool]string{true: "true", false: "false"}[len(got) > 0]}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %s gives %q, want %q", c.Name, c.Expression.Text, got, want)
		}
	}
}

var inputs = map[string]string{}

func input(t *testing.T, name string) string {
	t.Helper()
	if name == "" {
		name = "patient-example.xml"
	}
	if text, ok := inputs[name]; ok {
		return text
	}
	src, err := os.ReadFile(filepath.Join(samples.Path(t, "fhirpath", "r4", "input"), name))
	if err == nil && strings.HasSuffix(name, ".xml") {
		src, _, err = fhirxml.ToJSON(src, fhirxml.Limits{AnyOrder: true})
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	inputs[name] = string(src)
	return inputs[name]
}

// shown returns the values of the parts result as the suite writes them.
func shown(answer map[string]any) []string {
	var all []string
	for _, p := range answer["parameter"].([]any) {
		p := p.(map[string]any)
		parts, _ := p["part"].([]any)
		for _, v := range parts {
			if p["name"] == "result" {
				all = append(all, value(v.(map[string]any)))
			}
		}
	}
	return all
}

func value(part map[string]any) string {
	for name, v := range part {
		if !strings.HasPrefix(name, "value") {
			continue
		}
		switch v := v.(type) {
		case string:
			return v
		case bool:
			return map[bool]string{true: "true", false: "false"}[v]
		case json.Number:
			return v.String()
		case map[string]any:
			if v["value"] != nil && v["code"] != nil {
				return v["value"].(json.Number).String() + " '" + v["code"].(string) + "'"
			}
		}
	}
	return ""
}
