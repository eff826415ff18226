package search_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

const base = "https://salud.example/fhir"

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// load parses and indexes a resource.
func load(t testing.TB, json string) (*element.Doc, *search.Index) {
	t.Helper()
	d, err := element.Parse([]byte(json))
	if err != nil {
		t.Fatalf("%v in %s", err, json)
	}
	ix, err := search.Extract(d, 0, base)
	if err != nil {
		t.Fatalf("%v in %s", err, json)
	}
	return d, &ix
}

// query parses "Type?name=value&...", without any decoding.
func query(t testing.TB, text string) *search.Query {
	t.Helper()
	typ, params := splitQuery(text)
	q, err := search.Parse(typ, params, search.Options{Base: base, Now: now})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func parseDoc(json string) (*element.Doc, error) { return element.Parse([]byte(json)) }

func splitQuery(text string) (typ string, params []search.Param) {
	typ, rest, _ := strings.Cut(text, "?")
	for part := range strings.SplitSeq(rest, "&") {
		name, value, _ := strings.Cut(part, "=")
		params = append(params, search.Param{Name: name, Value: value})
	}
	return typ, params
}

// found reports whether the resource matches the query.
func found(t testing.TB, resource, text string) bool {
	t.Helper()
	d, ix := load(t, resource)
	s := &search.Subject{Index: ix, Updated: now}
	s.Ref.Type = d.Text(d.Get(0, "resourceType"))
	if id := d.Get(0, "id"); id != element.None {
		s.Ref.ID = d.Text(id)
	}
	ok, err := search.Holds(search.And(query(t, text).Where), s)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return ok
}

// cases is a table: for a resource, the queries that find it and those that do not.
type cases struct {
	resource string
	yes, no  []string
}

func (c cases) run(t *testing.T) {
	t.Helper()
	for _, q := range c.yes {
		if !found(t, c.resource, q) {
			t.Errorf("%s does not find %s", q, c.resource)
		}
	}
	for _, q := range c.no {
		if found(t, c.resource, q) {
			t.Errorf("%s finds %s", q, c.resource)
		}
	}
}

func TestToken(t *testing.T) {
	for _, c := range []cases{
		{ // Coding and CodeableConcept
			`{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"8302-2"},{"code":"height"}]}}`,
			[]string{"Observation?code=8302-2", "Observation?code=http://loinc.org|8302-2", "Observation?code=http://loinc.org|",
				"Observation?code=|height", "Observation?code=height", "Observation?code=x,height", "Observation?code:not=x",
				"Observation?code:missing=false", "Observation?category:missing=true", "Observation?category:not=x",
				"Observation?combo-code=height", "Observation?combo-code:not=x", "Observation?combo-code:missing=false"},
			[]string{"Observation?code=8302", "Observation?code=http://snomed.info/sct|8302-2", "Observation?code=|8302-2",
				"Observation?code=http://snomed.info/sct|", "Observation?code:not=height", "Observation?code:not=x,8302-2",
				"Observation?code:missing=true", "Observation?category:missing=false", "Observation?code=HEIGHT",
				"Observation?combo-code=x", "Observation?combo-code:not=height", "Observation?combo-code:missing=true",
				"Observation?component-code=height", "Observation?code=8302-2&code=x"},
		},
		{ // the code of a component is found by the joined parameter
			`{"resourceType":"Observation","component":[{"code":{"coding":[{"code":"c"}]}}]}`,
			[]string{"Observation?combo-code=c", "Observation?component-code=c", "Observation?combo-code:missing=false"},
			[]string{"Observation?code=c", "Observation?combo-code:missing=true"},
		},
		{ // Identifier
			`{"resourceType":"Patient","identifier":[{"system":"urn:curp","value":"EKAA900101MDFRNN09"},{"value":"bare"}]}`,
			[]string{"Patient?identifier=EKAA900101MDFRNN09", "Patient?identifier=urn:curp|EKAA900101MDFRNN09", "Patient?identifier=urn:curp|", "Patient?identifier=|bare"},
			[]string{"Patient?identifier=|EKAA900101MDFRNN09", "Patient?identifier=urn:x|bare", "Patient?identifier=ekaa900101mdfrnn09"},
		},
		{ // code with the system of its binding, boolean, contact points
			`{"resourceType":"Patient","gender":"female","active":true,"telecom":[{"system":"phone","value":"55 1234"},{"system":"email","value":"a@b.mx"}]}`,
			[]string{"Patient?gender=female", "Patient?gender=http://hl7.org/fhir/administrative-gender|female", "Patient?active=true",
				"Patient?phone=55 1234", "Patient?email=a@b.mx", "Patient?telecom=a@b.mx", "Patient?deceased=false"},
			[]string{"Patient?gender=male", "Patient?gender=http://x|female", "Patient?active=false", "Patient?phone=a@b.mx", "Patient?deceased=true"},
		},
		{`{"resourceType":"Patient","deceasedDateTime":"2020"}`, []string{"Patient?deceased=true", "Patient?death-date=2020"}, []string{"Patient?deceased=false"}},
		{`{"resourceType":"Patient","deceasedBoolean":false}`, []string{"Patient?deceased=false"}, []string{"Patient?deceased=true"}},
		{ // a string is compared without regard to case
			`{"resourceType":"ValueSet","version":"2.0-RC"}`,
			[]string{"ValueSet?version=2.0-RC", "ValueSet?version=2.0-rc"}, []string{"ValueSet?version=2.0"},
		},
		{ // escapes
			`{"resourceType":"Patient","identifier":[{"system":"urn:a|b","value":"1,2$3\\4"}]}`,
			[]string{`Patient?identifier=1\,2\$3\\4`, `Patient?identifier=urn:a\|b|1\,2\$3\\4`, `Patient?identifier=x,1\,2\$3\\4`},
			[]string{`Patient?identifier=1,2$3`, `Patient?identifier=urn:a|b`},
		},
		{ // meta, of every type
			`{"resourceType":"Patient","meta":{"tag":[{"system":"urn:t","code":"x"}],"security":[{"code":"R"}]}}`,
			[]string{"Patient?_tag=urn:t|x", "Patient?_security=R", "?_tag=x"}, []string{"Patient?_tag=R"},
		},
	} {
		c.run(t)
	}
}

func TestString(t *testing.T) {
	for _, c := range []cases{
		{
			`{"resourceType":"Patient","name":[{"family":"Carreño Quiñones","given":["María  José","Eve"],"prefix":["Dra."]}],
			  "address":[{"line":["Av. Juárez 12"],"city":"Mérida","postalCode":"97000"}]}`,
			[]string{"Patient?family=carreno", "Patient?family=CARREÑO", "Patient?family=Carreño Quiñones", "Patient?family=quinones",
				"Patient?family:exact=Carreño Quiñones", "Patient?family:contains=rreno", "Patient?given=eve", "Patient?given=Ev",
				"Patient?given=maria jose", "Patient?given=jose", "Patient?name=dra", "Patient?name=quinones", "Patient?name=x,eve",
				"Patient?phonetic=eve", "Patient?address=merida", "Patient?address-city=Merida", "Patient?address=av juarez",
				"Patient?address=97", "Patient?given:missing=false", "Patient?address-state:missing=true"},
			[]string{"Patient?family=arreno", "Patient?family:exact=Carreño", "Patient?family:exact=carreno quinones",
				"Patient?family:exact=Quiñones", "Patient?given=lyn", "Patient?given:contains=vex", "Patient?address-city=juarez",
				"Patient?given:missing=true", "Patient?address=x"},
		},
		{`{"resourceType":"Patient","name":[{"given":["Severine"]}]}`, []string{"Patient?given:contains=eve"}, []string{"Patient?given=eve"}},
		{
			`{"resourceType":"Observation","valueCodeableConcept":{"text":"Tos Seca"}}`,
			[]string{"Observation?value-string=tos s"}, []string{"Observation?value-string=seca"},
		},
		{`{"resourceType":"Patient","name":[{"family":"O'Brien-Smith"}]}`, []string{"Patient?family=obrien", "Patient?family=OBrien Sm", "Patient?family=smith", "Patient?family:exact=O'Brien-Smith"}, nil},
	} {
		c.run(t)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"Ana":                  "ana",
		"ana":                  "ana",
		"  a \t b\n":           "a b",
		"MUÑOZ":                "munoz",
		"Mun\u0303oz":          "munoz",
		"Straße":               "strasse",
		"ΣΊΣΥΦΟΣ":              "σισυφοσ",
		"Łódź Ærø":             "lodz aero",
		"İstanbul":             "istanbul",
		"ﬁn":                   "fin",
		"García-Núñez":         "garcia nunez",
		"O'Brien, J.":          "obrien j",
		"D’Angelo":             "dangelo",
		"--":                   "--",
		"¿?":                   "¿?",
		"C$5 + 1":              "c$5 + 1",
		"日本 語":                 "日本 語",
		"naïve\u00a0café":      "naive cafe",
		"\u200bzero\u00adwide": "\u200bzero\u00adwide",
		"👩‍👧 familia":          "👩‍👧 familia",
	} {
		if got := search.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"José", "a\xffb", "ǅ", "ΐ", "ſ", "İ", "\u1e9e", "--", "- a", "K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := search.Fold(s)
		if twice := search.Fold(once); twice != once {
			t.Errorf("Fold(%q) = %q, and folded again %q", s, once, twice)
		}
		if strings.HasPrefix(once, " ") || strings.HasSuffix(once, " ") || strings.Contains(once, "  ") {
			t.Errorf("Fold(%q) = %q has spaces to spare", s, once)
		}
	})
}

func TestReference(t *testing.T) {
	for _, c := range []cases{
		{
			`{"resourceType":"Observation","subject":{"reference":"Patient/1"},"encounter":{"reference":"` + base + `/Encounter/e/_history/3"},
			  "performer":[{"reference":"https://other.example/Practitioner/9"},{"identifier":{"value":"x"}}],"device":{"reference":"#d"}}`,
			[]string{"Observation?subject=Patient/1", "Observation?subject=1", "Observation?patient=1", "Observation?patient=Patient/1",
				"Observation?subject:Patient=1", "Observation?subject=" + base + "/Patient/1", "Observation?subject=Patient/1/_history/7",
				"Observation?encounter=e", "Observation?encounter=Encounter/e", "Observation?performer=https://other.example/Practitioner/9",
				"Observation?performer:missing=false", "Observation?device:missing=false", "Observation?focus:missing=true",
				"Observation?subject=2,1"},
			[]string{"Observation?subject=2", "Observation?subject=Group/1", "Observation?subject:Group=1", "Observation?encounter=1",
				"Observation?performer=9", "Observation?performer=Practitioner/9", "Observation?subject:missing=true", "Observation?subject=https://other.example/Patient/1"},
		},
		{`{"resourceType":"Observation","subject":{"reference":"Group/1"}}`, []string{"Observation?subject=1", "Observation?subject=Group/1"}, []string{"Observation?patient=1", "Observation?patient:missing=false"}},
		{ // by its type element
			`{"resourceType":"Observation","subject":{"reference":"urn:uuid:5","type":"Patient"}}`,
			[]string{"Observation?patient=urn:uuid:5", "Observation?subject=urn:uuid:5"}, []string{"Observation?subject=urn:uuid:6"},
		},
		{ // canonical
			`{"resourceType":"PlanDefinition","library":["http://x.org/Library/a|1.0"],"relatedArtifact":[{"type":"depends-on","resource":"http://x.org/b"},{"type":"successor","resource":"http://x.org/c"}]}`,
			[]string{"PlanDefinition?depends-on=http://x.org/Library/a", "PlanDefinition?depends-on=http://x.org/Library/a|1.0", "PlanDefinition?depends-on=http://x.org/b", "PlanDefinition?successor=http://x.org/c"},
			[]string{"PlanDefinition?depends-on=http://x.org/Library/a|2.0", "PlanDefinition?depends-on=http://x.org/c"},
		},
		{
			`{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","id":"c"}},{"resource":{"resourceType":"Patient","id":"p"}}]}`,
			[]string{"Bundle?composition=c", "Bundle?composition=Composition/c"}, []string{"Bundle?composition=p"},
		},
	} {
		c.run(t)
	}
}

func TestURI(t *testing.T) {
	cases{
		`{"resourceType":"ValueSet","url":"http://Acme.org/fhir/ValueSet/123","meta":{"profile":["http://x.org/p|2"]}}`,
		[]string{"ValueSet?url=http://Acme.org/fhir/ValueSet/123", "ValueSet?_profile=http://x.org/p", "ValueSet?_profile=http://x.org/p|2", "ValueSet?url:missing=false"},
		[]string{"ValueSet?url=http://acme.org/fhir/ValueSet/123", "ValueSet?url=http://Acme.org/fhir/ValueSet/", "ValueSet?_profile=http://x.org/p|3"},
	}.run(t)
}

func TestIDsAndUpdated(t *testing.T) {
	cases{
		`{"resourceType":"Patient","id":"a"}`,
		[]string{"Patient?_id=a", "Patient?_id=b,a", "?_id=a", "Patient?_lastUpdated=2026-11-21", "Patient?_lastUpdated=ge2026-11", "Patient?_lastUpdated=2020,gt2025", "?_type=Group,Patient"},
		[]string{"Patient?_id=A", "Patient?_id=b", "Patient?_lastUpdated=lt2026-11-21", "Patient?_lastUpdated=2026-11-22", "?_type=Group"},
	}.run(t)
}

func TestIndexIsSortedAndDistinct(t *testing.T) {
	_, ix := load(t, `{"resourceType":"Patient","name":[{"family":"B","given":["A","A"]},{"family":"B"}],
	  "generalPractitioner":[{"reference":"Practitioner/2"},{"reference":"Practitioner/1"},{"reference":"Practitioner/2"}],
	  "identifier":[{"value":"1"},{"value":"1"}]}`)
	if !slices.IsSorted(ix.Tokens) || len(slices.Compact(slices.Clone(ix.Tokens))) != len(ix.Tokens) {
		t.Errorf("tokens %v", ix.Tokens)
	}
	want := []search.Link{{Target: fhir.Ref{Type: "Practitioner", ID: "1"}}, {Target: fhir.Ref{Type: "Practitioner", ID: "2"}}}
	if len(ix.Links) != len(want) || ix.Links[0].Target != want[0].Target || ix.Links[1].Target != want[1].Target {
		t.Errorf("links %v", ix.Links)
	}
	texts := map[search.Text]bool{}
	for _, s := range ix.Strings {
		if texts[s] {
			t.Errorf("%v stands twice", s)
		}
		texts[s] = true
	}
	if len(texts) != 4 { // family b, given a, name a and b
		t.Errorf("strings %v", ix.Strings)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("ñandú ", 400)
	resource := `{"resourceType":"Patient","name":[{"family":"` + long + `"}]}`
	_, ix := load(t, resource)
	for _, s := range ix.Strings {
		if len(s.Folded) > 500 || len(s.Exact) > 500 || !strings.HasPrefix(long, s.Exact) {
			t.Errorf("%d and %d bytes", len(s.Folded), len(s.Exact))
		}
	}
	if len(ix.Strings) > 30 {
		t.Errorf("%d rows for one name", len(ix.Strings))
	}
	if !found(t, resource, "Patient?family="+strings.TrimSpace(long)) {
		t.Error("a long text is not found by itself")
	}
}
