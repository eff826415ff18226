package summary

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/validate"
)

const testBase = "http://h/fhir"

// shelf answers every search with all that it has of the types that are shown. What
// stores find is tested elsewhere.
type shelf []string

func (s shelf) Search(_ context.Context, q *search.Query) (*search.Result, error) {
	found := &search.Result{}
	for _, json := range s {
		d, err := element.Parse([]byte(json))
		if err != nil {
			return nil, err
		}
		ref := fhir.Ref{Type: d.TextAt(0, "resourceType"), ID: d.TextAt(0, "id"), Version: 1}
		if _, ok := q.Restriction.Types[ref.Type]; ok || q.Restriction.Open() {
			found.Matches = append(found.Matches, fhir.Resource{Ref: ref, JSON: []byte(json)})
		}
	}
	return found, nil
}

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// made returns the summary of what is on a shelf.
func made(t testing.TB, s shelf, language string, only *search.Restriction) map[string]any {
	t.Helper()
	answer, err := call(s, language, only)
	if err != nil {
		t.Fatal(err)
	}
	var b map[string]any
	if err := json.Unmarshal(answer.JSON, &b); err != nil {
		t.Fatalf("%v\n%s", err, answer.JSON)
	}
	return b
}

func call(s shelf, language string, only *search.Restriction) (*operation.Answer, error) {
	of := Operations(Config{Store: s, Software: "Amate", Now: func() time.Time { return noon }})
	return of[0].Run(context.Background(), &operation.Call{
		Type: "Patient", ID: "p", In: operation.NewInputs(nil, nil), Base: testBase, Restriction: only, Language: language,
	})
}

// sectionOf returns the ids that a section lists, in order, and its narrative.
func sectionOf(b map[string]any, code string) (ids []string, div string) {
	composition := b["entry"].([]any)[0].(map[string]any)["resource"].(map[string]any)
	for _, s := range composition["section"].([]any) {
		s := s.(map[string]any)
		if s["code"].(map[string]any)["coding"].([]any)[0].(map[string]any)["code"] != code {
			continue
		}
		list, _ := s["entry"].([]any)
		for _, e := range list {
			ref := e.(map[string]any)["reference"].(string)
			ids = append(ids, ref[strings.LastIndexAny(ref, "/")+1:])
		}
		return ids, s["text"].(map[string]any)["div"].(string)
	}
	return nil, ""
}

const patient = `{"resourceType":"Patient","id":"p","birthDate":"1980-01-01","name":[{"family":"Pérez","given":["Ana"]}]}`

// about makes a resource about the patient.
func of(typ, id, rest string) string {
	who := "subject"
	if slices.Contains([]string{"AllergyIntolerance", "Immunization", "Device", "Consent"}, typ) {
		who = "patient"
	}
	return fmt.Sprintf(`{"resourceType":%q,"id":%q,%q:{"reference":"Patient/p"},%s}`, typ, id, who, rest)
}

func coded(member, code string) string {
	return fmt.Sprintf(`%q:{"coding":[{"system":"http://x","code":%q}]}`, member, code)
}

// TestWhatBelongs holds the rules of what a summary lists.
func TestWhatBelongs(t *testing.T) {
	const active, resolved = `"clinicalStatus":{"coding":[{"code":"active"}]},`, `"clinicalStatus":{"coding":[{"code":"resolved"}]},`
	observation := func(id, category, code, rest string) string {
		return of("Observation", id, `"status":"final","category":[{"coding":[{"code":"`+category+`"}]}],`+coded("code", code)+rest)
	}
	loinc := func(code string) string {
		return `"code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]}`
	}
	for name, c := range map[string]struct {
		section string
		shelf   shelf
		want    string
	}{
		"problems: active, not resolved, not refuted, not of another": {"11450-4", shelf{
			of("Condition", "a", active+coded("code", "1")), of("Condition", "b", resolved+coded("code", "2")),
			of("Condition", "c", active+`"verificationStatus":{"coding":[{"code":"refuted"}]},`+coded("code", "3")),
			of("Condition", "d", active+`"verificationStatus":{"coding":[{"code":"entered-in-error"}]},`+coded("code", "4")),
			strings.Replace(of("Condition", "e", active+coded("code", "5")), "Patient/p", "Patient/q", 1),
		}, "a"},
		"problems: each once, that of the problem list first": {"11450-4", shelf{
			of("Condition", "a", active+`"recordedDate":"2026-01-01",`+coded("code", "1")),
			of("Condition", "b", active+`"category":[{"coding":[{"code":"problem-list-item"}]}],"recordedDate":"2020-01-01",`+coded("code", "1")),
			of("Condition", "c", active+`"recordedDate":"2025-01-01",`+coded("code", "2")),
		}, "b c"},
		"past illness: not what is a problem again": {"11348-0", shelf{
			of("Condition", "a", active+coded("code", "1")), of("Condition", "b", resolved+coded("code", "1")), of("Condition", "c", resolved+coded("code", "2")),
			of("Condition", "d", `"abatementString":"x",`+coded("code", "3")),
		}, "c d"},
		"allergies: the most critical first, none denied beside them": {"48765-2", shelf{
			of("AllergyIntolerance", "a", active+`"criticality":"low",`+coded("code", "1")), of("AllergyIntolerance", "b", active+`"criticality":"high",`+coded("code", "2")),
			of("AllergyIntolerance", "c", active+`"code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003"}]}`),
			of("AllergyIntolerance", "d", active+`"criticality":"high",`+coded("code", "1")),
			of("AllergyIntolerance", "e", resolved+`"criticality":"high",`+coded("code", "9")),
		}, "b d"},
		"allergies: that there are none, when it is all": {"48765-2", shelf{
			of("AllergyIntolerance", "c", active+`"code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003"}]}`),
		}, "c"},
		"medications: in use, not ended, not to be avoided, each once": {"10160-0", shelf{
			of("MedicationRequest", "a", `"status":"active","intent":"order","authoredOn":"2026-05-01",`+coded("medicationCodeableConcept", "1")),
			of("MedicationRequest", "b", `"status":"stopped","intent":"order",`+coded("medicationCodeableConcept", "2")),
			of("MedicationRequest", "c", `"status":"active","intent":"order","doNotPerform":true,`+coded("medicationCodeableConcept", "3")),
			of("MedicationRequest", "d", `"status":"active","intent":"proposal",`+coded("medicationCodeableConcept", "4")),
			of("MedicationRequest", "e", `"status":"active","intent":"order","dosageInstruction":[{"timing":{"repeat":{"boundsPeriod":{"end":"2026-06-01"}}}}],`+coded("medicationCodeableConcept", "5")),
			of("MedicationRequest", "f", `"status":"active","intent":"order","dosageInstruction":[{"timing":{"repeat":{"boundsPeriod":{"end":"2026-06-15"}}}}],"authoredOn":"2026-04-01",`+coded("medicationCodeableConcept", "6")),
			of("MedicationStatement", "g", `"status":"active","effectivePeriod":{"start":"2020-01","end":"2026-05"},`+coded("medicationCodeableConcept", "7")),
			of("MedicationStatement", "h", `"status":"active","effectivePeriod":{"start":"2026-06-01"},`+coded("medicationCodeableConcept", "1")),
			of("MedicationStatement", "i", `"status":"entered-in-error",`+coded("medicationCodeableConcept", "8")),
		}, "h f"},
		"results: the newest of each code, with a value": {"30954-2", shelf{
			observation("a", "laboratory", "1", `,"effectiveDateTime":"2026-01-01T10:00:00Z","valueString":"x"`),
			observation("b", "laboratory", "1", `,"effectiveDateTime":"2026-01-01T09:00:00-06:00","valueString":"x"`),
			observation("c", "laboratory", "1", `,"effectiveDateTime":"2026-02-01T10:00:00Z"`),
			observation("d", "survey", "2", `,"valueString":"x"`),
			strings.Replace(observation("e", "laboratory", "3", `,"valueString":"x"`), "final", "entered-in-error", 1),
		}, "b"},
		"results: a report that concludes, no note": {"30954-2", shelf{
			of("DiagnosticReport", "a", `"status":"final","conclusion":"x",`+coded("code", "1")), of("DiagnosticReport", "b", `"status":"final",`+coded("code", "2")),
			of("DiagnosticReport", "c", `"status":"final","conclusion":"x","category":[{"coding":[{"system":"http://loinc.org","code":"34117-2"}]}],`+coded("code", "3")),
		}, "a"},
		"vital signs apart from results": {"8716-3", shelf{observation("a", "vital-signs", "1", `,"valueString":"x"`), observation("b", "laboratory", "2", `,"valueString":"x"`)}, "a"},
		"social history by code":         {"29762-2", shelf{of("Observation", "a", `"status":"final","valueString":"x",`+loinc("72166-2"))}, "a"},
		"a pregnancy of long ago is none": {"10162-6", shelf{
			of("Observation", "a", `"status":"final","valueString":"x","effectiveDateTime":"2024-01-01",`+loinc("82810-3")),
			of("Observation", "b", `"status":"final","valueDateTime":"2026-09-01","effectiveDateTime":"2026-03-01",`+loinc("11778-8")),
			of("Observation", "c", `"status":"final","valueInteger":2,"effectiveDateTime":"2019-03-01",`+loinc("11640-0")),
		}, "b c"},
		"immunizations: one day, one dose": {"11369-6", shelf{
			of("Immunization", "a", `"status":"completed","occurrenceDateTime":"2026-01-01",`+coded("vaccineCode", "1")), of("Immunization", "b", `"status":"completed","occurrenceDateTime":"2026-01-01T10:00:00Z",`+coded("vaccineCode", "1")),
			of("Immunization", "c", `"status":"completed","occurrenceDateTime":"2025-01-01",`+coded("vaccineCode", "1")), of("Immunization", "d", `"status":"not-done","occurrenceDateTime":"2025-01-01",`+coded("vaccineCode", "2")),
		}, "b c"},
		"devices: a statement, once": {"46264-8", shelf{
			of("DeviceUseStatement", "a", `"status":"active","recordedOn":"2026-01-01","device":{"reference":"Device/x"}`), of("Device", "x", `"status":"active"`),
		}, "a"},
		"plans: active and not over": {"18776-5", shelf{
			of("CarePlan", "a", `"status":"active","intent":"plan"`), of("CarePlan", "b", `"status":"active","intent":"plan","period":{"end":"2026-06-14"}`), of("CarePlan", "c", `"status":"revoked","intent":"plan"`),
		}, "a"},
		"directives: no other consent": {"42348-3", shelf{
			of("Consent", "a", `"status":"active","scope":{"coding":[{"code":"adr"}]}`), of("Consent", "b", `"status":"active","scope":{"coding":[{"code":"patient-privacy"}]}`),
		}, "a"},
	} {
		ids, _ := sectionOf(made(t, append(c.shelf, patient), "es", search.Unrestricted), c.section)
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestImplant: a Device that no statement tells of is listed by a statement of its own.
func TestImplant(t *testing.T) {
	b := made(t, shelf{patient, of("Device", "x", `"status":"active","type":{"text":"Marcapasos"}`)}, "es", search.Unrestricted)
	ids, div := sectionOf(b, "46264-8")
	if len(ids) != 1 || !strings.HasPrefix(ids[0], "urn:uuid:") || !strings.Contains(div, "<td>Marcapasos</td>") {
		t.Errorf("%v %s", ids, div)
	}
	if all := fmt.Sprint(b); !strings.Contains(all, "fullUrl:"+testBase+"/Device/x") {
		t.Error(all)
	}
	if _, div := sectionOf(made(t, shelf{patient, of("Device", "y", `"status":"inactive"`)}, "es", search.Unrestricted), "46264-8"); !strings.Contains(div, "No se tiene información") {
		t.Error(div)
	}
}

// TestNothingIsNotNone: nothing known, nothing shown, and none are three things.
func TestNothingIsNotNone(t *testing.T) {
	hidden := of("AllergyIntolerance", "a", coded("code", "1"))
	denied := of("AllergyIntolerance", "a", `"code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003"}]}`)
	without := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "Condition": nil}}
	partly := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "AllergyIntolerance": {search.IDs{Any: []string{"z"}}}}}
	for name, c := range map[string]struct {
		shelf          shelf
		only           *search.Restriction
		language, says string
		holds          string
	}{
		"unknown":   {shelf{patient}, search.Unrestricted, "es", "No se tiene información sobre alergias. No significa que no exista.", "no-allergy-info"},
		"unknown 2": {shelf{patient}, search.Unrestricted, "en-GB,es;q=0.5", "No information about allergies is known", "no-allergy-info"},
		"withheld":  {shelf{patient, hidden}, without, "es", "no puede consultar alergias. Puede haber datos", `"code":"masked"`},
		"partly":    {shelf{patient}, partly, "es", "que pueda ver quien pidió el resumen", "no-allergy-info"},
		"none":      {shelf{patient, denied}, search.Unrestricted, "es", "<td>Sin alergias conocidas</td>", "716186003"},
		"none 2":    {shelf{patient, denied}, search.Unrestricted, "en", "<td>No known allergies</td>", "716186003"},
	} {
		answer, err := call(c.shelf, c.language, c.only)
		if err != nil {
			t.Fatal(name, err)
		}
		_, div := sectionOf(made(t, c.shelf, c.language, c.only), "48765-2")
		if !strings.Contains(div, c.says) || !strings.Contains(string(answer.JSON), c.holds) {
			t.Errorf("%s: %s\n%s", name, div, answer.JSON)
		}
		if name != "none" && name != "none 2" && strings.Contains(string(answer.JSON), "716186003") {
			t.Errorf("%s: it denies allergies", name)
		}
	}
}

// TestSameBytes: the same record makes the same document, in whatever order it is found;
// its tag changes with what it says, and not with the time.
func TestSameBytes(t *testing.T) {
	s := shelf{patient, of("Condition", "a", coded("code", "1")), of("Condition", "b", coded("code", "2")), of("Procedure", "c", `"status":"completed",`+coded("code", "1"))}
	a, _ := call(s, "es", search.Unrestricted)
	slices.Reverse(s)
	b, _ := call(s, "es", search.Unrestricted)
	if string(a.JSON) != string(b.JSON) || a.Tag != b.Tag {
		t.Errorf("%s\n%s", a.JSON, b.JSON)
	}
	if english, _ := call(s, "en", search.Unrestricted); english.Tag == a.Tag {
		t.Error("another language has the same tag")
	}
	if less, _ := call(s[1:], "es", search.Unrestricted); less.Tag == a.Tag {
		t.Error("another content has the same tag")
	}
}

// TestConfidentiality: a document is as confidential as what is the most so in it.
func TestConfidentiality(t *testing.T) {
	label := `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
	for want, s := range map[string]shelf{"N": {patient, of("Condition", "a", coded("code", "1"))}, "R": {patient, of("Condition", "a", label+coded("code", "1"))}} {
		b := made(t, s, "es", search.Unrestricted)
		if got := b["entry"].([]any)[0].(map[string]any)["resource"].(map[string]any)["confidentiality"]; got != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// FuzzSummary: whatever is stored, the document is JSON, and its narratives are such as
// R4 allows.
func FuzzSummary(f *testing.F) {
	for _, s := range []string{
		of("Condition", "a", `"code":{"text":"<script>alert(1)</script> & \"x\" ]]>"}`), of("Observation", "a", `"status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"</div>"},"valueQuantity":{"value":1e400,"unit":"\u0001\uffff"}`),
		of("MedicationRequest", "a", `"status":"active","intent":"order","medicationReference":{"reference":"#a"},"contained":[{"id":"a"}],"dosageInstruction":[1,{"timing":[]}]`),
		of("Observation", "a", `"status":"final","category":{"coding":[]},"code":[],"component":[[]],"valueRange":[]`), of("Condition", "a", `"code":"x","clinicalStatus":7,"onsetPeriod":[]`),
		of("Immunization", "a", `"status":"completed","vaccineCode":{},"occurrenceDateTime":"ñ"`), of("Device", "a", `"status":"active","deviceName":{}`), `{"resourceType":"AllergyIntolerance"}`, `{"resourceType":"Patient","id":"p","name":"x","communication":[1]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := element.Parse([]byte(text))
		if err != nil || d.Kind(0) != element.Object {
			return
		}
		answer, err := call(shelf{patient, string(d.AppendCompact(nil, 0))}, "en", search.Unrestricted)
		if err != nil {
			return
		}
		out, err := element.Parse(answer.JSON)
		if err != nil {
			t.Fatalf("%v\n%s", err, answer.JSON)
		}
		composition := out.Get(out.First(out.Get(0, "entry")), "resource")
		for _, issue := range new(validate.Validator).Validate(context.Background(), out, composition) {
			if issue.Severity == "error" {
				t.Errorf("%s %s %s\n%s", issue.Rule, issue.Expression, issue.Diagnostics, out.Raw(composition))
			}
		}
	})
}
