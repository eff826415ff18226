package chart

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// TestCareDates: every date of care is a date that can be searched by, of a type
// that a record can hold.
func TestCareDates(t *testing.T) {
	for typ, codes := range careDates {
		if !search.InCompartment("Patient", typ) {
			t.Errorf("%s is never in a record", typ)
		}
		for _, code := range codes {
			if p := spec.Param(typ, code); p == nil || p.Type != spec.Date {
				t.Errorf("%s has no date %s", typ, code)
			}
		}
	}
}

func TestGather(t *testing.T) {
	const base = "http://h/fhir"
	for json, want := range map[string]string{
		`{"subject":{"reference":"Patient/1"}}`:                                                     "Patient/1",
		`{"subject":{"reference":"Patient\/1"}}`:                                                    "Patient/1",
		`{"subject":{"reference":"\u0050atient/1"}}`:                                                "Patient/1",
		`{"subject":{"reference":"http://h/fhir/Patient/1"}}`:                                       "Patient/1",
		`{"subject":{"reference":"http://h/fhir/Patient/1/_history/3"}}`:                            "Patient/1",
		`{"subject":{"reference":"http://elsewhere/Patient/1"}}`:                                    "",
		`{"subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p"}]}`:          "",
		`{"subject":{"reference":"urn:uuid:1"}}`:                                                    "",
		`{"subject":{"reference":"Pacient/1"}}`:                                                     "",
		`{"subject":{"reference":"Patient/"}}`:                                                      "",
		`{"note":[{"text":"\"reference\":\"Patient/1\""}]}`:                                         "",
		`{"content":[{"attachment":{"url":"Binary/x"}},{"attachment":{"url":"Patient/x"}}]}`:        "Binary/x",
		`{"a":{"reference":"Patient/1"},"b":{"reference":"Patient/1"},"c":{"reference":"Group/2"}}`: "Patient/1 Group/2",
		`{"a":{"reference":"Patient/1`:                                                              "",
	} {
		g := newGather(base)
		g.from([]byte(json))
		got := ""
		for i, ref := range g.left(func(fhir.Ref) bool { return false }) {
			if i > 0 {
				got += " "
			}
			got += ref.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", json, got, want)
		}
	}
}

func TestState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &state{
			owners: rapid.SliceOf(rapid.StringMatching(`[A-Za-z0-9.-]{1,64}`)).Draw(t, "owners"),
			at:     rapid.StringMatching(`[A-Za-z0-9_-]*`).Draw(t, "at"),
			next:   rapid.StringMatching(`[A-Za-z0-9_-]*`).Draw(t, "next"),
		}
		for i := range rapid.IntRange(0, 2*maxSeen).Draw(t, "seen") {
			s.seen = append(s.seen, mark(fhir.Ref{Type: "Practitioner", ID: fmt.Sprint(i)}))
		}
		got, err := parseState(s.String())
		if err != nil {
			t.Fatal(err)
		}
		seen := s.seen[max(0, len(s.seen)-maxSeen):]
		if !slices.Equal(got.owners, s.owners) || got.at != s.at || got.next != s.next || !slices.Equal(got.seen, seen) {
			t.Fatalf("%+v came back as %+v", s, got)
		}
	})
}
