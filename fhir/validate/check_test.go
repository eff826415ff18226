package validate

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// check parses src and returns the findings as "rule expression", joined by "; ".
func check(t *testing.T, src, typ string) string {
	t.Helper()
	d, err := element.Parse([]byte(src))
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	var found []string
	for _, issue := range Check(d, 0, typ) {
		found = append(found, issue.Rule+" "+issue.Expression)
	}
	return strings.Join(found, "; ")
}

// patient and observation make a resource that is valid but for what is in members.
func patient(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"resourceType":"Patient"` + members + `}`
}

func observation(members string) string {
	return `{"resourceType":"Observation","status":"final","code":{"text":"x"},` + members + `}`
}

func TestCheckStructure(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"least", patient(``), ""},
		{"array at the root", `[]`, "json-type Resource"},
		{"null at the root", `null`, "null Resource"},
		{"string at the root", `"Patient"`, "json-type Resource"},
		{"no type", `{"id":"1"}`, "resource-type Resource"},
		{"type no string", `{"resourceType":5}`, "resource-type Resource"},
		{"type unknown", `{"resourceType":"Patients"}`, "resource-type-unknown Resource"},
		{"type abstract", `{"resourceType":"DomainResource"}`, "resource-type-unknown Resource"},
		{"type a datatype", `{"resourceType":"HumanName"}`, "resource-type-unknown Resource"},
		{"type escaped", `{"resourceType":"Pati\u0065nt","\u0067ender":"male"}`, ""},

		{"unknown", patient(`"nam":[]`), "unknown-element Patient.nam"},
		{"unknown in a datatype", patient(`"name":[{"familyName":"x"}]`), "unknown-element Patient.name[0].familyName"},
		{"unknown in a backbone", patient(`"contact":[{},{"foo":1}]`), "empty Patient.contact[0]; unknown-element Patient.contact[1].foo"},
		{"unknown by case", patient(`"Gender":"male"`), "unknown-element Patient.Gender"},
		{"unknown empty name", patient(`"":1`), "unknown-element Patient."},
		{"type in a datatype", patient(`"name":[{"resourceType":"HumanName","text":"x"}]`), "unknown-element Patient.name[0].resourceType"},
		{"comments", patient(`"fhir_comments":["x"]`), "unknown-element Patient.fhir_comments"},
		{"element of another type", observation(`"birthDate":"2020"`), "unknown-element Observation.birthDate"},

		{"array expected", patient(`"name":{"text":"x"}`), "array-expected Patient.name"},
		{"array expected, and more", patient(`"name":{"text":1}`), "array-expected Patient.name; json-type Patient.name.text"},
		{"array of primitives expected", patient(`"name":[{"given":"x"}]`), "array-expected Patient.name[0].given"},
		{"array unexpected", patient(`"gender":["male"]`), "array-unexpected Patient.gender"},
		{"array unexpected, complex", patient(`"maritalStatus":[{"text":"x"}]`), "array-unexpected Patient.maritalStatus"},
		{"array in array", patient(`"name":[[{"text":"x"}]]`), "json-type Patient.name[0]"},
		{"object for a string", patient(`"birthDate":{"value":"2020"}`), "json-type Patient.birthDate"},
		{"string for an object", patient(`"maritalStatus":"M"`), "json-type Patient.maritalStatus"},
		{"number for a string", patient(`"birthDate":2020`), "json-type Patient.birthDate"},
		{"string for a number", patient(`"multipleBirthInteger":"2"`), "json-type Patient.multipleBirth.ofType(integer)"},
		{"string for a boolean", patient(`"active":"true"`), "json-type Patient.active"},
		{"number for a boolean", patient(`"active":1`), "json-type Patient.active"},
		{"boolean for a string", patient(`"gender":true`), "json-type Patient.gender"},

		{"empty object", patient(`"maritalStatus":{}`), "empty Patient.maritalStatus"},
		{"empty array", patient(`"name":[]`), "empty Patient.name"},
		{"empty string", patient(`"birthDate":""`), "empty Patient.birthDate"},
		{"empty string in array", patient(`"name":[{"given":["a",""]}]`), "empty Patient.name[0].given[1]"},
		{"empty reference", patient(`"managingOrganization":{"reference":""}`), "empty Patient.managingOrganization.reference"},
		{"null member", patient(`"birthDate":null`), "null Patient.birthDate"},
		{"null object", patient(`"maritalStatus":null`), "null Patient.maritalStatus"},
		{"null array", patient(`"name":null`), "array-expected Patient.name; null Patient.name"},
		{"null in array of objects", patient(`"name":[null,{"text":"x"}]`), "null Patient.name[0]"},

		{"required missing", `{"resourceType":"Observation"}`, "cardinality-min Observation.status; cardinality-min Observation.code"},
		{"required missing deeper", patient(`"communication":[{"preferred":true}]`), "cardinality-min Patient.communication[0].language"},
		{"required missing in a datatype", patient(`"text":{"status":"generated"}`), "cardinality-min Patient.text.div"},
		{"required choice missing", `{"resourceType":"MedicationStatement","status":"active","subject":{"display":"x"}}`, "cardinality-min MedicationStatement.medication"},
		{"required by extension", `{"resourceType":"Observation","_status":{"extension":[{"url":"http://e","valueCode":"x"}]},"code":{"text":"x"}}`, ""},
		{"required by id alone", `{"resourceType":"Observation","_status":{"id":"x"},"code":{"text":"x"}}`, "cardinality-min Observation.status"},
		{"many missing", `{"resourceType":"ImplementationGuide"}`, "cardinality-min ImplementationGuide.url; cardinality-min ImplementationGuide.name; cardinality-min ImplementationGuide.status; cardinality-min ImplementationGuide.packageId; cardinality-min ImplementationGuide.fhirVersion"},
		{"in a choice in a backbone", observation(`"component":[{"code":{"text":"y"},"valueSampledData":{"origin":{"value":0},"period":1,"dimensions":0}}]`),
			"primitive-format Observation.component[0].value.ofType(SampledData).dimensions"},

		{"choice", observation(`"valueQuantity":{"value":1}`), ""},
		{"choice twice", observation(`"valueQuantity":{"value":1},"valueString":"x"`), "choice-single Observation.value"},
		{"choice three times", observation(`"valueQuantity":{"value":1},"valueString":"x","valueInteger":3`), "choice-single Observation.value; choice-single Observation.value"},
		{"choice twice by _name", observation(`"valueInteger":1,"_valueString":{"id":"x"}`), "choice-single Observation.value"},
		{"choice with its own _name", observation(`"valueInteger":1,"_valueInteger":{"id":"x"}`), ""},
		{"choice, _name first", observation(`"_valueInteger":{"id":"x"},"valueInteger":1`), ""},
		{"choice of a type not allowed", observation(`"valueAddress":{"text":"x"}`), "choice-type Observation.value"},
		{"choice of no type", observation(`"value":1`), "choice-type Observation.value"},
		{"no choice but a longer name", observation(`"valuex":1`), "unknown-element Observation.valuex"},
		{"deep in a choice", observation(`"valueQuantity":{"value":"1"}`), "json-type Observation.value.ofType(Quantity).value"},

		{"repeats where the type recurses", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"2","type":"x"}]}]}`,
			"binding-required Questionnaire.item[0].item[0].type"},
		{"xhtml is no object", patient(`"text":{"status":"generated","div":{"a":1}}`), "json-type Patient.text.div"},
		{"xhtml has no extension", patient(`"text":{"status":"generated","div":"<div>x</div>","_div":{"extension":[{"url":"http://e","valueCode":"x"}]}}`),
			"unknown-element Patient.text.div.extension"},
	} {
		if got := check(t, c.in, ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	if got := check(t, patient(``), "Observation"); got != "resource-type-mismatch Observation" {
		t.Errorf("another type than expected: %s", got)
	}
	if got := check(t, `{}`, "Observation"); got != "resource-type Observation" {
		t.Errorf("no type where one is expected: %s", got)
	}
}

func TestCheckPrimitives(t *testing.T) {
	text := `"name":[{"given":["A",null],"_given":[null,{"extension":[{"url":"http://e","valueCode":"x"}]}]}]`
	for _, c := range []struct{ name, in, want string }{
		{"date", patient(`"birthDate":"2023-02-29"`), "primitive-format Patient.birthDate"},
		{"date escaped", patient(`"birthDate":"\u0032023-02-28"`), ""},
		{"dateTime without zone", patient(`"deceasedDateTime":"2023-02-28T10:00:00"`), "primitive-format Patient.deceased.ofType(dateTime)"},
		{"instant", observation(`"issued":"2023-02-28"`), "primitive-format Observation.issued"},
		{"integer with point", patient(`"multipleBirthInteger":1.0`), "primitive-format Patient.multipleBirth.ofType(integer)"},
		{"integer too large", patient(`"multipleBirthInteger":2147483648`), "primitive-format Patient.multipleBirth.ofType(integer)"},
		{"decimal", observation(`"valueQuantity":{"value":-0.00e+12}`), ""},
		{"positiveInt", patient(`"telecom":[{"rank":0}]`), "primitive-format Patient.telecom[0].rank"},
		{"id", patient(`"id":"a/b"`), "primitive-format Patient.id"},
		{"id too long", patient(`"id":"` + strings.Repeat("a", 65) + `"`), "primitive-format Patient.id"},
		{"id with path traversal", patient(`"id":"../../etc"`), "primitive-format Patient.id"},
		{"code with spaces", patient(`"maritalStatus":{"coding":[{"code":" M"}]}`), "primitive-format Patient.maritalStatus.coding[0].code"},
		{"uri with space", patient(`"implicitRules":"a b"`), "primitive-format Patient.implicitRules"},
		{"base64", patient(`"photo":[{"data":"A"}]`), "primitive-format Patient.photo[0].data"},
		{"string with tab", patient(`"name":[{"text":"a\tb\u000Ac\r"}]`), ""},
		{"string with NUL", patient(`"name":[{"text":"a\u0000"}]`), "string-control Patient.name[0].text"},
		{"string with bell", patient(`"name":[{"text":"\\\u0007"}]`), "string-control Patient.name[0].text"},
		{"string with backspace", patient(`"name":[{"text":"\b"}]`), "string-control Patient.name[0].text"},
		{"string with form feed", patient(`"name":[{"text":"\u000C"}]`), "string-control Patient.name[0].text"},
		{"string with escape", patient(`"name":[{"text":"\u001b"}]`), "string-control Patient.name[0].text"},
		{"string with backslash and u0000", patient(`"name":[{"text":"\\u0000"}]`), ""},
		{"code with NUL", patient(`"language":"e\u0000s"`), "string-control Patient.language"},
		{"xhtml with NUL", patient(`"text":{"status":"generated","div":"<div>\u0000</div>"}`), "string-control Patient.text.div"},
		{"string of a mebi", patient(`"name":[{"text":"` + strings.Repeat("ñ", 1<<20) + `"}]`), ""},
		{"string too long", patient(`"name":[{"text":"` + strings.Repeat("n", 1<<20+1) + `"}]`), "primitive-format Patient.name[0].text"},

		{"pair", patient(text), ""},
		{"pair, other order", patient(`"name":[{"_given":[null,{"id":"x"}],"given":["A",null]}]`), ""},
		{"null without _name", patient(`"name":[{"given":["A",null]}]`), "null Patient.name[0].given[1]"},
		{"null beside null", patient(`"name":[{"given":["A",null],"_given":[{"id":"x"},null]}]`), "null Patient.name[0].given[1]"},
		{"lengths", patient(`"name":[{"given":["A"],"_given":[null,{"id":"x"}]}]`), "primitive-sibling-length Patient.name[0].given"},
		{"only _name", patient(`"name":[{"_given":[{"id":"x"}]}]`), ""},
		{"only _name, null", patient(`"name":[{"_given":[null,{"id":"x"}]}]`), "null Patient.name[0].given[0]"},
		{"_name of arrays an object", patient(`"name":[{"given":["A"],"_given":{"id":"x"}}]`), "primitive-sibling Patient.name[0].given"},
		{"_name of a single an array", patient(`"birthDate":"2020","_birthDate":[{"id":"x"}]`), "primitive-sibling Patient.birthDate"},
		{"_name empty array", patient(`"name":[{"_given":[]}]`), "empty Patient.name[0].given"},
		{"_name empty object", patient(`"_birthDate":{}`), "empty Patient.birthDate"},
		{"_name null", patient(`"_birthDate":null`), "primitive-sibling Patient.birthDate"},
		{"_name with a string item", patient(`"name":[{"given":["A","B"],"_given":["x",null]}]`), "json-type Patient.name[0].given[0]"},
		{"_name with a value", patient(`"_birthDate":{"value":"2020"}`), "unknown-element Patient.birthDate.value"},
		{"_name of an object", patient(`"_maritalStatus":{"id":"x"}`), "unknown-element Patient._maritalStatus"},
		{"_name of nothing", patient(`"_foo":{"id":"x"}`), "unknown-element Patient._foo"},
		{"_resourceType", patient(`"_resourceType":{"id":"x"}`), "unknown-element Patient._resourceType"},
		{"underscore", patient(`"_":{"id":"x"}`), "unknown-element Patient._"},
		{"extension of a primitive", patient(`"_birthDate":{"extension":[{"url":"http://e"}]}`), "extension-value Patient.birthDate.extension[0]"},
		{"extension of an item", patient(`"name":[{"given":["A"],"_given":[{"extension":[{"valueCode":"x"}]}]}]`), "cardinality-min Patient.name[0].given[0].extension[0].url"},
	} {
		if got := check(t, c.in, ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestIssue(t *testing.T) {
	d, err := element.Parse([]byte("{\"resourceType\":\"Patient\",\n \"name\": [{\"text\":\"ñandú\", \"use\":\"secret\"}],\n \"gender\": \"f\"}"))
	if err != nil {
		t.Fatal(err)
	}
	issues := Check(d, 0, "")
	if len(issues) != 2 {
		t.Fatalf("%+v", issues)
	}
	want := fhir.Issue{
		Severity: "error", Type: "code-invalid", Rule: "binding-required", Details: binding.text,
		Diagnostics: `"secret" is not in http://hl7.org/fhir/ValueSet/name-use`,
		Expression:  "Patient.name[0].use", Line: 2, Col: 34,
	}
	if issues[0] != want {
		t.Errorf("\n got %+v\nwant %+v", issues[0], want)
	}
	if g := issues[1]; g.Line != 3 || g.Col != 12 || g.Expression != "Patient.gender" {
		t.Errorf("%+v", g)
	}
	fault := Fault(issues)
	if fault.Code != fhir.Unprocessable || strings.Contains(fault.Error(), "secret") {
		t.Errorf("%+v", fault)
	}
	Within(issues, "Patient", "Bundle.entry[7].resource")
	if issues[0].Expression != "Bundle.entry[7].resource.name[0].use" {
		t.Error(issues[0].Expression)
	}
	if Fault(nil) != nil || Fault([]fhir.Issue{{Severity: "information"}}) != nil {
		t.Error("a fault without an error")
	}
}

func TestIssuesEnd(t *testing.T) {
	items := strings.Repeat(`{"use":"x","given":[""]},`, 5000)
	d, err := element.Parse([]byte(patient(`"name":[` + items + `{}]`)))
	if err != nil {
		t.Fatal(err)
	}
	issues := Check(d, 0, "")
	if len(issues) != MaxIssues+1 {
		t.Fatalf("%d issues", len(issues))
	}
	if g := issues[MaxIssues]; g.Rule != "more-issues" || g.Severity != "information" {
		t.Errorf("%+v", g)
	}
	if g := issues[MaxIssues-1]; g.Expression != "Patient.name[49].given[0]" {
		t.Errorf("%+v", g)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	d, err := element.Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if issues := Check(d, 0, ""); issues != nil {
			t.Error(issues)
		}
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
