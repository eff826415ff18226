package search_test

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

const (
	filterPatient = `{"resourceType":"Patient","id":"p1","active":true,"name":[{"family":"Muñoz","given":["Pedro","José Luis"]}],"birthDate":"2014-10-12","gender":"male","identifier":[{"system":"urn:a","value":"1, 2"}]}`
	filterValue   = `{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"1234-5"}]},"subject":{"reference":"Patient/p1"},"effectivePeriod":{"start":"2020-03","end":"2020-05"},
	  "valueQuantity":{"value":160,"system":"http://unitsofmeasure.org","code":"mmol/L"}}`
)

// TestFilter is R4 search_filter.html, operator by operator, and its examples.
func TestFilter(t *testing.T) {
	for _, c := range []struct {
		resource string
		yes, no  []string
	}{
		{filterPatient,
			[]string{`name co "edr"`, `name co "LUIS"`, `given eq "pedro"`, `given eq pedro and birthdate ge 2014-10-10`, `given eq "José Luis"`, `family sw "mun"`, `family ew "oz"`, `family ne "ek"`,
				`gender eq male`, `gender ne female`, `gender eq http://hl7.org/fhir/administrative-gender|male`, `birthdate gt 2014-09`, `birthdate lt 2015`, `birthdate po 2014-10`, `birthdate ap 2014-10-13`, `birthdate pr true`,
				`address pr false`, `not (gender eq female)`, `not(gender eq female)`, `active eq true`, `id eq p1`, `_id ne p2`, `identifier eq "urn:a|1, 2"`, `birthdate sa 2014-09`, `birthdate eb 2015`,
				// from left to right: (false and false) or true; (true or true) and true
				`gender eq female and active eq false or active eq true`, `gender eq male or gender eq female and active eq true`,
				`(gender eq male)`, `((gender eq male) and ((active eq true)))`, `GENDER eq male or gender EQ male`, ` gender  eq  male `, `_lastUpdated gt 2020`, `family co "Muñ"`},
			[]string{`name co "x"`, `given eq "ped"`, `given eq "luis"`, `family sw "oz"`, `family ew "mun"`, `family ne "muñoz"`, `address ne "x"`, `gender ne male`, `birthdate lt 2014`, `birthdate po 2015`, `birthdate pr false`,
				`not (gender eq male)`, `gender eq male or gender eq female and active eq false`, `gender eq male and (active eq false or gender eq female)`, `id eq p2`, `identifier eq "urn:a|1"`, `_lastUpdated lt 2020`}},
		{filterValue,
			[]string{`code eq http://loinc.org|1234-5`, `code eq loinc|1234-5`, `date po 2020-04`, `date ge 2020-04`, `date po 2020-05-31`, `subject re Patient/p1`, `subject re "` + base + `/Patient/p1"`, `patient eq p1`, `subject ne Patient/2`,
				`value-quantity gt 150|ucum|mmol/L`, `value-quantity le 0.2|http://unitsofmeasure.org|mol/L`, `value-quantity eq 160`, `code-value-quantity eq loinc|1234-5$gt150|http://unitsofmeasure.org|mmol/L`,
				`combo-code eq 1234-5`, `combo-code-value-quantity eq 1234-5$160`, `code ne loinc|9`, `code-value-quantity ne 9$160`},
			[]string{`code eq snomed|1234-5`, `date po 2020-06`, `date po 2020-02`, `subject re Patient/2`, `value-quantity gt 160|ucum|mmol/L`, `code-value-quantity eq loinc|1234-5$lt150`, `code ne 1234-5`, `subject ne Patient/p1`}},
		{`{"resourceType":"ValueSet","url":"http://a.org/b"}`, []string{`url eq http://a.org/b`, `url sw http://a.org/`, `url ne http://c`}, []string{`url eq http://a.org/`, `url sw http://b`}},
	} {
		for _, f := range c.yes {
			if !filters(t, c.resource, f) {
				t.Errorf("%s does not find %s", f, c.resource)
			}
		}
		for _, f := range c.no {
			if filters(t, c.resource, f) {
				t.Errorf("%s finds %s", f, c.resource)
			}
		}
	}
}

func filters(t *testing.T, resource, text string) bool {
	t.Helper()
	d, ix := load(t, resource)
	ref := fhir.Ref{Type: d.Text(d.Get(0, "resourceType")), ID: "p1"}
	text = strings.Replace(text, "GENDER", "gender", 1)
	q, err := search.Parse(ref.Type, []search.Param{{Name: "_filter", Value: text}}, search.Options{Base: base, Now: now, Terminology: terms{}})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: ref, Index: ix, Updated: now})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return ok
}

// TestFilterTerminology: ss, sb, in and ni ask what codes mean.
func TestFilterTerminology(t *testing.T) {
	const dog = `{"resourceType":"Observation","code":{"coding":[{"system":"urn:zoo","code":"dog"}]}}`
	for f, want := range map[string]bool{
		"code in http://vs/pets": true, "code ni http://vs/pets": false, "code ss urn:zoo|animal": true, "code ss urn:zoo|poodle": false,
		"code sb urn:zoo|poodle": true, "code sb urn:zoo|animal": false,
	} {
		if filters(t, dog, f) != want {
			t.Errorf("%s: %t", f, !want)
		}
	}
}

// TestFilterTree shows how paths are understood.
func TestFilterTree(t *testing.T) {
	for text, want := range map[string]string{
		`Observation?_filter=subject:Patient.name co "pet"`:                            `subject:Patient.(name:contains=pet)`,
		`Observation?_filter=patient.name co "pet"`:                                    `patient:Patient.(name:contains=pet)`,
		`Observation?_filter=patient[gender eq male].name sw "a"`:                      `patient:Patient.(gender=male&name=a)`,
		`Observation?_filter=patient[gender eq male or active eq true].family pr true`: `patient:Patient.((gender=male or active=true)&family:missing=false)`,
		`Observation?_filter=patient.organization.name eq "x"`:                         `patient:Patient.(organization:Organization.(name:equal=x))`,
		`Patient?_filter=_has:Observation:patient:code eq http://loinc.org|1234-5`:     `_has:Observation:patient:(code=http://loinc.org|1234-5)`,
		`Patient?_filter=_has:Observation:patient:encounter.status eq finished`:        `_has:Observation:patient:(encounter:Encounter.(status=finished))`,
		`Patient?_filter=a:b eq c`:                                                     ``,
		`?_filter=_id eq x`:                                                            `_id=x`,
		`?_type=Patient,Practitioner&_filter=family eq "x"`:                            `_type=Patient,Practitioner&(_type=Patient&family:equal=x or _type=Practitioner&family:equal=x)`,
	} {
		typ, params := splitQuery(text)
		q, err := search.Parse(typ, params, search.Options{Base: base, Now: now})
		if want == "" {
			if fhir.CodeOf(err) != fhir.Invalid {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := search.And(q.Where).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestFilterRefused(t *testing.T) {
	for filter, want := range map[string]string{
		``: "name of a search parameter is missing", `gender`: "after a name comes an operator", `gender eq`: "after an operator comes a value", `gender is male`: "after a name comes an operator",
		`gender eq male and`: "name of a search parameter is missing", `gender eq male gender eq female`: "after a test come and, or, or the end", `(gender eq male`: "closing parenthesis is missing",
		`gender eq male)`: "after a test come", `not gender eq male`: "after a name comes an operator", `gender eq "male`: "as in JSON", `gender gt male`: `"gender" cannot be tested with gt; of type token`,
		`famliy eq "x"`: "did you mean family", `family gt "x"`: `cannot be tested with gt; of type string: eq, ne, co, sw, ew, pr`, `birthdate co 2014`: "cannot be tested with co; of type date",
		`birthdate eq "x"`: "a date is", `birthdate po gt2014`: "without a prefix", `birthdate pr maybe`: "true or false", `organization gt 1`: `of type reference: eq, ne, pr, re`,
		`gender[active eq true].x eq 1`: "only a reference can be followed", `organization[name eq "x"] eq 1`: "comes a dot", `organization[name eq "x".name eq 1`: "closing bracket", `id gt 5`: `"_id" cannot be tested`,
		`link[`: "name of a search parameter is missing", `name.x eq 1`: "only a reference", `_lastUpdated co 2020`: "cannot be tested",
	} {
		_, err := search.Parse("Patient", []search.Param{{Name: "_filter", Value: filter}}, search.Options{})
		if fhir.CodeOf(err) != fhir.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", filter, err, want)
		}
	}
	for name, filter := range map[string]string{
		"long": strings.Repeat(" ", 9000), "deep": strings.Repeat("(", 5000), "tests": strings.Repeat("active eq true or ", 200) + "active eq true",
		"chain": strings.Repeat("link.", 50) + "active eq true", "brackets": strings.Repeat("link[", 100) + "x", "not": strings.Repeat("not (", 100) + "x",
		"types": strings.Repeat("_has:Observation:patient:focus._id eq x or ", 60) + "active eq true",
	} {
		if _, err := search.Parse("Patient", []search.Param{{Name: "_filter", Value: filter}}, search.Options{}); fhir.CodeOf(err) != fhir.TooCostly {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`name co "pet"`, `not (a eq b)`, `link[other pr true].x eq "\u0000"`, `((((`, `))))`, `]`, `a.b.c.d.e.f eq 1`, `name eq "\ud800"`, "gender eq \xff", `a eq b and or c`, `_has:x:y:z eq 1`,
		`_has:Observation:patient:_has:Provenance:target:agent eq 1`, `birthdate po 9999-12-31`, `identifier eq a|b|c|d`, `identifier eq \,|$`, `name co "%_\\"`, `link.link.link.link.family eq "x"`,
		`link[link[link[link[link[family eq "x"].active eq true].active eq true].active eq true].active eq true].active eq true`, `_id eq "'; DROP TABLE resource; --"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := search.Parse("Patient", []search.Param{{Name: "_filter", Value: text}}, search.Options{Base: base, Now: now, Terminology: terms{}})
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatalf("%q: %v is nobody's fault", text, err)
			}
			return
		}
		if len(search.And(q.Where).String()) > 1<<20 {
			t.Fatalf("%q grows out of proportion", text)
		}
		_, _ = search.Holds(search.And(q.Where), &search.Subject{Index: &search.Index{}})
	})
}
