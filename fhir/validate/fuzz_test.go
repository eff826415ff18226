package validate

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

// FuzzCheck: no text makes Check fail, and every issue says where and why.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(observation(`"valueQuantity":{"value":1.10},"_issued":{"extension":[{"url":"http://e","valueCode":"x"}]}`)))
	f.Add([]byte(patient(`"name":[{"given":["A",null],"_given":[null,{"id":"x"}]}],"contained":[{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"#"}}]}]`)))
	f.Add([]byte(patient(`"managingOrganization":{"reference":"Organization/1/_history/","type":"Foo"},"birthDate":"","gender":null,"_gender":[]`)))
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"a","resource":{}}]}}]}`))
	f.Add([]byte(`{"resourceType":"Patient","contained":[{"id":{}},[],null,"x"],"text":{"div":"\u0000"}}`))
	f.Add([]byte("{\"resourceType\":\"Condition\",\n\"clinicalStatus\":{\"coding\":[null,[],{\"code\":1,\"system\":[]}]},\"subject\":{\"reference\":\"#\",\"type\":\"\"}}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := element.Parse(src)
		if err != nil {
			return
		}
		for _, issue := range Check(d, 0, "") {
			if issue.Rule == "" || issue.Type == "" || issue.Details == "" || issue.Expression == "" {
				t.Fatalf("%q: %+v", src, issue)
			}
			if issue.Rule != "more-issues" && (issue.Line < 1 || issue.Col < 1 || issue.Line > 1+strings.Count(string(src), "\n")) {
				t.Fatalf("%q: %+v", src, issue)
			}
		}
	})
}
