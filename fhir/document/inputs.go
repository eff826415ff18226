package document

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// understood refuses parameters beside those named, unless the caller is lenient, and
// returns whether the first of them is true.
func understood(call *operation.Call, names ...string) (bool, error) {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return false, fhir.Errorf(fhir.Invalid, "this operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	first, err := call.In.Text(names[0])
	if err != nil {
		return false, err
	}
	return first == "true", nil
}

// binary reads a base64Binary. Errors: fhir.Invalid.
func binary(name, value string) ([]byte, error) {
	out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil || len(out) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is base64", name)
	}
	return out, nil
}

// needed returns the parameter called name. Errors: fhir.Invalid when it is missing.
func needed(call *operation.Call, name, what string) (string, error) {
	v, err := call.In.Text(name)
	if err == nil && strings.TrimSpace(v) == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter %s is needed: %s", name, what)
	}
	return v, err
}

// uuidOf returns an id, which is a UUID unless a test makes others.
func uuidOf(id string) string { return strings.ToLower(id) }

// answer returns parameters as what an operation returns.
func answer(parts []compose.Object) *operation.Answer {
	return &operation.Answer{JSON: compose.Parameters(parts...)}
}

// caller tells callers apart: by their account or client, and whom it acts for.
func caller(call *operation.Call) string {
	return call.Caller.Principal + " " + call.Caller.User.String()
}
