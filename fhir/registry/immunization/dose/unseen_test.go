package dose

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// TestUnseen: who gives a vaccine is warned by what they may not see, and never told what
// it is; forecasts that rest on it are withheld.
func TestUnseen(t *testing.T) {
	onEngines(t, func(w *world) {
		sees := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "Practitioner": nil, "Location": nil, "Immunization": nil}}
		w.only = sees
		w.patient("mother", "1998-03-30", `,"gender":"female"`)
		dose := func(patient, vaccine string, more ...string) []string {
			return append([]string{ref("patient", "Patient/"+patient), str("vaccine", vaccine), str("lot", "L"), str("when", "2026-03-18")}, more...)
		}
		r := w.must("record-dose", dose("mother", "03", str("preview", "true"))...)
		if strings.Contains(r.raw, veiledStatus) || strings.Contains(r.raw, "contraindicated") {
			w.Errorf("nothing is hidden, and yet: %s", r.raw)
		}
		w.put(`{"resourceType":"Observation","id":"weeks","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"49051-6"}]},"subject":{"reference":"Patient/mother"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":20,"code":"wk","system":"http://unitsofmeasure.org"}}`)
		w.refused(fhir.Unprocessable, "contraindicated", "record-dose", dose("mother", "03")...)
		_, err := w.call("record-dose", dose("mother", "03")...)
		var e *fhir.Error
		errors.As(err, &e)
		if said := strings.ToLower(fmt.Sprint(e.Issues)); strings.Contains(said, "pregnan") || strings.Contains(said, "embarazo") || strings.Contains(said, "observation") || strings.Contains(said, "weeks") {
			w.Errorf("the content is told: %s", said)
		}
		r = w.must("record-dose", dose("mother", "03", over("consultado con su médica", "contraindicated"))...)
		for _, forecast := range r.parts["forecast"] {
			if withheld := strings.Contains(string(forecast), veiledStatus); withheld != strings.Contains(string(forecast), `"MMR"`) {
				w.Errorf("forecast: %s", forecast)
			}
		}
		if r = w.must("record-dose", dose("mother", "03")...); !strings.Contains(r.raw, "dose-known") {
			w.Errorf("sent again it is asked for anew: %s", r.raw)
		}
		if r = w.must("record-dose", dose("mother", "21", str("origin", "record"))...); strings.Contains(r.raw, "unseen-record") {
			w.Errorf("of history the hidden is told: %s", r.raw)
		}

		// A live vaccine that is hidden, ten days before.
		sees.Types["Immunization"] = []search.Expr{search.IDs{Any: []string{"shown"}}}
		w.patient("child", "2024-03-30", "")
		w.put(`{"resourceType":"Immunization","id":"hidden","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"21"}]},"patient":{"reference":"Patient/child"},"occurrenceDateTime":"2026-03-08"}`)
		w.refused(fhir.Unprocessable, "unseen-record", "record-dose", dose("child", "03")...)
		r = w.must("record-dose", dose("child", "08")...)
		if strings.Contains(r.raw, `"recommended"`) || strings.Contains(r.raw, "nextVisit") || strings.Contains(r.raw, "hidden") {
			w.Errorf("a forecast that leaves out a dose: %s", r.raw)
		}
		if n := w.count("Immunization"); n != 4 {
			w.Errorf("%d doses", n)
		}
	})
}
