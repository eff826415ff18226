package bundle

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// TestDocumentStaysWhole: a Bundle that an entry stores keeps its references, whether they
// lead nowhere in the transaction or look like an entry of it.
func TestDocumentStaysWhole(t *testing.T) {
	const inner = "urn:uuid:7d3e6f1c-6a1c-4f5e-9d5b-1f4b1d1c0a01"
	const document = `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:7d3e6f1c-6a1c-4f5e-9d5b-1f4b1d1c0a02","resource":{"resourceType":"Condition","subject":{"reference":"` + inner + `"}}},` +
		`{"fullUrl":"` + inner + `","resource":{"resourceType":"Patient"}}]}`
	for name, outer := range map[string]string{"elsewhere": "urn:uuid:7d3e6f1c-6a1c-4f5e-9d5b-1f4b1d1c0aff", "the same": inner} {
		p, err := plan(t, entry(outer, "POST", "Patient", `{"resourceType":"Patient"}`, ""), entry("", "POST", "Bundle", document, ""))
		if err != nil {
			t.Fatal(name, err)
		}
		env := &Env{Targets: []fhir.Ref{{Type: "Patient", ID: "new-0"}, {Type: "Bundle", ID: "new-1"}}}
		if got := stamped(t, p, 1, env); strings.Count(got, inner) != 2 {
			t.Errorf("%s: %s", name, got)
		}
	}
}
