package giis

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
	"pgregory.net/rapid"
)

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"María José": "MARIA JOSE", "  núñez  ibáñez ": "NUÑEZ IBAÑEZ", "Güemes": "GUEMES", "D’Artagnan": "D'ARTAGNAN", "Ma. del Carmen": "MA. DEL CARMEN",
		"Pérez-Gil": "PEREZ-GIL", "A--B": "A-B", "A_B": "A B", "n\u0303": "Ñ", "": "", "漢字": "", "José (Pepe)": "JOSE PEPE", "Ana|Eva": "ANA EVA", "-.-": "-",
	} {
		if got := Name(in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		got := Name(rapid.String().Draw(t, "name"))
		if len([]rune(got)) >= 2 && nameForm(got) != "" {
			t.Fatalf("%q: %s", got, nameForm(got))
		}
		if Name(got) != got {
			t.Fatalf("%q becomes %q", got, Name(got))
		}
	})
}

func TestDisease(t *testing.T) {
	for in, want := range map[string]string{
		"R69": "R69X", "R30.0": "R300", "e11.9": "E119", "I10": "I10X", "S72.001A": "S720", "": "", "hello": "", "11": "", "MT09": "MT09", "Z00.0": "Z000", " J00 ": "J00X",
	} {
		if got := Disease(in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
}

// shelf is a store that holds resources in the order they were put there, and finds them
// by the few parameters that an export uses, by their plain meaning.
type shelf struct{ all []fhir.Resource }

func (s *shelf) put(typ, id, members string) {
	raw := fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, members)
	if !json.Valid([]byte(raw)) {
		panic(raw)
	}
	s.all = append(s.all, fhir.Resource{Ref: fhir.Ref{Type: typ, ID: id}, JSON: []byte(raw)})
}

func (s *shelf) Search(_ context.Context, q *search.Query) (*search.Result, error) {
	out := &search.Result{}
	for _, r := range s.all {
		if r.Ref.Type == q.Type && holds(&r, q.Self) {
			out.Matches = append(out.Matches, r)
		}
	}
	return out, nil
}

// holds reports whether a resource has one of the values of each parameter. Dates are
// left to the export, which looks at them itself.
func holds(r *fhir.Resource, params []search.Param) bool {
	for _, p := range params {
		if p.Name == "_count" || p.Name == "_sort" || p.Name == "date" {
			continue
		}
		any := false
		for v := range strings.SplitSeq(p.Value, ",") {
			_, bare, piped := strings.Cut(v, "|")
			if piped {
				v = bare
			}
			any = any || p.Name == "_id" && r.Ref.ID == v || p.Name != "_id" && strings.Contains(string(r.JSON), `"`+v+`"`)
		}
		if !any {
			return false
		}
	}
	return true
}

const hospital = `"identifier":[{"system":"` + identity.SystemCLUES + `","value":"DFSSA003966"}]`

// clinic is a shelf with a facility, a doctor and a patient.
func clinic() *shelf {
	s := &shelf{}
	s.put("Organization", "h", hospital)
	s.put("Practitioner", "d", `"identifier":[{"system":"`+identity.SystemCURP+`","value":"LOSD900505MOCPNN0`+digit("LOSD900505MOCPNN0")+`"}],"name":[{"family":"López Sánchez","given":["Daniela"]}]`)
	s.put("PractitionerRole", "d", `"practitioner":{"reference":"Practitioner/d"},"organization":{"reference":"Organization/h"},"code":[{"coding":[{"system":"`+systemRole+`","code":"doctor"}]}],"specialty":[{"text":"Medicina general"}]`)
	s.put("Patient", "p", `"identifier":[{"system":"`+identity.SystemCURP+`","value":"PUVL670102HOCRSS0`+digit("PUVL670102HOCRSS0")+`"}],"name":[{"use":"official","family":"Puertas Vásquez","_family":{"extension":[{"url":"`+fathersFamily+`","valueString":"Puertas"},{"url":"`+mothersFamily+`","valueString":"Vásquez"}]},"given":["Luis","Francisco"]}],"gender":"male","birthDate":"1967-01-02"`)
	return s
}

func digit(first17 string) string {
	d, _ := identity.CURPDigit(first17)
	return string(rune(d))
}

// visit adds an encounter of the patient.
func (s *shelf) visit(id, class, start, more string) {
	s.put("Encounter", id, `"status":"finished","class":{"code":"`+class+`"},"subject":{"reference":"Patient/p"},"participant":[{"individual":{"reference":"Practitioner/d"}}],"serviceProvider":{"reference":"Organization/h"},"period":{"start":"`+start+`"},"serviceType":{"coding":[{"system":"`+SystemService+`","code":"4"}]}`+more)
}

func (s *shelf) observe(id, visit, code, value string) {
	s.put("Observation", id, `"status":"final","encounter":{"reference":"Encounter/`+visit+`"},"code":{"coding":[`+code+`]},`+value)
}

func loincOf(code string) string { return `{"system":"` + loinc + `","code":"` + code + `"}` }
func named(name string) string   { return `{"system":"` + SystemVariable + `","code":"` + name + `"}` }

func icd(code string) string {
	return `,"reasonCode":[{"coding":[{"system":"` + systemICD + `","code":"` + code + `"}]}]`
}

func october(s *shelf, change func(*Export)) (*Made, error) {
	e := &Export{CLUES: []string{"DFSSA003966"}, Month: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Now: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Restriction: search.Unrestricted}
	if change != nil {
		change(e)
	}
	return e.Run(context.Background(), s)
}

func TestExport(t *testing.T) {
	s := clinic()
	s.visit("a", "AMB", "2026-10-31T23:30:00-06:00", icd("E11.9"))
	s.visit("old", "AMB", "2026-02-01T10:00:00-06:00", icd("I10"))
	s.visit("b", "VR", "2026-10-02T10:00:00-06:00", `,"diagnosis":[{"condition":{"reference":"Condition/2"},"rank":2},{"condition":{"reference":"Condition/1"},"rank":1}]`)
	s.visit("november", "AMB", "2026-11-01T00:10:00-06:00", icd("J00"))
	s.put("Condition", "1", `"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"`+systemICD+`","code":"I10"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]}`)
	s.put("Condition", "2", `"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"`+systemICD+`","code":"R30.0"}]}`)
	s.put("Coverage", "1", `"status":"active","beneficiary":{"reference":"Patient/p"},"payor":[{"display":"IMSS"}]`)
	s.observe("w", "b", loincOf("29463-7"), `"valueQuantity":{"value":70340,"code":"g"}`)
	s.observe("h", "b", loincOf("8302-2"), `"valueQuantity":{"value":1.674,"unit":"m"}`)
	s.observe("bp", "b", loincOf("85354-9"), `"component":[{"code":{"coding":[`+loincOf("8480-6")+`]},"valueQuantity":{"value":120,"code":"mm[Hg]"}},{"code":{"coding":[`+loincOf("8462-4")+`]},"valueQuantity":{"value":80,"code":"mm[Hg]"}}]`)
	s.observe("g", "b", loincOf("41653-7"), `"valueQuantity":{"value":5.5,"code":"mmol/L"}`)
	s.observe("s1", "b", named("estudiosTeleconsulta"), `"valueInteger":2`)
	s.observe("s2", "b", named("estudiosTeleconsulta"), `"valueCodeableConcept":{"coding":[{"system":"`+SystemVariable+`","code":"3"}]}`)
	s.observe("c", "b", named("cartillaSalud"), `"valueBoolean":true`)
	made, err := october(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.File == nil || made.Name != "CEX-DFSSA-2610.TXT" || made.Report.Rows != 2 {
		t.Fatalf("%s, %+v", made.Name, made.Report)
	}
	rows, _, _, err := Decode(made.File)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		1: "DFSSA003966", 2: "142", 4: "DANIELA", 5: "LOPEZ", 6: "SANCHEZ", 7: "2", 10: "LUIS FRANCISCO", 11: "PUERTAS", 12: "VASQUEZ", 13: "02/01/1967", 14: "142", 15: "20", 16: "1", 17: "1",
		23: "2", 24: "02/10/2026", 25: "4", 26: "70.34", 27: "167", 29: "120", 30: "80", 31: "0", 35: "99", 36: "-1", 37: "2", 40: "0", 42: "1", 43: "I10X", 45: "1", 46: "R300", 48: "-1", 49: "",
		99: "1", 103: "0", 104: "1", 105: "2&3", 106: "1",
	} {
		if got := rows[0].at(n); got != want {
			t.Errorf("%s is %q, want %q", table[n-1].Name, got, want)
		}
	}
	if rows[1].at(vDate) != "31/10/2026" || rows[1].at(vTeleconsulta) != "0" || rows[1].at(vFirstOfYear) != "0" || rows[1].at(vRelation) != "0" {
		t.Errorf("the second visit: %s", rows[1].String())
	}
}

func TestExportFaulty(t *testing.T) {
	s := clinic()
	s.visit("good", "AMB", "2026-10-02T10:00:00-06:00", icd("E11.9"))
	s.visit("bad", "AMB", "2026-10-03T10:00:00-06:00", icd("E11.9"))
	s.observe("w", "bad", loincOf("29463-7"), `"valueQuantity":{"value":700,"code":"kg"}`)
	for faulty, want := range map[string]struct {
		made bool
		rows int
	}{"": {false, 2}, Refuse: {false, 2}, Omit: {true, 1}, Keep: {true, 2}} {
		made, err := october(s, func(e *Export) { e.Faulty = faulty })
		if err != nil {
			t.Fatal(err)
		}
		if (made.File != nil) != want.made || made.Report.Rows != want.rows || made.Report.Errors != 1 {
			t.Errorf("%s: made %t, %+v", faulty, made.File != nil, made.Report)
		}
		if f := made.Report.Findings[0]; f.Visit != "Encounter/bad" || f.Name != "peso" || f.Value != "700" {
			t.Errorf("%s: %+v", faulty, f)
		}
	}
	s.visit("odd", "AMB", "2026-10-04T10:00:00-06:00", icd("E11.9"))
	s.observe("o", "odd", loincOf("29463-7"), `"valueQuantity":{"value":11,"code":"[stone_av]"}`)
	made, err := october(s, nil)
	if err != nil || !slices.ContainsFunc(made.Report.Findings, func(f Finding) bool { return f.Rule == "unit" && f.Variable == vWeight && f.Visit == "Encounter/odd" }) {
		t.Errorf("a weight in stones: %v, %+v", err, made.Report)
	}
	for name, change := range map[string]func(*Export){
		"no CLUES": func(e *Export) { e.CLUES = nil }, "a CLUES of ten": func(e *Export) { e.CLUES = []string{"DFSSA00396"} },
		"two institutions": func(e *Export) { e.CLUES = append(e.CLUES, "DFIMS003966") }, "the future": func(e *Export) { e.Month = e.Now.AddDate(0, 1, 1-e.Now.Day()) },
		"no such way": func(e *Export) { e.Faulty = "hide" }, "an unknown facility": func(e *Export) { e.CLUES = []string{"DFSSA003967"} },
		"more than its limit": func(e *Export) { e.Limit = 1 },
	} {
		if _, err := october(s, change); fhir.CodeOf(err) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatIsWrittenIsAccepted: of any visits, what an export writes is a file in which
// the check finds no error.
func TestWhatIsWrittenIsAccepted(t *testing.T) {
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		s := clinic()
		codes := rapid.SampledFrom([]string{"E11.9", "I10", "R69", "J00", "O80", "nothing", "Z00.0"})
		for i := range rapid.IntRange(1, 5).Draw(t, "visits") {
			id := fmt.Sprint("v", i)
			s.visit(id, rapid.SampledFrom([]string{"AMB", "VR"}).Draw(t, "class"), fmt.Sprintf("2026-10-%02dT10:00:00-06:00", rapid.IntRange(1, 31).Draw(t, "day")), icd(codes.Draw(t, "code")))
			for j := range rapid.IntRange(0, 6).Draw(t, "observations") {
				m := rapid.SampledFrom(measures).Draw(t, "measure")
				value := `"valueQuantity":{"value":` + fmt.Sprint(rapid.Float64Range(m.low(), m.high()).Draw(t, "value")) + `,"code":"` + slices.Sorted(maps.Keys(m.units))[0] + `"}`
				s.observe(fmt.Sprint(id, "m", j), id, loincOf(m.codes[0]), value)
			}
			for j := range rapid.IntRange(0, 4).Draw(t, "said") {
				v := rapid.SampledFrom(table[50:]).Draw(t, "variable")
				s.observe(fmt.Sprint(id, "s", j), id, named(v.Name), fmt.Sprintf(`"valueInteger":%d`, rapid.IntRange(-1, 9).Draw(t, "value")))
			}
		}
		made, err := october(s, func(e *Export) { e.Faulty = Omit })
		if err != nil {
			t.Fatal(err)
		}
		checker := Checker{Today: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
		p, err := checker.CheckFile(made.Name, made.File)
		if err != nil || p.Errors > 0 || p.Rows != made.Report.Rows {
			t.Fatalf("%+v, %v", p, err)
		}
		written += p.Rows
	})
	if written == 0 {
		t.Error("no row was written: the test shows nothing")
	}
}

func (m *measure) low() float64  { return table[m.of-1].low * .9 }
func (m *measure) high() float64 { return table[m.of-1].high * 1.1 }
