package dose

import (
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// TestTold: what is known of a patient counts as far as the caller may see it.
func TestTold(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2024-03-30", "")
		w.put(`{"resourceType":"Observation","id":"vital","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":90}}`)
		w.put(`{"resourceType":"Observation","id":"weeks","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"49051-6"}]},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":20,"code":"wk","system":"http://unitsofmeasure.org"}}`)
		w.put(`{"resourceType":"Condition","id":"c","code":{"text":"x"},"subject":{"reference":"Patient/a"}}`)
		refs := func() (all string) {
			read, err := w.recorded(w.Context(), w.only, fhir.Ref{Type: "Patient", ID: "a"})
			if err != nil {
				w.Fatal(err)
			}
			for _, d := range read {
				all += d.Ref.Current().String() + " "
			}
			return all
		}
		if got := refs(); got != "Condition/c Observation/weeks " {
			w.Errorf("read %s", got)
		}
		w.only = &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "Immunization": nil}}
		if got := refs(); got != "" {
			w.Errorf("read %s, which is hidden", got)
		}
	})
}
