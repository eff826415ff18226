package profile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

// TestVaccineCodesAreShipped: the package holds what follows from the tables of vaccine
// codes.
func TestVaccineCodesAreShipped(t *testing.T) {
	for name, want := range code.Definitions() {
		file := filepath.Join("package", name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what follows from the tables (%v): run the test with -update", name, err)
		}
	}
}
