// Package samples is for tests only: it finds the suites and samples of others in
// ../shared/data beside the repository, and skips the test where they are absent.
package samples

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Path returns a file or folder of the samples.
func Path(t testing.TB, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{root(t)}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: the sample is absent: %v", err)
	}
	return path
}

// Files returns the samples that match a pattern of [filepath.Match], in order.
func Files(t testing.TB, pattern ...string) []string {
	t.Helper()
	pattern = append([]string{root(t)}, pattern...)
	files, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: there are no samples %s", filepath.Join(pattern...))
	}
	return files
}

// Read returns the content of a file, unpacked when it is gzip.
func Read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(z); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return text
}

// root returns the folder of the samples: beside that of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "data")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
