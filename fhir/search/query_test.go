package search_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// TestSystemSearch: in a search of several types, a parameter that not every type has
// is that of each type listed.
func TestSystemSearch(t *testing.T) {
	const condition = `{"resourceType":"Condition","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/1"}}`
	const observation = `{"resourceType":"Observation","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/1"},"effectiveDateTime":"2020"}`
	for _, c := range []cases{
		{condition, []string{"?_type=Condition,Observation&code=x", "?code=x&_type=Condition,Observation", "?_type=Condition&subject=Patient/1", "?_type=Condition,Observation&code:not=y",
			"?_type=Condition,Observation&_filter=code eq x"},
			[]string{"?_type=Observation&code=x", "?_type=Condition,Observation&code=y", "?_type=Procedure,Observation&code=x", "?_type=Condition,Observation&code:not=x", "?_type=Condition,Observation&_filter=code ne x"}},
		{observation, []string{"?_type=Condition,Observation&code=x&patient=1", "?_type=Observation&date=2020"}, []string{"?_type=Condition,Observation&code=x&patient=2"}},
	} {
		c.run(t)
	}
	for text, want := range map[string]string{
		"?_type=Patient,Practitioner&family=ek":               "_type=Patient,Practitioner&(_type=Patient&family=ek or _type=Practitioner&family=ek)",
		"?_type=Observation&patient.family=ek":                "_type=Observation&(_type=Observation&patient:Patient.(family=ek))",
		"?_type=Patient,Patient&_tag=x":                       "_type=Patient&_tag=x",
		"Patient?_list=1,List/2":                              "_has:List:item:(_id=1,2)",
		"Patient?_list=1&active=true":                         "_has:List:item:(_id=1)&active=true",
		"Patient?_contained=false&active=true":                "active=true",
		"Patient?_text=fever or (chill -cough)":               "(_text=fever or _text=chill&not(_text=cough))",
		"Observation?code:in=http://vs/pets":                  "code:in=http://vs/pets",
		"Observation?code:not-in=http://vs/pets":              "not(code:in=http://vs/pets)",
		"Observation?combo-code-value-quantity=a$5":           "(code-value-quantity=a$5 or component-code-value-quantity=a$5)",
		"Observation?subject:Patient=1":                       "subject:Patient=1",
		"Observation?has-member.has-member.code=x":            "(has-member:Observation.((has-member:Observation.(code=x) or has-member:QuestionnaireResponse",
		"Patient?_has:Observation:patient:encounter.status=x": "_has:Observation:patient:(encounter:Encounter.(status=x))",
		"Encounter?patient._has:Group:member:_id=5":           "patient:Patient.(_has:Group:member:(_id=5))",
		"Encounter?patient.organization.partof.name=x":        "patient:Patient.(organization:Organization.(partof:Organization.(name=x)))",
		"Library?context-type-value=a$b":                      "context-type-value=a$b",
	} {
		typ, params := splitQuery(text)
		q, err := search.Parse(typ, params, search.Options{Base: base, Now: now, Terminology: terms{}})
		if err != nil {
			if !strings.HasPrefix(text, "Observation?has-member") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if got := search.And(q.Where).String(); got != want && !strings.HasPrefix(text, "Observation?has-member") {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestSort: a result can be sorted by any parameter that has an order.
func TestSort(t *testing.T) {
	q := query(t, "Observation?_sort=-code,subject,date,value-quantity,_id")
	if len(q.Sort) != 5 || q.Sort[0].Param.Code != "code" || !q.Sort[0].Desc || q.Sort[1].Param.Type != spec.Reference {
		t.Errorf("%+v", q.Sort)
	}
	if q := query(t, "ValueSet?_sort=url,identifier"); q.Sort[0].Param.Type != spec.URI {
		t.Errorf("%+v", q.Sort)
	}
	_, ix := load(t, `{"resourceType":"Patient","identifier":[{"system":"urn:a","value":"B-2"},{"value":"A-1"}],"gender":"male","managingOrganization":{"reference":"http://x/Organization/1"}}`)
	var words []string
	for _, w := range ix.Words {
		if w.Kind == search.CodeWord {
			words = append(words, w.Text)
		}
		if _, ok := slices.BinarySearch(ix.Tokens, w.Posting); !ok {
			t.Errorf("the word %q has a posting that the resource lacks", w.Text)
		}
	}
	slices.Sort(words)
	if got := strings.Join(slices.Compact(words), " "); got != "A-1 B-2 false http://x/Organization/1 male" {
		t.Errorf("words %q", got)
	}
}

// TestRoundTrip: a condition prints itself as it stands in a query, and is read so again.
func TestRoundTrip(t *testing.T) {
	type field struct {
		typ, name string
		value     *rapid.Generator[string]
	}
	word := rapid.StringMatching(`[a-zA-Z0-9ñé \\,$|"&=:.-]{1,12}`)
	escaped := rapid.Map(word, escaper.Replace)
	code := rapid.OneOf(escaped, rapid.Map(escaped, func(s string) string { return "urn:s|" + s }), rapid.Map(escaped, func(s string) string { return "|" + s }))
	number := rapid.StringMatching(`(eq|ne|gt|lt|ge|le|sa|eb|ap)?-?[0-9]{1,5}(\.[0-9]{1,4})?(e-?[0-9])?`)
	date := rapid.StringMatching(`(eq|ne|gt|lt|ge|le|sa|eb|ap)?(19|20)[0-9]{2}(-0[1-9](-[01][1-9](T[01][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|-0[0-9]:00))?)?)?`)
	fields := []field{
		{"Patient", "family", escaped}, {"Patient", "family:exact", escaped}, {"Patient", "name:contains", escaped}, {"Patient", "identifier", code}, {"Patient", "gender:missing", rapid.Just("true")},
		{"Patient", "birthdate", date}, {"RiskAssessment", "probability", number}, {"Observation", "value-quantity", number}, {"Observation", "value-quantity", rapid.Map(number, func(s string) string { return s + "|http://unitsofmeasure.org|mg" })},
		{"Observation", "code:text", rapid.StringMatching(`[a-zñé]{1,8}( [a-z]{1,5})?`)}, {"Observation", "code-value-quantity", rapid.Map(number, func(s string) string { return "urn:a|x$" + s })},
		{"ValueSet", "url", escaped}, {"ValueSet", "url:below", rapid.Just("http://a.org/b")}, {"ValueSet", "url:above", rapid.Just("http://a.org/b")}, {"Observation", "subject", rapid.SampledFrom([]string{"1", "Patient/1", "http://x/Patient/1"})},
		{"Observation", "subject:identifier", code}, {"Location", "near", rapid.Just("1|2|3|km")}, {"Observation", "code-value-string", rapid.Map(escaped, func(s string) string { return "x$" + s })},
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		value := f.value.Draw(t, "value")
		if n := rapid.IntRange(0, 2).Draw(t, "more"); !strings.Contains(f.name, "missing") {
			for range n {
				value += "," + f.value.Draw(t, "value")
			}
		}
		opts := search.Options{Base: base, Now: now}
		q, err := search.Parse(f.typ, []search.Param{{Name: f.name, Value: value}}, opts)
		if err != nil {
			if fhir.CodeOf(err) != fhir.Invalid {
				t.Fatalf("%s=%s: %v", f.name, value, err)
			}
			return
		}
		text := search.And(q.Where).String()
		name, printed, _ := strings.Cut(text, "=")
		again, err := search.Parse(f.typ, []search.Param{{Name: name, Value: printed}}, opts)
		if err != nil || search.And(again.Where).String() != text || printed != value || name != f.name {
			t.Fatalf("%s=%s prints %s, %v", f.name, value, text, err)
		}
	})
}
