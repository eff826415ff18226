package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

func TestEveryCodeHasAnOutcome(t *testing.T) {
	for _, c := range fhir.Codes() {
		if outcomes[c].status == 0 || outcomes[c].issue == "" {
			t.Errorf("code %d has no row in outcomes", c)
		}
	}
	if len(outcomes) != len(fhir.Codes()) {
		t.Errorf("%d rows for %d codes", len(outcomes), len(fhir.Codes()))
	}
}

func TestExplain(t *testing.T) {
	wrapped := fmt.Errorf("apply: %w", fhir.Errorf(fhir.Stale, "old").With("you sent %q", "3").At("Patient.id"))
	tests := []struct {
		err    error
		status int
		has    []string
		hasNot []string
	}{
		{errors.New("password is hunter2"), 500, []string{`"fatal"`, `"exception"`, "req-1234"}, []string{"hunter2"}},
		{wrapped, 412, []string{`"code":"conflict"`, `"text":"old"`, `"diagnostics":"you sent \"3\""`, `"expression":["Patient.id"]`}, []string{"apply"}},
		{context.DeadlineExceeded, 503, []string{`"transient"`}, nil},
		{context.Canceled, 503, []string{`"transient"`}, nil},
		{&fhir.Error{Code: 250, Details: "no row"}, 500, []string{"exception"}, nil},
		{&fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{
			{Severity: "error", Type: "required", Rule: "cardinality-min", Details: "is required", Expression: "Patient.x", Line: 3, Col: 9},
			{Severity: "error", Type: "value", Details: `quote " and` + "\n"},
		}}, 422, []string{`"coding":[{"system":"urn:amate:rule","code":"cardinality-min"}]`, `issue-line","valueInteger":3`, `issue-col","valueInteger":9`, `quote \" and\n`}, []string{`"processing"`}},
	}
	for _, tt := range tests {
		f := explain(tt.err, "req-1234")
		if f.status != tt.status {
			t.Errorf("%v: status %d, want %d", tt.err, f.status, tt.status)
		}
		if !json.Valid(f.body) {
			t.Errorf("%v: no JSON: %s", tt.err, f.body)
		}
		for _, s := range tt.has {
			if !strings.Contains(string(f.body), s) {
				t.Errorf("%v: %s lacks %s", tt.err, f.body, s)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(string(f.body), s) {
				t.Errorf("%v: %s has %s", tt.err, f.body, s)
			}
		}
	}
	if f := explain(&fhir.Error{Code: fhir.Throttled, RetryAfter: 7}, ""); f.retryAfter != 7 {
		t.Errorf("retry after %d", f.retryAfter)
	}
	if f := explain(&versioned{fhir.Errorf(fhir.Gone, "deleted"), 4}, ""); f.version != 4 || f.status != 410 {
		t.Errorf("%+v", f)
	}
}
