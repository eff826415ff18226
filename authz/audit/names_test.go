package audit

import (
	"context"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// TestNamesOfBlocked: what a patient is called is told until their record is blocked,
// and then at once no more; nor what those are called who speak for them.
func TestNamesOfBlocked(t *testing.T) {
	label := ""
	n := names{read: func(_ context.Context, ref fhir.Ref) (fhir.Resource, error) {
		text := `{"resourceType":"Patient","id":"p","meta":{"security":[` + label + `]},"name":[{"family":"Pérez"}]}`
		if ref.Type == "RelatedPerson" {
			text = `{"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/p"},"name":[{"family":"Pérez"}]}`
		}
		return fhir.Resource{Ref: ref, JSON: []byte(text)}, nil
	}}
	for _, c := range []struct{ label, want string }{
		{"", "Pérez"},
		{`{"system":"urn:x","code":"` + authz.Blocked + `"}`, "Pérez"},
		{`{"system":"` + authz.LabelSystem + `","code":"` + authz.Blocked + `"}`, ""},
		{"", "Pérez"},
	} {
		label = c.label
		for _, who := range []string{"Patient/p", "RelatedPerson/r"} {
			if got := n.of(t.Context(), who); got != c.want {
				t.Errorf("with the label %s, %s is called %q, want %q", c.label, who, got, c.want)
			}
		}
	}
}
