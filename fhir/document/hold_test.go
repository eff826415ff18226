package document

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

func resource(tag string) *fhir.Resource {
	return &fhir.Resource{Ref: fhir.Ref{Type: "Composition", ID: "a", Version: 1}, JSON: []byte(`{"resourceType":"Composition","meta":{"tag":[{"system":"x"},` + tag + `]}}`)}
}

// escaped writes text with some of its characters as JSON escapes.
func escaped(t *rapid.T, text string) string {
	var b strings.Builder
	for _, r := range text {
		switch rapid.IntRange(0, 8).Draw(t, "how") {
		case 0:
			fmt.Fprintf(&b, `\u%04x`, r)
		case 1:
			if r == '/' {
				b.WriteString(`\/`)
				continue
			}
			fallthrough
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// TestSigned: a tag is found however it is written, and only where it is the resource's own.
func TestSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := resource(`{"` + escaped(t, "system") + `":"` + escaped(t, TagSystem) + `","code":"` + escaped(t, "b1") + `"}`)
		if id, ok := Signed(r.JSON); !ok || id != "b1" {
			t.Fatalf("%q %v of %s", id, ok, r.JSON)
		}
	})
	for _, json := range []string{
		`{}`, `{"meta":{}}`, `{"meta":{"tag":[]}}`, `{"meta":{"security":[{"system":"` + TagSystem + `"}]}}`, `{"meta":{"tag":{"system":"` + TagSystem + `"}}}`,
		`{"meta":{"tag":[{"code":"` + TagSystem + `"}]}}`, `{"contained":[{"meta":{"tag":[{"system":"` + TagSystem + `"}]}}]}`,
		`{"entry":[{"resource":{"meta":{"tag":[{"system":"` + TagSystem + `"}]}}}]}`, `{"meta":{"tag":[{"system":"` + TagSystem + `x"}]}}`, `no JSON ` + TagSystem,
	} {
		if _, ok := Signed([]byte(json)); ok {
			t.Errorf("%s is signed", json)
		}
	}
}

func TestHold(t *testing.T) {
	check := Hold().Check
	signed, free := resource(tagged("b")), resource(`{"system":"y"}`)
	gone := &fhir.Resource{Ref: signed.Ref, Method: fhir.DELETE}
	for name, c := range map[string]struct {
		before, after *fhir.Resource
		want          fhir.Code
	}{
		"create":            {nil, free, 0},
		"create signed":     {nil, signed, fhir.Unprocessable},
		"change":            {free, free, 0},
		"delete":            {free, gone, 0},
		"sign":              {free, signed, fhir.Unprocessable},
		"change the signed": {signed, signed, fhir.Conflict},
		"take off the tag":  {signed, free, fhir.Conflict},
		"delete the signed": {signed, gone, fhir.Conflict},
	} {
		if err := check(c.before, c.after); fhir.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFinished: what is signed has nothing left of the version that is stored, and all else
// as it was.
func TestFinished(t *testing.T) {
	for in, want := range map[string]string{
		`{"resourceType":"Composition","id":"a","meta":{"versionId":"2","lastUpdated":"x"},"status":"preliminary","n":1.50}`: `{"resourceType":"Composition","id":"a","status":"final","n":1.50,"attester":[` +
			`{"mode":"legal","party":{"reference":"Practitioner/1"},"time":"2026-01-02T03:04:05Z"}]}`,
		`{"meta":{"versionId":"2","profile":["p"],"lastUpdated":"x"},"attester":[{"mode":"personal"}]}`: `{"meta":{"profile":["p"]},"attester":[{"mode":"personal"},` +
			`{"mode":"legal","party":{"reference":"Practitioner/1"},"time":"2026-01-02T03:04:05Z"}],"status":"final"}`,
	} {
		d, err := element.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(finished(d, "Practitioner/1", noon)); got != want {
			t.Errorf("%s\nis   %s\nwant %s", in, got, want)
		}
	}
}

func BenchmarkHold(b *testing.B) {
	check := Hold().Check
	large := &fhir.Resource{Ref: fhir.Ref{Type: "Bundle", ID: "a"}, JSON: []byte(`{"resourceType":"Bundle","entry":[` + strings.Repeat(`{"resource":{"resourceType":"Observation","status":"final"}},`, 1000) + `{}]}`)}
	b.SetBytes(int64(2 * len(large.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		if err := check(large, large); err != nil {
			b.Fatal(err)
		}
	}
}
