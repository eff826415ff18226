package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

const child = `{"resourceType":"Patient","id":"p","birthDate":"2025-03-15","gender":"female"}`

// woman is old enough to be pregnant.
const woman = `{"resourceType":"Patient","id":"p","birthDate":"1998-03-15","gender":"female"}`

func parse(t testing.TB, texts ...string) []*element.Doc {
	t.Helper()
	var all []*element.Doc
	for _, s := range texts {
		d, err := element.Parse([]byte(s))
		if err != nil {
			t.Fatalf("%v: %s", err, s)
		}
		all = append(all, d)
	}
	return all
}

func read(t testing.TB, texts ...string) *history.Kept {
	t.Helper()
	return readOf(t, child, texts...)
}

func readOf(t testing.TB, patient string, texts ...string) *history.Kept {
	t.Helper()
	kept, err := history.Read(parse(t, patient)[0], parse(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// given writes an Immunization: its id, day and CVX code, and further members.
func given(id, day, cvx string, more ...string) string {
	return fmt.Sprintf(`{"resourceType":"Immunization","id":%q,"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"occurrenceDateTime":%q%s}`,
		id, cvx, day, strings.Join(append([]string{""}, more...), ","))
}

func day(t testing.TB, s string) schedule.Date {
	t.Helper()
	d, err := schedule.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPatient(t *testing.T) {
	kept := read(t)
	if kept.Born != day(t, "2025-03-15") || kept.Sex != immunization.Female || len(kept.Doses)+len(kept.Doubts) != 0 {
		t.Errorf("%+v", kept)
	}
	for _, bad := range []string{`{}`, `{"birthDate":"2025-03"}`, `{"birthDate":"2025"}`, `{"birthDate":"2025-02-30"}`, `{"birthDate":7}`, `[]`} {
		_, err := history.Read(parse(t, bad)[0], nil)
		var fault *fhir.Error
		if !errors.As(err, &fault) || fault.Code != fhir.Unprocessable || fault.Expression != "Patient.birthDate" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestDoses(t *testing.T) {
	const mL = `"doseQuantity":{"value":0.50,"unit":"mL","system":"http://unitsofmeasure.org","code":"mL"}`
	for name, c := range map[string]struct {
		in   []string
		want []string // id, day, CVX, volume, condition
		told []string // rules of doubts
	}{
		"plain":              {[]string{given("a", "2025-05-15", "146", mL)}, []string{"Immunization/a 2025-05-15 146 0.50 "}, nil},
		"its own day":        {[]string{given("a", "2025-05-15T23:30:00-06:00", "146")}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"ordered":            {[]string{given("a", "2025-05-15", "19"), given("b", "2025-03-16", "08")}, []string{"Immunization/b 2025-03-16 08  ", "Immunization/a 2025-05-15 19  "}, nil},
		"a month":            {[]string{given("a", "2025-05", "146")}, nil, []string{"no-day -1"}},
		"a year":             {[]string{given("a", "2025", "146")}, nil, []string{"no-day -1"}},
		"words":              {[]string{strings.Replace(given("a", "x", "146"), `"occurrenceDateTime":"x"`, `"occurrenceString":"de bebé"`, 1)}, nil, []string{"no-day -1"}},
		"in error":           {[]string{strings.Replace(given("a", "2025-05-15", "146"), "completed", "entered-in-error", 1)}, nil, nil},
		"no status":          {[]string{strings.Replace(given("a", "2025-05-15", "146"), `"status":"completed",`, "", 1)}, nil, []string{"status -1"}},
		"expired":            {[]string{given("a", "2025-05-15", "146", `"expirationDate":"2025-05-14"`)}, []string{"Immunization/a 2025-05-15 146  expired"}, nil},
		"on its last day":    {[]string{given("a", "2025-05-15", "146", `"expirationDate":"2025-05-15"`)}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"in its last month":  {[]string{given("a", "2025-05-15", "146", `"expirationDate":"2025-05"`)}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"after its month":    {[]string{given("a", "2025-06-01", "146", `"expirationDate":"2025-05"`)}, []string{"Immunization/a 2025-06-01 146  expired"}, nil},
		"cold chain":         {[]string{given("a", "2025-05-15", "146", `"isSubpotent":true,"subpotentReason":[{"coding":[{"code":"coldchainbreak"}]}]`)}, []string{"Immunization/a 2025-05-15 146  storage"}, nil},
		"recalled":           {[]string{given("a", "2025-05-15", "146", `"isSubpotent":true,"subpotentReason":[{"coding":[{"code":"recall"}]}]`)}, []string{"Immunization/a 2025-05-15 146  recalled"}, nil},
		"part":               {[]string{given("a", "2025-05-15", "146", `"isSubpotent":true,"subpotentReason":[{"coding":[{"code":"partial"}]}]`)}, []string{"Immunization/a 2025-05-15 146  partial dose"}, nil},
		"subpotent":          {[]string{given("a", "2025-05-15", "146", `"isSubpotent":true`)}, []string{"Immunization/a 2025-05-15 146  partial dose"}, []string{"subpotent 0"}},
		"potent":             {[]string{given("a", "2025-05-15", "146", `"isSubpotent":false,"subpotentReason":[{"coding":[{"code":"recall"}]}]`)}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"another unit":       {[]string{given("a", "2025-05-15", "146", `"doseQuantity":{"value":1,"unit":"dose"}`)}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"a strange code":     {[]string{given("a", "2025-05-15", "9999")}, []string{"Immunization/a 2025-05-15 9999  "}, []string{"unknown-vaccine 0"}},
		"no code":            {[]string{`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"hexavalente"},"occurrenceDateTime":"2025-05-15"}`}, []string{"Immunization[0] 2025-05-15 999  "}, []string{"unknown-vaccine 0"}},
		"none given":         {[]string{given("a", "2025-05-15", "998")}, nil, []string{"no-vaccine -1"}},
		"told twice":         {[]string{given("a", "2025-05-15", "146"), given("b", "2025-05-15", "146", `"primarySource":true`)}, []string{"Immunization/b 2025-05-15 146  "}, []string{"duplicate 0"}},
		"told once more":     {[]string{given("b", "2025-05-15", "146", `"primarySource":true`), given("c", "2025-05-15", "146", `"primarySource":true`, `"lotNumber":"L1"`)}, []string{"Immunization/c 2025-05-15 146  "}, []string{"duplicate 0"}},
		"unspecific twin":    {[]string{given("a", "2025-05-15", "45"), given("b", "2025-05-15", "08")}, []string{"Immunization/b 2025-05-15 08  "}, []string{"duplicate 0"}},
		"hearsay of a part":  {[]string{given("a", "2025-05-15", "146", `"primarySource":true`), given("b", "2025-05-15", "10")}, []string{"Immunization/a 2025-05-15 146  "}, []string{"duplicate 0"}},
		"hearsay of more":    {[]string{given("a", "2025-05-15", "10", `"primarySource":true`), given("b", "2025-05-15", "146")}, []string{"Immunization/a 2025-05-15 10  ", "Immunization/b 2025-05-15 146  "}, []string{"same-day 1"}},
		"two on one day":     {[]string{given("a", "2025-05-15", "119"), given("b", "2025-05-15", "133")}, []string{"Immunization/a 2025-05-15 119  ", "Immunization/b 2025-05-15 133  "}, nil},
		"two days":           {[]string{given("a", "2025-05-15", "146"), given("b", "2025-05-16", "146")}, []string{"Immunization/a 2025-05-15 146  ", "Immunization/b 2025-05-16 146  "}, nil},
		"the same twice":     {[]string{given("a", "2025-05-15", "9999"), given("a", "2025-05-15", "9999")}, []string{"Immunization/a 2025-05-15 9999  "}, []string{"unknown-vaccine 0", "unknown-vaccine 0", "duplicate 0"}},
		"two unknown":        {[]string{given("a", "2025-05-15", "999"), given("b", "2025-05-15", "999")}, []string{"Immunization/a 2025-05-15 999  ", "Immunization/b 2025-05-15 999  "}, []string{"unknown-vaccine 0", "unknown-vaccine 1"}},
		"codes that agree":   {[]string{strings.Replace(given("a", "2025-05-15", "08"), `"coding":[`, `"coding":[{"system":"http://snomed.info/sct","code":"836374004"},`, 1)}, []string{"Immunization/a 2025-05-15 08  "}, nil},
		"codes that do not":  {[]string{strings.Replace(given("a", "2025-05-15", "08"), `"coding":[`, `"coding":[{"system":"http://snomed.info/sct","code":"836402002"},`, 1)}, []string{"Immunization/a 2025-05-15 08  "}, []string{"codes-disagree 0"}},
		"SNOMED CT only":     {[]string{strings.Replace(given("a", "2025-05-15", "836402002"), "http://hl7.org/fhir/sid/cvx", "http://snomed.info/sct", 1)}, []string{"Immunization/a 2025-05-15 19  "}, nil},
		"ATC only":           {[]string{strings.Replace(given("a", "2025-05-15", "J07CA09"), "http://hl7.org/fhir/sid/cvx", "http://www.whocc.no/atc", 1)}, []string{"Immunization/a 2025-05-15 146  "}, nil},
		"an immunoglobulin":  {[]string{given("a", "2025-05-15", "13")}, nil, nil},
		"other resources":    {[]string{`{"resourceType":"Encounter"}`, `{}`, `[]`, `7`, `"x"`}, nil, nil},
		"elements all wrong": {[]string{`{"resourceType":"Immunization","id":7,"status":"completed","vaccineCode":[1],"occurrenceDateTime":["2025-05-15"],"isSubpotent":"yes"}`}, nil, []string{"no-day -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			kept := read(t, c.in...)
			var doses, told []string
			for i, d := range kept.Doses {
				doses = append(doses, fmt.Sprintf("%s %s %s %s %s", d.ID, d.Date, d.CVX, d.Volume, d.Condition))
				if ref := kept.Refs[i].String(); ref != d.ID && kept.Refs[i].ID != "" {
					t.Errorf("dose %d is %s and %s", i, d.ID, ref)
				}
			}
			for _, d := range kept.Doubts {
				told = append(told, fmt.Sprintf("%s %d", d.Rule, d.Dose))
			}
			if !slices.Equal(doses, c.want) || !slices.Equal(told, c.told) {
				t.Errorf("doses %q, want %q\ndoubts %q, want %q", doses, c.want, told, c.told)
			}
		})
	}
}

func TestZone(t *testing.T) {
	mexico := time.FixedZone("", -6*60*60)
	in := parse(t, child, given("a", "2025-05-16T05:30:00Z", "146"), given("b", "2025-05-16T05:30:00.000-08:00", "19"))
	for _, c := range []struct {
		r    history.Reader
		want string
	}{{history.Reader{}, "2025-05-16"}, {history.Reader{Zone: mexico}, "2025-05-15"}} {
		kept, err := c.r.Read(in[0], in[1:])
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range kept.Doses {
			if want := c.want; d.CVX == "146" && d.Date.String() != want || d.CVX == "19" && d.Date.String() != "2025-05-16" {
				t.Errorf("CVX %s was given on %s", d.CVX, d.Date)
			}
		}
	}
}

// A dose of the day of birth stays one where both were written in UTC.
func TestNewbornInUTC(t *testing.T) {
	in := parse(t, child, given("a", "2025-03-15T00:12:17+00:00", "08"), given("b", "2025-03-14T23:12:17+00:00", "19"))
	r := history.Reader{Zone: time.FixedZone("", -6*60*60)}
	kept, err := r.Read(in[0], in[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range kept.Doses {
		if want := map[string]string{"08": kept.Born.String(), "19": "2025-03-14"}[d.CVX]; d.Date.String() != want {
			t.Errorf("CVX %s was given on %s, want %s", d.CVX, d.Date, want)
		}
	}
}

func TestNotDone(t *testing.T) {
	kept := read(t, strings.Replace(given("a", "2025-05-15", "146", `"statusReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"PATOBJ"}],"text":"No quiso"}`), "completed", "not-done", 1))
	want := history.NotDone{Ref: fhir.Ref{Type: "Immunization", ID: "a"}, Date: day(t, "2025-05-15"), CVX: "146",
		System: "http://terminology.hl7.org/CodeSystem/v3-ActReason", Code: "PATOBJ", Text: "No quiso"}
	if len(kept.NotDone) != 1 || kept.NotDone[0] != want || len(kept.Doses) != 0 {
		t.Errorf("%+v", kept)
	}
}

func TestMaker(t *testing.T) {
	kept := read(t, given("a", "2025-05-15", "146", `"manufacturer":{"identifier":{"system":"http://hl7.org/fhir/sid/mvx","value":"pmc"}}`))
	if kept.Doses[0].MVX != "PMC" {
		t.Errorf("%+v", kept.Doses)
	}
}

func concept(system, code string) string {
	return fmt.Sprintf(`{"coding":[{"system":%q,"code":%q}]}`, system, code)
}

func TestObservations(t *testing.T) {
	const sct, icd, loinc = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10", "http://loinc.org"
	yes := func(m string) string { return `"verificationStatus":` + concept("", m) }
	for name, c := range map[string]struct {
		in   string
		want string // code, begin and end of each
	}{
		"immunocompromised":       {`{"resourceType":"Condition","code":` + concept(sct, "370388006") + `,"onsetDateTime":"2026-01-02"}`, "003 2026-01-02 "},
		"it is over":              {`{"resourceType":"Condition","code":` + concept(sct, "370388006") + `,"clinicalStatus":` + concept("", "resolved") + `}`, ""},
		"over on a day":           {`{"resourceType":"Condition","code":` + concept(sct, "370388006") + `,"onsetDateTime":"2026-01-02","abatementDateTime":"2026-02-03"}`, "003 2026-01-02 2026-02-03"},
		"by a stem":               {`{"resourceType":"Condition","code":` + concept(icd, "D83.9") + `}`, "003  "},
		"CIE-10 by another name":  {`{"resourceType":"Condition","code":` + concept("http://example.org/cie-10", "D83.9") + `}`, "003  "},
		"refuted":                 {`{"resourceType":"Condition","code":` + concept(sct, "370388006") + `,` + yes("refuted") + `}`, ""},
		"an illness had":          {`{"resourceType":"Condition","code":` + concept(icd, "B01.9") + `,"clinicalStatus":` + concept("", "resolved") + `,"recordedDate":"2026-01-02T10:00:00-06:00"}`, "024 2026-01-02 "},
		"confirmed measles":       {`{"resourceType":"Condition","code":` + concept(icd, "B05.9") + `,` + yes("confirmed") + `}`, "020  "},
		"suspected measles":       {`{"resourceType":"Condition","code":` + concept(icd, "B05.9") + `}`, ""},
		"AIDS":                    {`{"resourceType":"Condition","code":` + concept(icd, "B24") + `}`, "154  ; 186  "},
		"pregnant":                {`{"resourceType":"Condition","code":` + concept(sct, "77386006") + `,"onsetDateTime":"2026-01-01"}`, "007 2026-01-01 2026-10-29; 170 2026-01-01 2026-10-29"},
		"pregnant since when":     {`{"resourceType":"Condition","code":` + concept(sct, "77386006") + `,"recordedDate":"2026-01-01"}`, "007 2026-01-01 2026-10-29"},
		"was pregnant":            {`{"resourceType":"Condition","code":` + concept(sct, "77386006") + `,"onsetDateTime":"2026-01-01","abatementDateTime":"2026-09-20"}`, "007 2026-01-01 2026-09-20; 170 2026-01-01 2026-09-20"},
		"due date":                {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "11778-8") + `,"valueDateTime":"2026-10-08"}`, "007 2026-01-01 2026-10-29; 170 2026-01-01 2026-10-29"},
		"weeks":                   {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "49051-6") + `,"effectiveDateTime":"2026-05-21","valueQuantity":{"value":20,"code":"wk"}}`, "007 2026-01-01 2026-10-29; 170 2026-01-01 2026-10-29"},
		"weeks of an elephant":    {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "49051-6") + `,"effectiveDateTime":"2026-05-21","valueQuantity":{"value":90,"code":"wk"}}`, ""},
		"a last period only":      {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "8665-2") + `,"valueDateTime":"2026-01-01"}`, ""},
		"pregnancy status":        {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "82810-3") + `,"effectiveDateTime":"2026-01-01","valueCodeableConcept":` + concept(sct, "77386006") + `}`, "007 2026-01-01 2026-10-29"},
		"antibodies":              {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "20479-2") + `,"effectiveDateTime":"2026-01-01","valueCodeableConcept":` + concept(sct, "10828004") + `}`, "020 2026-01-01 "},
		"antibodies, interpreted": {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "20479-2") + `,"interpretation":[` + concept("", "POS") + `],"valueQuantity":{"value":300}}`, "020  "},
		"no antibodies":           {`{"resourceType":"Observation","status":"final","code":` + concept(loinc, "20479-2") + `,"valueCodeableConcept":` + concept(sct, "260385009") + `}`, ""},
		"a wrong result":          {`{"resourceType":"Observation","status":"entered-in-error","code":` + concept(loinc, "20479-2") + `,"valueCodeableConcept":` + concept(sct, "10828004") + `}`, ""},
		"an allergy":              {`{"resourceType":"AllergyIntolerance","criticality":"high","code":` + concept("http://hl7.org/fhir/sid/cvx", "08") + `}`, "097  "},
		"anaphylaxis":             {`{"resourceType":"AllergyIntolerance","code":` + concept(sct, "293309006") + `,"onsetDateTime":"2026-01-01","reaction":[{"manifestation":[` + concept(sct, "39579001") + `]}]}`, "102 2026-01-01 "},
		"a rash":                  {`{"resourceType":"AllergyIntolerance","criticality":"low","code":` + concept("http://hl7.org/fhir/sid/cvx", "08") + `}`, "?severity"},
		"an immunoglobulin":       {given("a", "2025-05-15", "13"), "125 2025-05-15 "},
	} {
		t.Run(name, func(t *testing.T) {
			kept := readOf(t, woman, c.in)
			var got []string
			for _, o := range kept.Observations {
				got = append(got, fmt.Sprintf("%s %s %s", o.Code, o.Date, o.End))
			}
			for _, d := range kept.Doubts {
				got = append(got, "?"+string(d.Rule))
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("%q, want %q", s, c.want)
			}
		})
	}
	t.Run("dated by a last period", func(t *testing.T) {
		kept := readOf(t, woman, `{"resourceType":"Condition","code":`+concept(sct, "77386006")+`,"onsetDateTime":"2026-03-01"}`,
			`{"resourceType":"Observation","status":"final","code":`+concept(loinc, "8665-2")+`,"valueDateTime":"2026-01-20"}`)
		if o := kept.Observations; len(o) != 2 || o[1].Code != "170" || o[1].Date != day(t, "2026-01-20") {
			t.Errorf("%v", o)
		}
	})
	t.Run("the mother's", func(t *testing.T) { // weeks of gestation of one who was born after 32, as told at birth and at two years
		for _, when := range []string{"2025-03-15", "2027-03-15"} {
			kept := read(t, `{"resourceType":"Observation","status":"final","code":`+concept(loinc, "11884-4")+`,"effectiveDateTime":"`+when+`","valueQuantity":{"value":32,"code":"wk"}}`)
			if len(kept.Observations) != 0 {
				t.Errorf("a child is pregnant: %v", kept.Observations)
			}
		}
	})
	t.Run("a schedule's own", func(t *testing.T) {
		s := &schedule.Schedule{Observations: []schedule.Observation{{Code: "mx-guarderia", Codes: []string{"http://example.org|G*"}}}}
		in := parse(t, child, `{"resourceType":"Condition","code":`+concept("http://example.org", "G1")+`}`)
		kept, err := history.For(s).Read(in[0], in[1:])
		if err != nil || len(kept.Observations) != 1 || kept.Observations[0].Code != "mx-guarderia" {
			t.Errorf("%v %v", kept, err)
		}
	})
}

// The order of the resources must not matter to the history.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for i := range rapid.IntRange(0, 9).Draw(t, "n") {
			cvx := rapid.SampledFrom([]string{"08", "45", "146", "10", "03", "999", "13", "94"}).Draw(t, "cvx")
			on := rapid.SampledFrom([]string{"2025-05-15", "2025-05-16", "2025-07-01"}).Draw(t, "day")
			texts = append(texts, given(fmt.Sprint("i", i), on, cvx, fmt.Sprintf(`"primarySource":%v`, rapid.Bool().Draw(t, "primary"))))
		}
		read := func() history.Kept {
			var docs []*element.Doc
			for _, s := range append([]string{child}, texts...) {
				d, err := element.Parse([]byte(s))
				if err != nil {
					t.Fatal(err)
				}
				docs = append(docs, d)
			}
			kept, err := history.Read(docs[0], docs[1:])
			if err != nil {
				t.Fatal(err)
			}
			return *kept
		}
		first := read()
		rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed"))).Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		if again := read(); !reflect.DeepEqual(first.History, again.History) || !slices.Equal(first.Refs, again.Refs) {
			t.Fatalf("%v\nand in another order\n%v", first, again)
		}
		seen := map[string]bool{}
		for _, d := range first.Doubts {
			seen[d.Ref.ID] = true
		}
		for _, r := range first.Refs {
			seen[r.ID] = true
		}
		for i, s := range texts {
			if !strings.Contains(s, `"code":"13"`) && !seen[strings.Split(strings.SplitN(s, `"id":"`, 2)[1], `"`)[0]] {
				t.Fatalf("resource %d is neither counted nor in doubt: %s", i, s)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(child, given("a", "2025-05-15", "146", `"isSubpotent":true`))
	f.Add(child, `{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"O99999999999999999"}]}}`)
	f.Add(child, `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"49051-6"}]},"effectiveDateTime":"1600-01-01","valueQuantity":{"value":1e400}}`)
	f.Add(child, `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"11778-8"}]},"valueDateTime":"1600-01-02"}`)
	f.Add(child, `{"resourceType":"AllergyIntolerance","reaction":{"substance":[]},"code":[{"coding":{}}]}`)
	f.Add(`{"birthDate":"0001-01-01"}`, `[[[[]]]]`)
	f.Add(`{"birthDate":"2025-03-15T00:00:00Z"}`, `{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"CVX","code":"0"},{"system":"CVX","code":"00000"},{"code":"`+"\u0000"+`"}]},"occurrenceDateTime":"9999-12-31T23:59:59+14:00"}`)
	f.Fuzz(func(t *testing.T, patient, resource string) {
		p, err := element.Parse([]byte(patient))
		if err != nil {
			return
		}
		r, err := element.Parse([]byte(resource))
		if err != nil {
			return
		}
		kept, err := history.Read(p, []*element.Doc{r, r})
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatal(err)
			}
			return
		}
		if kept.Born.IsZero() || len(kept.Doses) != len(kept.Refs) {
			t.Fatalf("%+v", kept)
		}
		for _, d := range kept.Doses {
			if d.Date.IsZero() || d.CVX == "" || d.ID == "" {
				t.Fatalf("%+v", d)
			}
		}
		for _, d := range kept.Doubts {
			if d.Dose < -1 || d.Dose >= len(kept.Doses) || d.Rule == "" || d.Expression == "" || d.Text == "" {
				t.Fatalf("%+v", d)
			}
		}
		if _, err := json.Marshal(kept); err != nil {
			t.Fatal(err)
		}
	})
}
