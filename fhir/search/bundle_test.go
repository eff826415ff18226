package search

import (
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

func TestWhomBundlesAreAbout(t *testing.T) {
	const base = "http://a.test/fhir"
	document := func(full, subject, more string) string {
		return `{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"` + full + `","resource":{"resourceType":"Composition","subject":{"reference":"` + subject + `"}}}` + more + `]}`
	}
	for _, c := range []struct{ name, json, of, tells string }{
		{"document", document(base+"/Composition/1", "Patient/a", ""), "a", "a"},
		{"absolute", document("urn:uuid:1", base+"/Patient/a", ""), "a", "a"},
		{"mother and child", document(base+"/Composition/1", "Patient/a", `,{"resource":{"resourceType":"Patient","id":"b"}}`), "a", "a b"},
		{"from elsewhere", document("http://other.test/Composition/1", "Patient/a", ""), "", "a"},
		{"patient elsewhere", document("http://other.test/Composition/1", "http://other.test/Patient/a", ""), "", ""},
		{"hidden in an extension", `{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","extension":[{"url":"u","valueReference":{"reference":"Patient/a"}}]}}]}`, "", "a"},
		{"collection of one", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/a"}}}]}`, "a", "a"},
		{"collection of two", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b/_history/2"}]}}]}`, "", "a b"},
		{"one and a stranger", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/a"}}},{"resource":{"resourceType":"Observation","subject":{"reference":"http://o/Patient/9"}}}]}`, "", "a"},
		{"contained", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"a"}]}}]}`, "", "a"},
		{"collection from elsewhere", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://o/Observation/1","resource":{"resourceType":"Observation","subject":{"reference":"Patient/a"}}}]}`, "", "a"},
		{"nothing", `{"resourceType":"Bundle","type":"collection"}`, "", ""},
	} {
		// Within another document, whose other parts do not count.
		doc, err := element.Parse([]byte(`{"x":{"reference":"Patient/z"},"y":` + c.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		ix, err := Extract(doc, doc.Get(0, "y"), base)
		if err != nil {
			t.Fatal(err)
		}
		links := func(param uint16) string {
			var ids []string
			for _, l := range ix.Links {
				if l.Param == param {
					ids = append(ids, l.Target.ID)
				}
			}
			slices.Sort(ids)
			return strings.Join(ids, " ")
		}
		if got := links(bundleSubject.ID); got != c.of {
			t.Errorf("%s: belongs to %q, want %q", c.name, got, c.of)
		}
		if got := links(bundlePatients.ID); got != c.tells {
			t.Errorf("%s: tells of %q, want %q", c.name, got, c.tells)
		}
	}
}
