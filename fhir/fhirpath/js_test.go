package fhirpath_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/samples"
	"go.yaml.in/yaml/v3"
)

// jsFloor is how many of the cases of fhirpath.js must pass. It only goes up.
const jsFloor = 823

// jsCase is a case of fhirpath.js.
type jsCase struct {
	Desc       string         `yaml:"desc"`
	Expression string         `yaml:"expression"`
	Result     []any          `yaml:"result"`
	Error      any            `yaml:"error"`
	Disable    bool           `yaml:"disable"`
	Input      string         `yaml:"inputfile"`
	Model      string         `yaml:"model"`
	Variables  map[string]any `yaml:"variables"`
}

// TestFHIRPathJS runs the cases that come with fhirpath.js, but for those about its
// own additions (%factory).
func TestFHIRPathJS(t *testing.T) {
	dir := samples.Path(t, "fhirpath", "fhirpath.js")
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	passed, total := 0, 0
	for _, file := range files {
		if filepath.Base(file) == "factory.yaml" {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests   yaml.Node `yaml:"tests"`
			Subject any       `yaml:"subject"`
		}
		if err := yaml.Unmarshal(src, &suite); err != nil {
			t.Fatal(err)
		}
		subject := toDoc(t, suite.Subject)
		for _, c := range jsCases(t, &suite.Tests) {
			if c.Disable || c.Model != "" && c.Model != "r4" {
				continue
			}
			doc := subject
			if c.Input != "" {
				doc = readDoc(t, filepath.Join(dir, "resources", "r4", c.Input))
			}
			total++
			if why := c.run(doc); why != "" {
				t.Logf("%s: %s\n\t%s", filepath.Base(file), why, c.Expression)
				continue
			}
			passed++
		}
	}
	t.Logf("%d of %d pass", passed, total)
	if passed < jsFloor {
		t.Errorf("%d cases pass, there were %d", passed, jsFloor)
	}
}

// jsCases finds the cases in a tree of groups.
func jsCases(t *testing.T, n *yaml.Node) []jsCase {
	t.Helper()
	var all []jsCase
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == "expression" {
				var c jsCase
				if err := n.Decode(&c); err != nil {
					t.Logf("line %d is left out: %v", n.Line, err)
					return nil
				}
				return []jsCase{c}
			}
		}
	}
	for _, c := range n.Content {
		all = append(all, jsCases(t, c)...)
	}
	return all
}

func toDoc(t *testing.T, v any) *element.Doc {
	t.Helper()
	if v == nil {
		v = map[string]any{}
	}
	src, err := json.Marshal(stringKeys(v))
	if err != nil {
		t.Fatal(err)
	}
	d, err := element.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stringKeys makes v something that JSON can hold.
func stringKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for k, x := range v {
			out[fmt.Sprint(k)] = stringKeys(x)
		}
		return out
	case map[string]any:
		for k, x := range v {
			v[k] = stringKeys(x)
		}
	case []any:
		for i := range v {
			v[i] = stringKeys(v[i])
		}
	}
	return v
}

func readDoc(t *testing.T, path string) *element.Doc {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("no input: %v", err)
	}
	d, err := element.Parse(src)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// run returns why the case fails, "" when it passes.
func (c jsCase) run(doc *element.Doc) string {
	env := &fhirpath.Env{Variables: map[string]fhirpath.Item{}}
	for name, v := range c.Variables {
		switch v := v.(type) {
		case int:
			env.Variables[name] = fhirpath.Computed(fhirpath.Integer(v))
		case string:
			env.Variables[name] = fhirpath.Computed(fhirpath.String(v))
		}
	}
	e, err := fhirpath.Compile(c.Expression)
	var out fhirpath.Collection
	if err == nil {
		out, err = e.Eval(doc, 0, env)
	}
	if fails := c.Error != nil && c.Error != false; fails != (err != nil) {
		return fmt.Sprintf("error is %v", err)
	}
	if err != nil {
		return ""
	}
	var got []any
	for _, i := range out {
		got = append(got, plainJSON(i))
	}
	want, err := json.Marshal(stringKeys(c.Result))
	if err != nil {
		return err.Error()
	}
	have, err := json.Marshal(got)
	if err != nil {
		return err.Error()
	}
	if !sameJSON(string(want), string(have)) && !(len(c.Result) == 0 && len(got) == 0) {
		return fmt.Sprintf("got %s, want %s", have, want)
	}
	return ""
}

// plainJSON returns what fhirpath.js gives for an item.
func plainJSON(i fhirpath.Item) any {
	if i.IsElement() && i.Node != element.None {
		return json.RawMessage(i.Doc.Raw(i.Node))
	}
	switch v := i.System().(type) {
	case nil:
		return nil
	case fhirpath.Boolean:
		return bool(v)
	case fhirpath.Integer, fhirpath.Decimal:
		return json.Number(v.String())
	default:
		return v.String()
	}
}

// sameJSON compares two texts, numbers by their value to 15 digits.
func sameJSON(a, b string) bool {
	parse := func(s string) any {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		return v
	}
	return sameValue(parse(a), parse(b))
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if !sameValue(a[k], b[k]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		x, _ := new(big.Float).SetString(string(a))
		y, _ := new(big.Float).SetString(string(b))
		return ok && x.Text('g', 14) == y.Text('g', 14)
	}
	return a == b
}
