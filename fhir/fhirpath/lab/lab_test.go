package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/fhirpath/lab"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

const patient = `{"resourceType":"Patient","id":"p","name":[{"use":"official","family":"Ek","given":["Ana","Luz"],"_given":[{"id":"first"},null]},{"given":["Anita"]}],
  "contact":[{"name":{"family":"Pech"}}],"deceasedBoolean":false,"contained":[{"resourceType":"Organization","id":"o","name":"Clinica"}],
  "birthDate":"1974-12-25","maritalStatus":{"text":"single"}}`

// run calls $fhirpath with a body and returns the answer.
func run(t testing.TB, body string, query ...search.Param) (map[string]any, error) {
	t.Helper()
	var doc *element.Doc
	if body != "" {
		var err error
		if doc, err = element.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	op := lab.Operations("1.0", known{})[0]
	answer, err := op.Run(context.Background(), &operation.Call{In: operation.NewInputs(query, doc)})
	if err != nil {
		return nil, err
	}
	var out map[string]any
	d := json.NewDecoder(strings.NewReader(string(answer.JSON)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%v in %s", err, answer.JSON)
	}
	return out, nil
}

// parameters writes a body with an expression, the patient and more parameters in JSON.
func parameters(expression string, more ...string) string {
	all := append([]string{`{"name":"expression","valueString":` + string(element.Quote(nil, expression)) + `}`, `{"name":"resource","resource":` + patient + `}`}, more...)
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(all, ",") + `]}`
}

// results returns the parts result of an answer as compact JSON, one a line.
func results(t testing.TB, answer map[string]any) string {
	t.Helper()
	var lines []string
	for _, p := range answer["parameter"].([]any) {
		p := p.(map[string]any)
		if p["name"] != "result" {
			continue
		}
		delete(p, "name")
		line, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\n")
}

// known is a terminology of one code.
type known struct{}

func (known) Member(valueSet string, c fhirpath.Coding) (member, sure bool) {
	return c.Code == "official", valueSet == "urn:uses"
}

func (known) Subsumes(c, other fhirpath.Coding) (subsumes, sure bool) { return c == other, true }

func TestResults(t *testing.T) {
	const at = `"extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/resource-path","valueString":"%"}]`
	path := func(p string) string { return strings.Replace(at, "%", p, 1) }
	for expression, want := range map[string]string{
		"1 + 1":           `{"part":[{"name":"integer","valueInteger":2}]}`,
		"3000000000":      `{"part":[{"name":"decimal","valueDecimal":3000000000}]}`,
		"1.50":            `{"part":[{"name":"decimal","valueDecimal":1.50}]}`,
		"'a' & '\"'":      `{"part":[{"name":"string","valueString":"a\""}]}`,
		"''":              `{"part":[{"name":"empty-string"}]}`,
		"{}":              `{}`,
		"1 | true":        `{"part":[{"name":"integer","valueInteger":1},{"name":"boolean","valueBoolean":true}]}`,
		"@2020-02":        `{"part":[{"name":"date","valueDate":"2020-02"}]}`,
		"@T10:30":         `{"part":[{"name":"time","valueTime":"10:30"}]}`,
		"@2020-02-01T10Z": `{"part":[{"name":"dateTime","valueDateTime":"2020-02-01T10Z"}]}`,
		"5 'mg'":          `{"part":[{"name":"Quantity","valueQuantity":{"code":"mg","system":"http://unitsofmeasure.org","unit":"mg","value":5}}]}`,
		"2 days":          `{"part":[{"name":"Quantity","valueQuantity":{"unit":"day","value":2}}]}`,
		"name[1]":         `{"part":[{` + path("Patient.name[1]") + `,"name":"HumanName","valueHumanName":{"given":["Anita"]}}]}`,
		"name.given[0]":   `{"part":[{"_valueString":{"id":"first"},` + path("Patient.name[0].given[0]") + `,"name":"string","valueString":"Ana"}]}`,
		"deceased":        `{"part":[{` + path("Patient.deceased") + `,"name":"boolean","valueBoolean":false}]}`,
		"contained.name":  `{"part":[{` + path("Patient.contained[0].name") + `,"name":"string","valueString":"Clinica"}]}`,
		"contained":       `{"part":[{` + path("Patient.contained[0]") + `,"name":"Organization","resource":{"id":"o","name":"Clinica","resourceType":"Organization"}}]}`,
		"contact": `{"part":[{"extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/resource-path","valueString":"Patient.contact[0]"},` +
			`{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{\"name\":{\"family\":\"Pech\"}}"}],"name":"Patient.contact"}]}`,
		"id.type()":                                            `{"part":[{"extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{\"namespace\":\"FHIR\",\"name\":\"id\"}"}],"name":"TypeInfo"}]}`,
		"name.use.memberOf('urn:uses')":                        `{"part":[{"name":"boolean","valueBoolean":true}]}`,
		"maritalStatus.memberOf('urn:uses')":                   `{"part":[{"name":"boolean","valueBoolean":false}]}`,
		"id.memberOf('urn:other')":                             `{}`,
		"name.use.subsumes('official')":                        `{"part":[{"name":"boolean","valueBoolean":true}]}`,
		"%resource.id = %context.id and %rootResource.id = id": `{"part":[{"name":"boolean","valueBoolean":true}]}`,
	} {
		answer, err := run(t, parameters(expression))
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := results(t, answer); got != want {
			t.Errorf("%s:\n got %s\nwant %s", expression, got, want)
		}
	}
}

func TestContext(t *testing.T) {
	answer, err := run(t, parameters("given.count() + %n", `{"name":"context","valueString":"name"}`, `{"name":"variables","part":[{"name":"n","valueInteger":10}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"part":[{"name":"integer","valueInteger":12}],"valueString":"Patient.name[0]"}` + "\n" +
		`{"part":[{"name":"integer","valueInteger":11}],"valueString":"Patient.name[1]"}`
	if got := results(t, answer); got != want {
		t.Errorf("got %s", got)
	}
	echo, err := json.Marshal(answer["parameter"].([]any)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"Amate 1.0 (R4)"`, `{"name":"context","valueString":"name"}`, `{"name":"variables","part":[{"name":"n","valueInteger":10}]}`, `"family":"Ek"`} {
		if !strings.Contains(string(echo), part) {
			t.Errorf("%s is not echoed in %s", part, echo)
		}
	}
}

func TestTrace(t *testing.T) {
	const value, trace = `{"name":"integer","valueInteger":2}`, `{"name":"trace","part":[{"name":"integer","valueInteger":2},{"name":"integer","valueInteger":1}],"valueString":"n"}`
	answer, err := run(t, parameters("name.trace('n', given.count()).count()"))
	if err != nil {
		t.Fatal(err)
	}
	last, err := json.Marshal(answer["parameter"].([]any)[2])
	if got := results(t, answer); err != nil || got != `{"part":[`+value+`]}` || string(last) != trace {
		t.Errorf("beside the result: %s, %s", got, last)
	}
	answer, err = run(t, parameters("name.trace('n', given.count()).count()", `{"name":"trace","valueBoolean":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := results(t, answer); got != `{"part":[`+value+`,`+trace+`]}` {
		t.Errorf("inside the result: %s", got)
	}
}

func TestInputs(t *testing.T) {
	expression := search.Param{Name: "expression", Value: "name.family"}
	quoted := string(element.Quote(nil, patient))
	for name, call := range map[string]func() (map[string]any, error){
		"query": func() (map[string]any, error) {
			return run(t, "", expression, search.Param{Name: "resource", Value: patient})
		},
		"body": func() (map[string]any, error) { return run(t, patient, expression) },
		"json-value": func() (map[string]any, error) {
			return run(t, `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"name.family"},
				{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":`+quoted+`}]}]}`)
		},
		"xml-value": func() (map[string]any, error) {
			return run(t, `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"name.family"},{"name":"resource","extension":[
				{"url":"http://fhir.forms-lab.com/StructureDefinition/xml-value","valueString":"<Patient xmlns='http://hl7.org/fhir'><name><family value='Ek'/></name></Patient>"}]}]}`)
		},
		"variable": func() (map[string]any, error) {
			return run(t, `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"%p.name.family"},
				{"name":"variables","part":[{"name":"p","resource":`+patient+`}]}]}`)
		},
	} {
		answer, err := call()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := results(t, answer); !strings.Contains(got, `"valueString":"Ek"`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestRefused(t *testing.T) {
	for expression, want := range map[string]fhir.Code{
		"":                     fhir.Invalid,
		"2 + 2 /":              fhir.Invalid,
		"name.given.":          fhir.Invalid,
		"nofunction()":         fhir.Invalid,
		"(1 | 2).not()":        fhir.Unprocessable,
		"name.given1":          fhir.Unprocessable,
		"Encounter.name.given": fhir.Unprocessable,
		"deceasedBoolean":      fhir.Unprocessable,
		"children().skip(1)":   fhir.Unprocessable,
		"%nothing":             fhir.Unprocessable,
		"descendants().select(%resource.descendants()).select(%resource.descendants()).select(%resource.descendants()).select(%resource.descendants())": fhir.Unprocessable,
	} {
		_, err := run(t, parameters(expression))
		var fault *fhir.Error
		if !errors.As(err, &fault) || fault.Code != want {
			t.Errorf("%s: got %v", expression, err)
		} else if strings.Contains(fault.Details, "given1") {
			t.Errorf("%s: the loggable text quotes the input: %s", expression, fault.Details)
		}
	}
	for name, body := range map[string]string{
		"no resource in it":   `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"1"},{"name":"resource"}]}`,
		"broken JSON":         `{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"1"},{"name":"resource","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{"}]}]}`,
		"two expressions":     parameters("1", `{"name":"expression","valueString":"2"}`),
		"variable of no type": parameters("1", `{"name":"variables","part":[{"name":"n","valueNothing":1}]}`),
		"nameless variable":   parameters("1", `{"name":"variables","part":[{"valueInteger":1}]}`),
	} {
		var fault *fhir.Error
		if _, err := run(t, body); !errors.As(err, &fault) || fault.Code != fhir.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLenient(t *testing.T) {
	answer, err := run(t, parameters("name.given1", `{"name":"validate","valueBoolean":false}`))
	if err != nil || results(t, answer) != "{}" {
		t.Errorf("got %v, %v", answer, err)
	}
}

// TestResultIsBounded asks for many large results.
func TestResultIsBounded(t *testing.T) {
	const all = ".select(%resource.descendants())"
	_, err := run(t, parameters("$this"+all+all+all+all))
	var fault *fhir.Error
	if !errors.As(err, &fault) || fault.Code != fhir.Unprocessable || !strings.Contains(fault.Details, "more than can be answered") {
		t.Errorf("got %v", err)
	}
}

// FuzzRun holds that no request does harm, and that every answer is JSON.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		parameters("name.given"), parameters("descendants()"), parameters("%x", `{"name":"variables","part":[{"name":"x","extension":[{"url":"http://fhir.forms-lab.com/StructureDefinition/json-value","valueString":"{}"}]}]}`),
		`{"resourceType":"Parameters","parameter":{}}`, `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":7}},{"name":"expression","valueString":"descendants()"}]}`,
		`{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Patient","name":[[{"given":{}}]],"_birthDate":[null,1]}},{"name":"expression","valueString":"descendants()|$this"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		doc, err := element.Parse([]byte(body))
		if err != nil || doc.Kind(0) != element.Object {
			return
		}
		op := lab.Operations("", nil)[0]
		answer, err := op.Run(context.Background(), &operation.Call{In: operation.NewInputs([]search.Param{{Name: "expression", Value: "descendants()"}}, doc)})
		if err == nil && !json.Valid(answer.JSON) {
			t.Fatalf("%s gives %s", body, answer.JSON)
		}
	})
}
