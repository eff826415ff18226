package main

import (
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/operation"
)

// curpSystem is that of the CURP.
const curpSystem = "urn:oid:2.16.840.1.113883.4.629"

func patientWith(id, identifier string) string {
	return `{"resourceType":"Patient","id":"` + id + `","identifier":[` + identifier + `],"name":[{"use":"official","family":"Pérez García","given":["Juan"]}],"birthDate":"1990-05-12","gender":"male"}`
}

func curpOf(value, more string) string {
	return `{"system":"` + curpSystem + `","value":"` + value + `"` + more + `}`
}

const claimed = `,"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/identifier-verification","valueCode":"renapo-verified"}]`

// TestIdentifiersRefused: identifiers that cannot be one are refused with the element, the
// rule and the position where the server is told to, and only there.
func TestIdentifiersRefused(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		for name, c := range map[string]struct {
			json string
			want int
			says []string
		}{
			"right":       {patientWith("a", curpOf("PEGJ900512HJCRRS04", "")), 201, nil},
			"digit":       {patientWith("b", curpOf("PEGJ900512HJCRRS05", "")), 422, []string{"Patient.identifier[0].value", "curp-check-digit", "character 18"}},
			"form":        {patientWith("c", `{"system":"urn:mrn","value":"1"},`+curpOf("PEGJ9005", "")), 422, []string{"Patient.identifier[1].value", "curp-format"}},
			"generic":     {patientWith("d", curpOf("XXXX999999XXXXXX99", "")), 422, []string{"curp-generic"}},
			"claimed":     {patientWith("e", curpOf("PEGJ900512HJCRRS04", claimed)), 422, []string{"renapo-verified", "$verify-curp"}},
			"escaped":     {patientWith("e", curpOf("PEGJ900512HJCRRS04", strings.Replace(claimed, "renapo-v", `renap\u006f-v`, 1))), 422, []string{"renapo-verified"}},
			"other":       {patientWith("f", `{"system":"urn:mrn","value":"PEGJ9005"}`), 201, nil},
			"rfc is warn": {patientWith("g", `{"system":"http://www.sat.gob.mx/rfc","value":"nada"}`), 201, nil},
			"clues":       {`{"resourceType":"Location","id":"h","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA39"}]}`, 422, []string{"Location.identifier[0].value", "clues"}},
			"not said":    {patientWith("i", `{"system":"`+curpSystem+`","_value":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}}`), 201, nil},
		} {
			id := idOf(c.json)
			typ := "Patient"
			if strings.Contains(c.json, "Location") {
				typ = "Location"
			}
			status, out := s.do("system", "PUT", typ+"/"+id, c.json)
			if status != c.want {
				s.Errorf("%s: %d, want %d: %.400s", name, status, c.want, out)
			}
			for _, text := range c.says {
				if !strings.Contains(out, text) {
					s.Errorf("%s does not say %q: %.600s", name, text, out)
				}
			}
			if c.want == 422 {
				s.must(404, "system", "GET", typ+"/"+id, "")
				bundle := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + c.json + `,"request":{"method":"POST","url":"` + typ + `"}}]}`
				if status, out := s.do("system", "POST", "", bundle); status != 422 {
					s.Errorf("%s in a transaction: %d %.300s", name, status, out)
				}
			}
		}
		patched := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.identifier[0].value"},{"name":"value","valueString":"PEGJ900512HJCRRS05"}]}]}`
		s.must(422, "system", "PATCH", "Patient/a", patched)
	}, "--identifiers", "refuse,rfc=warn")
}

// TestIdentifiersWarned: by default what is doubtful is written, and said to a client that
// asks for an outcome.
func TestIdentifiersWarned(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.must(201, "system", "PUT", "Patient/a", patientWith("a", curpOf("PEGJ900512HJCRRS05", "")))
		bundle := `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + patientWith("b", curpOf("SABC560626MDFLRN01", "")) + `,"request":{"method":"PUT","url":"Patient/b"}}]}`
		s.must(200, "system", "POST", "", bundle)
		for id, want := range map[string][]string{"a": {"curp-check-digit", `"warning"`, "identifier[0].value"}, "b": {"curp-name", "curp-sex", "curp-name-birthdate", `"warning"`}} {
			value := map[string]string{"a": "PEGJ900512HJCRRS05", "b": "SABC560626MDFLRN01"}[id]
			out := s.preferring("PUT", "Patient/"+id, patientWith(id, curpOf(value, `,"use":"usual"`)))
			for _, text := range want {
				if !strings.Contains(out, text) {
					s.Errorf("%s does not say %q: %s", id, text, out)
				}
			}
		}
	})
}

// TestPIX holds $ihe-pix to the cases of ITI-83.
//
// See https://profiles.ihe.net/ITI/PIXm/ITI-83.html.
func TestPIX(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.must(201, "system", "PUT", "Patient/a", patientWith("a", `{"system":"urn:red","value":"R1"},{"system":"urn:blue","value":"B1"},{"system":"urn:blue","value":"B0","use":"old"}`))
		s.must(201, "system", "PUT", "Patient/b", patientWith("b", `{"system":"urn:green","value":"G|1"}`))
		for path, c := range map[string]struct {
			want int
			has  []string
			not  []string
		}{
			"sourceIdentifier=urn:red|R1":                                              {200, []string{`"B1"`, `"targetIdentifier"`, `"targetId"`, `"Patient/a"`}, []string{`"R1"`, `"B0"`, "G|1"}},
			"sourceIdentifier=urn:blue|B0":                                             {200, []string{`"B1"`, `"R1"`}, nil},
			"sourceIdentifier=urn:red|R1&targetSystem=urn:blue":                        {200, []string{`"B1"`}, []string{`"R1"`}},
			"sourceIdentifier=urn:red|R1&targetSystem=urn:blue&targetSystem=urn:green": {200, []string{`"B1"`}, nil},
			"sourceIdentifier=urn:green|G%7C1&targetSystem=urn:blue":                   {200, []string{`"Patient/b"`}, []string{`"targetIdentifier"`}},
			"sourceIdentifier=urn:red|R9":                                              {404, []string{`"not-found"`, "sourceIdentifier Patient Identifier not found"}, nil},
			"sourceIdentifier=urn:nobody|R1":                                           {400, []string{`"code-invalid"`, "sourceIdentifier Assigning Authority not found"}, nil},
			"sourceIdentifier=urn:red|R1&targetSystem=urn:nobody":                      {403, []string{`"code-invalid"`, "targetSystem not found"}, nil},
			"sourceIdentifier=R1":                                                      {400, []string{"sourceIdentifier"}, nil},
			"":                                                                         {400, []string{"sourceIdentifier"}, nil},
			"sourceIdentifier=urn:red|R1&sourceSystem=x":                               {400, []string{"sourceSystem"}, nil},
		} {
			status, out := s.do("nurse", "GET", "Patient/$ihe-pix?"+path, "")
			if status != c.want {
				s.Errorf("%s: %d, want %d: %.300s", path, status, c.want, out)
			}
			for _, text := range c.has {
				if !strings.Contains(out, text) {
					s.Errorf("%s does not say %s: %s", path, text, out)
				}
			}
			for _, text := range c.not {
				if strings.Contains(out, text) {
					s.Errorf("%s says %s: %s", path, text, out)
				}
			}
		}
		s.must(200, "nurse", "POST", "Patient/$ihe-pix", asks("sourceIdentifier", textValue("urn:red|R1"), "targetSystem", `"valueUri":"urn:blue"`))
		for _, who := range []string{"patient", "other", "researcher", "auditor"} {
			s.must(403, who, "GET", "Patient/$ihe-pix?sourceIdentifier=urn:red|R1", "")
		}
		s.must(201, "system", "PUT", "Consent/no", `{"resourceType":"Consent","id":"no","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/a"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"}}`)
		if status, out := s.do("nurse", "GET", "Patient/$ihe-pix?sourceIdentifier=urn:red|R1", ""); status == 200 || strings.Contains(out, "B1") {
			s.Errorf("a refusal does not bind: %d %s", status, out)
		}
	})
}

// TestCURPVerified: without a registry nothing is asked; a simulator confirms nothing; a
// corrected CURP leaves the one before as an old one.
func TestCURPVerified(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(s *rightsScene) {
		s.must(201, "system", "PUT", "Patient/a", patientWith("a", curpOf("PEGJ900512HJCRRS04", "")))
		s.must(501, "registry", "POST", "Patient/a/$verify-curp", "")
		for _, who := range []string{"nurse", "patient", "researcher"} {
			s.must(403, who, "POST", "Patient/a/$verify-curp", "")
			s.must(403, who, "POST", "Patient/a/$correct-curp", asks("curp", textValue("BEML920313HCMLNS09"), "reason", textValue("x")))
		}
		s.must(400, "registry", "POST", "Patient/a/$correct-curp", asks("curp", textValue("BEML920313HCMLNS09")))
		s.must(422, "registry", "POST", "Patient/a/$correct-curp", asks("curp", textValue("BEML920313HCMLNS08"), "reason", textValue("x")))
		s.must(422, "registry", "POST", "Patient/a/$correct-curp", asks("curp", textValue("XXXX999999XXXXXX99"), "reason", textValue("x")))
		s.must(409, "registry", "POST", "Patient/a/$correct-curp", asks("curp", textValue("PEGJ900512HJCRRS04"), "reason", textValue("x")))
		got := s.must(200, "registry", "POST", "Patient/a/$correct-curp", asks("curp", textValue("BEML920313HCMLNS09"), "reason", textValue("acta corregida")))
		for _, text := range []string{`"value":"PEGJ900512HJCRRS04","use":"old","period":{"end":"`, `"use":"official","system":"` + curpSystem + `","value":"BEML920313HCMLNS09"`, `"level","valueCode":"checksum"`} {
			if !strings.Contains(got, text) {
				s.Errorf("it does not have %s: %s", text, got)
			}
		}
		if got := s.must(200, "system", "GET", "Provenance?target=Patient/a", ""); !strings.Contains(got, "acta corregida") {
			s.Errorf("no Provenance says why: %s", got)
		}
	})
	where := []string{"--data", t.TempDir()}
	s := newRightsScene(t, where, "--renapo-simulator")
	s.must(201, "system", "PUT", "Patient/a", patientWith("a", curpOf("PEGJ900512HJCRRS04", "")))
	got := s.must(200, "clinician", "POST", "Patient/a/$verify-curp", "")
	if !strings.Contains(got, `"simulated","valueBoolean":true`) || strings.Contains(got, "renapo-verified") || !strings.Contains(got, "SIMULATED") {
		t.Errorf("a simulator confirms: %s", got)
	}
}

// TestNothingMakesCURP: no operation says that it makes a CURP, and none of those that touch
// identity answers with one that it was not told.
func TestNothingMakesCURP(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]`)
	s := newRightsScene(t, []string{"--data", t.TempDir()}, "--renapo-simulator")
	s.must(201, "system", "PUT", "Patient/a", `{"resourceType":"Patient","id":"a","name":[{"use":"official","family":"Pérez García","given":["Juan"]}],"birthDate":"1990-05-12","gender":"male"}`)
	st, err := storage{Data: t.TempDir()}.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, op := range operations(st) {
		if regexp.MustCompile(`(generate|make|create|expected|new)-?curp`).MatchString(op.Name) {
			t.Errorf("$%s", op.Name)
		}
		for _, path := range callable(&op) {
			for _, method := range []string{"GET", "POST"} {
				body := ""
				if method == "POST" {
					body = `{"resourceType":"Parameters"}`
				}
				_, out := s.do("system", method, path, body)
				if found := shape.FindString(out); found != "" {
					t.Errorf("%s %s answers with %s", method, path, found)
				}
			}
		}
	}
	if got := s.must(200, "system", "GET", "Patient/a", ""); shape.MatchString(got) {
		t.Errorf("somebody made a CURP: %s", got)
	}
}

// callable is where an operation can be called on the Patient of the test.
func callable(op *operation.Operation) []string {
	var all []string
	if op.Scope&operation.OnSystem != 0 {
		all = append(all, "$"+op.Name)
	}
	if op.On("Patient") && op.Scope&operation.OnType != 0 {
		all = append(all, "Patient/$"+op.Name)
	}
	if op.On("Patient") && op.Scope&operation.OnInstance != 0 {
		all = append(all, "Patient/a/$"+op.Name)
	}
	return all
}

// preferring writes as the system, and asks for an outcome.
func (s *rightsScene) preferring(method, path, body string) string {
	s.Helper()
	req, err := http.NewRequest(method, s.p.base+"/"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens["system"])
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("Prefer", "return=OperationOutcome")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return string(raw)
}
