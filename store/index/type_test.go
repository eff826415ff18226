package index

import (
	"testing"

	"github.com/amate-health/amate/fhir/spec"
)

// TestTypeNumbers: every resource type has a number, and those that were ever
// stored keep theirs.
func TestTypeNumbers(t *testing.T) {
	for _, name := range spec.Resources() {
		n := TypeNumber(name)
		if n == 0 || TypeName(n) != name {
			t.Errorf("%s has number %d, which is %q", name, n, TypeName(n))
		}
	}
	for name, want := range map[string]int16{"Account": 1, "Observation": 96, "Patient": 103, "VisionPrescription": 146, "ViewDefinition": 147, "Nothing": 0} {
		if got := TypeNumber(name); got != want {
			t.Errorf("%s has number %d, want %d", name, got, want)
		}
	}
	for _, n := range []int16{0, -1, 148} {
		if name := TypeName(n); name != "" {
			t.Errorf("number %d is %q", n, name)
		}
	}
}
