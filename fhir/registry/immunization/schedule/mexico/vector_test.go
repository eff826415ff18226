package mexico_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization/vector"
)

// The cases are written from the rules, with dates reckoned apart from the engine; none
// is taken from what it says.
func TestVectors(t *testing.T) {
	e := engine(t)
	cases, err := vector.Load("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 150 {
		t.Errorf("only %d cases", len(cases))
	}
	for i := range cases {
		c := &cases[i]
		for _, d := range c.Compare(e.Schedule(), e.Assess(&c.History, c.On)) {
			t.Errorf("%s, %s: %s", c.ID, c.Title, d)
		}
	}
}
