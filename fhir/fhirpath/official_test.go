package fhirpath_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/samples"
	fhirxml "github.com/amate-health/amate/fhir/xml"
)

// unmet are the cases of the official suite that are not met, and why.
var unmet = map[string]string{}

type officialCase struct {
	Name       string `xml:"name,attr"`
	Input      string `xml:"inputfile,attr"`
	Predicate  bool   `xml:"predicate,attr"`
	Mode       string `xml:"mode,attr"`
	Expression struct {
		Text    string `xml:",chardata"`
		Invalid string `xml:"invalid,attr"`
	} `xml:"expression"`
	Outputs []struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"output"`
}

// TestOfficial runs the cases of the official suite. Every one passes but those of unmet.
func TestOfficial(t *testing.T) {
	data, err := os.ReadFile(samples.Path(t, "fhirpath", "r4", "tests-fhir-r4.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Groups []struct {
			Name  string         `xml:"name,attr"`
			Tests []officialCase `xml:"test"`
		} `xml:"group"`
	}
	if err := xml.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	docs := map[string]*element.Doc{}
	passed, total := 0, 0
	for _, g := range suite.Groups {
		for _, c := range g.Tests {
			total++
			why := c.run(officialInput(t, docs, c.Input))
			switch reason, known := unmet[c.Name]; {
			case why == "" && known:
				t.Errorf("%s passes, yet it is listed: %s", c.Name, reason)
			case why != "" && !known:
				t.Errorf("%s/%s: %s\n\t%s", g.Name, c.Name, why, c.Expression.Text)
			case why == "":
				passed++
			}
		}
	}
	t.Logf("%d of %d pass", passed, total)
	if total < 550 {
		t.Errorf("only %d cases were read", total)
	}
}

// officialInput reads an input of the suite; most are XML.
func officialInput(t *testing.T, docs map[string]*element.Doc, name string) *element.Doc {
	t.Helper()
	if name == "" {
		name = "patient-example.xml"
	}
	if d := docs[name]; d != nil {
		return d
	}
	src, err := os.ReadFile(filepath.Join(samples.Path(t, "fhirpath", "r4", "input"), name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".xml") {
		// Its elements need not stand in order: those of observation-example.xml do not.
		if src, _, err = fhirxml.ToJSON(src, fhirxml.Limits{AnyOrder: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	d, err := element.Parse(src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	docs[name] = d
	return d
}

// run returns why the case fails, "" when it passes.
func (c officialCase) run(doc *element.Doc) string {
	e, err := fhirpath.Compile(c.Expression.Text)
	var out fhirpath.Collection
	if typ := fhirpath.Root(doc, 0).Type; err == nil && c.Mode == "strict" {
		err = e.Check(typ, typ)
	}
	if err == nil {
		out, err = e.Eval(doc, 0, nil)
	}
	if c.Expression.Invalid != "" {
		if err == nil {
			return "should fail: " + c.Expression.Invalid
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if c.Predicate {
		out = fhirpath.Collection{fhirpath.Computed(fhirpath.Boolean(len(out) > 0))}
	}
	var got, want []string
	for _, i := range out {
		got = append(got, show(i))
	}
	for _, o := range c.Outputs {
		want = append(want, strings.TrimPrefix(strings.TrimPrefix(o.Text, "@"), "T"))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		return "got " + strings.Join(got, " ; ") + ", want " + strings.Join(want, " ; ")
	}
	return ""
}

func show(i fhirpath.Item) string {
	if v := i.System(); v != nil {
		return v.String()
	}
	if i.IsElement() && i.Node != element.None {
		return string(i.Doc.Raw(i.Node))
	}
	return ""
}
