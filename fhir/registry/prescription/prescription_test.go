package prescription

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/key"
)

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		ingredient Ingredient
		want       Group
	}{
		"by name":              {Ingredient{Name: "CLONAZEPAM"}, Group{"III", false}},
		"accents do not count": {Ingredient{Name: "Codeina fosfato"}, Group{"I", false}},
		"by code":              {Ingredient{Name: "?", codes: map[string][]string{atc: {"N01AH01"}}}, Group{"I", false}},
		"the strictest":        {Ingredient{Name: "diazepam", codes: map[string][]string{atc: {"N02AA01"}}}, Group{"I", false}},
		"an antibiotic":        {Ingredient{Name: "Amoxicilina trihidratada"}, Group{"IV", true}},
		"a salt in the name":   {Ingredient{Name: "Sulfato de morfina"}, Group{"I", false}},
		"nothing special":      {Ingredient{Name: "Paracetamol", codes: map[string][]string{atc: {"N02BE01"}}}, Group{}},
	} {
		if got := DefaultGroups().Of([]Ingredient{c.ingredient}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for _, bad := range []string{"X\ty\tVII\t", "\t\tI\t", "A\tb\tI\tcosa", "A\tb\tI\tantibiotic\tmore"} {
		if _, err := ParseGroups(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestAllergy(t *testing.T) {
	amoxicillin := &Item{Ingredients: []Ingredient{{Name: "Amoxicilina trihidratada", codes: map[string][]string{atc: {"J01CA04"}, "http://snomed.info/sct": {"372687004"}}}}}
	for name, c := range map[string]struct {
		allergy string
		want    bool
	}{
		"by name":         {`"code":{"text":"AMOXICILINA"}`, true},
		"by code":         {`"code":{"coding":[{"system":"http://snomed.info/sct","code":"372687004"}]}`, true},
		"by class":        {`"code":{"coding":[{"system":"http://www.whocc.no/atc","code":"J01C"}]}`, true},
		"too wide":        {`"code":{"coding":[{"system":"http://www.whocc.no/atc","code":"J"}]}`, false},
		"in a reaction":   {`"code":{"text":"Antibiótico"},"reaction":[{"substance":{"text":"amoxicilina"}}]`, true},
		"refuted":         {`"code":{"text":"Amoxicilina"},"verificationStatus":{"coding":[{"code":"refuted"}]}`, false},
		"something else":  {`"code":{"text":"Sulfas"}`, false},
		"nothing is said": {`"code":{}`, false},
	} {
		d, err := element.Parse([]byte(`{"resourceType":"AllergyIntolerance",` + c.allergy + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := against(d, amoxicillin); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFrequency(t *testing.T) {
	for repeat, want := range map[string]string{
		`{"frequency":1,"period":8,"periodUnit":"h"}`:   "cada 8 horas",
		`{"frequency":3,"period":1,"periodUnit":"d"}`:   "3 veces cada 1 día",
		`{"frequency":1,"period":1,"periodUnit":"wk"}`:  "cada 1 semana",
		`{"frequency":1,"period":1.5,"periodUnit":"d"}`: "cada 1.5 días",
		`{"count":1}`:                                     "dosis única",
		`{"frequency":1,"period":8}`:                      "",
		`{"frequency":0,"period":8,"periodUnit":"h"}`:     "",
		`{"frequency":1,"period":-8,"periodUnit":"h"}`:    "",
		`{"frequency":1,"period":8,"periodUnit":"siglo"}`: "",
	} {
		d, err := element.Parse([]byte(`{"repeat":` + repeat + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := frequency(d, 0); got != want {
			t.Errorf("%s: %q, want %q", repeat, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for born, want := range map[string]string{"1980-02-03": "46 años", "2024-11-22": "2 años", "2024-11-23": "23 meses", "2026-10-22": "1 mes", "2026-11-21": "1 día", "2026-11-22": "0 días", "2027-01-01": ""} {
		day, err := time.Parse(time.DateOnly, born)
		if err != nil {
			t.Fatal(err)
		}
		if got := ageText(day, at); got != want {
			t.Errorf("%s: %q, want %q", born, got, want)
		}
	}
}

// TestNothingIsDispensedTwice: whatever is taken off a line, in whatever parts, it never
// adds up to more than was prescribed.
func TestNothingIsDispensedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := big.NewRat(int64(rapid.IntRange(1, 1000).Draw(t, "total")), int64(rapid.SampledFrom([]int{1, 2, 4, 10}).Draw(t, "parts")))
		l := line{Total: amountText(total)}
		sum := new(big.Rat)
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			amount := big.NewRat(int64(rapid.IntRange(1, 400).Draw(t, "amount")), 4)
			if amount.Cmp(l.left()) > 0 {
				continue
			}
			sum.Add(sum, amount)
			l.Given = amountText(sum)
		}
		if sum.Cmp(total) > 0 || l.left().Sign() < 0 || new(big.Rat).Add(l.left(), sum).Cmp(total) != 0 {
			t.Fatalf("of %s, %s was given and %s is left", total, sum, l.left())
		}
	})
}

// TestHold: no version of what has a folio is written, changed or deleted without the right.
func TestHold(t *testing.T) {
	with := `{"resourceType":"MedicationRequest","groupIdentifier":{"system":"` + FolioSystem + `","value":"F"}}`
	escaped := strings.Replace(with, "folio-receta", `folio\u002dreceta`, 1)
	document := `{"resourceType":"Composition","identifier":{"system":"` + FolioSystem + `","value":"F"}}`
	dispense := `{"resourceType":"MedicationDispense","identifier":[{"system":"x","value":"y"},{"system":"` + FolioSystem + `","value":"F"}]}`
	other := `{"resourceType":"MedicationRequest","groupIdentifier":{"system":"x","value":"F"}}`
	at := func(json string) *fhir.Resource { return &fhir.Resource{JSON: []byte(json)} }
	for _, json := range []string{with, escaped, document, dispense} {
		if held(nil, at(json)) == nil || held(at(json), at(other)) == nil || held(at(other), at(json)) == nil || held(at(json), &fhir.Resource{}) == nil {
			t.Errorf("not held: %s", json)
		}
	}
	if err := held(at(other), at(other)); err != nil {
		t.Error(err)
	}
	if err := held(nil, at(other)); err != nil {
		t.Error(err)
	}
}

func testClaim(tb testing.TB) (key.Keys, string) {
	k, err := key.New(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), keyLength)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Prescription{Folio: "DFSSA003966-261122-ABCDEFGH", CLUES: "DFSSA003966", Cedula: "1234567", Patient: "Lucía Ángeles de la O", Signed: time.Now(), Expires: time.Now(),
		Items: []*Item{{Ingredients: []Ingredient{{Name: "Paracetamol", Strength: "500 mg"}}, Quantity: big.NewRat(21, 2), Unit: "tableta"}}}
	jws, err := p.claim(time.Now()).Sign(k)
	if err != nil {
		tb.Fatal(err)
	}
	return key.Keys{k}, jws
}

func TestClaim(t *testing.T) {
	keys, jws := testClaim(t)
	c, err := OpenClaim(keys, "https://h/verify/token#"+jws)
	if err != nil || c.Items[0] != "Paracetamol 500 mg × 10.5 tableta" || c.Initials != "LÁDLO" {
		t.Fatal(c, err)
	}
	others, _ := testClaim(t)
	if _, err := OpenClaim(others, jws); err != ErrKey {
		t.Error(err)
	}
	for i := range jws {
		altered := []byte(jws)
		altered[i] ^= 1
		if c, err := OpenClaim(keys, string(altered)); err == nil {
			t.Fatalf("altered at %d: %+v", i, c)
		}
	}
}

func FuzzOpenClaim(f *testing.F) {
	keys, jws := testClaim(f)
	parts := strings.Split(jws, ".")
	for _, seed := range []string{"", "..", "#", "a.b.c", jws + "\n", "eyJhbGciOiJub25lIn0." + parts[1] + ".", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, code string) {
		if c, err := OpenClaim(keys, code); err == nil && !strings.Contains(code, parts[1]) {
			t.Fatalf("%q is believed: %+v", code, c)
		}
	})
}

// FuzzReadItem: whatever is sent as a request is refused by name, or has all that is asked
// for.
func FuzzReadItem(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"contained":[{}],"medicationReference":{"reference":"#"}}`, `{"dosageInstruction":[null,{}],"dispenseRequest":[]}`,
		`{"contained":[{"resourceType":"Medication","id":"m","form":{"text":"t"},"ingredient":[{"itemCodeableConcept":{"text":"n"},"strength":{"numerator":{"value":5,"unit":"mg"}}}]}],"medicationReference":{"reference":"#m"},
 "dosageInstruction":[{"text":"x","route":{"text":"o"},"timing":{"repeat":{"frequency":1,"period":8,"periodUnit":"h","boundsDuration":{"value":7,"code":"d"}}},"doseAndRate":[{"doseQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"mg"}}]}],"dispenseRequest":{"quantity":{"value":21,"unit":"t"},"numberOfRepeatsAllowed":1}}`,
		`{"dispenseRequest":{"quantity":{"value":1e999999999,"unit":"t"}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := element.Parse([]byte(text))
		if err != nil {
			return
		}
		m, issues := readItem(d, 0, "x")
		if len(issues) > 0 {
			return
		}
		if m.Generic() == "" || m.Form == "" || m.Dose == "" || m.Route == "" || m.Frequency == "" || m.Duration == "" || m.Instruction == "" || m.Quantity == nil || m.Total().Sign() <= 0 {
			t.Fatalf("%s: %+v", text, m)
		}
	})
}
