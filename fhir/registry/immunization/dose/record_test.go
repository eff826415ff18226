package dose

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// TestRecord: one call records a dose, and says what it means and what is next.
func TestRecord(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2026-02-12", `,"gender":"female","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"LUNA260212MDFXXX09"}]`)
		r := w.must("record-dose", str("curp", "LUNA260212MDFXXX09"), str("vaccine", "08"), str("lot", "HB-1 23"), str("expiry", "2027-06"), str("site", "LT"), str("route", "IM"), str("quantity", "0.50"), str("campaign", "SNV-2026"))
		if r.status != 201 || r.text("outcome") != "created" {
			w.Fatalf("%d %s", r.status, r.raw)
		}
		for _, want := range []string{
			`"status":"completed"`, `"patient":{"reference":"Patient/a"}`, `"lotNumber":"HB-1 23"`, `"expirationDate":"2027-06"`, `"value":0.50`, `"occurrenceDateTime":"2026-03-19T10:00:00-06:00"`, `"primarySource":true`,
			`"value":"1234567"`, `"display":"Rosa Luna"`, `"display":"Centro de Salud Uno"`, `"value":"DFSSA000001"`, `"reference":"Location/l1"`, `"code":"836374004"`, `"code":"08"`, `"doseNumberPositiveInt":1`, `"66071002"`, `"SNV-2026"`,
		} {
			if !strings.Contains(r.raw, want) {
				w.Errorf("%s is not in %s", want, r.raw)
			}
		}
		if got := string(r.parts["evaluation"][0]); !strings.Contains(got, `"Valid"`) || !strings.Contains(got, `"HepB"`) {
			w.Errorf("evaluation: %s", got)
		}
		if got := r.text("nextVisit"); got != "2026-04-16" { // 4 weeks after this dose
			w.Errorf("next visit: %s in %s", got, r.raw)
		}
		id := text(r.doc(w, "immunization"), 0, "id")
		if n := w.count("Provenance", search.Param{Name: "target", Value: "Immunization/" + id}); n != 1 {
			w.Errorf("%d Provenance", n)
		}
	})
}

// TestRefuses: what is impossible is refused, with the element and the rule, and nothing is stored.
func TestRefuses(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2025-01-10", `,"gender":"male"`)
		w.patient("dead", "2020-01-10", `,"deceasedDateTime":"2026-03-01T10:00:00Z"`)
		w.patient("gone", "2020-01-10", `,"deceasedBoolean":true`)
		w.patient("boy", "2014-01-10", `,"gender":"male"`)
		a, lot, hepb := ref("patient", "Patient/a"), str("lot", "X1"), str("vaccine", "08")
		for _, c := range []struct {
			rules string
			with  []string
		}{
			{"dose-before-birth", []string{a, hepb, lot, str("when", "2025-01-09")}},
			{"dose-before-birth", []string{a, hepb, lot, str("when", "2024"), str("origin", "record")}},
			{"dose-future", []string{a, hepb, lot, str("when", "2026-03-20")}},
			{"dose-future", []string{a, hepb, lot, str("when", "2026-03-19T17:30:00Z")}},
			{"dose-date", []string{a, hepb, lot, str("when", "2026-02-30")}},
			{"dose-date", []string{a, hepb, lot, str("when", "ayer")}},
			{"dose-date", []string{a, hepb, lot, str("when", "2026-02")}}, // given here: to the day
			{"dose-vaccine", []string{a, lot, str("vaccine", "9876")}},
			{"dose-vaccine", []string{a, lot, p("vaccine", `"valueCoding":{"system":"http://snomed.info/sct","code":"22298006"}`)}},
			{"dose-vaccine", []string{a, lot}},
			{"dose-product", []string{a, lot, str("product", "07501234567890")}},
			{"dose-expired", []string{a, hepb, lot, str("expiry", "2026-03-18")}},
			{"dose-expired", []string{a, hepb, lot, str("expiry", "2026-02")}},
			{"dose-expiry", []string{a, hepb, lot, str("expiry", "18/03/2027")}},
			{"dose-lot", []string{a, hepb, str("lot", "--")}},
			{"dose-origin", []string{a, hepb, lot, str("origin", "vecina")}},
			{"dose-not-done", []string{a, hepb, str("notDone", "PORQUE")}},
			{"dose-deceased", []string{ref("patient", "Patient/dead"), hepb, lot}},
			{"dose-deceased", []string{ref("patient", "Patient/gone"), hepb, lot}},
			{"dose-patient", []string{ref("patient", "Patient/nobody"), hepb, lot}},
			{"dose-patient", []string{str("curp", "XEXX010101HNEXXXA4"), hepb, lot}},
			{"dose-performer", []string{a, hepb, lot, ref("performer", "Practitioner/nobody")}},
			{"dose-before-birth dose-expired", []string{a, hepb, lot, str("when", "2025-01-09"), str("expiry", "2024-12")}},
		} {
			w.refused(fhir.Unprocessable, c.rules, "record-dose", c.with...)
		}
		w.refused(fhir.Invalid, "", "record-dose", a, hepb, lot, str("lotnumber", "x"))
		w.refused(fhir.Invalid, "", "record-dose", a, hepb, lot, str("lot", "y"))
		w.refused(fhir.Forbidden, "", "record-dose", a, hepb, lot, str("clues", "DFSSA000002"))
		if n := w.count("Immunization") + w.count("Provenance"); n != 0 {
			w.Errorf("%d resources were stored", n)
		}
		// Right up to the edges it is taken.
		w.must("record-dose", a, hepb, lot, str("when", "2025-01-10"), str("expiry", "2025-01-10"))
		w.must("record-dose", ref("patient", "Patient/dead"), hepb, lot, str("when", "2026-03-01"), over("x", "not-needed"))
	})
}

// TestWarnings: what is against the schedule waits for a reason, which stays with the dose.
func TestWarnings(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2025-03-30", `,"gender":"male"`) // not a year old: 350 days
		mmr := []string{ref("patient", "Patient/a"), str("vaccine", "03"), str("lot", "M1"), str("when", "2026-03-10")}
		w.refused(fhir.Unprocessable, "too-young", "record-dose", mmr...)
		w.refused(fhir.Unprocessable, "too-young", "record-dose", append(mmr, over("brote", "too-soon"))...)
		w.refused(fhir.Unprocessable, "lot-missing too-young", "record-dose", mmr[0], mmr[1], mmr[3])
		if n := w.count("Immunization"); n != 0 {
			w.Fatalf("%d stored", n)
		}
		r := w.must("record-dose", append(mmr, over("brote de sarampión", "too-young"))...)
		if !strings.Contains(r.raw, OverrideURL) || !strings.Contains(r.raw, "brote de sarampión") || strings.Contains(r.raw, "protocolApplied") {
			w.Errorf("the reason is not kept: %s", r.raw)
		}
		if got := string(r.parts["evaluation"][0]); !strings.Contains(got, "too young") {
			w.Errorf("evaluation: %s", got)
		}
		// A live vaccine too shortly after another, told as history: it is a fact, and only said.
		w.patient("live", "2024-03-30", "")
		w.must("record-dose", ref("patient", "Patient/live"), str("vaccine", "03"), str("lot", "M1"), str("when", "2026-03-10"))
		w.refused(fhir.Unprocessable, "live-conflict", "record-dose", ref("patient", "Patient/live"), str("vaccine", "21"), str("lot", "V"), str("when", "2026-03-15"))
		r = w.must("record-dose", ref("patient", "Patient/live"), str("vaccine", "21"), str("when", "2026-03-15"), str("origin", "record"), str("sourceText", "cartilla de Guatemala"))
		for _, want := range []string{"live-conflict", `"primarySource":false`, "cartilla de Guatemala", `"information"`} {
			if !strings.Contains(r.raw, want) {
				w.Errorf("%s is not in %s", want, r.raw)
			}
		}
		w.patient("b", "2020-01-01", "")
		w.refused(fhir.Unprocessable, "not-in-schedule", "record-dose", ref("patient", "Patient/b"), str("vaccine", "37"), str("lot", "YF"))
		w.put(`{"resourceType":"Patient","id":"c"}`)
		w.refused(fhir.Unprocessable, "birth-date-unknown", "record-dose", ref("patient", "Patient/c"), str("vaccine", "08"), str("lot", "H"))
		w.must("record-dose", ref("patient", "Patient/c"), str("vaccine", "08"), str("lot", "H"), over("sin papeles", "birth-date-unknown"))
		w.patient("boy", "2014-01-10", `,"gender":"male"`)
	})
}

// TestProduct: a product can be named by CVX, SNOMED CT, ATC, or a code of one's own.
func TestProduct(t *testing.T) {
	onEngines(t, func(w *world) {
		w.put(`{"resourceType":"Medication","id":"m","identifier":[{"system":"https://www.gs1.org/gtin","value":"07501234567890"}],"code":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"08"}]}}`)
		for i, product := range []string{
			str("vaccine", "08"), str("vaccine", "8"), p("vaccine", `"valueCoding":{"system":"http://snomed.info/sct","code":"836374004"}`), str("vaccine", "http://www.whocc.no/atc|J07BC01"),
			p("vaccine", `"valueCodeableConcept":{"coding":[{"system":"http://own","code":"x"},{"system":"http://hl7.org/fhir/sid/cvx","code":"08"}]}`), str("product", "07501234567890"), str("product", "https://www.gs1.org/gtin|07501234567890"),
		} {
			w.patient(fmt.Sprint("p", i), "2026-03-18", "")
			r, err := w.call("record-dose", ref("patient", fmt.Sprint("Patient/p", i)), product, str("lot", "X"))
			if err != nil && issuesOf(err) != "not-in-schedule" { // 45 and 999 are of no series here
				w.Errorf("%s: %v %s", product, err, issuesOf(err))
			} else if err == nil && !strings.Contains(r.raw, `"system":"http://hl7.org/fhir/sid/cvx"`) {
				w.Errorf("%s: %s", product, r.raw)
			}
		}
	})
}

// TestSame: one dose that two sources tell of is one resource, with what both know.
func TestSame(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2024-12-01", "")
		a := ref("patient", "Patient/a")
		told := []string{a, str("vaccine", "03"), str("when", "2026-01-15"), str("origin", "record"), str("sourceText", "cartilla")}
		first := w.must("record-dose", told...)
		if again := w.must("record-dose", told...); again.text("outcome") != "unchanged" {
			w.Errorf("the same again: %s", again.raw)
		}
		more := w.must("record-dose", append(told, str("lot", "AB 12"))...)
		if more.text("outcome") != "merged" || !strings.Contains(more.raw, `"lotNumber":"AB 12"`) || !strings.Contains(more.raw, `"versionId":"2"`) {
			w.Errorf("a missing lot: %s", more.raw)
		}
		given := w.must("record-dose", a, str("vaccine", "03"), str("when", "2026-01-15T11:00:00-06:00"), str("lot", "ab-12X"), str("route", "SQ"))
		if given.text("outcome") != "merged" || !strings.Contains(given.raw, `"primarySource":true`) || strings.Contains(given.raw, "reportOrigin") || !strings.Contains(given.raw, `"lotNumber":"ab-12X"`) {
			w.Errorf("who gave it knows better: %s", given.raw)
		}
		hearsay := w.must("record-dose", append(told, str("lot", "OTRO"), str("site", "LA"))...)
		if !strings.Contains(hearsay.raw, `"lotNumber":"ab-12X"`) || !strings.Contains(hearsay.raw, `"LA"`) {
			w.Errorf("hearsay fills only gaps: %s", hearsay.raw)
		}
		if x, y := text(first.doc(w, "immunization"), 0, "id"), text(hearsay.doc(w, "immunization"), 0, "id"); x != y || w.count("Immunization") != 1 {
			w.Errorf("%s and %s, %d in all", x, y, w.count("Immunization"))
		}
		// Another antigen on the same day is another dose, and so is another lot that was given here.
		w.must("record-dose", a, str("vaccine", "21"), str("when", "2026-01-15"), str("lot", "V1"))
		w.refused(fhir.Unprocessable, "same-day", "record-dose", a, str("vaccine", "03"), str("when", "2026-01-15"), str("lot", "ZZ9"))
		if n := w.count("Immunization"); n != 2 {
			w.Errorf("%d doses", n)
		}
	})
}

// TestNotDone: a dose that was not given is recorded with why, once.
func TestNotDone(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2025-01-01", "")
		say := []string{ref("patient", "Patient/a"), str("vaccine", "03"), str("notDone", "OSTOCK")}
		r := w.must("record-dose", say...)
		for _, want := range []string{`"status":"not-done"`, `"OSTOCK"`, `"overdue"`} {
			if !strings.Contains(r.raw, want) {
				w.Errorf("%s is not in %s", want, r.raw)
			}
		}
		if w.must("record-dose", say...).text("outcome") != "unchanged" || w.count("Immunization") != 1 {
			w.Error("recorded twice")
		}
		w.must("record-dose", ref("patient", "Patient/a"), str("vaccine", "03"), str("lot", "M")) // and then it was there
		if w.count("Immunization") != 2 {
			w.Error("the dose took the place of the one that was not given")
		}
	})
}

// TestMerged: a dose of a Patient who was merged into another goes to that one.
func TestMerged(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("old", "2026-03-01", "")
		w.patient("new", "2026-03-01", "")
		w.parts["old"] = "new"
		if r := w.must("record-dose", ref("patient", "Patient/old"), str("vaccine", "08"), str("lot", "X")); !strings.Contains(r.raw, `"reference":"Patient/new"`) {
			w.Error(r.raw)
		}
		w.parts["new"] = "old"
		w.refused(fhir.Conflict, "", "record-dose", ref("patient", "Patient/old"), str("vaccine", "08"), str("lot", "X"))
	})
}

// TestAtOnce: of many posts that record one dose at once, one does; and doses of different
// patients do not wait for one another.
func TestAtOnce(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2026-03-01", "")
		other := newWorld(w.T, w.store) // another server: it shares nothing but the store
		var wait sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		for i := range 50 {
			on := w
			if i%2 == 1 {
				on = other
			}
			wait.Go(func() {
				r, err := on.call("record-dose", ref("patient", "Patient/a"), str("vaccine", "08"), str("lot", "HB1"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					seen[err.Error()]++
				} else {
					seen[r.text("outcome")]++
				}
			})
		}
		wait.Wait()
		if seen["created"] != 1 || seen["unchanged"] != 49 || w.count("Immunization") != 1 {
			w.Errorf("%v, %d stored", seen, w.count("Immunization"))
		}
	})
}

// TestHidden: whoever may not see a patient records nothing about them, and learns nothing.
func TestHidden(t *testing.T) {
	onEngines(t, func(w *world) {
		w.patient("a", "2026-03-01", "")
		w.only = &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"b"}}}, "Immunization": nil}}
		w.refused(fhir.Unprocessable, "dose-patient", "record-dose", ref("patient", "Patient/a"), str("vaccine", "08"), str("lot", "X"), str("when", "1990-01-01"))
	})
}
