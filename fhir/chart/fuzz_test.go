package chart

import (
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// FuzzGather: whatever a resource says, what is looked for are ids of real types.
func FuzzGather(f *testing.F) {
	for _, seed := range []string{
		`{"subject":{"reference":"Patient/1"}}`, `"reference":"`, `"reference":""`, `"reference":"Patient/../../etc"`, `"reference":"\u0000"`,
		`"reference":"Patient/1' OR 1=1"`, `"reference":"\"`, `"url":"Binary/1"url":"`, `"reference":"http://h/fhir/"`, `"reference":"Patient/1/_history/99999999999999999999"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, json []byte) {
		g := newGather("http://h/fhir")
		g.from(json)
		for _, ref := range g.refs {
			if !spec.IsResource(ref.Type) || !fhir.ValidID(ref.ID) || ref.Version != 0 {
				t.Errorf("%q leads to %v", json, ref)
			}
		}
	})
}

// FuzzState: what is no state is refused.
func FuzzState(f *testing.F) {
	for _, seed := range []string{"", "\n\n\n", "a b\nx\ny\n123456", "a\nb\nc", "\n\n\n12345", "\x00\n\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		s, err := parseState(cursor)
		if err != nil {
			if fhir.CodeOf(err) != fhir.Invalid {
				t.Errorf("%q: %v", cursor, err)
			}
			return
		}
		if again, err := parseState(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q: %v, %v", cursor, again, err)
		}
	})
}
