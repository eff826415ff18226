package authz

import (
	"testing"

	"github.com/amate-health/amate/fhir"
)

// TestRefusal: a refusal names what was asked for in a sentence, on a type or on the system.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		ask  question
		want string
	}{
		{question{act: "read", typ: "Patient"}, "you may not read Patient"},
		{question{act: "search"}, "you may not search"},
		{question{act: "$everything", typ: "Patient"}, "you may not call $everything on Patient"},
		{question{act: "$giis-export"}, "you may not call $giis-export"},
	} {
		err := refusal("you may not", &c.ask)
		if e, ok := err.(*fhir.Error); !ok || e.Details != c.want || e.Code != fhir.Forbidden {
			t.Errorf("%+v: %v, want %q", c.ask, err, c.want)
		}
	}
}
