package xml

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
)

// value returns JSON as a value that compares regardless of the order of members,
// with numbers digit for digit.
func value(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return v
}

// explain says what err tells a caller.
func explain(err error) string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	var b strings.Builder
	for _, i := range e.Issues {
		b.WriteString(issueText(&i) + "\n")
	}
	return b.String()
}

// toXML writes JSON as XML.
func toXML(t testing.TB, text []byte, pretty bool) []byte {
	t.Helper()
	d, err := element.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := AppendXML(nil, d, 0, pretty)
	if err != nil {
		t.Fatalf("to XML: %s", explain(err))
	}
	return out
}

// roundTrip holds JSON -> XML -> JSON to be the identity.
func roundTrip(t *testing.T, name string, text []byte, pretty bool) {
	t.Helper()
	asXML := toXML(t, text, pretty)
	back, _, err := ToJSON(asXML, Limits{Size: len(asXML)})
	if err != nil {
		t.Errorf("%s: back to JSON: %s", name, explain(err))
		return
	}
	if got, want := value(t, back), value(t, text); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: JSON -> XML -> JSON differs at %s", name, difference(got, want, ""))
	}
}

func difference(got, want any, path string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return path + "." + k + " is missing"
			}
			if !reflect.DeepEqual(g[k], w[k]) {
				return difference(g[k], w[k], path+"."+k)
			}
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return path + "." + k + " is too much"
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if !reflect.DeepEqual(g[i], w[i]) {
				return difference(g[i], w[i], path+"[]")
			}
		}
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	return path + ": " + string(g[:min(len(g), 300)]) + "\nwant " + string(w[:min(len(w), 300)])
}

func TestRoundTripOfExamples(t *testing.T) {
	files := samples.Files(t, "r4-examples/*.json")
	for _, file := range files {
		roundTrip(t, filepath.Base(file), samples.Read(t, file), false)
	}
	if !t.Failed() {
		t.Logf("%d of %d come back as they were", len(files), len(files))
	}
}

func TestRoundTripIndented(t *testing.T) {
	for i, file := range samples.Files(t, "r4-examples/*.json") {
		if i%10 == 0 {
			roundTrip(t, filepath.Base(file), samples.Read(t, file), true)
		}
	}
}

func TestRoundTripOfSynthea(t *testing.T) {
	for i, pattern := range []string{"synthea-r4-urn/*.json.gz", "synthea-r4-conditional/*.json.gz"} {
		for k, file := range samples.Files(t, pattern) {
			if k%40 == i {
				roundTrip(t, filepath.Base(file), samples.Read(t, file), false)
			}
		}
	}
}

func TestRoundTripOfDefinitions(t *testing.T) {
	for _, file := range samples.Files(t, "validator/files/*.json") {
		text := samples.Read(t, file)
		d, err := element.Parse(text)
		if err != nil {
			continue // not JSON, on purpose
		}
		asXML, err := FromJSON(d, 0)
		if err != nil {
			if e := new(fhir.Error); !errors.As(err, &e) || len(e.Issues) == 0 || e.Code != fhir.NotAcceptable {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
			t.Logf("%s: %s", filepath.Base(file), explain(err))
			continue
		}
		back, _, err := ToJSON(asXML, Limits{})
		if err != nil {
			t.Errorf("%s: back to JSON: %s", filepath.Base(file), explain(err))
			continue
		}
		if got, want := value(t, back), value(t, text); !reflect.DeepEqual(got, want) {
			t.Logf("%s: %s", filepath.Base(file), difference(got, want, ""))
		}
	}
}

// plain takes from a value what the publishers of the pairs changed in it: the white
// space of narratives, and the way they write quotes.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			if text, ok := v[name].(string); ok && name == "div" {
				v[name] = strings.Join(strings.Fields(html.UnescapeString(strings.NewReplacer(">", "> ", "<", " <").Replace(text))), " ")
				continue
			}
			v[name] = plain(v[name])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// unlike are pairs that differ by themselves.
var unlike = map[string]string{
	"parameters-example-types.json": "the JSON has an object for a uuid",
	"observation-example.json":      "the XML has extensions that the JSON has not",
}

// TestPublishedPairs compares resources that were published in both formats.
func TestPublishedPairs(t *testing.T) {
	pairs := 0
	for _, file := range samples.Files(t, "fhirpath/r4/input/*.xml") {
		name := strings.TrimSuffix(filepath.Base(file), ".xml") + ".json"
		got, _, err := ToJSON(samples.Read(t, file), Limits{AnyOrder: true})
		if err != nil {
			t.Errorf("%s: %s", filepath.Base(file), explain(err))
			continue
		}
		roundTrip(t, filepath.Base(file), got, false)
		twin := filepath.Join(filepath.Dir(file), "../../fhirpath.js/resources/r4", name)
		if _, err := os.Stat(twin); err != nil || unlike[name] != "" {
			continue
		}
		pairs++
		if got, want := plain(value(t, got)), plain(value(t, samples.Read(t, twin))); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s", name, difference(got, want, ""))
		}
	}
	if pairs < 5 {
		t.Errorf("only %d pairs", pairs)
	}
}

func TestValidatorFiles(t *testing.T) {
	for _, file := range samples.Files(t, "validator/files/*.xml") {
		text := samples.Read(t, file)
		asJSON, _, err := ToJSON(text, Limits{})
		if err != nil {
			t.Logf("%s: %s", filepath.Base(file), explain(err))
			continue
		}
		roundTrip(t, filepath.Base(file), asJSON, false)
	}
}
