package dose

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// given records a dose and returns its reference.
func (w *world) given(patient, vaccine, lot string, more ...string) string {
	w.Helper()
	r := w.must("record-dose", append([]string{ref("patient", "Patient/"+patient), str("vaccine", vaccine), str("lot", lot)}, more...)...)
	return "Immunization/" + text(r.doc(w, "immunization"), 0, "id")
}

// TestAmend: what was recorded wrong is corrected as a new version, with who and why.
func TestAmend(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2025-01-15", "")
		dose := w.given("a", "03", "M1", str("when", "2026-02-01"))
		w.refused(fhir.Invalid, "", "amend-dose "+dose, str("lot", "M2"))
		w.refused(fhir.Unprocessable, "dose-before-birth", "amend-dose "+dose, str("when", "2024-02-01"), str("reason", "x"))
		w.refused(fhir.Unprocessable, "too-young", "amend-dose "+dose, str("when", "2025-12-01"), str("reason", "fecha equivocada"))
		r := w.must("amend-dose "+dose, str("lot", "M2"), str("note", "se leyó mal"), str("reason", "lote equivocado"))
		for _, want := range []string{`"lotNumber":"M2"`, `"versionId":"2"`, `"occurrenceDateTime":"2026-02-01"`, `"se leyó mal"`, `"Rosa Luna"`, `"doseNumberPositiveInt":1`} {
			if !strings.Contains(r.raw, want) {
				w.Errorf("%s is not in %s", want, r.raw)
			}
		}
		w.must("amend-dose "+dose, str("when", "2025-12-01"), str("reason", "fecha equivocada"), over("así fue", "too-young"))
		if n := w.count("Provenance", search.Param{Name: "target", Value: dose}); n != 3 {
			w.Errorf("%d Provenance", n)
		}
		was := w.caller
		w.caller.Org = "DFSSA000009"
		w.refused(fhir.Forbidden, "", "amend-dose "+dose, str("lot", "M3"), str("reason", "x"))
		w.refused(fhir.Forbidden, "", "refute-dose "+dose, str("reason", "x"))
		w.caller.Roles = []string{Manager}
		w.must("amend-dose "+dose, str("lot", "M3"), str("reason", "x"))
		w.caller = was
		gone := w.must("refute-dose "+dose, str("reason", "otra persona"))
		for _, want := range []string{`"entered-in-error"`, `"otra persona"`, `"versionId":"5"`} {
			if !strings.Contains(gone.raw, want) {
				w.Errorf("%s is not in %s", want, gone.raw)
			}
		}
		if len(gone.parts["evaluation"]) != 0 {
			w.Errorf("a refuted dose is judged: %s", gone.raw)
		}
		w.refused(fhir.Conflict, "", "refute-dose "+dose, str("reason", "x"))
		w.refused(fhir.NotFound, "", "refute-dose Immunization/none", str("reason", "x"))
		w.given("a", "03", "M1", str("when", "2026-02-01")) // what was refuted stands in nobody's way
	})
}

// TestRecall: a recall finds whoever was given the lot however it was written, marks their
// doses, follows them up, and warns of the next.
func TestRecall(t *testing.T) {
	onEngines(t, func(w *world) {
		for i, lot := range []string{"AB-123", "ab123", "Ab 123", "A-B1 23", "AB1234", "AB-123"} {
			w.patient(fmt.Sprint("p", i), "2026-02-01", fmt.Sprintf(`,"name":[{"family":"Luna","given":["N%d"]}],"telecom":[{"system":"phone","value":"555000%d"}]`, i, i))
			if i == 5 { // of another manufacturer
				w.given(fmt.Sprint("p", i), "08", lot, str("manufacturer", "Otro"))
				continue
			}
			w.given(fmt.Sprint("p", i), "08", lot, str("manufacturer", "Sanofi Pasteur"))
		}
		w.refused(fhir.Invalid, "", "recall-lot", str("lot", "AB123"))
		r := w.must("recall-lot", str("lot", "ab 123"), str("manufacturer", "SANOFI"), str("vaccine", "08"), str("reason", "partículas"), str("followUp", "task"))
		if r.text("marked") != "3" || r.text("finished") != "true" {
			w.Fatalf("%s", r.raw)
		}
		if n := w.count("Task", search.Param{Name: "priority", Value: "urgent"}); n != 3 {
			w.Errorf("%d tasks", n)
		}
		again := w.must("recall-lot", str("lot", "AB123"), str("manufacturer", "Sanofi"), str("reason", "partículas"), str("followUp", "task"))
		if again.text("marked") != "0" || w.count("Medication") != 1 || w.count("Task") != 3 {
			w.Errorf("the same recall again: %s", again.raw)
		}
		w.patient("q", "2026-02-01", "")
		w.put(`{"resourceType":"Medication","id":"m","status":"active","identifier":[{"system":"` + LotSystem + `","value":"HB9"}],"manufacturer":{"display":"Otro"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"08"}]},"batch":{"lotNumber":"HB-9","expirationDate":"2026-03-01"}}`)
		w.refused(fhir.Unprocessable, "dose-expired", "record-dose", ref("patient", "Patient/q"), str("vaccine", "08"), str("lot", "hb9")) // as the registry knows
		w.refused(fhir.Unprocessable, "lot-recalled", "record-dose", ref("patient", "Patient/q"), str("vaccine", "08"), str("lot", "AB123"), str("manufacturer", "Sanofi Pasteur"))
		w.refused(fhir.Unprocessable, "lot-recalled", "record-dose", ref("patient", "Patient/q"), str("vaccine", "08"), str("lot", "AB123"))
		w.refused(fhir.Unprocessable, "lot-unknown", "record-dose", ref("patient", "Patient/q"), str("vaccine", "08"), str("lot", "OTRO"), over("x", "lot-recalled"), str("manufacturer", "Otro"))
		// The dose counts no more: the first is due again.
		status := w.must("record-dose", ref("patient", "Patient/p0"), str("vaccine", "08"), str("lot", "AB-123"), str("manufacturer", "Sanofi Pasteur"), over("x", "lot-recalled"))
		if !strings.Contains(status.raw, `"Sub-standard"`) || status.text("nextVisit") != "2026-03-19" {
			w.Errorf("a recalled dose counts: %s", status.raw)
		}
	})
}

// TestRecipients: pages and files of who was given a lot, as far as the caller may see.
func TestRecipients(t *testing.T) {
	onEngines(t, func(w *world) {
		for i, lot := range []string{"@AB-1", "ab1", "AB2"} {
			w.patient(fmt.Sprint("p", i), "2026-02-01", fmt.Sprintf(`,"name":[{"family":"Luna","given":["=N%d"]}],"telecom":[{"system":"phone","value":"+5255000%d"}]`, i, i))
			w.given(fmt.Sprint("p", i), "08", lot)
		}
		if r := w.must("lot-recipients", str("lot", "AB 1")); len(r.parts["match"]) != 2 {
			w.Errorf("%v", r.parts)
		}
		w.put(`{"resourceType":"Immunization","id":"old","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"08"}]},"patient":{"reference":"Patient/p0"},"occurrenceDateTime":"2026-02","lotNumber":"ab-1","location":{"reference":"Location/l9"}}`)
		w.put(`{"resourceType":"Location","id":"l9","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA000009"}],"name":"Nueve"}`)
		if r := w.must("lot-recipients", str("lot", "AB 1"), str("facility", "DFSSA000009")); len(r.parts["match"]) != 1 {
			w.Errorf("of the facility of a Location: %v", r.parts)
		}
		w.refused(fhir.Forbidden, "", "amend-dose Immunization/old", str("lot", "AB3"), str("reason", "x"))
		if r := w.must("lot-recipients", str("lot", "AB 1"), str("facility", "DFSSA000002")); len(r.parts["match"]) != 0 {
			w.Errorf("of another facility: %v", r.parts)
		}
		file := w.must("lot-recipients:"+mediaCSV, str("lot", "AB1")).raw
		for _, want := range []string{"facility,place,date", "DFSSA000001,Centro de Salud Uno,2026-03-19", "'@AB-1", "'=N0 Luna", "+52550000"} {
			if !strings.Contains(file, want) {
				w.Errorf("%s is not in %s", want, file)
			}
		}
		if lines := strings.Count(w.must("lot-recipients:"+mediaNDJSON, str("lot", "AB1"), str("from", "2026-03-19"), str("until", "2026-03-19")).raw, "\n"); lines != 2 {
			w.Errorf("%d lines", lines)
		}
		if lines := strings.Count(w.must("lot-recipients:"+mediaNDJSON, str("lot", "AB1"), str("from", "2026-03-20")).raw, "\n"); lines != 0 {
			w.Errorf("%d lines", lines)
		}
		w.only = &search.Restriction{Types: map[string][]search.Expr{"Immunization": nil}} // no Patients
		if file := w.must("lot-recipients:"+mediaCSV, str("lot", "AB1")).raw; strings.Contains(file, "Luna") || strings.Count(file, "\n") != 4 {
			w.Errorf("%s", file)
		}
		w.only = &search.Restriction{Types: map[string][]search.Expr{"Patient": nil}}
		if r := w.must("lot-recipients", str("lot", "AB 1")); len(r.parts["match"]) != 0 {
			w.Errorf("doses that are not shown: %v", r.parts)
		}
	})
}

// TestEvents: an ESAVI leads to its lot, is kept once, and is counted without names.
func TestEvents(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2025-03-01", "")
		w.patient("b", "2025-03-01", "")
		one, two := w.given("a", "03", "M-1", str("manufacturer", "Serum")), w.given("b", "03", "m1", str("manufacturer", "Serum"))
		say := []string{ref("immunization", one), str("event", "Convulsión febril"), str("onset", "2026-03-19"), str("seriousness", "SeriousResultsInHospitalization"), str("outcome", "recovering"), str("causality", "B1")}
		r := w.must("report-esavi", say...)
		for _, want := range []string{`"Convulsión febril"`, `"instance":{"reference":"` + one, `"reference":"Patient/a"`, `"M-1"`, `"actuality":"actual"`, `"recorder"`, `"B1"`} {
			if !strings.Contains(r.raw, want) {
				w.Errorf("%s is not in %s", want, r.raw)
			}
		}
		if again := w.must("report-esavi", say...); again.text("outcome") != "unchanged" || w.count("AdverseEvent") != 1 {
			w.Errorf("told twice: %s", again.raw)
		}
		w.must("report-esavi", ref("immunization", two), str("event", "Fiebre"))
		for _, c := range []struct {
			rules string
			with  []string
		}{
			{"esavi-onset", []string{ref("immunization", one), str("event", "x"), str("onset", "2026-03-18")}},
			{"esavi-onset", []string{ref("immunization", one), str("event", "x"), str("onset", "2026-03-25")}},
			{"esavi-seriousness", []string{ref("immunization", one), str("event", "x"), str("seriousness", "grave")}},
			{"esavi-death", []string{ref("immunization", one), str("event", "x"), str("outcome", "fatal")}},
			{"esavi-death", []string{ref("immunization", one), str("event", "x"), str("outcome", "resolved"), str("seriousness", "SeriousResultsInDeath")}},
			{"esavi-patient", []string{ref("immunization", one), ref("immunization", two), str("event", "x")}},
		} {
			w.refused(fhir.Unprocessable, c.rules, "report-esavi", c.with...)
		}
		w.refused(fhir.Invalid, "", "report-esavi", ref("immunization", one))
		counted := w.must("esavi-by-lot")
		for _, want := range []string{`"name":"events","valueUnsignedInt":2`, `"name":"serious","valueUnsignedInt":1`, `"name":"fatal","valueUnsignedInt":0`, `"name":"doses","valueUnsignedInt":2`} {
			if !strings.Contains(counted.raw, want) {
				w.Errorf("%s is not in %s", want, counted.raw)
			}
		}
		if strings.Contains(counted.raw, "Patient/") {
			w.Errorf("it tells of patients: %s", counted.raw)
		}
		if file := w.must("esavi-by-lot:"+mediaCSV, str("lot", "M1")).raw; file != "lot,manufacturer,vaccine,events,serious,fatal,doses\nM-1,Serum,03,2,1,0,2\n" && file != "lot,manufacturer,vaccine,events,serious,fatal,doses\nm1,Serum,03,2,1,0,2\n" {
			w.Errorf("%s", file)
		}
		w.only = &search.Restriction{Types: map[string][]search.Expr{"AdverseEvent": nil}}
		if r := w.must("esavi-by-lot"); r.text("count") != "0" {
			w.Errorf("doses that are not shown: %s", r.raw)
		}
	})
}

// TestLot: lots that people write differently are one, and the index is asked for each way
// of writing that has one gap, or gaps where letters and digits meet.
func TestLot(t *testing.T) {
	for _, c := range [][2]string{{"ab-123 x", "AB123X"}, {"AB/123.X", "AB123X"}, {" Áb_1 ", "AB1"}, {"-- .", ""}, {"", ""}, {"0E-1", "0E1"}} {
		if got := Lot(c[0]); got != c[1] {
			t.Errorf("Lot(%q) is %q, not %q", c[0], got, c[1])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`[A-Za-z]{1,4}[ -/.]?[0-9]{1,5}[ -]?[A-Za-z]{0,2}`).Draw(t, "lot")
		folded := search.Fold(number)
		found := false
		for _, s := range spellings(Lot(number)) {
			found = found || s == folded
			if Lot(s) != Lot(number) {
				t.Fatalf("%q is looked for as %q, which is another lot", number, s)
			}
		}
		if !found && strings.Trim(folded, "abcdefghijklmnopqrstuvwxyz0123456789 ") == "" {
			t.Fatalf("%q, stored as %q, is not found by %q", number, folded, spellings(Lot(number)))
		}
	})
}

// TestRule: whichever way an Immunization comes, it was not given in the future nor before
// birth; history of any precision passes.
func TestRule(t *testing.T) {
	rule := &Rule{Now: func() time.Time { return now }, Kept: func(_ context.Context, id string) bool { return id == "refuses" }, Patient: func(_ context.Context, id string) (fhir.Resource, error) {
		switch id {
		case "a":
			return fhir.Resource{JSON: []byte(`{"resourceType":"Patient","id":"a","birthDate":"2025-06-15"}`)}, nil
		case "refuses":
			return fhir.Resource{JSON: []byte(`{"resourceType":"Patient","id":"refuses","birthDate":"2025-06-15"}`)}, nil
		case "hidden":
			return fhir.Resource{JSON: []byte(`{"resourceType":"Patient","id":"a","meta":{"security":[{"code":"R"}]},"birthDate":"2025-06-15"}`)}, nil
		}
		return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "none")
	}}
	for _, c := range []struct{ patient, when, want string }{
		{"Patient/a", "2025-06-15", ""}, {"Patient/a", "2025-06", ""}, {"Patient/a", "2025", ""}, {"Patient/a", "2025-06-14", "dose-before-birth"}, {"Patient/a", "2025-05", "dose-before-birth"},
		{"Patient/a", "2025-06-15T00:12:17+00:00", ""}, {"Patient/a", "2025-06-14T23:50:00-06:00", "dose-before-birth"}, {"Patient/a", "2025-06-14T23:12:17+00:00", "dose-before-birth"},
		{"Patient/a", "2024", "dose-before-birth"}, {"Patient/a", "2026-03-19", ""}, {"Patient/a", "2026-03-20", "dose-future"}, {"Patient/a", "2026-03", ""}, {"Patient/a", "2026-04", "dose-future"},
		{"Patient/a", "2026", ""}, {"Patient/a", "2027", "dose-future"}, {"Patient/a", "2026-03-20T05:00:00Z", ""}, {"Patient/hidden", "2024", ""}, {"Patient/refuses", "2024", ""}, {"Patient/refuses", "2027", "dose-future"}, {"Patient/none", "1950", ""}, {"http://h/Patient/a", "1950", ""},
	} {
		d, err := element.Parse(fmt.Appendf(nil, `{"resourceType":"Immunization","status":"completed","patient":{"reference":%q},"occurrenceDateTime":%q}`, c.patient, c.when))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, i := range rule.Check(d, 0, "Immunization") {
			got += i.Rule
			if i.Expression == "" || i.Line == 0 {
				t.Errorf("%+v names no place", i)
			}
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, not %q", c.patient, c.when, got, c.want)
		}
	}
	d, err := element.Parse([]byte(`{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","birthDate":"2026-01-01"}},{"resource":{"resourceType":"Immunization","patient":{"reference":"urn:uuid:1"},"occurrenceDateTime":"2025-01-01"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var last element.Node
	for e := range items(d, 0, "entry") {
		last = d.Get(e, "resource")
	}
	if got := rule.Check(d, last, "Immunization"); len(got) != 1 || got[0].Rule != "dose-before-birth" {
		t.Errorf("a patient of the same Bundle: %v", got)
	}
}
