package validate

import (
	"strconv"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

func TestCheckReferences(t *testing.T) {
	const contained = `"contained":[{"resourceType":"Patient","id":"p"},{"resourceType":"Device","id":"d"}],`
	ref := func(text string) string { return observation(`"encounter":{"reference":"` + text + `"}`) }
	for _, c := range []struct{ name, in, want string }{
		{"relative", ref(`Encounter/1`), ""},
		{"relative with version", ref(`Encounter/1/_history/3`), ""},
		{"conditional", ref(`Encounter?identifier=http://x|1`), ""},
		{"urn", ref(`urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7`), ""},
		{"oid", ref(`urn:oid:1.2.3`), ""},
		{"absolute", ref(`https://h.example/fhir/Encounter/1`), ""},
		{"absolute with version", ref(`https://h.example/fhir/Encounter/1/_history/3`), ""},
		{"absolute of no FHIR server", ref(`https://h.example/x/y`), ""},
		{"absolute with query", ref(`https://h.example/Patient/1?x=Patient/1`), ""},
		{"absolute, host like a type", ref(`https://Patient/1`), ""},
		{"other type", ref(`Patient/1`), "reference-target Observation.encounter"},
		{"other type with version", ref(`Patient/1/_history/1`), "reference-target Observation.encounter"},
		{"other type conditional", ref(`Patient?name=x`), "reference-target Observation.encounter"},
		{"other type absolute", ref(`https://h.example/fhir/Patient/1`), "reference-target Observation.encounter"},
		{"other type absolute with version", ref(`https://h.example/Patient/1/_history/2`), "reference-target Observation.encounter"},
		{"other type escaped", ref(`P\u0061tient/1`), "reference-target Observation.encounter"},
		{"unknown type", ref(`Foo/1`), "reference-type-unknown Observation.encounter"},
		{"datatype", ref(`Period/1`), "reference-type-unknown Observation.encounter"},
		{"abstract type", ref(`Resource/1`), "reference-type-unknown Observation.encounter"},
		{"bare id", ref(`123`), "reference-format Observation.encounter"},
		{"absolute path", ref(`/Encounter/1`), "reference-format Observation.encounter"},
		{"bad id", ref(`Encounter/a_b`), "reference-format Observation.encounter"},
		{"no id", ref(`Encounter/`), "reference-format Observation.encounter"},
		{"traversal", ref(`Encounter/../x`), "reference-format Observation.encounter"},
		{"empty version", ref(`Encounter/1/_history/`), "reference-format Observation.encounter"},
		{"any target", observation(`"focus":[{"reference":"Basic/1"}]`), ""},
		{"in an array", observation(`"performer":[{"reference":"Patient/1"},{"reference":"Device/1"}]`), "reference-target Observation.performer[1]"},
		{"in an extension", patient(`"extension":[{"url":"http://e","valueReference":{"reference":"Foo/1"}}]`),
			"reference-type-unknown Patient.extension[0].value.ofType(Reference)"},

		{"type", observation(`"subject":{"type":"Patient","display":"x"}`), ""},
		{"type by URL", observation(`"subject":{"type":"http://hl7.org/fhir/StructureDefinition/Patient","display":"x"}`), ""},
		{"type of others", observation(`"subject":{"type":"http://example.org/Thing","display":"x"}`), ""},
		{"type not allowed", observation(`"subject":{"type":"Practitioner","display":"x"}`), "reference-target Observation.subject.type"},
		{"type unknown", observation(`"subject":{"type":"Foo","display":"x"}`), "reference-type-unknown Observation.subject.type"},
		{"type unknown by URL", observation(`"subject":{"type":"http://hl7.org/fhir/StructureDefinition/Foo","display":"x"}`), "reference-type-unknown Observation.subject.type"},
		{"type and reference agree", observation(`"subject":{"type":"Patient","reference":"Patient/1"}`), ""},
		{"type and reference differ", observation(`"subject":{"type":"Group","reference":"Patient/1"}`), "reference-type-mismatch Observation.subject.type"},

		{"local", observation(contained + `"subject":{"reference":"#p"}`), ""},
		{"local, of another type", observation(contained + `"encounter":{"reference":"#d"}`), "reference-target Observation.encounter"},
		{"local, not there", observation(contained + `"subject":{"reference":"#x"}`), "reference-contained Observation.subject"},
		{"local, none there", observation(`"subject":{"reference":"#x"}`), "reference-contained Observation.subject"},
		{"from contained to its holder", observation(`"contained":[{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"hasMember":[{"reference":"#"}]}]`), ""},
		{"from contained to its sibling", observation(`"contained":[{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"#o"}},{"resourceType":"Organization","id":"o"}]`), ""},
		{"from contained to no sibling", observation(`"contained":[{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"#o"}}]`),
			"reference-contained Observation.contained[0].managingOrganization"},
		{"local in a bundle", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + observation(contained+`"subject":{"reference":"#p"}`) + `},{"resource":` + observation(`"subject":{"reference":"#p"}`) + `}]}`,
			"reference-contained Bundle.entry[1].resource.subject"},
	} {
		if got := check(t, c.in, ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestCheckRules(t *testing.T) {
	condition := func(status string) string {
		return `{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":` + status + `}`
	}
	const system = `"system":"http://terminology.hl7.org/CodeSystem/condition-clinical"`
	for _, c := range []struct{ name, in, want string }{
		{"code in the set", patient(`"gender":"other"`), ""},
		{"code not in the set", patient(`"gender":"f"`), "binding-required Patient.gender"},
		{"code by case", patient(`"gender":"Male"`), "binding-required Patient.gender"},
		{"code in a datatype", patient(`"telecom":[{"system":"phone"},{"system":"carrier pigeon"}]`), "binding-required Patient.telecom[1].system"},
		{"code in a choice", observation(`"valueQuantity":{"value":1,"comparator":"!"}`), "binding-required Observation.value.ofType(Quantity).comparator"},
		{"concept in the set", condition(`{"coding":[{"system":"http://x","code":"y"},{` + system + `,"code":"active"}]}`), ""},
		{"concept not in the set", condition(`{"coding":[{` + system + `,"code":"ill"}]}`), "binding-required Condition.clinicalStatus"},
		{"concept of another system", condition(`{"coding":[{"system":"http://x","code":"active"}]}`), "binding-required Condition.clinicalStatus"},
		{"concept without a system", condition(`{"coding":[{"code":"active"}]}`), "binding-required Condition.clinicalStatus"},
		{"concept without a code", condition(`{"coding":[{` + system + `}]}`), "binding-required Condition.clinicalStatus"},
		{"concept of text", condition(`{"text":"active"}`), "binding-required Condition.clinicalStatus"},
		{"concept of an extension", condition(`{"extension":[{"url":"http://e","valueCode":"x"}]}`), ""},
		{"concept of a wrong kind", condition(`{"coding":{"code":"active"}}`), "array-expected Condition.clinicalStatus.coding"},
		{"concept with a wrong item", condition(`{"coding":[5]}`), "json-type Condition.clinicalStatus.coding[0]; binding-required Condition.clinicalStatus"},

		{"extension", patient(`"extension":[{"url":"http://e","valueString":"x"}]`), ""},
		{"extension nested", patient(`"extension":[{"url":"http://e","extension":[{"url":"a","valueString":"x"}]}]`), ""},
		{"extension by _value", patient(`"extension":[{"url":"http://e","_valueString":{"extension":[{"url":"http://f","valueCode":"x"}]}}]`), ""},
		{"extension without url", patient(`"extension":[{"valueString":"x"}]`), "cardinality-min Patient.extension[0].url"},
		{"extension with both", patient(`"extension":[{"url":"http://e","valueString":"x","extension":[{"url":"a","valueString":"x"}]}]`), "extension-value Patient.extension[0]"},
		{"extension with neither", patient(`"name":[{"extension":[{"url":"http://e"}]}]`), "extension-value Patient.name[0].extension[0]"},
		{"extension with two values", patient(`"extension":[{"url":"http://e","valueString":"x","valueCode":"x"}]`), "choice-single Patient.extension[0].value"},
		{"modifier extension", patient(`"modifierExtension":[{"url":"http://e","valueFoo":1}]`), "choice-type Patient.modifierExtension[0].value"},

		{"contained", patient(`"contained":[{"resourceType":"Organization","id":"o","name":"x"}]`), ""},
		{"contained without id", patient(`"contained":[{"resourceType":"Organization","name":"x"}]`), "contained-id Patient.contained[0].id"},
		{"contained in contained", patient(`"contained":[{"resourceType":"Organization","id":"o","contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"}}]}]`),
			"contained-nested Patient.contained[0].contained"},
		{"contained of no type", patient(`"contained":[{"id":"o"}]`), "resource-type Patient.contained[0]"},
		{"contained no object", patient(`"contained":["Organization"]`), "json-type Patient.contained[0]"},
		{"contained is checked", patient(`"contained":[{"resourceType":"Organization","id":"o","gender":"x"}]`), "unknown-element Patient.contained[0].gender"},
		{"bundle is checked", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Foo"}},{"resource":` + patient(`"gender":1`) + `}]}`,
			"resource-type-unknown Bundle.entry[0].resource; json-type Bundle.entry[1].resource.gender"},
		{"parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":` + patient(``) + `},{"name":"b","part":[{"name":"c","valueCode":"x"}]}]}`, ""},
		{"parameters are checked", `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"resource":` + patient(`"x":1`) + `}]}]}`,
			"unknown-element Parameters.parameter[0].part[0].resource.x; cardinality-min Parameters.parameter[0].part[0].name"},
	} {
		if got := check(t, c.in, ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestManyContained: each of many references finds its contained resource, and one does not.
// Compared one by one, these would be 200 million comparisons.
func TestManyContained(t *testing.T) {
	const n = 20_000
	var inside, links strings.Builder
	for i := range n {
		id := strconv.Itoa(i)
		inside.WriteString(`,{"resourceType":"Organization","id":"` + id + `","name":"x"}`)
		links.WriteString(`,{"reference":"#` + id + `"}`)
	}
	src := patient(`"contained":[` + inside.String()[1:] + `],"generalPractitioner":[` + links.String()[1:] + `,{"reference":"#-1"}]`)
	if got, want := check(t, src, ""), "reference-contained Patient.generalPractitioner[20000]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestMax: R4 has no element that may stand a number of times other than one, so
// this one is made up.
func TestMax(t *testing.T) {
	typ := &spec.Type{Name: "Pair", Kind: spec.Complex, Elements: []spec.Element{
		{Name: "item", Type: spec.TypeOf("code"), Many: true, Max: 2},
	}}
	s := shapeOf(map[string]*shape{}, typ)
	for items, want := range map[string]int{`["a","b"]`: 0, `["a","b","c"]`: 1} {
		d, err := element.Parse([]byte(`{"item":` + items + `}`))
		if err != nil {
			t.Fatal(err)
		}
		c := checker{doc: d, name: "Pair"}
		c.object(0, s)
		if len(c.issues) != want || want == 1 && (c.issues[0].Rule != "cardinality-max" || c.issues[0].Expression != "Pair.item") {
			t.Errorf("%s: %+v", items, c.issues)
		}
	}
}

// TestShapes: every element of every type is found under its name, and no other.
func TestShapes(t *testing.T) {
	for name, s := range shapes() {
		for i := range s.fields {
			if f := s.find([]byte(s.fields[i].Name)); f != &s.fields[i] {
				t.Errorf("%s.%s is not found", name, s.fields[i].Name)
			}
			for _, other := range []string{"", "x", s.fields[i].Name + "x", strings.ToUpper(s.fields[i].Name)} {
				if f := s.find([]byte(other)); f != nil && f.Name != other {
					t.Errorf("%s.%s is found as %s", name, other, f.Name)
				}
			}
		}
	}
}
