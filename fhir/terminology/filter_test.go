package terminology

import (
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// animals is a small code system: two hierarchies joined by a concept with two
// parents, properties, designations, and an inactive and an abstract concept.
const animals = `{"resourceType":"CodeSystem","id":"animals","url":"http://e/animals","version":"1.2","name":"Animals","status":"active",
"language":"en","content":"complete","valueSet":"http://e/all-animals","property":[{"code":"abs","uri":"http://hl7.org/fhir/concept-properties#notSelectable","type":"boolean"}],
"concept":[
 {"code":"animal","display":"Animal","property":[{"code":"abs","valueBoolean":true}],"concept":[
  {"code":"dog","display":"Dog","definition":"It barks","designation":[{"language":"es","value":"Perro"},{"language":"es-MX","value":"Chucho"}],
   "property":[{"code":"legs","valueInteger":4},{"code":"sound","valueString":"woof"}],"concept":[
    {"code":"puppy","display":"Puppy"}]},
  {"code":"bird","display":"Bird","property":[{"code":"legs","valueInteger":2},{"code":"likes","valueCoding":{"system":"http://e/food","code":"seed"}}]}]},
 {"code":"pet","display":"Pet","property":[{"code":"child","valueCode":"dog"}]},
 {"code":"dodo","display":"Dodo","property":[{"code":"parent","valueCode":"bird"},{"code":"status","valueCode":"retired"}]}]}`

func item(t testing.TB, json string) *Item {
	t.Helper()
	i, err := Read([]byte(json), nil)
	if err != nil {
		t.Fatalf("%v in %s", err, json)
	}
	return i
}

// known returns what a registry knows when resources are stored, at ids 1, 2, ...
func known(t testing.TB, resources ...string) *View {
	t.Helper()
	r := New()
	items := map[fhir.Ref]*Item{}
	for n, json := range resources {
		i := item(t, json)
		items[fhir.Ref{Type: i.Header.Kind.String(), ID: string(rune('1' + n))}] = i
	}
	r.Change(items)
	return r.View()
}

// valueSet makes a value set of the JSON of a compose.
func valueSet(url, compose string) string {
	return `{"resourceType":"ValueSet","url":"` + url + `","status":"active","compose":` + compose + `}`
}

// codesOf returns the codes of a value set in order.
func codesOf(v *View, url string) (codes []string, s *Set) {
	of, err := v.ValueSet(url, "")
	if err != nil {
		return nil, nil
	}
	s = v.Expansion(of)
	for e := range s.Entries() {
		codes = append(codes, e.Code)
	}
	return codes, s
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ property, op, value, want string }{
		{"concept", "is-a", "animal", "animal dog puppy bird dodo"},
		{"concept", "is-a", "pet", "dog puppy pet"},
		{"concept", "descendent-of", "animal", "dog puppy bird dodo"},
		{"concept", "descendent-of", "puppy", ""},
		{"concept", "is-not-a", "dog", "animal bird pet dodo"},
		{"concept", "generalizes", "puppy", "animal dog puppy pet"},
		{"code", "=", "dog", "dog"},
		{"code", "=", "cat", ""},
		{"display", "=", "Bird", "bird"},
		{"legs", "=", "4", "dog"},
		{"likes", "=", "seed", "bird"},
		{"parent", "=", "bird", "dodo"},
		{"parent", "=", "pet", "dog"},
		{"child", "=", "puppy", "dog"},
		{"code", "in", "dog, bird,cat", "dog bird"},
		{"code", "not-in", "dog,bird", "animal puppy pet dodo"},
		{"legs", "in", "2,4", "dog bird"},
		{"code", "regex", "d.*", "dog dodo"},
		{"code", "regex", "og", ""},
		{"display", "regex", "P(et|uppy)", "puppy pet"},
		{"sound", "exists", "true", "dog"},
		{"legs", "exists", "false", "animal puppy pet dodo"},
		{"definition", "exists", "true", "dog"},
	} {
		v := known(t, animals, valueSet("http://e/vs", `{"include":[{"system":"http://e/animals","filter":[{"property":"`+c.property+`","op":"`+c.op+`","value":"`+c.value+`"}]}]}`))
		codes, s := codesOf(v, "http://e/vs")
		if got := strings.Join(codes, " "); got != c.want || len(s.Problems) > 0 {
			t.Errorf("%s %s %s: %q %v, want %q", c.property, c.op, c.value, got, s.Problems, c.want)
		}
		for _, code := range []string{"animal", "dog", "puppy", "bird", "pet", "dodo"} {
			m := v.In(s, "http://e/animals", "", code, "")
			in := m.Status == In || m.Status == Abstract
			if in != slices.Contains(codes, code) {
				t.Errorf("%s %s %s: membership of %s is %v", c.property, c.op, c.value, code, m.Status)
			}
		}
	}
}

// TestBadFilters: a filter that cannot be tried leaves the set undecided, and says why.
func TestBadFilters(t *testing.T) {
	for _, c := range []struct{ property, op, value, why string }{
		{"concept", "is-a", "cat", "no such code"},
		{"code", "regex", "(", "missing closing"},
		{"code", "regex", "(?=a)", "invalid or unsupported"},
		{"code", "regex", strings.Repeat("a", 1001), "more than 1000 bytes"},
		{"code", "regex", "(a{1000}){1000}", "invalid repeat count"},
		{"code", "exists", "maybe", "maybe"},
		{"code", "resembles", "dog", "resembles"},
		{"code", "", "dog", "operator"},
	} {
		v := known(t, animals, valueSet("http://e/vs", `{"include":[{"system":"http://e/animals","filter":[{"property":"`+c.property+`","op":"`+c.op+`","value":"`+c.value+`"}]}]}`))
		_, s := codesOf(v, "http://e/vs")
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0], c.why) {
			t.Errorf("%s %s %.20s: %q", c.property, c.op, c.value, s.Problems)
		}
		if err := s.Listable(); fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("%s: listable: %v", c.op, err)
		}
		if m := v.In(s, "http://e/animals", "", "dog", ""); m.Status != UnknownSystem {
			t.Errorf("%s: dog is %v", c.op, m.Status)
		}
		if m := v.In(s, "http://e/animals", "", "cat", ""); m.Status != NotIn {
			t.Errorf("%s: a code that does not exist is %v", c.op, m.Status)
		}
	}
}

// FuzzFilter: no filter makes a fault, and membership and listing agree.
func FuzzFilter(f *testing.F) {
	for _, seed := range [][3]string{
		{"concept", "is-a", "animal"}, {"code", "regex", "(a*)*b"}, {"code", "regex", "((((((((((x{99}){99}){9}"}, {"code", "regex", "[\x00-\U0010ffff]"},
		{"parent", "in", ",,,"}, {"legs", "not-in", ""}, {"likes", "exists", "true"}, {"", "=", ""}, {"code", "regex", `\pL\C`}, {"child", "generalizes", "dog"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	r := New()
	r.Change(map[fhir.Ref]*Item{{Type: "CodeSystem", ID: "1"}: item(f, animals)})
	f.Fuzz(func(t *testing.T, property, op, value string) {
		v := r.View()
		of := &ValueSet{Header: Header{URL: "http://e/vs"}, include: []clause{{system: "http://e/animals", filters: []filter{{property, op, value}}}}}
		s := v.ExpandOnce(of)
		listed := map[string]bool{}
		for e := range s.Entries() {
			listed[e.Code] = true
		}
		system, err := v.System("http://e/animals", "")
		if err != nil {
			t.Fatal(err)
		}
		for c := range system.Concepts() {
			m := v.In(s, "http://e/animals", "", c.Code(), "")
			if in := m.Status == In || m.Status == Abstract; in != listed[c.Code()] {
				t.Fatalf("%q %q %q: %s is %v, listed %v", property, op, value, c.Code(), m.Status, listed[c.Code()])
			}
		}
	})
}

// FuzzRead: no JSON makes a fault in reading or working out.
func FuzzRead(f *testing.F) {
	f.Add([]byte(animals))
	f.Add([]byte(valueSet("http://e/a", `{"include":[{"valueSet":["http://e/a"]},{"system":"http://e/x"}],"exclude":[{"system":"urn:ietf:bcp:47"}]}`)))
	f.Add([]byte(`{"resourceType":"ValueSet","url":"u","expansion":{"total":9,"contains":[{"code":"a","contains":[{"system":"s","code":"b"}]}]}}`))
	f.Add([]byte(`{"resourceType":"ConceptMap","group":[{"element":[{"code":"a","target":[{"code":"b","product":7}]}],"unmapped":{"mode":"other-map"}}]}`))
	f.Add([]byte(`{"resourceType":"CodeSystem","concept":[{"code":"a","concept":[{"code":"a","property":[{"code":"parent","valueCode":"a"}]}]},{"code":1,"display":{},"designation":[1],"property":"x"}]}`))
	f.Fuzz(func(t *testing.T, json []byte) {
		i, err := Read(json, func(string) ([]byte, error) { return json, nil })
		if err != nil {
			return
		}
		r := New()
		r.Change(map[fhir.Ref]*Item{{Type: i.Header.Kind.String(), ID: "1"}: i})
		v := r.View()
		if i.ValueSet != nil {
			s := v.Expansion(i.ValueSet)
			_ = s.Listable()
			v.In(s, "", "", "a", "b")
			s.Tree(func(*Entry) bool { return true })
		}
		if i.Map != nil {
			_, _ = i.Map.Translate(Translation{Code: "a"}, func(string) (*Map, bool) { return i.Map, true })
		}
	})
}
