package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/amate-health/amate/store/storetest"
)

// resourcesIn returns the resources that amate export has written, by type and id, without what
// a server says of each version.
func resourcesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := os.Stat(name); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s is for others to read: %v %v", name, s.Mode(), err)
		}
		for line := range strings.Lines(string(text)) {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v %.200s", name, err, line)
			}
			ref := r["resourceType"].(string) + "/" + r["id"].(string)
			meta := r["meta"].(map[string]any)
			delete(meta, "versionId")
			delete(meta, "lastUpdated")
			same, err := json.Marshal(r) // sorted
			if err != nil || all[ref] != "" {
				t.Fatalf("%s comes twice: %v", ref, err)
			}
			all[ref] = string(same)
		}
	}
	return all
}

// TestExportCommand: what amate export writes, amate import brings into another database, on
// the other engine, as it was; and nothing of it is written over.
func TestExportCommand(t *testing.T) {
	t.Parallel()
	here, there := []string{"--data", t.TempDir()}, []string{"--data", t.TempDir(), "--database", storetest.Postgres(t)}
	mustRun(t, here, "seed", "--patients", "20")
	first, second, columns := filepath.Join(t.TempDir(), "a"), t.TempDir(), t.TempDir()
	said := mustRun(t, here, "export", "--out", first)
	if !strings.Contains(said, " Patient\n") || !strings.Contains(said, " resources in ") {
		t.Errorf("it said %s", said)
	}
	mustRun(t, there, "import", first)
	mustRun(t, there, "export", "--out", second)
	want, got := resourcesIn(t, first), resourcesIn(t, second)
	if len(want) < 300 || len(got) != len(want) {
		t.Errorf("%d resources were written, %d are there", len(want), len(got))
	}
	for ref, text := range want {
		if got[ref] != text {
			t.Errorf("%s is\n%.600s, not\n%.600s", ref, got[ref], text)
			break
		}
	}

	mustRun(t, here, "export", "--out", columns, "--format", "parquet", "--type", "Patient,Observation")
	rows := 0
	files, err := filepath.Glob(filepath.Join(columns, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		all, err := parquet.ReadFile[struct {
			ID       string `parquet:"id"`
			Resource string `parquet:"resource"`
		}](name)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, r := range all {
			typ, _, _ := strings.Cut(filepath.Base(name), ".")
			if want[typ+"/"+r.ID] == "" || !strings.Contains(r.Resource, `"id":"`+r.ID+`"`) {
				t.Errorf("%s has %s: %.100s", name, r.ID, r.Resource)
			}
		}
		rows += len(all)
	}
	for ref := range want {
		if strings.HasPrefix(ref, "Patient/") || strings.HasPrefix(ref, "Observation/") {
			rows--
		}
	}
	if rows != 0 {
		t.Errorf("there are %d rows too many or, below 0, too few", rows)
	}

	before, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	for what, args := range map[string][]string{
		"not empty":        {"--out", first},
		"no resource type": {"--out", filepath.Join(t.TempDir(), "b"), "--type", "Paciente"},
		"an instant":       {"--out", filepath.Join(t.TempDir(), "c"), "--since", "ayer"},
	} {
		if status, _, errs := amate(append(append([]string{"export"}, args...), here...)...); status != exitUsage || !strings.Contains(errs, what) {
			t.Errorf("export %v: %d %s", args, status, errs)
		}
		if _, err := os.Stat(args[1]); args[1] != first && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("export %v leaves its folder: %v", args, err)
		}
	}
	if after, err := os.ReadDir(first); err != nil || len(after) != len(before) {
		t.Errorf("%d files were there, and %d are: %v", len(before), len(after), err)
	}
	if trail := mustRun(t, here, "audit", "export"); strings.Count(trail, "$export") < 2 {
		t.Errorf("the trail tells of no export: %.500s", trail)
	}
}
