package record

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/demo"
)

// TestDemonstrationNotes: the notes of the demonstration conform to their profile, lack
// nothing that would keep them from being signed, and become PDFs and pages.
func TestDemonstrationNotes(t *testing.T) {
	stored := map[string][]byte{}
	notes := 0
	for b := range demo.Population(demo.Options{Patients: 60, Seed: 1}) {
		var bundle struct {
			Entry []struct {
				Request  struct{ URL string }
				Resource json.RawMessage
			}
		}
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			stored[e.Request.URL] = e.Resource
		}
		for _, e := range bundle.Entry {
			if ref, _ := fhir.ParseRef(e.Request.URL); ref.Type == "Composition" {
				notes++
				demonstrated(t, stored, ref)
			}
		}
	}
	if notes < 20 {
		t.Errorf("%d notes", notes)
	}
}

// demonstrated checks one note with all that it refers to.
func demonstrated(t *testing.T, stored map[string][]byte, ref fhir.Ref) {
	t.Helper()
	all := []fhir.Resource{{Ref: ref, JSON: stored[ref.String()]}}
	refs, err := wanted("", all, map[fhir.Ref]bool{ref: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range refs {
		all = append(all, fhir.Resource{Ref: to, JSON: stored[to.String()]})
	}
	doc, err := element.Parse(asDocument("http://amate.test/fhir", all))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range Check(doc) {
		if i.Severity == "error" {
			t.Errorf("%s: %s at %s: %s", ref, i.Rule, i.Expression, i.Details)
		}
	}
	d, _ := read(doc)
	for _, i := range validator.Validate(context.Background(), doc, d.comp) {
		if i.Severity == "error" {
			t.Errorf("%s: %s at %s: %s %s", ref, i.Rule, i.Expression, i.Details, i.Diagnostics)
		}
	}
	p, err := Page(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, media := range []string{mediaHTML, mediaPDF} {
		a, err := write(p, media)
		if err != nil || len(a.Raw) < 1000 || media == mediaHTML && !bytes.Contains(a.Raw, []byte("Frecuencia cardiaca")) {
			t.Errorf("%s as %s: %v, %d bytes", ref, media, err, len(a.Raw))
		}
	}
}
