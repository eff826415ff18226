package rest

import (
	"bytes"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

func TestCursorBelongsToItsQuery(t *testing.T) {
	a := &API{Config: Config{CursorKey: bytes.Repeat([]byte{7}, 32)}}
	params := []search.Param{{Name: "name", Value: "a"}, {Name: "_count", Value: "2"}}
	req := &Request{Interaction: SearchType, Type: "Patient"}
	sealed := a.sealCursor(req, params, "engine|cursor\x00")
	with := func(r Request, value string, params ...search.Param) *Request {
		r.Params = append(params, search.Param{Name: cursorParam, Value: value})
		return &r
	}
	cursor, rest, err := a.openCursor(with(*req, sealed, params...))
	if err != nil || cursor != "engine|cursor\x00" || len(rest) != 2 {
		t.Fatalf("%q, %v, %v", cursor, rest, err)
	}
	flip := []byte(sealed)
	flip[len(flip)-2] ^= 1
	bad := map[string]*Request{
		"tampered":      with(*req, string(flip), params...),
		"no base64":     with(*req, "!!!", params...),
		"short":         with(*req, "AAAA", params...),
		"empty":         with(*req, "", params...),
		"other query":   with(*req, sealed, params[0]),
		"moved bounds":  with(*req, sealed, search.Param{Name: "namea", Value: ""}, params[1]),
		"other type":    with(Request{Interaction: SearchType, Type: "Observation"}, sealed, params...),
		"other kind":    with(Request{Interaction: HistoryType, Type: "Patient"}, sealed, params...),
		"other patient": with(Request{Interaction: SearchType, Type: "Patient", ID: "1"}, sealed, params...),
		"twice":         with(*req, sealed, append(params, search.Param{Name: cursorParam, Value: sealed})...),
	}
	for name, r := range bad {
		if c, _, err := a.openCursor(r); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}
	other := &API{Config: Config{CursorKey: bytes.Repeat([]byte{8}, 32)}}
	if _, _, err := other.openCursor(with(*req, sealed, params...)); err == nil {
		t.Error("a cursor of another key was taken")
	}
}
