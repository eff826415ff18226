package record

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the definitions into the package of profiles")

// TestDefinitionsAreShipped: the package of profiles holds what follows from the table.
func TestDefinitionsAreShipped(t *testing.T) {
	for name, want := range Definitions() {
		file := filepath.Join("..", "profile", "package", name)
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

func TestFind(t *testing.T) {
	for token, want := range map[string]string{
		"evolucion": "6.2", "6.2": "6.2", "11506-3": "6.2", "http://loinc.org|11506-3": "6.2", DocumentSystem + "|evolucion": "6.2",
		"egreso": "8.9", "egreso-voluntario": "10.2", "10.2": "10.2",
		"": "", "|": "", "http://loinc.org|": "", "http://loinc.org|evolucion": "", DocumentSystem + "|11506-3": "", "x": "", "http://x|11506-3": "",
	} {
		got := ""
		if k := Find(token); k != nil {
			got = k.Clause
		}
		if got != want {
			t.Errorf("%q is %q, want %q", token, got, want)
		}
	}
}

// TestTable: no code stands for two things.
func TestTable(t *testing.T) {
	titles, codes := map[string]string{}, map[string]bool{}
	for _, k := range Kinds() {
		for _, key := range []string{k.Code, k.LOINC, k.Clause} {
			if key != "" && codes[key] {
				t.Errorf("%s stands for two documents", key)
			}
			codes[key] = true
		}
		own := map[string]bool{}
		for _, s := range k.Sections {
			if own[s.Code] {
				t.Errorf("%s has two sections %s", k.Code, s.Code)
			}
			own[s.Code] = true
			if s.Clause[:len(k.Clause)] != k.Clause {
				t.Errorf("%s of %s stands in %s", s.Code, k.Code, s.Clause)
			}
			if code := titles[s.LOINC+s.Title]; code != "" && code != s.Code {
				t.Errorf("%q is %s and %s", s.Title, s.Code, code)
			}
			titles[s.LOINC+s.Title] = s.Code
		}
	}
	if len(kinds) != 12 {
		t.Errorf("%d documents", len(kinds))
	}
}
