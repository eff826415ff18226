package immunization_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/cdsi"
	"github.com/amate-health/amate/fhir/registry/immunization/vector"
	"github.com/amate-health/amate/fhir/samples"
)

// ofAnotherYear are the vaccine groups whose supporting data changes from year to year:
// cases of one year do not hold for the data of another.
var ofAnotherYear = map[string]bool{"COVID-19": true, "FLU": true, "RSV": true}

// CDC's test cases, with the supporting data that they were published with, and with
// that of a later year.
func TestCDCCases(t *testing.T) {
	for _, c := range []struct {
		name, data string
		skip       map[string]bool
		floor      int
	}{
		{"their data", samples.Path(t, "cdsi"), nil, 493},
		{"version 4.64", samples.Path(t, "cdsi", "supporting-data-4.64-508-xml.tar.gz"), ofAnotherYear, 436},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := cdsi.Load(c.data)
			if err != nil {
				t.Fatal(err)
			}
			e, err := immunization.New(s)
			if err != nil {
				t.Fatal(err)
			}
			passed := 0
			for _, k := range cases(t) {
				if c.skip[k.Group] {
					continue
				}
				if d := k.Compare(s, e.Assess(&k.History, k.On)); d != nil {
					t.Errorf("%s %s (%s): %v", k.Group, k.ID, k.Title, d)
					continue
				}
				passed++
			}
			if passed < c.floor {
				t.Errorf("%d cases passed, want %d", passed, c.floor)
			}
		})
	}
}

// cases returns CDC's test cases.
func cases(t testing.TB) []vector.Case {
	t.Helper()
	all, err := vector.Load(samples.Path(t, "cdsi", "cases.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
