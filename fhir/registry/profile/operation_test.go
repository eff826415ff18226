package profile

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the definitions into the package")

// TestOperationsAreShipped: the package holds what follows from the table.
func TestOperationsAreShipped(t *testing.T) {
	for name, want := range Operations() {
		file := filepath.Join("package", name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what follows from the table (%v): run the test with -update", name, err)
		}
	}
}
