package label

import (
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

func index(r *fhir.Resource) (search.Index, error) {
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return search.Index{}, err
	}
	return search.Extract(doc, 0, "")
}

// written returns a resource as it is stored under rules, and what it is found by.
func written(t *testing.T, r *Rules, json string) (string, *search.Index) {
	t.Helper()
	src, err := bundle.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	at := fhir.Ref{Type: src.Type(), ID: "x"}
	c, err := bundle.Maker{}.Create(src, at)
	if err != nil {
		t.Fatal(err)
	}
	b := r.Batch(&bundle.Batch{Changes: []bundle.Change{c}}, index)
	content, err := b.Changes[0].Build(&bundle.Env{}, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(content.Body.Stamp(3, time.Unix(0, 0).UTC())), &content.Index
}

func TestLabels(t *testing.T) {
	const meta = `"meta":{"versionId":"3","lastUpdated":"1970-01-01T00:00:00.000Z"`
	const hiv = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}`
	const r = `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}`
	const v = `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}`
	const code = `"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"B20.1"}]},"subject":{"reference":"Patient/1"}`
	for in, want := range map[string]string{
		`{"resourceType":"Condition",` + code + `}`:                                                                                                     `{"resourceType":"Condition","id":"x",` + meta + `,"security":[` + hiv + `,` + r + `]},` + code + `}`,
		`{"resourceType":"Condition","meta":{"security":[` + v + `]},` + code + `}`:                                                                     `{"resourceType":"Condition","id":"x",` + meta + `,"security":[` + v + `,` + hiv + `]},` + code + `}`,
		`{"resourceType":"Condition","meta":{"security":[` + hiv + `,` + r + `]},` + code + `}`:                                                         `{"resourceType":"Condition","id":"x",` + meta + `,"security":[` + hiv + `,` + r + `]},` + code + `}`,
		`{"resourceType":"Condition","subject":{"reference":"Patient/1"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J00"}]}}`: `{"resourceType":"Condition","id":"x",` + meta + `},"subject":{"reference":"Patient/1"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J00"}]}}`,
	} {
		got, ix := written(t, Default(), in)
		if got != want {
			t.Errorf("%s:\n%s, want\n%s", in, got, want)
		}
		doc, err := element.Parse([]byte(got))
		if err != nil {
			t.Fatal(err)
		}
		again, err := search.Extract(doc, 0, "")
		if err != nil || len(again.Tokens) != len(ix.Tokens) {
			t.Errorf("%s: it is not found by what it is: %v", in, err)
		}
	}
	_, ix := written(t, Default(), `{"resourceType":"Condition",`+code+`}`)
	p := spec.Param("Condition", "_security")
	m := search.Match{Param: p, Compared: p.Type, Values: []search.Value{{Tokens: []int64{search.TokenHash(p.ID, "HIV")}}}}
	if !m.Holds(ix) {
		t.Error("a label by rule is not found")
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{"a,b,c", "a,b,,d", "a,\"b", "a,b,c,d,e"} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
