package summary

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// TestCostlyImport: a document that would make an answer of any size is refused, and
// nothing of it is written.
func TestCostlyImport(t *testing.T) {
	condition := func(status, subject, more string) string {
		return `{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"` + status + `"}]},"code":{"coding":[{"system":"http://x","code":"A"}]` + more + `},"subject":{"reference":"` + subject + `"}}`
	}
	document := func(entries int) *element.Doc { // of so many Conditions, all of one code
		var list, all strings.Builder
		for i := range entries {
			fmt.Fprintf(&list, `%s{"reference":"urn:uuid:e%d"}`, map[bool]string{false: ","}[i == 0], i)
			fmt.Fprintf(&all, `,{"fullUrl":"urn:uuid:e%d","resource":%s}`, i, condition("active", "urn:uuid:p", `,"text":"`+fmt.Sprint(i)+`"`))
		}
		d, err := element.Parse([]byte(`{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"urn:uuid:c","resource":{"resourceType":"Composition","type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},` +
			`"subject":{"reference":"urn:uuid:p"},"section":[{"entry":[` + list.String() + `]}]}},{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","identifier":[{"system":"urn:i","value":"1"}]}}` + all.String() + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s := shelf{`{"resourceType":"Patient","id":"p","identifier":[{"system":"urn:i","value":"1"}]}`}
	for range 100 {
		s = append(s, condition("resolved", "Patient/p", `,"text":"`+strings.Repeat("x", 1000)+`"`))
	}
	take := Operations(Config{Store: s, Software: "Amate"})[1].Run
	for entries, want := range map[int]fhir.Code{20: 0, 900: fhir.TooCostly, mostProposals + 1: fhir.TooCostly} {
		sent := false
		call := &operation.Call{
			Type: "Patient", ID: "p", In: operation.NewInputs(nil, document(entries)), Base: "http://h/fhir", Restriction: search.Unrestricted, MaxBytes: 64 << 20,
			Send: func(context.Context, []byte) ([]byte, error) {
				sent = true
				return []byte(`{"entry":[{"response":{"location":"Bundle/b"}},{"response":{"location":"DocumentReference/d"}}]}`), nil
			},
		}
		_, err := take(t.Context(), call)
		if fhir.CodeOf(err) != want || sent != (want == 0) {
			t.Errorf("%d entries: %v, sent %v", entries, err, sent)
		}
	}
}
