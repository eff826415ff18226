package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// post sends a resource and returns the status and body of the answer.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/fhir+json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestValidationModes serves with full checks of patients only.
func TestValidationModes(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--data", t.TempDir(), "--validation", "base,Patient=profiles")
	for name, c := range map[string]struct {
		typ, body string
		status    int
		says      string
	}{
		"sound":                  {"Patient", `{"resourceType":"Patient","active":true}`, http.StatusCreated, ""},
		"a constraint":           {"Patient", `{"resourceType":"Patient","contact":[{"gender":"male"}]}`, http.StatusUnprocessableEntity, `"pat-1"`},
		"a profile that is ours": {"Patient", `{"resourceType":"Patient","meta":{"profile":["https://github.com/amate-health/amate/fhir/StructureDefinition/mx-patient"]}}`, http.StatusUnprocessableEntity, `"mx-pat-1"`},
		"another type": {"Observation", `{"resourceType":"Observation","status":"final","code":{"text":"a"},"dataAbsentReason":{"text":"b"},"valueString":"c"}`,
			http.StatusCreated, ""},
		"another type, asked": {"Observation/$validate", `{"resourceType":"Observation","status":"final","code":{"text":"a"},"dataAbsentReason":{"text":"b"},"valueString":"c"}`,
			http.StatusOK, `"obs-6"`},
		"a view of no element, asked": {"ViewDefinition/$validate", `{"resourceType":"ViewDefinition","status":"active","resource":"Patient","select":[{"column":[{"name":"a","path":"nmae"}]}]}`,
			http.StatusOK, `"expression":["ViewDefinition.select[0].column[0].path"]`},
	} {
		status, text := post(t, p.base+"/"+c.typ, c.body)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: status %d, want %d with %s: %s", name, status, c.status, c.says, text)
		}
	}
	if status, text := runCommand(t, "serve", "--insecure-no-auth", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--validation", "strict"); status != exitUsage {
		t.Errorf("a mode that there is not: status %d: %s", status, text)
	}
}
