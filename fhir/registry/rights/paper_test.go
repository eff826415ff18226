package rights

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// The copy of a record on paper is in words: no codes of states and classes, no names of
// types, and one way to write a day.
func TestPaperSpeaks(t *testing.T) {
	p := &parcel{now: time.Date(2026, 11, 22, 11, 0, 0, 0, mexicoCity), call: &operation.Call{ID: "p"}}
	for _, json := range []string{
		`{"resourceType":"Patient","id":"p","name":[{"family":"Ruiz","given":["Ana"]}],"birthDate":"1956-04-27","gender":"female","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"RUIA560427MVZRRL04"}]}`,
		`{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"effectiveDateTime":"2026-11-05T10:05:00-06:00","valueQuantity":{"value":88,"unit":"/min"}}`,
		`{"resourceType":"Observation","id":"o2","status":"preliminary","code":{"coding":[{"system":"http://loinc.org","code":"10-1","display":"Otra cosa"}]},"effectiveDateTime":"2026-11"}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"period":{"start":"2026-11-05T10:00:00-06:00"}}`,
		`{"resourceType":"MedicationRequest","id":"m","status":"active","medicationCodeableConcept":{"text":"Amoxicilina"},"authoredOn":"2026-11-05"}`,
		`{"resourceType":"DocumentReference","id":"d","status":"current","type":{"coding":[{"system":"http://loinc.org","code":"60591-5","display":"Patient summary Document"}]},"date":"2026-11-23T04:39:00Z"}`,
		`{"resourceType":"ServiceRequest","id":"s","status":"completed","code":{"text":"BH"}}`, `{"resourceType":"Binary","id":"b","contentType":"text/plain"}`,
		`{"resourceType":"Bundle","id":"b","type":"document"}`, `{"resourceType":"List","id":"l","status":"current","title":"Lista"}`,
		`{"resourceType":"ImmunizationRecommendation","id":"i","date":"2026-11-22"}`,
		`{"resourceType":"Composition","id":"c","status":"preliminary","title":"Nota","date":"2026-11-22T10:00:00-06:00","section":[{"title":"Plan","text":{"div":"<div>Reposo</div>"}}]}`,
	} {
		doc, err := element.Parse([]byte(json))
		if err != nil {
			t.Fatal(err)
		}
		p.all = append(p.all, fhir.Resource{Ref: fhir.Ref{Type: doc.TextAt(0, "resourceType"), ID: doc.TextAt(0, "id")}, JSON: []byte(json)})
	}
	p.patient, p.events = &p.all[0], [][]byte{[]byte(`{"recorded":"2026-11-22T16:00:00Z","text":{"div":"<div>2026-11-22 16:00 UTC: Ana miró</div>"}}`)}
	doc := p.page()
	html, err := doc.HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(html), " ")), " ")
	for _, want := range []string{
		"CURP RUIA560427MVZRRL04", "27/04/1956", "05/11/2026 10:05 Frecuencia cardiaca 88 por minuto", "11/2026 Otra cosa preliminar", "05/11/2026 10:00 Consulta externa terminado",
		"05/11/2026 Amoxicilina vigente", "22/11/2026 22:39 Resumen del paciente vigente", "Solicitudes de estudios y servicios (1)", "BH realizado", "Archivos (1)", "carpeta adjuntos",
		"Documentos fijos (1)", "Vacunas que corresponden (1)", "Nota 22/11/2026 10:00", "Reposo", "22/11/2026 10:00 Ana miró", "Lista vigente",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	for _, code := range []string{"finished", "preliminary", "active", "AMB", "8867-4", "Binary (", "Bundle (", "List (", "2026-11-", "T10:"} {
		if at := strings.Index(text, code); at >= 0 {
			t.Errorf("the page says %q: %s", code, text[max(0, at-60):min(len(text), at+60)])
		}
	}
}

// Every day is written in one way, and what is no day stays.
func TestWritten(t *testing.T) {
	for _, c := range [][2]string{
		{"2026-11-05T10:00:00-06:00", "05/11/2026 10:00"}, {"2026-11-05T10:00:00-08:00", "05/11/2026 10:00"}, {"2026-11-05T03:00:00Z", "04/11/2026 21:00"},
		{"2026-11-05T03:00:00.123Z", "04/11/2026 21:00"}, {"2026-11-05", "05/11/2026"}, {"2026-11", "11/2026"}, {"2026", "2026"}, {"", ""}, {"hoy", "hoy"},
	} {
		if got := written(c[0], mexicoCity); got != c[1] {
			t.Errorf("%q is %q, want %q", c[0], got, c[1])
		}
	}
}
