package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/fhir/validate"
)

// stored is what the tests have beside R4: the codes of LOINC and SNOMED CT that the
// examples of the specification use, made up otherwise.
var stored = map[fhir.Ref]string{
	{Type: "CodeSystem", ID: "loinc"}: `{"resourceType":"CodeSystem","id":"loinc","url":"http://loinc.org","version":"2.48","name":"LOINC","content":"fragment","concept":[
		{"code":"1963-8","display":"Bicarbonate [Moles/volume] in Serum","designation":[{"use":{"system":"http://snomed.info/sct","code":"900000000000013009","display":"Synonym"},"value":"Bicarbonate [Moles/volume] in Serum or Plasma"},{"language":"es-MX","value":"Bicarbonato en suero"}]}]}`,
	{Type: "CodeSystem", ID: "sct"}: `{"resourceType":"CodeSystem","id":"sct","url":"http://snomed.info/sct","version":"2014","name":"SNOMED CT","content":"fragment","concept":[
		{"code":"235856003","display":"Hepatopathy","concept":[{"code":"3738000","display":"Viral hepatitis"}]},{"code":"22298006","display":"Myocardial infarction","property":[{"code":"inactive","valueBoolean":true}]}]}`,
	{Type: "ValueSet", ID: "23"}: `{"resourceType":"ValueSet","id":"23","url":"http://e/23","version":"1","status":"active","text":{"status":"empty"},"compose":{"include":[{"system":"http://loinc.org"}]}}`,
	{Type: "ValueSet", ID: "hepatic"}: `{"resourceType":"ValueSet","id":"hepatic","url":"http://e/hepatic","status":"active","compose":{"include":[
		{"system":"http://snomed.info/sct","concept":[{"code":"235856003","display":"Hígado enfermo"},{"code":"3738000"},{"code":"22298006"}]}]}}`,
	{Type: "ConceptMap", ID: "m"}: `{"resourceType":"ConceptMap","id":"m","url":"http://e/m","sourceUri":"http://e/from","targetUri":"http://e/to","group":[
		{"source":"http://e/a","target":"http://e/b","element":[
			{"code":"1","target":[{"code":"x","display":"X","equivalence":"wider","product":[{"property":"http://e/unit","system":"http://unitsofmeasure.org","value":"mg","display":"milligram"}]}]},
			{"code":"2","target":[{"code":"y","equivalence":"equivalent","dependsOn":[{"property":"http://e/sex","value":"female"}]}]},
			{"code":"3","target":[{"equivalence":"unmatched","comment":"none"}]}],"unmapped":{"mode":"provided"}}]}`,
}

func registry(t testing.TB) *terminology.Registry {
	t.Helper()
	r := terminology.New()
	items := map[fhir.Ref]*terminology.Item{}
	for ref, text := range stored {
		item, err := terminology.Read([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		items[ref] = item
	}
	r.Change(items)
	return r
}

// call makes the call of "CodeSystem/$lookup?code=a", and of a Parameters where body is not "".
func call(t testing.TB, ops []operation.Operation, path, body string) (map[string]any, error) {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	c := &operation.Call{Type: parts[0], Restriction: search.Unrestricted}
	if len(parts) == 3 {
		c.ID = parts[1]
	}
	var params []search.Param
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		if name != "" {
			params = append(params, search.Param{Name: name, Value: value})
		}
	}
	var doc *element.Doc
	if body != "" {
		var err error
		if doc, err = element.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	c.In = operation.NewInputs(params, doc)
	for _, op := range ops {
		if "$"+op.Name != parts[len(parts)-1] || !op.On(c.Type) {
			continue
		}
		answer, err := op.Run(context.Background(), c)
		if err != nil {
			return nil, err
		}
		var out map[string]any
		if err := json.Unmarshal(answer.JSON, &out); err != nil {
			t.Fatalf("%s: %v in %s", path, err, answer.JSON)
		}
		parsed, err := element.Parse(answer.JSON)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, issue := range validate.Check(parsed, 0, "") {
			t.Errorf("%s: the answer breaks R4: %+v", path, issue)
		}
		return out, nil
	}
	t.Fatalf("no operation for %s", path)
	return nil, nil
}

// values returns the values of Parameters as name=value, parts in parentheses.
func values(list any) string {
	var all []string
	items, _ := list.([]any)
	for _, p := range items {
		m := p.(map[string]any)
		value := ""
		for name, v := range m {
			switch {
			case name == "part":
				value = "(" + values(v) + ")"
			case strings.HasPrefix(name, "value"):
				if c, ok := v.(map[string]any); ok {
					v = c["code"]
				}
				text, _ := json.Marshal(v)
				value = strings.Trim(string(text), `"`)
			}
		}
		all = append(all, m["name"].(string)+"="+value)
	}
	return strings.Join(all, " ")
}

const lf = "http://hl7.org/fhir/"

func body(list string) string { return `{"resourceType":"Parameters","parameter":[` + list + `]}` }

// TestAnswers holds each operation to the examples of its page in R4, and to cases
// around them.
func TestAnswers(t *testing.T) {
	ops := Operations(registry(t), nil)
	const loinc, sct = "system=http://loinc.org", "system=http://snomed.info/sct"
	coding := func(name, system, code string) string {
		return `{"name":"` + name + `","valueCoding":{"system":"` + system + `","code":"` + code + `"}}`
	}
	for _, c := range []struct{ name, path, body, want string }{
		// https://hl7.org/fhir/R4/codesystem-operation-lookup.html#examples
		{"lookup", "CodeSystem/$lookup?" + loinc + "&code=1963-8&property=display", "", "name=LOINC version=2.48 display=Bicarbonate [Moles/volume] in Serum"},
		{"lookup by Coding", "CodeSystem/$lookup", body(coding("coding", "http://loinc.org", "1963-8") + `,{"name":"property","valueCode":"designation"}`),
			"name=LOINC version=2.48 display=Bicarbonate [Moles/volume] in Serum designation=(use=900000000000013009 value=Bicarbonate [Moles/volume] in Serum or Plasma) designation=(language=es-MX value=Bicarbonato en suero)"},
		{"lookup in Spanish", "CodeSystem/$lookup?" + loinc + "&code=1963-8&displayLanguage=es&property=display", "", "name=LOINC version=2.48 display=Bicarbonato en suero"},
		{"lookup of a version", "CodeSystem/$lookup?" + loinc + "&version=2.48&code=1963-8&property=x", "", "name=LOINC version=2.48 display=Bicarbonate [Moles/volume] in Serum"},
		{"lookup of properties", "CodeSystem/$lookup?" + sct + "&code=235856003", "", "name=SNOMED CT version=2014 display=Hepatopathy property=(code=child value=3738000)"},
		{"lookup of a unit", "CodeSystem/$lookup?system=http://unitsofmeasure.org&code=%25", "", "name=UnifiedCodeForUnitsOfMeasure display=(percent)"},
		{"lookup of inactive", "CodeSystem/$lookup?" + sct + "&code=22298006", "", "name=SNOMED CT version=2014 display=Myocardial infarction property=(code=inactive value=true)"},

		// https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
		{"a code", "CodeSystem/$validate-code?url=http://loinc.org&code=1963-8", "", "result=true display=Bicarbonate [Moles/volume] in Serum"},
		{"no code", "CodeSystem/$validate-code?url=" + lf + "administrative-gender&code=m", "", "result=false message=the code 'm' is not in the code system http://hl7.org/fhir/administrative-gender|4.0.1"},
		{"no code of a fragment", "CodeSystem/loinc/$validate-code?code=1", "", "result=false message=the code '1' is not in the code system http://loinc.org|2.48, of which only a part is known here"},
		{"wrong display", "CodeSystem/$validate-code?url=http://loinc.org&code=1963-8&display=test", "", "result=false message='test' is no display of the code '1963-8', which is called 'Bicarbonate [Moles/volume] in Serum' display=Bicarbonate [Moles/volume] in Serum"},
		{"display in another language", "CodeSystem/$validate-code?url=http://loinc.org&code=1963-8&display=bicarbonato+en+suero", "", "result=true display=Bicarbonate [Moles/volume] in Serum"},
		{"inactive", "CodeSystem/$validate-code?url=http://snomed.info/sct&code=22298006", "", "result=true message=the code '22298006' is inactive display=Myocardial infarction"},
		{"abstract", "CodeSystem/$validate-code?url=http://terminology.hl7.org/CodeSystem/v3-ActCode&code=_ActAccountCode&abstract=false", "", "result=false message=the code '_ActAccountCode' is abstract display=ActAccountCode"},
		{"codeableConcept", "CodeSystem/$validate-code?url=http://loinc.org", body(`{"name":"codeableConcept","valueCodeableConcept":{"coding":[{"system":"http://e/x","code":"1"},{"system":"http://loinc.org","code":"1963-8"}]}}`), "result=true display=Bicarbonate [Moles/volume] in Serum"},
		{"codeableConcept of unknown and known systems", "CodeSystem/$validate-code", body(`{"name":"codeableConcept","valueCodeableConcept":{"coding":[{"system":"http://e/none","code":"1"},{"system":"http://loinc.org","code":"1963-8"}]}}`), "result=true display=Bicarbonate [Moles/volume] in Serum"},
		{"codeableConcept without codings", "ValueSet/23/$validate-code", body(`{"name":"codeableConcept","valueCodeableConcept":{"text":"x"}}`), "result=false message=the concept has no coding"},
		{"codeSystem given", "CodeSystem/$validate-code", body(`{"name":"code","valueCode":"a"},{"name":"codeSystem","resource":{"resourceType":"CodeSystem","url":"http://e/c","content":"complete","concept":[{"code":"a","display":"A"}]}}`), "result=true display=A"},

		// https://hl7.org/fhir/R4/valueset-operation-validate-code.html#examples
		{"in a set", "ValueSet/23/$validate-code?" + loinc + "&code=1963-8", "", "result=true display=Bicarbonate [Moles/volume] in Serum"},
		{"in a set, wrong display", "ValueSet/23/$validate-code?" + loinc + "&code=1963-8&display=test", "", "result=false message='test' is no display of the code '1963-8', which is called 'Bicarbonate [Moles/volume] in Serum' display=Bicarbonate [Moles/volume] in Serum"},
		{"by url", "ValueSet/$validate-code?url=" + lf + "ValueSet/administrative-gender&code=male&system=" + lf + "administrative-gender", "", "result=true display=Male"},
		{"by url and version", "ValueSet/$validate-code?url=" + lf + "ValueSet/administrative-gender&valueSetVersion=4.0.1&code=male&system=" + lf + "administrative-gender", "", "result=true display=Male"},
		{"the only system", "ValueSet/$validate-code?url=" + lf + "ValueSet/administrative-gender&code=male", "", "result=true display=Male system=http://hl7.org/fhir/administrative-gender"},
		{"inferSystem", "ValueSet/$validate-code?url=" + lf + "ValueSet/yesnodontknow&code=asked-unknown&inferSystem=true", "", "result=true display=Don't know system=http://terminology.hl7.org/CodeSystem/data-absent-reason"},
		{"not in a set", "ValueSet/$validate-code?url=" + lf + "ValueSet/administrative-gender&code=x&system=" + lf + "administrative-gender", "", "result=false message=the code 'x' of http://hl7.org/fhir/administrative-gender is not in the value set http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1; the code system has no such code"},
		{"unknown system", "ValueSet/$validate-code?url=" + lf + "ValueSet/administrative-gender&code=x&system=http://e/x", "", "result=false message=the code 'x' of http://e/x is not in the value set http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1; the code system http://e/x is not known here"},
		{"cannot be told", "ValueSet/$validate-code?url=" + lf + "ValueSet/cpt-all&code=1&system=http://www.ama-assn.org/go/cpt", "", "result=false message=whether the code '1' of http://www.ama-assn.org/go/cpt is in the value set http://hl7.org/fhir/ValueSet/cpt-all|4.0.1 cannot be told: the code system http://www.ama-assn.org/go/cpt is not known here"},
		{"coding", "ValueSet/hepatic/$validate-code", body(coding("coding", "http://snomed.info/sct", "235856003")), "result=true display=Hígado enfermo"},
		{"valueSet given", "ValueSet/$validate-code", body(coding("coding", "http://e/x", "a") + `,{"name":"valueSet","resource":{"resourceType":"ValueSet","compose":{"include":[{"system":"http://e/x","concept":[{"code":"a","display":"A"}]}]}}}`), "result=true display=A"},
		{"an endless set", "ValueSet/$validate-code?url=" + lf + "ValueSet/mimetypes&code=text/plain&system=urn:ietf:bcp:13", "", "result=true"},

		// https://hl7.org/fhir/R4/codesystem-operation-subsumes.html#examples
		{"subsumed by", "CodeSystem/$subsumes?" + sct + "&codeA=3738000&codeB=235856003", "", "outcome=subsumed-by"},
		{"subsumes, by Coding", "CodeSystem/$subsumes", body(coding("codingA", "http://snomed.info/sct", "235856003") + "," + coding("codingB", "http://snomed.info/sct", "3738000")), "outcome=subsumes"},
		{"equivalent", "CodeSystem/sct/$subsumes?codeA=3738000&codeB=3738000", "", "outcome=equivalent"},
		{"not subsumed", "CodeSystem/sct/$subsumes?codeA=3738000&codeB=22298006", "", "outcome=not-subsumed"},

		// https://hl7.org/fhir/R4/conceptmap-operation-translate.html#examples
		{"translate", "ConceptMap/$translate?system=" + lf + "composition-status&code=preliminary&source=" + lf + "ValueSet/composition-status&target=http://terminology.hl7.org/ValueSet/v3-ActStatus", "",
			"result=true match=(equivalence=equivalent concept=active source=http://hl7.org/fhir/ConceptMap/cm-composition-status-v3|4.0.1)"},
		{"translate by map", "ConceptMap/$translate?url=http://e/m&system=http://e/a&code=1", "", "result=true match=(equivalence=wider concept=x product=(element=http://e/unit concept=mg) source=http://e/m)"},
		{"translate back", "ConceptMap/m/$translate?system=http://e/b&code=x&reverse=true", "", "result=true match=(equivalence=narrower concept=1 source=http://e/m)"},
		{"translate without what it depends on", "ConceptMap/m/$translate?system=http://e/a&code=2", "", "result=false message=the concept map says nothing of the code"},
		{"translate with what it depends on", "ConceptMap/m/$translate?system=http://e/a&code=2", body(`{"name":"dependency","part":[{"name":"element","valueUri":"http://e/sex"},{"name":"concept","valueCodeableConcept":{"coding":[{"code":"female"}]}}]}`), "result=true match=(equivalence=equivalent concept=y source=http://e/m)"},
		{"translate to nothing", "ConceptMap/m/$translate?system=http://e/a&code=3", "", "result=false message=the code has no equivalent match=(equivalence=unmatched source=http://e/m)"},
		{"translate what is not mapped", "ConceptMap/m/$translate?system=http://e/a&code=9", "", "result=true match=(equivalence=inexact concept=9 source=http://e/m)"},
		{"translate from another system", "ConceptMap/m/$translate?system=http://e/z&code=1", "", "result=false message=the concept map says nothing of the code"},
	} {
		out, err := call(t, ops, c.path, c.body)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := values(out["parameter"]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestRefusals: what cannot be answered is refused with a code, and with words that
// say what is missing.
func TestRefusals(t *testing.T) {
	ops := Operations(registry(t), nil)
	for _, c := range []struct {
		path, body string
		code       fhir.Code
		says       string
	}{
		{"CodeSystem/$lookup", "", fhir.Invalid, "needs code and system"},
		{"CodeSystem/$lookup?code=a", "", fhir.Invalid, "needs code and system"},
		{"CodeSystem/$lookup?system=http://loinc.org&code=a&code=b", "", fhir.Invalid, "once"},
		{"CodeSystem/$lookup?system=http://e/none&code=a", "", fhir.NotFound, "http://e/none"},
		{"CodeSystem/$lookup?system=http://loinc.org&version=3&code=a", "", fhir.NotFound, "version 3 is not known here, only 2.48"},
		{"CodeSystem/$lookup?system=" + lf + "administrative-gender&code=zz", "", fhir.NotFound, `no code "zz"`},
		{"CodeSystem/$lookup?system=http://loinc.org&code=zz", "", fhir.NotFound, "only a part"},
		{"CodeSystem/$validate-code?code=a", "", fhir.Invalid, "url of the code system"},
		{"CodeSystem/$validate-code?url=http://e/none&code=a", "", fhir.NotFound, "http://e/none"},
		{"CodeSystem/none/$validate-code?code=a", "", fhir.NotFound, "CodeSystem"},
		{"CodeSystem/$validate-code?url=http://loinc.org", "", fhir.Invalid, "one of code"},
		{"CodeSystem/$validate-code?url=http://loinc.org&code=a&abstract=yes", "", fhir.Invalid, "true or false"},
		{"CodeSystem/$validate-code?url=http://loinc.org&code=a", body(`{"name":"coding","valueCoding":{"code":"b"}}`), fhir.Invalid, "one of code"},
		{"CodeSystem/$validate-code?url=http://loinc.org", body(`{"name":"coding","valueString":"b"}`), fhir.Invalid, "not of the type"},
		{"CodeSystem/$subsumes?system=http://loinc.org&codeA=a", "", fhir.Invalid, "codeA and codeB"},
		{"CodeSystem/$subsumes?codeA=a&codeB=b", "", fhir.Invalid, "system"},
		{"CodeSystem/$subsumes?system=" + lf + "administrative-gender&codeA=male&codeB=zz", "", fhir.NotFound, `"zz"`},
		{"ValueSet/$validate-code?code=a&system=http://e/a", "", fhir.Invalid, "url of a value set"},
		{"ValueSet/$validate-code?url=http://e/none&code=a&system=b", "", fhir.NotFound, "http://e/none"},
		{"ValueSet/$validate-code?url=" + lf + "ValueSet/yesnodontknow&code=a", "", fhir.Invalid, "inferSystem"},
		{"ValueSet/$expand", "", fhir.Invalid, "url of a value set"},
		{"ValueSet/$expand?context=Patient.gender", "", fhir.NotSupported, "context"},
		{"ValueSet/$expand?url=" + lf + "ValueSet/mimetypes", "", fhir.TooCostly, "urn:ietf:bcp:13"},
		{"ValueSet/$expand?url=" + lf + "ValueSet/cpt-all", "", fhir.NotFound, "http://www.ama-assn.org/go/cpt"},
		{"ValueSet/$expand?url=http://e/23&count=-1", "", fhir.Invalid, "count"},
		{"ValueSet/$expand?url=http://e/23&offset=99999999999", "", fhir.Invalid, "offset"},
		{"ValueSet/$expand?url=http://e/23&force-system-version=x", "", fhir.NotSupported, "force-system-version"},
		{"ValueSet/$expand", `{"resourceType":"Patient"}`, fhir.Unprocessable, "CodeSystem, ValueSet or ConceptMap"},
		{"ConceptMap/$translate?code=a&system=b", "", fhir.Invalid, "targetsystem"},
		{"ConceptMap/$translate?url=http://e/none&code=a&system=b", "", fhir.NotFound, "http://e/none"},
		{"ConceptMap/$translate?url=http://e/m&code=a", "", fhir.Invalid, "system"},
		{"ConceptMap/$translate?target=http://e/none&code=a&system=b", "", fhir.NotFound, "http://e/none"},
	} {
		out, err := call(t, ops, c.path, c.body)
		var e *fhir.Error
		if !errors.As(err, &e) {
			var syntax *element.SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("%s: %v %v", c.path, out, err)
			}
			continue
		}
		if e.Code != c.code || !strings.Contains(e.Details+" "+e.Diagnostics, c.says) {
			t.Errorf("%s: %d %q %q", c.path, e.Code, e.Details, e.Diagnostics)
		}
		for _, input := range []string{"zz", "http://e/none", "99999999999"} {
			if strings.Contains(e.Details, input) {
				t.Errorf("%s: details quote the input: %s", c.path, e.Details)
			}
		}
	}
}
