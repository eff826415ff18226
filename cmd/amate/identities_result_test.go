package main

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// TestMergeResultClaims: who merges says how the target is to be, and not what only the
// server says: that RENAPO has confirmed a CURP, or that a birth was certified.
func TestMergeResultClaims(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.people()
		for name, id := range map[string]string{
			"renapo-verified":   `{"system":"` + identity.SystemCURP + `","value":"GOSM800517MDFRNR09","extension":[{"url":"` + identity.Verification + `","valueCode":"renapo-verified"}]}`,
			"birth-certificate": `{"system":"https://github.com/amate-health/amate/fhir/NamingSystem/folio-certificado-nacimiento","value":"OCSSA003966-26-00001"}`,
		} {
			result := `{"resourceType":"Patient","id":"q","identifier":[{"system":"urn:mrn","value":"Mp"},{"system":"urn:mrn","value":"Mq"},` + id + `],"name":[{"family":"Pérez","given":["Ana"]}]}`
			for _, preview := range []string{"true", "false"} {
				body := asks("source-patient", `"valueReference":{"reference":"Patient/p"}`, "target-patient", `"valueReference":{"reference":"Patient/q"}`, "result-patient", `"resource":`+result, "preview", `"valueBoolean":`+preview)
				if status, out := s.do("registry", "POST", "Patient/$merge", body); status != 422 || !strings.Contains(out, name) {
					s.Errorf("%s, preview %s: %d %.400s", name, preview, status, out)
				}
			}
		}
		result := `{"resourceType":"Patient","id":"q","identifier":[{"system":"urn:mrn","value":"Mp"},{"system":"urn:mrn","value":"Mq"}],"name":[{"family":"Pérez","given":["Ana María"]}]}`
		s.must(200, "registry", "POST", "Patient/$merge", asks("source-patient", `"valueReference":{"reference":"Patient/p"}`, "target-patient", `"valueReference":{"reference":"Patient/q"}`, "result-patient", `"resource":`+result))
	})
}
