package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
)

// TestImmunizationCheck holds what the command prints and its exit status, for CDC's test
// cases and for one that is made to fail.
func TestImmunizationCheck(t *testing.T) {
	t.Parallel()
	data, cases := samples.Path(t, "cdsi"), samples.Path(t, "cdsi", "cases.json.gz")
	status, out, errs := amate("immunization", "check", "--schedule", data, "--cases", cases, "--failures")
	if status != exitDone || !strings.HasSuffix(out, "\n493 passed, 0 failed\n") || !strings.Contains(out, "DTAP      88       0  100.0") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	status, out, _ = amate("immunization", "check", "--schedule", data, "--cases", cases, "--case", "2013-0183")
	if status != exitDone || !strings.Contains(out, "passed\n") || !strings.Contains(out, "too soon; from 2024-09-01") || strings.Contains(out, "Polio") {
		t.Errorf("one case: status %d, %s", status, out)
	}
	text := string(samples.Read(t, cases))
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	text = strings.Replace(text, `"earliestDate": "2025-07-03T00:00:00"`, `"earliestDate": "2025-07-04T00:00:00"`, 1)
	text = strings.Replace(text, `"earliestDate":"2025-07-03T00:00:00"`, `"earliestDate":"2025-07-04T00:00:00"`, 1)
	if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs = amate("immunization", "check", "--schedule", data, "--cases", wrong, "--failures")
	if status != exitFailed || !strings.HasSuffix(out, "\n492 passed, 1 failed\n") || !strings.Contains(out, "DTAP 2013-0001: earliest: expected 2025-07-04, got 2025-07-03\n") || errs != "" {
		t.Errorf("a case that fails: status %d, %s%s", status, out, errs)
	}
	if status, out, _ = amate("immunization", "check", "--schedule", data, "--cases", wrong, "--case", "2013-0001"); status != exitFailed || !strings.Contains(out, "earliest: expected 2025-07-04") {
		t.Errorf("the case that fails: status %d, %s", status, out)
	}
	for _, args := range [][]string{
		{"--schedule", "/nowhere", "--cases", cases},
		{"--schedule", data, "--cases", "/nowhere"},
		{"--schedule", data, "--cases", cases, "--case", "x"},
		{"--cases", cases},
	} {
		if status, _, _ := amate(append([]string{"immunization", "check"}, args...)...); status != exitUsage {
			t.Errorf("%v: status %d", args, status)
		}
	}
	if status, _, errs := amate("immunization", "check", "--schedule", t.TempDir(), "--cases", cases); status != exitFailed || !strings.Contains(errs, "no supporting data") {
		t.Errorf("an empty folder: status %d, %s", status, errs)
	}
}
