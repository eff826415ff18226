package label

import (
	"testing"

	"github.com/amate-health/amate/fhir"
)

func TestTie(t *testing.T) {
	const (
		of     = `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/a"}}`
		other  = `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"http://a.test/fhir/DocumentReference/b"}}`
		nobody = `{"resourceType":"Binary","contentType":"text/plain"}`
		away   = `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"http://b.test/fhir/Patient/a"}}`
	)
	version := func(json string) *fhir.Resource {
		return &fhir.Resource{Ref: fhir.Ref{Type: "Binary", ID: "x", Version: 1}, Method: fhir.PUT, JSON: []byte(json)}
	}
	deletion := &fhir.Resource{Ref: fhir.Ref{Type: "Binary", ID: "x", Version: 2}, Method: fhir.DELETE}
	tie := Tie(func() string { return "http://a.test/fhir" })
	for _, c := range []struct {
		name          string
		before, after *fhir.Resource
		refused       bool
	}{
		{"new", nil, version(nobody), false},
		{"the same", version(of), version(of), false},
		{"another's", version(of), version(other), false},
		{"nobody's from the first", version(nobody), version(nobody), false},
		{"deleted", version(of), deletion, false},
		{"lifted", version(of), version(nobody), true},
		{"lifted by naming another server", version(other), version(away), true},
	} {
		if err := tie.Check(c.before, c.after); (fhir.CodeOf(err) == fhir.Conflict) != c.refused || err != nil && !c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
