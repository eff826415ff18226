package service

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/fhir/validate"
)

func TestCapabilities(t *testing.T) {
	r := registry(t)
	items := map[fhir.Ref]*terminology.Item{}
	for id, text := range map[string]string{
		"g5": `{"resourceType":"CodeSystem","url":"http://hl7.org/fhir/administrative-gender","version":"5.0.0","content":"complete","concept":[{"code":"x"}]}`,
		"g3": `{"resourceType":"CodeSystem","url":"http://hl7.org/fhir/administrative-gender","version":"3.0.0","content":"complete","concept":[{"code":"x"}]}`,
		"g0": `{"resourceType":"CodeSystem","url":"http://e/empty","version":"1","content":"not-present"}`,
	} {
		item, err := terminology.Read([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		items[fhir.Ref{Type: "CodeSystem", ID: id}] = item
	}
	r.Change(items)
	text := Capabilities(r, "http://127.0.0.1/fhir", "Amate", time.Unix(0, 0))
	doc, err := element.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, issue := range validate.Check(doc, 0, "") {
		t.Errorf("%+v", issue)
	}
	var c struct {
		CodeSystem []struct {
			URI     string
			Version []struct {
				Code      string
				IsDefault bool
			}
		}
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range c.CodeSystem {
		all := ""
		for _, v := range s.Version {
			all += v.Code + " "
			if v.IsDefault {
				all += "default "
			}
		}
		found[s.URI] = "[" + all + "]"
		system, err := r.View().System(s.URI, "")
		if err != nil {
			t.Errorf("%s is listed, and %v", s.URI, err)
		} else if len(s.Version) > 0 && s.Version[0].Code != system.Version {
			t.Errorf("%s: %s is listed as the default, and is %s", s.URI, s.Version[0].Code, system.Version)
		}
	}
	for url, want := range map[string]string{
		"http://hl7.org/fhir/administrative-gender": "[5.0.0 default 4.0.1 3.0.0 ]", "http://unitsofmeasure.org": "[]",
		"http://snomed.info/sct": "[2014 default ]", "http://e/empty": "", "http://hl7.org/fhir/CodeSystem/summary": "",
	} {
		if found[url] != want {
			t.Errorf("%s: %q, want %q", url, found[url], want)
		}
	}
}
