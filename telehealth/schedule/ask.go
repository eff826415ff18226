package schedule

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// instant returns a parameter that is an instant, with a time zone; zero when it is left
// out.
func instant(call *operation.Call, name string) (time.Time, error) {
	text, err := call.In.Text(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	t, bad := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)) // a + of a URL that was not escaped
	if bad != nil {
		return t, fhir.Errorf(fhir.Invalid, "the parameter %s is an instant with its time zone, such as 2026-11-23T09:00:00-06:00", name).With("%.50q", text)
	}
	return t, nil
}

// patient returns the Patient that is booked for, whom the caller sees. Where none is
// named it is the caller.
func (s *Service) patient(ctx context.Context, call *operation.Call) (fhir.Ref, error) {
	ref, err := call.Reference("patient", "Patient")
	if err != nil {
		return ref, err
	}
	if ref.ID == "" && call.Caller.User.Type == "Patient" {
		ref = call.Caller.User.Current()
	}
	if ref.ID == "" {
		return ref, fhir.Errorf(fhir.Invalid, "the parameter patient is needed: a reference to the Patient")
	}
	found, err := s.one(ctx, call.Restriction, ref)
	if err == nil && found == nil {
		err = fhir.Errorf(fhir.Unprocessable, "there is no such Patient, or they are not shown to you").With("%s", ref)
	}
	return ref, err
}

// limited returns _count, from 1 to most.
func limited(call *operation.Call, otherwise, most int) (int, error) {
	text, err := call.In.Text("_count")
	if err != nil || text == "" {
		return otherwise, err
	}
	n, bad := strconv.Atoi(text)
	if bad != nil || n < 1 {
		return 0, fhir.Errorf(fhir.Invalid, "the parameter _count is a number from 1 to %d", most).With("%.20q", text)
	}
	return min(n, most), nil
}
