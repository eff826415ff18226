package patch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/samples"
)

type published struct {
	Comment  string
	Doc      json.RawMessage
	Patch    json.RawMessage
	Expected json.RawMessage
	Error    string
	Disabled bool
}

func TestPublishedCases(t *testing.T) {
	dir := samples.Path(t, "json-patch")
	run, failed := 0, 0
	for _, file := range []string{"tests.json", "spec_tests.json"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var cases []published
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			if c.Disabled {
				continue
			}
			run++
			got, err := apply(string(c.Patch), string(c.Doc))
			failed++
			switch {
			case c.Error != "":
				if err == nil {
					t.Errorf("%s %d (%s): got %s, want an error: %s", file, i, c.Comment, got, c.Error)
				} else {
					failed--
				}
			case err != nil:
				t.Errorf("%s %d (%s): %v", file, i, c.Comment, err)
			case c.Expected != nil && !sameJSON(t, got, string(c.Expected)):
				t.Errorf("%s %d (%s): got %s, want %s", file, i, c.Comment, got, c.Expected)
			default:
				failed--
			}
		}
	}
	t.Logf("%d of %d cases pass", run-failed, run)
	if run < 70 {
		t.Errorf("only %d cases ran", run)
	}
}

func apply(patch, doc string) (string, error) {
	p, err := Parse([]byte(patch))
	if err != nil {
		return "", err
	}
	out, err := p.Apply([]byte(doc))
	return string(out), err
}

func sameJSON(t *testing.T, a, b string) bool {
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Errorf("result %s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// TestText holds the exact text of results: what a patch does not touch stays as
// it was, digit for digit and in its order.
func TestText(t *testing.T) {
	tests := []struct{ doc, patch, want string }{
		{`{"b":1.10,"a":1e3,"s":"\u00f1"}`, `[{"op":"add","path":"/c","value":-0.00}]`, `{"b":1.10,"a":1e3,"s":"\u00f1","c":-0.00}`},
		{`{"b":1,"a":2}`, `[{"op":"replace","path":"/b","value":0.500}]`, `{"b":0.500,"a":2}`},
		{`{"b":1,"a":2}`, `[{"op":"add","path":"/b","value":7}]`, `{"b":7,"a":2}`},
		{`{ "a" : [ 1 , 2 ] }`, `[{"op":"add","path":"/a/-","value":{"x" : 1.0}}]`, `{"a":[1,2,{"x":1.0}]}`},
		{`{"a":12345678901234567890.12345678901234567890}`, `[{"op":"copy","from":"/a","path":"/b"}]`,
			`{"a":12345678901234567890.12345678901234567890,"b":12345678901234567890.12345678901234567890}`},
		{`{"a":[1,2,3]}`, `[{"op":"move","from":"/a/0","path":"/a/2"}]`, `{"a":[2,3,1]}`},
		{`{"a~b":1,"c/d":2}`, `[{"op":"remove","path":"/a~0b"},{"op":"replace","path":"/c~1d","value":"x\ty"}]`, `{"c/d":"x\ty"}`},
		{`{"a\nb":{"c":1}}`, "[{\"op\":\"add\",\"path\":\"/a\\nb/d\",\"value\":2}]", `{"a\nb":{"c":1,"d":2}}`},
	}
	for _, tt := range tests {
		got, err := apply(tt.patch, tt.doc)
		if err != nil || got != tt.want {
			t.Errorf("%s on %s:\n got %s, %v\nwant %s", tt.patch, tt.doc, got, err, tt.want)
		}
	}
}

func TestNumbersCompareByValue(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"1.0", "1.00", true},
		{"1e3", "1000", true},
		{"1000", "10.00e2", true},
		{"0", "-0.000e5", true},
		{"0.001", "1E-3", true},
		{"1e99999999999999999999", "10e99999999999999999998", true},
		{"1e99999999999999999999", "1e99999999999999999998", false},
		{"-1", "1", false},
		{"100", "1", false},
		{"0.1", "0.10000000000000000000000000000001", false},
		{"12", "1.2", false},
	}
	for _, tt := range tests {
		_, err := apply(`[{"op":"test","path":"/a","value":`+tt.b+`}]`, `{"a":`+tt.a+`}`)
		if (err == nil) != tt.want {
			t.Errorf("%s == %s: got %v, want %v", tt.a, tt.b, err == nil, tt.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, patch, doc string
		code             fhir.Code
		details          string
	}{
		{"no array", `{}`, `{}`, fhir.Invalid, "array of operations"},
		{"no object", `[1]`, `{}`, fhir.Invalid, `operation 0: "op" is missing`},
		{"unknown op", `[{"op":"inc","path":"/a"}]`, `{}`, fhir.Invalid, `operation 0: "op" must be`},
		{"bad pointer", `[{"op":"remove","path":"a"}]`, `{}`, fhir.Invalid, "no JSON Pointer"},
		{"bad escape", `[{"op":"remove","path":"/~2"}]`, `{}`, fhir.Invalid, "no JSON Pointer"},
		{"into itself", `[{"op":"move","from":"/a","path":"/a/b"}]`, `{"a":{}}`, fhir.Invalid, "into itself"},
		{"second op", `[{"op":"test","path":"","value":{}},{"op":"remove","path":"/a"}]`, `{}`, fhir.Unprocessable, "operation 1 (remove): there is nothing"},
		{"test fails", `[{"op":"test","path":"/a","value":2}]`, `{"a":1}`, fhir.Unprocessable, "another one"},
		{"through a string", `[{"op":"add","path":"/a/b","value":2}]`, `{"a":"x"}`, fhir.Unprocessable, "no object or array"},
		{"remove all", `[{"op":"remove","path":""}]`, `{}`, fhir.Unprocessable, "whole document"},
		{"too many", `[` + strings.Repeat(`{"op":"test","path":"","value":{}},`, MaxOperations) + `{"op":"test","path":"","value":{}}]`, `{}`, fhir.TooLarge, "1000 operations"},
		{"deep", `[{"op":"add","path":"` + strings.Repeat("/a", 100) + `","value":{}}]`, `{}`, fhir.TooLarge, "too deep"},
		{"doubling", `[` + strings.Repeat(`{"op":"copy","from":"","path":"/-"},`, 40) + `{"op":"test","path":"/0","value":1}]`, `[1,2,3]`, fhir.TooLarge, "too"},
	}
	for _, tt := range tests {
		_, err := apply(tt.patch, tt.doc)
		if fhir.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.details) {
			t.Errorf("%s: got code %d, %v; want code %d, %q", tt.name, fhir.CodeOf(err), err, tt.code, tt.details)
		}
	}
}

// TestCopyGrowth holds copies that double a wide array to the limit on size.
func TestCopyGrowth(t *testing.T) {
	doc := `{"a":["` + strings.Repeat("x", 1000) + `"]}`
	patch := `[` + strings.Repeat(`{"op":"copy","from":"/a/0","path":"/a/-"},`, 10)
	patch += `{"op":"copy","from":"/a","path":"/b"}`
	for range 30 { // b becomes a holder of copies of a, and a of b, without getting deeper than two
		patch += `,{"op":"copy","from":"/b","path":"/a/-"},{"op":"copy","from":"/a","path":"/b"}`
	}
	_, err := apply(patch+"]", doc)
	if fhir.CodeOf(err) != fhir.TooLarge {
		t.Errorf("got %v, want fhir.TooLarge", err)
	}
}

func TestApplyTwice(t *testing.T) {
	p, err := Parse([]byte(`[{"op":"add","path":"/a","value":{"b":[]}},{"op":"add","path":"/a/b/-","value":1}]`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := p.Apply([]byte(`{}`)); err != nil || string(got) != `{"a":{"b":[1]}}` {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

func FuzzApply(f *testing.F) {
	seeds := [][2]string{
		{`[{"op":"add","path":"/a/-","value":1.0}]`, `{"a":[]}`},
		{`[{"op":"move","from":"/a/0","path":"/b"},{"op":"copy","from":"/b","path":"/a/0"}]`, `{"a":[{"x":1}]}`},
		{`[{"op":"copy","from":"","path":"/a"},{"op":"copy","from":"","path":"/a/a"}]`, `{"a":1}`},
		{`[{"op":"test","path":"","value":1e400}]`, `1e4000000000`},
		{`[{"op":"replace","path":"/~01/\u0000","value":null}]`, `{"~1":{"\u0000":[]}}`},
		{`[{"op":"remove","path":"/-1"},{"op":"remove","path":"/99999999999999999999"}]`, `[[]]`},
	}
	for _, s := range seeds {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, patch, doc string) {
		out, err := apply(patch, doc)
		if err != nil {
			return
		}
		if !json.Valid([]byte(out)) {
			t.Errorf("%s on %s made %s, which is no JSON", patch, doc, out)
		}
		// The result is in the form of a document, so an empty patch leaves it as it is.
		if again, err := apply(`[]`, out); err != nil || again != out {
			t.Errorf("%s on %s made %s, which reads back as %s, %v", patch, doc, out, again, err)
		}
	})
}
