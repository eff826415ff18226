package validate

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/search"
)

// TestOperation calls $validate in its modes.
func TestOperation(t *testing.T) {
	v := &Validator{Profiles: profile.NewRegistry()}
	op := v.Operation(func(_ context.Context, ref fhir.Ref, _ *search.Restriction) (fhir.Resource, error) {
		if ref.ID != "stored" {
			return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "no such resource")
		}
		return fhir.Resource{Ref: ref, JSON: []byte(`{"resourceType":"Patient","id":"stored","contact":[{"gender":"male"}]}`)}, nil
	}, func(found []fhir.Issue, d *element.Doc, root element.Node, typ string) []fhir.Issue {
		if typ == "Basic" {
			found = append(found, fhir.Issue{Severity: "error", Type: "business-rule", Rule: "held", Expression: "Basic"})
		}
		return found
	})
	const good = `{"resourceType":"Patient","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>"}}`
	in := func(params string) string { return `{"resourceType":"Parameters","parameter":[` + params + `]}` }
	resource := `{"name":"resource","resource":` + good + `}`
	for name, c := range map[string]struct {
		typ, id, body string
		query         []search.Param
		want          string    // in the outcome
		not           string    // not in it
		code          fhir.Code // of an error
	}{
		"a bare resource":           {typ: "Patient", body: good, want: "no issues found"},
		"on the system":             {body: good, want: "no issues found"},
		"in Parameters":             {typ: "Patient", body: in(resource), want: "no issues found"},
		"another type":              {typ: "Observation", body: good, want: `"resource-type-mismatch"`},
		"an unknown element":        {typ: "Patient", body: `{"resourceType":"Patient","x":1}`, want: `"unknown-element"`},
		"a constraint":              {typ: "Patient", body: `{"resourceType":"Patient","contact":[{"gender":"male"}]}`, want: `"pat-1"`},
		"best practice":             {typ: "Patient", body: `{"resourceType":"Patient"}`, want: `"severity":"warning","code":"invariant"`, not: `"error"`},
		"where it is":               {typ: "Patient", body: "{\"resourceType\":\"Patient\",\n \"x\":1}", want: `issue-line","valueInteger":2`},
		"what is stored":            {typ: "Patient", id: "stored", want: `"pat-1"`},
		"what is not stored":        {typ: "Patient", id: "other", code: fhir.NotFound},
		"deletion":                  {typ: "Patient", id: "stored", query: []search.Param{{Name: "mode", Value: "delete"}}, want: "no issues found"},
		"update with the id":        {typ: "Patient", id: "a", body: in(resource + `,{"name":"mode","valueCode":"update"}`), want: "no issues found"},
		"update of another":         {typ: "Patient", id: "b", body: in(resource + `,{"name":"mode","valueCode":"update"}`), want: `"update-id"`},
		"an unknown mode":           {typ: "Patient", body: in(resource + `,{"name":"mode","valueCode":"x"}`), code: fhir.Invalid},
		"an unknown profile":        {typ: "Patient", body: in(resource + `,{"name":"profile","valueUri":"http://x/y"}`), want: `"profile-unknown"`},
		"a profile of another type": {typ: "Patient", body: in(resource + `,{"name":"profile","valueUri":"http://hl7.org/fhir/StructureDefinition/bp"}`), want: `"profile-type"`},
		"a profile in the query":    {typ: "Patient", body: good, query: []search.Param{{Name: "profile", Value: "http://x/y"}}, want: `"profile-unknown"`},
		"what it is held to":        {typ: "Basic", body: `{"resourceType":"Basic","code":{"text":"a"}}`, want: `"held"`},
		"and what is in Parameters": {body: in(`{"name":"resource","resource":{"resourceType":"Basic","x":1}}`), want: `"held"`},
		"nothing":                   {typ: "Patient", code: fhir.Invalid},
		"an empty parameter":        {typ: "Patient", body: in(`{"name":"resource","valueString":"x"}`), code: fhir.Invalid},
		"a Parameters itself":       {typ: "Parameters", body: in(`{"name":"x"}`), want: `"inv-1"`},
	} {
		var doc *element.Doc
		if c.body != "" {
			var err error
			if doc, err = element.Parse([]byte(c.body)); err != nil {
				t.Fatal(err)
			}
		}
		call := &operation.Call{Type: c.typ, ID: c.id, In: operation.NewInputs(c.query, doc), Restriction: search.Unrestricted}
		answer, err := op.Run(context.Background(), call)
		switch {
		case fhir.CodeOf(err) != c.code:
			t.Errorf("%s: error %v, want code %d", name, err, c.code)
		case err != nil:
		case !strings.Contains(string(answer.JSON), c.want) || c.not != "" && strings.Contains(string(answer.JSON), c.not):
			t.Errorf("%s: want %s in %s", name, c.want, answer.JSON)
		}
	}
}
