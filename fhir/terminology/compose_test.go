package terminology

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// food is a second system, of which only a fragment is there.
const food = `{"resourceType":"CodeSystem","url":"http://e/food","status":"active","content":"fragment","concept":[{"code":"seed"},{"code":"bone","display":"Bone"}]}`

func TestCompose(t *testing.T) {
	const all = `{"system":"http://e/animals"}`
	others := []string{
		valueSet("http://e/dogs", `{"include":[{"system":"http://e/animals","filter":[{"property":"concept","op":"is-a","value":"dog"}]}]}`),
		valueSet("http://e/pets", `{"include":[{"system":"http://e/animals","concept":[{"code":"bird"},{"code":"dog","display":"Good dog"}]}]}`),
		valueSet("http://e/mp", `{"include":[{"system":"urn:ietf:bcp:13"}]}`),
		valueSet("http://e/text", `{"include":[{"system":"urn:ietf:bcp:13","concept":[{"code":"text/plain"},{"code":"no media type"}]}]}`),
	}
	for _, c := range []struct{ name, compose, want, problem string }{
		{"a whole system", `{"include":[` + all + `]}`, "animal dog puppy bird pet dodo", ""},
		{"active only", `{"inactive":false,"include":[` + all + `]}`, "animal dog puppy bird pet", ""},
		{"a list keeps its order", `{"include":[{"system":"http://e/animals","concept":[{"code":"pet"},{"code":"dog"},{"code":"pet"}]}]}`, "pet dog", ""},
		{"a list without what does not exist", `{"include":[{"system":"http://e/animals","concept":[{"code":"cat"},{"code":"dog"}]}]}`, "dog", ""},
		{"a list from a fragment", `{"include":[{"system":"http://e/food","concept":[{"code":"meat"},{"code":"bone"}]}]}`, "meat bone", ""},
		{"a list from an unknown system", `{"include":[{"system":"http://e/x","concept":[{"code":"b"},{"code":"a"}]}]}`, "b a", ""},
		{"a version", `{"include":[{"system":"http://e/animals","version":"1.2","concept":[{"code":"dog"}]}]}`, "dog", ""},
		{"union of clauses", `{"include":[{"system":"http://e/animals","concept":[{"code":"pet"}]},` + all + `]}`, "pet animal dog puppy bird dodo", ""},
		{"imports", `{"include":[{"valueSet":["http://e/dogs"]},{"valueSet":["http://e/pets"]}]}`, "dog puppy bird", ""},
		{"imports intersect", `{"include":[{"valueSet":["http://e/dogs","http://e/pets"]}]}`, "dog", ""},
		{"import and system intersect", `{"include":[{"system":"http://e/animals","concept":[{"code":"puppy"},{"code":"bird"}],"valueSet":["http://e/pets"]}]}`, "bird", ""},
		{"another system does not meet", `{"include":[{"system":"http://e/food","concept":[{"code":"bone"}],"valueSet":["http://e/pets"]}]}`, "", ""},
		{"exclude a list", `{"include":[` + all + `],"exclude":[{"system":"http://e/animals","concept":[{"code":"dog"},{"code":"cat"}]}]}`, "animal puppy bird pet dodo", ""},
		{"exclude a set", `{"include":[` + all + `],"exclude":[{"valueSet":["http://e/dogs"]}]}`, "animal bird pet dodo", ""},
		{"exclude all", `{"include":[{"valueSet":["http://e/pets"]}],"exclude":[` + all + `]}`, "", ""},
		{"a rule meets a list", `{"include":[{"valueSet":["http://e/mp","http://e/text"]}]}`, "text/plain", ""},
		{"a list meets a rule", `{"include":[{"valueSet":["http://e/text","http://e/mp"]}]}`, "text/plain", ""},
		{"an unknown system", `{"include":[{"system":"http://e/x"},` + all + `]}`, "animal dog puppy bird pet dodo", "http://e/x is not known"},
		{"an unknown version", `{"include":[{"system":"http://e/animals","version":"7"}]}`, "", "version 7 is not known here, only 1.2"},
		{"an unknown value set", `{"include":[{"valueSet":["http://e/y"]}]}`, "", "http://e/y is not known"},
		{"excluding what is unknown", `{"include":[{"valueSet":["http://e/pets"]}],"exclude":[{"valueSet":["http://e/y"]}]}`, "", "http://e/y is not known"},
		{"nothing", `{"include":[{}]}`, "", "neither a system nor a value set"},
		{"itself", `{"include":[{"valueSet":["http://e/vs"]}]}`, "", "imports itself: http://e/vs > http://e/vs"},
	} {
		v := known(t, append([]string{animals, food, valueSet("http://e/vs", c.compose)}, others...)...)
		codes, s := codesOf(v, "http://e/vs")
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := strings.Join(s.Problems, "; "); (got == "") != (c.problem == "") || !strings.Contains(got, c.problem) {
			t.Errorf("%s: problem %q, want %q", c.name, got, c.problem)
		}
		for e := range s.Entries() {
			if m := v.In(s, e.System, "", e.Code, ""); m.Status != In && m.Status != Abstract {
				t.Errorf("%s: %s is listed, and %v", c.name, e.Code, m.Status)
			}
		}
	}
}

// TestCircles: value sets that import one another are refused, whoever is asked first,
// and work on many that do so ends soon.
func TestCircles(t *testing.T) {
	var all []string
	urls := "abcdefghijkl"
	for _, u := range urls {
		var others []string
		for _, w := range urls {
			others = append(others, `{"valueSet":["http://e/`+string(w)+`"]}`)
		}
		all = append(all, valueSet("http://e/"+string(u), `{"include":[`+strings.Join(others, ",")+`]}`))
	}
	v := known(t, all...)
	for _, u := range urls {
		_, s := codesOf(v, "http://e/"+string(u))
		if len(s.Problems) == 0 || !strings.Contains(s.Problems[0], "imports itself") || s.Listable() == nil {
			t.Errorf("%c: %q", u, s.Problems)
		}
		if m := v.Member("http://e/"+string(u), "http://e/animals", "dog", ""); m.Status != UnknownSystem {
			t.Errorf("%c: %v", u, m.Status)
		}
	}
}

func TestStoredExpansion(t *testing.T) {
	const contains = `"contains":[{"system":"http://e/x","code":"a","display":"A","abstract":true,"contains":[{"system":"http://e/x","code":"b","inactive":true}]},{"system":"http://e/animals","code":"dog"}]`
	for _, c := range []struct{ name, rest, want string }{
		{"without compose", `"expansion":{` + contains + `}`, "a b dog"},
		{"where compose cannot be worked out", `"compose":{"include":[{"system":"http://e/x"}]},"expansion":{"total":3,` + contains + `}`, "a b dog"},
		{"not where it is but a page", `"compose":{"include":[{"system":"http://e/x"}]},"expansion":{"total":9,` + contains + `}`, ""},
		{"not where compose can be worked out", `"compose":{"include":[{"system":"http://e/animals","concept":[{"code":"bird"}]}]},"expansion":{` + contains + `}`, "bird"},
	} {
		v := known(t, animals, `{"resourceType":"ValueSet","url":"http://e/vs",`+c.rest+`}`)
		codes, s := codesOf(v, "http://e/vs")
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if len(codes) == 3 {
			if m := v.In(s, "http://e/x", "", "a", ""); m.Status != Abstract || m.Display != "A" {
				t.Errorf("%s: %+v", c.name, m)
			}
			if m := v.In(s, "http://e/x", "", "b", ""); m.Status != In || !m.Inactive {
				t.Errorf("%s: %+v", c.name, m)
			}
		}
	}
	v := known(t, `{"resourceType":"ValueSet","url":"http://e/vs","expansion":{"total":9,`+contains+`}}`)
	if m := v.Member("http://e/vs", "http://e/x", "z", ""); m.Status != UnknownSystem {
		t.Errorf("a page of an expansion: %v", m.Status)
	}
}

func TestMember(t *testing.T) {
	r := New()
	r.Change(map[fhir.Ref]*Item{
		{Type: "CodeSystem", ID: "1"}: item(t, animals),
		{Type: "CodeSystem", ID: "2"}: item(t, food),
		{Type: "ValueSet", ID: "1"}:   item(t, valueSet("http://e/all", `{"include":[{"system":"http://e/animals"},{"system":"http://e/food"}]}`)),
		{Type: "ValueSet", ID: "2"}:   item(t, valueSet("http://e/named", `{"include":[{"system":"http://e/animals","concept":[{"code":"dog","display":"Good dog","designation":[{"language":"fr","value":"Chien"}]}]}]}`)),
		{Type: "ValueSet", ID: "3"}:   item(t, valueSet("http://e/rule", `{"include":[{"system":"urn:ietf:bcp:47"}],"exclude":[{"system":"urn:ietf:bcp:47","concept":[{"code":"en-US"}]}]}`)),
		{Type: "ValueSet", ID: "4"}:   item(t, valueSet("http://e/length", `{"include":[{"system":"http://unitsofmeasure.org","filter":[{"property":"canonical","op":"=","value":"m"}]}]}`)),
	})
	const gender = "http://hl7.org/fhir/ValueSet/administrative-gender"
	for _, c := range []struct {
		set, system, code, display string
		status                     Status
		wrong                      bool
	}{
		{gender, "http://hl7.org/fhir/administrative-gender", "male", "", In, false},
		{gender + "|4.0.1", "http://hl7.org/fhir/administrative-gender", "male", "", In, false},
		{gender + "|3.0.0", "http://hl7.org/fhir/administrative-gender", "male", "", UnknownValueSet, false},
		{gender, "", "male", "", In, false},
		{gender, "", "Male", "", NotIn, false},
		{gender, "http://e/animals", "male", "", NotIn, false},
		{"http://e/none", "", "a", "", UnknownValueSet, false},
		{"http://e/all", "http://e/animals", "dog", "Dog", In, false},
		{"http://e/all", "http://e/animals", "dog", " dOG ", In, false},
		{"http://e/all", "http://e/animals", "dog", "Perro", In, false},
		{"http://e/all", "http://e/animals", "dog", "Gato", In, true},
		{"http://e/all", "http://e/animals", "animal", "", Abstract, false},
		{"http://e/all", "http://e/animals", "cat", "", NotIn, false},
		{"http://e/all", "http://e/food", "seed", "Whatever: it has no name", In, false},
		{"http://e/all", "http://e/food", "meat", "", UnknownSystem, false},
		{"http://e/named", "http://e/animals", "dog", "good dog", In, false},
		{"http://e/named", "http://e/animals", "dog", "Chien", In, false},
		{"http://e/named", "http://e/animals", "bird", "", NotIn, false},
		{"http://e/rule", "urn:ietf:bcp:47", "es-MX", "", In, false},
		{"http://e/rule", "urn:ietf:bcp:47", "en-US", "", NotIn, false},
		{"http://e/rule", "urn:ietf:bcp:47", "not a tag", "", NotIn, false},
		{"http://e/length", UCUM, "km", "", In, false},
		{"http://e/length", UCUM, "kg", "", NotIn, false},
		{"http://hl7.org/fhir/ValueSet/currencies", "urn:iso:std:iso:4217", "MXN", "", In, false},
		{"http://hl7.org/fhir/ValueSet/currencies", "", "MXX", "", NotIn, false},
		{"http://hl7.org/fhir/ValueSet/iso3166-1-3", "urn:iso:std:iso:3166", "MEX", "", In, false},
		{"http://hl7.org/fhir/ValueSet/iso3166-1-3", "urn:iso:std:iso:3166", "MX", "", NotIn, false},
		{"http://hl7.org/fhir/ValueSet/condition-code", "http://snomed.info/sct", "73211009", "", UnknownSystem, false},
		{"http://e/all-animals", "http://e/animals", "dog", "", In, false},
		{"http://e/animals?fhir_vs", "http://e/animals", "dog", "", In, false},
		{"http://e/animals?fhir_vs=isa/bird", "http://e/animals", "dodo", "", In, false},
		{"http://e/animals?fhir_vs=isa/bird", "http://e/animals", "dog", "", NotIn, false},
	} {
		m := r.Member(c.set, c.system, c.code, c.display)
		if m.Status != c.status || m.WrongDisplay != c.wrong {
			t.Errorf("%s %s|%s %q: %v %v, want %v %v", c.set, c.system, c.code, c.display, m.Status, m.WrongDisplay, c.status, c.wrong)
		}
		if c.status == UnknownSystem && len(m.Problems) == 0 {
			t.Errorf("%s: it does not say what is unknown", c.set)
		}
	}
}

func TestTree(t *testing.T) {
	v := known(t, animals, valueSet("http://e/vs", `{"include":[{"system":"http://e/animals"}],"exclude":[{"system":"http://e/animals","concept":[{"code":"dog"}]}]}`))
	_, s := codesOf(v, "http://e/vs")
	tree := s.Tree(func(*Entry) bool { return true })
	var draw func(list []Entry) string
	draw = func(list []Entry) string {
		var parts []string
		for _, e := range list {
			part := e.Code
			if below := tree.Children(e); len(below) > 0 {
				part += "(" + draw(below) + ")"
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, " ")
	}
	if got, want := draw(tree.Roots), "animal(puppy bird(dodo)) pet"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// A circle: each code is a root, none is lost.
	v = known(t, `{"resourceType":"CodeSystem","url":"http://e/o","content":"complete","concept":[{"code":"a","property":[{"code":"parent","valueCode":"b"}]},{"code":"b","property":[{"code":"parent","valueCode":"a"}]}]}`,
		valueSet("http://e/vs", `{"include":[{"system":"http://e/o"}]}`))
	_, s = codesOf(v, "http://e/vs")
	tree = s.Tree(func(*Entry) bool { return true })
	if got := draw(tree.Roots); got != "a b" {
		t.Errorf("a circle: %s", got)
	}
}
