package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestVersionsOfAnother: who may see a resource as it is now sees nothing of what it was
// about somebody else, whether it was corrected or deleted and made again, and however
// it is tied to them.
func TestVersionsOfAnother(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, _ func() string) {
		s := newRightsScene(t, where)
		s.fill()
		put := func(at, members string) {
			s.Helper()
			typ, id, _ := strings.Cut(at, "/")
			if status, got := s.do("system", "PUT", at, fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, members)); status >= 300 {
				s.Fatalf("%s: %d %s", at, status, got)
			}
		}
		for _, id := range []string{"p", "q"} {
			put("DocumentReference/d"+id, `"status":"current","subject":{"reference":"Patient/`+id+`"},"content":[{"attachment":{"url":"Binary/moved"}}]`)
		}
		const ofP, ofQ = "T3RyYSBwZXJzb25h", "UHJvcGlv" // base64
		binary := func(at, context, data string) {
			s.Helper()
			put(at, `"contentType":"text/plain","securityContext":{"reference":"`+context+`"},"data":"`+data+`"`)
		}
		binary("Binary/moved", "DocumentReference/dp", ofP)
		binary("Binary/moved", "DocumentReference/dq", ofQ)
		binary("Binary/again", "DocumentReference/dp", ofP)
		s.must(http.StatusNoContent, "system", "DELETE", "Binary/again", "")
		binary("Binary/again", "Patient/q", ofQ)
		binary("Binary/same", "DocumentReference/dq", ofP)
		binary("Binary/same", "DocumentReference/dq", ofQ)
		for _, at := range []string{"Binary/moved", "Binary/again"} {
			if got := s.must(200, "other", "GET", at+"?_format=json", ""); !strings.Contains(got, ofQ) {
				s.Errorf("%s: %s", at, got)
			}
			s.must(404, "other", "GET", at+"/_history/1?_format=json", "")
			s.must(404, "other", "GET", at+"/_history/1", "")
			if got := s.must(200, "other", "GET", at+"/_history", ""); strings.Contains(got, ofP) || !strings.Contains(got, ofQ) {
				s.Errorf("the history of %s: %s", at, got)
			}
		}
		if got := s.must(200, "other", "GET", "Binary/same/_history", ""); !strings.Contains(got, ofP) || !strings.Contains(got, ofQ) {
			s.Errorf("versions of one's own: %s", got)
		}
		observation := func(at, patient, more string) {
			s.Helper()
			put(at, `"status":"final","code":{"text":"Dicho `+more+`"},"subject":{"reference":"Patient/`+patient+`"}`)
		}
		observation("Observation/moved", "p", "DEPEPE")
		observation("Observation/moved", "q", "DEQU")
		s.must(200, "clinician", "GET", "Observation/moved/_history/1", "") // nobody minds yet
		s.resolve(200, s.file("patient", "right", codeValue("cancelacion")), "grant")
		s.must(200, "clinician", "GET", "Observation/moved/_history/2", "")
		s.must(404, "clinician", "GET", "Observation/moved/_history/1", "")
		for _, path := range []string{"Observation/moved/_history", "Observation/_history?_count=500", "_history?_count=500"} {
			if got := s.must(200, "clinician", "GET", path, ""); strings.Contains(got, "DEPEPE") || !strings.Contains(got, "DEQU") {
				s.Errorf("%s tells of who is blocked: %.2000s", path, got)
			}
		}
		if got := s.must(200, "officer", "GET", "Observation/moved/_history", ""); !strings.Contains(got, "DEPEPE") {
			s.Errorf("the officer sees %s", got)
		}
	})
}
