package fhirpath_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
)

// officialFloor is how many cases of the official suite must pass. It only goes up.
const officialFloor = 494

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

// sharedData returns a path below the shared test data, and skips the test when it is not there.
func sharedData(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test data at %s", path)
	}
	return path
}

// TestOfficial runs the cases of the official suite whose input can be had as JSON.
func TestOfficial(t *testing.T) {
	data, err := os.ReadFile(sharedData(t, "fhirpath", "r4", "tests-fhir-r4.xml"))
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
	passed, skipped, total := 0, 0, 0
	for _, g := range suite.Groups {
		for _, c := range g.Tests {
			total++
			doc, ok := officialInput(t, docs, c.Input)
			if !ok {
				skipped++
				continue
			}
			if why := c.run(doc); why != "" {
				t.Logf("%s/%s: %s\n\t%s", g.Name, c.Name, why, c.Expression.Text)
				continue
			}
			passed++
		}
	}
	t.Logf("%d of %d pass, %d skipped for want of a JSON input", passed, total, skipped)
	if passed < officialFloor {
		t.Errorf("%d cases pass, there were %d", passed, officialFloor)
	}
}

// officialInput finds the JSON twin of an XML input among the official examples.
func officialInput(t *testing.T, docs map[string]*element.Doc, name string) (*element.Doc, bool) {
	if name == "" {
		name = "patient-example.json"
	}
	if d, ok := docs[name]; ok {
		return d, d != nil
	}
	docs[name] = nil
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".xml"), ".json")
	twins := map[string]string{"patient-example": "Patient-example", "observation-example": "Observation-example"}
	for _, path := range []string{
		sharedData(t, "fhirpath", "r4", "input") + "/" + base + ".json",
		sharedData(t, "fhirpath", "fhirpath.js") + "/resources/r4/" + base + ".json",
		sharedData(t, "r4-examples") + "/" + twins[base] + ".json",
	} {
		src, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		d, err := element.Parse(src)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		docs[name] = d
		return d, true
	}
	return nil, false
}

// run returns why the case fails, "" when it passes.
func (c officialCase) run(doc *element.Doc) string {
	e, err := fhirpath.Compile(c.Expression.Text)
	var out fhirpath.Collection
	if err == nil && os.Getenv("STRICT") != "" {
		err = e.Check(fhirpath.Root(doc, 0).Type, fhirpath.Root(doc, 0).Type)
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
