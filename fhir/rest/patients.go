package rest

import (
	"bytes"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

var (
	patientType  = []byte(`Patient/`)
	referenceTo  = []byte(`"reference":"`)
	oddSlash     = []byte(`\/`)
	oddCharacter = []byte(`\u`)
)

// PatientsIn returns the ids of the patients to whom a resource, in compact JSON,
// refers: perhaps some of them more than once.
func PatientsIn(json []byte) []string { return patientsIn(nil, json) }

// patientsIn appends the ids of the patients to whom a resource, in compact JSON,
// refers anywhere: those whom it concerns. It reads every answer, so that it looks
// for the references without taking the JSON apart; one that is written with
// escapes, as nearly none is, is parsed.
func patientsIn(dst []string, json []byte) []string {
	if bytes.Contains(json, oddSlash) || bytes.Contains(json, oddCharacter) {
		return patientsParsed(dst, json)
	}
	for rest := json; ; {
		at := bytes.Index(rest, patientType)
		if at < 0 {
			return dst
		}
		before := rest[:at]
		rest = rest[at+len(patientType):]
		quote := bytes.LastIndexByte(before, '"')
		if quote < 0 || !bytes.HasSuffix(before[:quote+1], referenceTo) {
			continue
		}
		if end := bytes.IndexByte(rest, '"'); end > 0 {
			dst = appendID(dst, rest[:end])
		}
	}
}

// appendID appends the id at the start of what follows "Patient/".
func appendID(dst []string, rest []byte) []string {
	if end := bytes.IndexAny(rest, "/|#"); end >= 0 {
		rest = rest[:end]
	}
	if id := string(rest); fhir.ValidID(id) {
		dst = append(dst, id)
	}
	return dst
}

// patientsParsed is patientsIn for any JSON.
func patientsParsed(dst []string, json []byte) []string {
	doc, err := element.Parse(json)
	if err != nil {
		return dst
	}
	for n := range element.Node(doc.Len()) {
		if doc.Kind(n) != element.String || string(doc.Name(n)) != "reference" {
			continue
		}
		text := doc.Bytes(n)
		if at := bytes.LastIndex(text, patientType); at >= 0 && (at == 0 || text[at-1] == '/') {
			dst = appendID(dst, text[at+len(patientType):])
		}
	}
	return dst
}
