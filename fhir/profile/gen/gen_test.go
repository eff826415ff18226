package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestIsCurrent writes the definitions again and compares them with those in the tree.
func TestIsCurrent(t *testing.T) {
	in := filepath.Join("..", "..", "..", "..", "shared", "data", "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz")
	if _, err := os.Stat(in); err != nil {
		t.Skipf("NOT CHECKED that r4.ndjson.gz is current: %v", err)
	}
	out := filepath.Join(t.TempDir(), "out.gz")
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "r4.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("fhir/profile/r4.ndjson.gz is not what the generator writes: run it again")
	}
}
