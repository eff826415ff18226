package mhd

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

type object = map[string]any

// simple is a submission of one document, of the Minimal option.
func simple() object {
	return object{
		"resourceType": "Bundle", "type": "transaction", "meta": object{"profile": []any{structure + "IHE.MHD.Minimal.ProvideBundle"}},
		"entry": []any{
			object{"fullUrl": "urn:uuid:set", "request": object{"method": "POST", "url": "List"}, "resource": object{
				"resourceType": "List", "status": "current", "mode": "working", "date": "2026-01-01", "subject": object{"reference": "Patient/p"},
				"code":      object{"coding": []any{object{"system": listTypes, "code": "submissionset"}}},
				"extension": []any{object{"url": sourceID, "valueIdentifier": object{"value": "urn:oid:1.2"}}},
				"entry":     []any{object{"item": object{"reference": "urn:uuid:ref"}}},
			}},
			object{"fullUrl": "urn:uuid:ref", "request": object{"method": "POST", "url": "DocumentReference"}, "resource": object{
				"resourceType": "DocumentReference", "status": "current", "subject": object{"reference": "Patient/p"},
				"masterIdentifier": object{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"},
				"content":          []any{object{"attachment": object{"contentType": "text/plain", "url": "urn:uuid:doc"}}},
			}},
			object{"fullUrl": "urn:uuid:doc", "request": object{"method": "POST", "url": "Binary"}, "resource": object{
				"resourceType": "Binary", "contentType": "text/plain", "data": "SGVsbG8gV29ybGQ=",
			}},
		},
	}
}

func resource(b object, i int) object {
	return b["entry"].([]any)[i].(object)["resource"].(object)
}

func attachment(b object) object {
	return resource(b, 1)["content"].([]any)[0].(object)["attachment"].(object)
}

func provide(t *testing.T, b object) (object, error) {
	t.Helper()
	body, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := element.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Provide(doc, 0)
	if err != nil || out == nil {
		return nil, err
	}
	var done object
	if err := json.Unmarshal(out, &done); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return done, nil
}

func TestProvideCompletes(t *testing.T) {
	b, err := provide(t, simple())
	if err != nil {
		t.Fatal(err)
	}
	const sum = "Ck1VqNd45QIvq3AZd8XYQLvEhtA=" // SHA-1 of Hello World
	if a := attachment(b); a["size"] != 11.0 || a["hash"] != sum {
		t.Errorf("attachment is %v", a)
	}
	if ref := resource(b, 2)["securityContext"].(object)["reference"]; ref != "urn:uuid:ref" {
		t.Errorf("the document is protected as %v is", ref)
	}
	other := simple()
	delete(other, "meta")
	if b, err := provide(t, other); b != nil || err != nil {
		t.Errorf("a transaction that is no submission: %v, %v", b, err)
	}
}

// TestProvideRefuses changes one thing in a submission, and looks for the rule that it
// breaks.
func TestProvideRefuses(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(object)
	}{
		{"", func(b object) { attachment(b)["hash"] = "Ck1VqNd45QIvq3AZd8XYQLvEhtA=" }},
		{"", func(b object) { attachment(b)["hash"] = "MGE0ZDU1YThkNzc4ZTUwMjJmYWI3MDE5NzdjNWQ4NDBiYmM0ODZkMA==" }}, // as IHE's examples
		{"mhd-hash", func(b object) { attachment(b)["hash"] = "AAAVqNd45QIvq3AZd8XYQLvEhtA=" }},
		{"mhd-hash", func(b object) { attachment(b)["hash"] = "not base64" }},
		{"mhd-size", func(b object) { attachment(b)["size"] = 12 }},
		{"mhd-contenttype", func(b object) { attachment(b)["contentType"] = "application/pdf" }},
		{"mhd-document", func(b object) { attachment(b)["url"] = "urn:uuid:nothing" }},
		{"mhd-document", func(b object) { attachment(b)["url"] = "urn:uuid:set" }},
		{"mhd-required", func(b object) { delete(attachment(b), "url") }},
		{"mhd-required", func(b object) { delete(resource(b, 1), "masterIdentifier") }},
		{"mhd-prohibited", func(b object) { attachment(b)["data"] = "SGVsbG8=" }},
		{"mhd-data", func(b object) { resource(b, 2)["data"] = "%%" }},
		{"mhd-submissionset", func(b object) { delete(resource(b, 0), "code") }},
		{"mhd-submissionset", func(b object) { b["entry"] = append(b["entry"].([]any), b["entry"].([]any)[0]) }},
		{"mhd-sourceid", func(b object) { delete(resource(b, 0), "extension") }},
		{"mhd-value", func(b object) { resource(b, 0)["mode"] = "snapshot" }},
		{"mhd-value", func(b object) { resource(b, 0)["status"] = "retired" }},
		{"mhd-required", func(b object) { delete(resource(b, 0), "date") }},
		{"mhd-listed", func(b object) { delete(resource(b, 0), "entry") }},
		{"mhd-entry", func(b object) {
			resource(b, 0)["entry"] = append(resource(b, 0)["entry"].([]any), object{"item": object{"reference": "urn:uuid:other"}})
		}},
		{"mhd-patient", func(b object) { resource(b, 1)["subject"] = object{"reference": "Patient/q"} }},
		{"mhd-replaces", func(b object) {
			resource(b, 1)["relatesTo"] = []any{object{"code": "replaces", "target": object{"reference": "http://other.test/DocumentReference/1"}}}
		}},
		{"mhd-designation", func(b object) {
			b["meta"] = object{"profile": []any{structure + "IHE.MHD.UnContained.Comprehensive.ProvideBundle"}}
		}},
	} {
		b := simple()
		c.change(b)
		_, err := provide(t, b)
		var e *fhir.Error
		switch {
		case c.rule == "" && err != nil:
			t.Errorf("refused: %v", err)
		case c.rule == "":
		case !errors.As(err, &e) || e.Code != fhir.Unprocessable:
			t.Errorf("%s: %v", c.rule, err)
		case !slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool { return i.Rule == c.rule && strings.HasPrefix(i.Expression, "Bundle") }):
			t.Errorf("%s: %+v", c.rule, e.Issues)
		}
	}
}

func TestReplacedIsSuperseded(t *testing.T) {
	b := simple()
	resource(b, 1)["relatesTo"] = []any{object{"code": "replaces", "target": object{"reference": "DocumentReference/old"}}}
	done, err := provide(t, b)
	if err != nil {
		t.Fatal(err)
	}
	entries := done["entry"].([]any)
	last := entries[len(entries)-1].(object)
	patch, _ := base64.StdEncoding.DecodeString(last["resource"].(object)["data"].(string))
	if last["request"].(object)["url"] != "DocumentReference/old" || !strings.Contains(string(patch), `"value":"superseded"`) || !strings.Contains(string(patch), `"value":"Patient/p"`) {
		t.Errorf("the last entry is %v: %s", last, patch)
	}
	b["entry"] = append(b["entry"].([]any), object{"resource": object{"resourceType": "Parameters"}, "request": object{"method": "PATCH", "url": "DocumentReference/old"}})
	if done, err = provide(t, b); err != nil || len(done["entry"].([]any)) != 4 {
		t.Errorf("what the submission says itself is said again: %v", err)
	}
}

// TestSample takes in a published submission whose document is a Bundle.
func TestSample(t *testing.T) {
	body, err := os.ReadFile("../../../../shared/data/latam/IHE.MHD.Minimal.ProvideBundle-example.json")
	if err != nil {
		t.Skip("SKIPPED: no sample of IHE MHD:", err)
	}
	var b object
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	done, err := provide(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if meta, _ := json.Marshal(resource(done, 2)["meta"]); !strings.Contains(string(meta), OfPatient) {
		t.Errorf("the document does not say whose it is: %s", meta)
	}
}

func FuzzProvide(f *testing.F) {
	body, _ := json.Marshal(simple())
	f.Add(body)
	f.Add([]byte(`{"resourceType":"Bundle","meta":{"profile":["` + structure + `IHE.MHD.Minimal.ProvideBundle"]},"entry":[null,{"resource":[]},{"resource":{"resourceType":"List","code":[]}}]}`))
	f.Add([]byte(`{"meta":{"profile":[null,{},"` + structure + `IHE.MHD.Comprehensive.ProvideBundle|1"]},"entry":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := element.Parse(body)
		if err != nil {
			return
		}
		out, err := Provide(doc, 0)
		if err == nil && out != nil {
			if _, err := element.Parse(out); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	})
}
