package search_test

import (
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// terms is a terminology of one value set and one hierarchy: animal > dog > poodle,
// animal > cat.
type terms struct{ codes int }

func (t terms) Codes(valueSet string) (iter.Seq2[string, string], error) {
	switch valueSet {
	case "http://vs/pets", "http://vs/pets|2":
		return func(yield func(string, string) bool) {
			_ = yield("urn:zoo", "dog") && yield("urn:zoo", "cat") && yield("urn:other", "poodle")
		}, nil
	case "http://vs/many":
		return func(yield func(string, string) bool) {
			for i := range t.codes {
				if !yield("urn:zoo", fmt.Sprint(i)) {
					return
				}
			}
		}, nil
	}
	return nil, fhir.Errorf(fhir.NotFound, "the value set is not known")
}

func (terms) Subsumed(system, code string, above bool) (iter.Seq[string], error) {
	parent := map[string]string{"animal": "", "dog": "animal", "cat": "animal", "poodle": "dog"}
	if _, ok := parent[code]; !ok || system != "urn:zoo" {
		return nil, fhir.Errorf(fhir.NotFound, "the code is not in the code system")
	}
	return func(yield func(string) bool) {
		for c := range parent {
			lower, upper := c, code
			if above {
				lower, upper = code, c
			}
			for lower != "" && lower != upper {
				lower = parent[lower]
			}
			if lower == upper && !yield(c) {
				return
			}
		}
	}, nil
}

// TestTokenModifiers is the table of R4 search.html#token, modifier by modifier.
func TestTokenModifiers(t *testing.T) {
	pet := func(coding string) string {
		return `{"resourceType":"Observation","code":{"coding":[` + coding + `]},"category":[{"text":"Mascotas y Ánimo"}]}`
	}
	dog := pet(`{"system":"urn:zoo","code":"dog","display":"Perro Callejero"}`)
	for _, c := range []cases{
		{dog,
			[]string{"Observation?code:in=http://vs/pets", "Observation?code:in=http://vs/pets|2", "Observation?code:in=http://vs/many,http://vs/pets",
				"Observation?code:below=urn:zoo|animal", "Observation?code:below=urn:zoo|dog", "Observation?code:above=urn:zoo|poodle", "Observation?code:above=urn:zoo|dog",
				"Observation?code:text=perro", "Observation?code:text=PERRO call", "Observation?code:text=callejero", "Observation?code:text=Pérro",
				"Observation?category:text=animo", "Observation?combo-code:text=perro", "Observation?combo-code:in=http://vs/pets",
				"Observation?category:not-in=http://vs/pets", "Observation?category:missing=false"},
			[]string{"Observation?code:not-in=http://vs/pets", "Observation?code:below=urn:zoo|cat", "Observation?code:below=urn:zoo|poodle", "Observation?code:above=urn:zoo|animal",
				"Observation?code:text=erro", "Observation?code:text=gato", "Observation?code:text=perro gato", "Observation?code=Perro Callejero",
				"Observation?combo-code:not-in=http://vs/pets", "Observation?component-code:text=perro"}},
		{pet(`{"system":"urn:zoo","code":"poodle"}`), []string{"Observation?code:not-in=http://vs/pets", "Observation?code:below=urn:zoo|dog"}, []string{"Observation?code:in=http://vs/pets"}},
		{pet(`{"system":"urn:else","code":"dog"}`), []string{"Observation?code:not-in=http://vs/pets"}, []string{"Observation?code:in=http://vs/pets", "Observation?code:below=urn:zoo|animal"}},
		{`{"resourceType":"Patient","identifier":[{"type":{"coding":[{"system":"urn:v2","code":"MR"},{"code":"local"}],"text":"Expediente Clínico"},"system":"urn:h","value":"446"},{"value":"999"}]}`,
			[]string{"Patient?identifier:of-type=urn:v2|MR|446", "Patient?identifier:of-type=|local|446", "Patient?identifier:text=expediente", "Patient?identifier:text=clinico"},
			[]string{"Patient?identifier:of-type=urn:v2|MR|447", "Patient?identifier:of-type=urn:v2|MR|999", "Patient?identifier:of-type=urn:v2|SS|446", "Patient?identifier:of-type=|MR|446",
				"Patient?identifier=urn:v2|446", "Patient?identifier=MR"}},
		{`{"resourceType":"ServiceRequest","subject":{"reference":"Patient/1","display":"Peña, José"},"requester":{"identifier":{"system":"urn:cedula","value":"123"}},"instantiatesCanonical":["http://x.org/plan|1.2.3"]}`,
			[]string{"ServiceRequest?requester:identifier=urn:cedula|123", "ServiceRequest?requester:identifier=123", "ServiceRequest?requester:identifier=urn:cedula|", "ServiceRequest?requester:missing=false",
				"ServiceRequest?subject:text=pena jose", "ServiceRequest?subject:text=jose",
				"ServiceRequest?instantiates-canonical=http://x.org/plan", "ServiceRequest?instantiates-canonical:below=http://x.org/plan", "ServiceRequest?instantiates-canonical:below=http://x.org/plan|1",
				"ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.2", "ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.2.3",
				"ServiceRequest?instantiates-canonical:above=http://x.org/plan|1.2.3.4", "ServiceRequest?instantiates-canonical:above=http://x.org/plan|1.2.3"},
			[]string{"ServiceRequest?requester:identifier=urn:x|123", "ServiceRequest?requester:identifier=|123", "ServiceRequest?requester:identifier=124", "ServiceRequest?subject:identifier=1",
				"ServiceRequest?subject:text=ena", "ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.2.30", "ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.2.3.4",
				"ServiceRequest?instantiates-canonical:above=http://x.org/plan|1.2", "ServiceRequest?instantiates-canonical:below=http://x.org/pla"}},
		{`{"resourceType":"ServiceRequest","instantiatesCanonical":["http://x.org/plan|1.20.3"]}`, []string{"ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.20"},
			[]string{"ServiceRequest?instantiates-canonical:below=http://x.org/plan|1.2"}},
		{`{"resourceType":"ValueSet","url":"http://acme.org/fhir/ValueSet/123"}`,
			[]string{"ValueSet?url:below=http://acme.org/fhir/", "ValueSet?url:below=http://acme.org/fhir/ValueSet/123", "ValueSet?url:above=http://acme.org/fhir/ValueSet/123/_history/5", "ValueSet?url:above=http://acme.org/fhir/ValueSet/123"},
			[]string{"ValueSet?url:below=http://acme.org/fhir/CodeSystem", "ValueSet?url:below=acme.org", "ValueSet?url:above=http://acme.org/fhir/ValueSet", "ValueSet?url:below=HTTP://acme.org/"}},
	} {
		for _, q := range c.yes {
			if !foundWith(t, c.resource, q) {
				t.Errorf("%s does not find %s", q, c.resource)
			}
		}
		for _, q := range c.no {
			if foundWith(t, c.resource, q) {
				t.Errorf("%s finds %s", q, c.resource)
			}
		}
	}
}

// foundWith is found with a terminology, and full text.
func foundWith(t testing.TB, resource, text string) bool {
	t.Helper()
	d, _ := load(t, resource)
	ix, err := search.Indexing{Base: base, FullText: true}.Extract(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	typ, params := splitQuery(text)
	q, err := search.Parse(typ, params, search.Options{Base: base, Now: now, Terminology: terms{5}})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: fhir.Ref{Type: d.Text(d.Get(0, "resourceType"))}, Index: &ix, Updated: now})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return ok
}

func TestTerminologyRefuses(t *testing.T) {
	for text, want := range map[string]struct {
		code fhir.Code
		says string
	}{
		"Observation?code:in=http://vs/none":     {fhir.Invalid, `"code" has a value that cannot be read: the value set is not known`},
		"Observation?code:not-in=http://vs/none": {fhir.Invalid, "the value set is not known"},
		"Observation?code:below=urn:zoo|fish":    {fhir.Invalid, "the code is not in the code system"},
		"Observation?code:below=dog":             {fhir.Invalid, "system|code"},
		"Observation?code:above=|dog":            {fhir.Invalid, "system|code"},
		"Observation?code:below=urn:zoo|":        {fhir.Invalid, "system|code"},
		"Observation?code:in=http://vs/many":     {fhir.TooCostly, "more than 10000 codes"},
	} {
		typ, params := splitQuery(text)
		_, err := search.Parse(typ, params, search.Options{Terminology: terms{10_001}})
		if fhir.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v, want %s", text, err, want.says)
		}
	}
}

// TestIdentifierIsApart: what a reference says in words or by identifier is no value
// of the reference itself.
func TestIdentifierIsApart(t *testing.T) {
	cases{
		`{"resourceType":"Observation","subject":{"identifier":{"system":"urn:a","value":"Patient/1"},"display":"x"}}`,
		[]string{"Observation?subject:missing=false", "Observation?subject:identifier=urn:a|Patient/1"},
		[]string{"Observation?subject=Patient/1", "Observation?subject=urn:a|Patient/1"},
	}.run(t)
}

// TestUnits: quantities in units of UCUM are compared by what they measure, others by
// their code.
func TestUnits(t *testing.T) {
	const q, u = "Observation?value-quantity=", "|http://unitsofmeasure.org|"
	value := func(v, code string) string {
		return `{"resourceType":"Observation","valueQuantity":{"value":` + v + `,"system":"http://unitsofmeasure.org","code":"` + code + `"}}`
	}
	for _, c := range []cases{
		{value("5.4", "mg"), []string{q + "0.0054" + u + "g", q + "5.4" + u + "mg", q + "5400" + u + "ug", q + "gt5399" + u + "ug", q + "5.4e-3" + u + "g", q + "5.40e-6" + u + "kg", q + "5.4||mg"},
			[]string{q + "5.4" + u + "g", q + "0.0055" + u + "g", q + "5.4||g", q + "0.0054||g", q + "5.4" + u + "mL", q + "lt5.4" + u + "mg", q + "gt5.4" + u + "mg"}},
		{value("0.0054", "g"), []string{q + "5.4" + u + "mg", q + "ge5.4" + u + "mg", q + "le5.4" + u + "mg"}, []string{q + "gt5.4" + u + "mg", q + "lt5.4" + u + "mg", q + "ne5.4" + u + "mg"}},
		{value("37", "Cel"), []string{q + "310.15" + u + "K", q + "98.6" + u + "[degF]", q + "gt98" + u + "[degF]"}, []string{q + "37" + u + "K"}},
		{value("50", "%"), []string{q + "0.5" + u + "1"}, nil},
		{value("7.4", "[pH]"), []string{q + "7.4" + u + "[pH]", q + "gt7" + u + "[pH]"}, []string{q + "7.5" + u + "[pH]"}},
		{value("3", "no-unit"), []string{q + "3" + u + "no-unit", q + "3||no-unit"}, []string{q + "3" + u + "no-unit2"}},
		{value("2", "h"), []string{q + "120" + u + "min", q + "7200" + u + "s", q + "gt0.05" + u + "d"}, []string{q + "2" + u + "min"}},
		{`{"resourceType":"Observation","valueQuantity":{"value":5,"comparator":">","system":"http://unitsofmeasure.org","code":"g"}}`,
			[]string{q + "gt1" + u + "kg", q + "ge6000" + u + "mg"}, []string{q + "lt4000" + u + "mg"}},
		{`{"resourceType":"Condition","onsetAge":{"value":1,"system":"http://unitsofmeasure.org","code":"a"}}`,
			[]string{"Condition?onset-age=365.25" + u + "d", "Condition?onset-age=12" + u + "mo"}, []string{"Condition?onset-age=12" + u + "d"}},
	} {
		c.run(t)
	}
}

// TestUnitsAgree compares quantities of random units with exact arithmetic.
func TestUnitsAgree(t *testing.T) {
	factors := map[string]*big.Rat{ // grams
		"kg": big.NewRat(1000, 1), "g": big.NewRat(1, 1), "mg": big.NewRat(1, 1000), "ug": big.NewRat(1, 1_000_000), "[lb_av]": nil, "[oz_av]": nil,
	}
	factors["[lb_av]"], _ = new(big.Rat).SetString("453.59237")
	factors["[oz_av]"] = new(big.Rat).Quo(factors["[lb_av]"], big.NewRat(16, 1))
	units := slices.Sorted(maps.Keys(factors))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (string, string, *big.Rat) {
			text := rapid.StringMatching(`[0-9]{1,4}(\.[0-9]{1,3})?`).Draw(t, name)
			text = strings.TrimLeft(text[:len(text)-1], "0") + text[len(text)-1:]
			if strings.HasPrefix(text, ".") {
				text = "0" + text
			}
			unit := rapid.SampledFrom(units).Draw(t, name+" unit")
			v, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatal(text)
			}
			return text, unit, v.Mul(v, factors[unit])
		}
		stored, unit, have := draw("stored")
		asked, askedUnit, at := draw("asked")
		resource := fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s,"system":"http://unitsofmeasure.org","code":%q}}`, stored, unit)
		for prefix, want := range map[string]bool{"gt": have.Cmp(at) > 0, "lt": have.Cmp(at) < 0, "ge": have.Cmp(at) >= 0, "le": have.Cmp(at) <= 0} {
			query := "Observation?value-quantity=" + prefix + asked + "|http://unitsofmeasure.org|" + askedUnit
			if got := heldBy(t, resource, query); got != want {
				t.Fatalf("%s finds %s: %t", query, resource, got)
			}
		}
	})
}
