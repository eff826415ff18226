package compose_test

import (
	"encoding/json"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

func TestJSON(t *testing.T) {
	for want, got := range map[string]string{
		`{"b":"<p>","raw":1.50}`:                                                     compose.Text(compose.Object{"raw": json.RawMessage("1.50"), "b": "<p>"}),
		`{"coding":[{"code":"c","display":"d","system":"s"}]}`:                       compose.Text(compose.Concept("s", "c", "d")),
		`{"code":"c","system":"s"}`:                                                  compose.Text(compose.Coding("s", "c", "")),
		`{"reference":"Patient/p"}`:                                                  compose.Text(compose.Reference(fhir.Ref{Type: "Patient", ID: "p", Version: 3})),
		`{"resourceType":"Parameters"}`:                                              string(compose.Parameters()),
		`{"resourceType":"Parameters","parameter":[{"name":"n","valueString":"v"}]}`: string(compose.Parameters(compose.Part("n", "String", "v"))),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
