package patch

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/spec"
)

// tag is an XML element of the published cases.
type tag struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Kids    []tag      `xml:",any"`
}

func (x *tag) attr(name string) string {
	for _, a := range x.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (x *tag) kid(name string) *tag {
	for i := range x.Kids {
		if x.Kids[i].XMLName.Local == name {
			return &x.Kids[i]
		}
	}
	return nil
}

// json returns what x holds, an element of type t, as JSON values. It reads no
// more of XML than the cases have.
func (x *tag) json(t *testing.T, typ *spec.Type) any {
	if typ.Kind == spec.Primitive {
		if jsonKind(typ) == element.String {
			return x.attr("value")
		}
		return json.RawMessage(x.attr("value"))
	}
	out := map[string]any{}
	if typ.Kind == spec.ResourceKind {
		out["resourceType"] = typ.Name
	}
	if id := x.attr("id"); id != "" {
		out["id"] = id
	}
	for i := range x.Kids {
		k := &x.Kids[i]
		e := typ.Element([]byte(k.XMLName.Local))
		if e == nil {
			t.Fatalf("%s has no %s", typ.Name, k.XMLName.Local)
		}
		v := k.json(t, e.Type)
		if e.Many {
			list, _ := out[e.Name].([]any)
			v = append(list, v)
		}
		out[e.Name] = v
	}
	return out
}

func (x *tag) resource(t *testing.T) string {
	text, err := json.Marshal(x.Kids[0].json(t, spec.TypeOf(x.Kids[0].XMLName.Local)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPublishedFHIRPathPatches(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samples.Path(t, "fhir-patch"), "fhir-patch-tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite tag
	if err := xml.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	if len(suite.Kids) < 18 {
		t.Errorf("only %d cases", len(suite.Kids))
	}
	passed := 0
	for _, c := range suite.Kids {
		ok := t.Run(c.attr("name"), func(t *testing.T) {
			got, err := applyPath(c.kid("diff").resource(t), c.kid("input").resource(t))
			want := c.kid("output")
			if want == nil {
				if fhir.CodeOf(err) != fhir.Unprocessable {
					t.Errorf("got %s, %v; want the error: %s", got, err, c.kid("error").attr("msg"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if w := want.resource(t); !sameJSON(t, got, w) {
				t.Errorf("got %s, want %s", got, w)
			}
		})
		if ok {
			passed++
		}
	}
	t.Logf("%d of %d cases pass", passed, len(suite.Kids))
}

func applyPath(parameters, resource string) (string, error) {
	doc, err := element.Parse([]byte(parameters))
	if err != nil {
		return "", err
	}
	p, err := ParseParameters(doc, 0)
	if err != nil {
		return "", err
	}
	out, err := p.Apply([]byte(resource))
	return string(out), err
}

// operations writes a Parameters of operations, each in a short form:
// {"type":"add","path":"Patient", ...} with the parts as members, of which value is
// itself a part without its name.
func operations(t *testing.T, short string) string {
	var ops []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(short), &ops); err != nil {
		t.Fatalf("%s: %v", short, err)
	}
	var all []string
	for _, op := range ops {
		var parts []string
		for name, v := range op {
			typ := map[string]string{"type": "valueCode", "path": "valueString", "name": "valueString"}[name]
			switch {
			case name == "value":
				parts = append(parts, `{"name":"value",`+strings.TrimPrefix(string(v), "{"))
			case typ != "":
				parts = append(parts, `{"name":"`+name+`","`+typ+`":`+string(v)+`}`)
			default:
				parts = append(parts, `{"name":"`+name+`","valueInteger":`+string(v)+`}`)
			}
		}
		all = append(all, `{"name":"operation","part":[`+strings.Join(parts, ",")+`]}`)
	}
	if all == nil {
		return `{"resourceType":"Parameters"}`
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(all, ",") + `]}`
}

func TestPathPatch(t *testing.T) {
	tests := []struct{ name, ops, in, want string }{
		{"nothing to do keeps text", `[]`,
			`{"resourceType":"Observation", "valueQuantity":{"value":1.50, "unit":"\u006dg"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":1.50,"unit":"\u006dg"}}`},
		{"order and digits of the rest stay", `[{"type":"add","path":"Patient","name":"active","value":{"valueBoolean":true}}]`,
			`{"resourceType":"Patient","birthDate":"1990","extension":[{"valueDecimal":1e3,"url":"u"}]}`,
			`{"resourceType":"Patient","birthDate":"1990","extension":[{"valueDecimal":1e3,"url":"u"}],"active":true}`},
		{"digits of a value that is added", `[{"type":"add","path":"Observation.value","name":"value","value":{"valueDecimal":1.10}}]`,
			`{"resourceType":"Observation","valueQuantity":{"unit":"mg"}}`,
			`{"resourceType":"Observation","valueQuantity":{"unit":"mg","value":1.10}}`},
		{"add to a list", `[{"type":"add","path":"Patient.name[0]","name":"given","value":{"valueString":"B"}}]`,
			`{"resourceType":"Patient","name":[{"given":["A"],"family":"F"}]}`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"family":"F"}]}`},
		{"add a list", `[{"type":"add","path":"Patient.name","name":"given","value":{"valueString":"B"}}]`,
			`{"resourceType":"Patient","name":[{"family":"F"}]}`,
			`{"resourceType":"Patient","name":[{"family":"F","given":["B"]}]}`},
		{"add a choice", `[{"type":"add","path":"Patient","name":"deceased","value":{"valueDateTime":"2020"}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","deceasedDateTime":"2020"}`},
		{"add a choice, by value[x]", `[{"type":"add","path":"Patient","name":"deceased[x]","value":{"valueBoolean":true}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","deceasedBoolean":true}`},
		{"add a choice, by its property", `[{"type":"add","path":"Patient","name":"deceasedBoolean","value":{"valueBoolean":true}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","deceasedBoolean":true}`},
		{"replace a choice by another type, in its place", `[{"type":"replace","path":"Observation.value","value":{"valueQuantity":{"value":2.0}}}]`,
			`{"resourceType":"Observation","valueString":"x","_valueString":{"id":"v"},"status":"final"}`,
			`{"resourceType":"Observation","valueQuantity":{"value":2.0},"status":"final"}`},
		{"a string for a code", `[{"type":"replace","path":"Patient.gender","value":{"valueString":"female"}}]`,
			`{"resourceType":"Patient","gender":"male"}`, `{"resourceType":"Patient","gender":"female"}`},
		{"a date for a dateTime", `[{"type":"add","path":"Patient.identifier.period","name":"end","value":{"valueDate":"2020"}}]`,
			`{"resourceType":"Patient","identifier":[{"period":{"start":"2019"}}]}`,
			`{"resourceType":"Patient","identifier":[{"period":{"start":"2019","end":"2020"}}]}`},
		{"parts", `[{"type":"add","path":"Patient","name":"contact","value":{"part":[
				{"name":"relationship","valueCodeableConcept":{"text":"a"}},{"name":"relationship","valueCodeableConcept":{"text":"b"}},
				{"name":"name","part":[{"name":"family","valueString":"F"},{"name":"given","valueString":"G"}]},
				{"name":"gender","valueCode":"male"}]}}]`,
			`{"resourceType":"Patient"}`,
			`{"resourceType":"Patient","contact":[{"relationship":[{"text":"a"},{"text":"b"}],"name":{"family":"F","given":["G"]},"gender":"male"}]}`},
		{"parts within parts, with a choice", `[{"type":"add","path":"Observation","name":"component","value":{"part":[
				{"name":"code","valueCodeableConcept":{"text":"c"}},{"name":"value","valueInteger":7},
				{"name":"referenceRange","part":[{"name":"low","valueQuantity":{"value":1}}]}]}}]`,
			`{"resourceType":"Observation"}`,
			`{"resourceType":"Observation","component":[{"code":{"text":"c"},"valueInteger":7,"referenceRange":[{"low":{"value":1}}]}]}`},
		{"a contained resource", `[{"type":"add","path":"Patient","name":"contained","value":{"resource":{"resourceType":"Basic","id":"b"}}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"b"}]}`},
		{"within a contained resource", `[{"type":"replace","path":"Patient.contained.where(id='b').code.text","value":{"valueString":"y"}}]`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"a"},{"resourceType":"Basic","id":"b","code":{"text":"x"}}]}`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"a"},{"resourceType":"Basic","id":"b","code":{"text":"y"}}]}`},
		{"a resource in a Bundle", `[{"type":"replace","path":"Bundle.entry[0].resource","value":{"resource":{"resourceType":"Basic"}}}]`,
			`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}`,
			`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}}]}`},
		{"by a filter", `[{"type":"replace","path":"Patient.telecom.where(system='phone').value","value":{"valueString":"2"}}]`,
			`{"resourceType":"Patient","telecom":[{"system":"email","value":"e"},{"system":"phone","value":"1"}]}`,
			`{"resourceType":"Patient","telecom":[{"system":"email","value":"e"},{"system":"phone","value":"2"}]}`},
		{"by extension()", `[{"type":"replace","path":"Patient.extension('u').value","value":{"valueCode":"c"}}]`,
			`{"resourceType":"Patient","extension":[{"url":"u","valueString":"s"}]}`,
			`{"resourceType":"Patient","extension":[{"url":"u","valueCode":"c"}]}`},
		{"by type", `[{"type":"delete","path":"(Observation.value as Quantity).unit"}]`,
			`{"resourceType":"Observation","valueQuantity":{"value":1.0,"unit":"mg"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":1.0}}`},
		{"without the type's name", `[{"type":"delete","path":"birthDate"},{"type":"insert","path":"name","index":0,"value":{"valueHumanName":{"text":"x"}}}]`,
			`{"resourceType":"Patient","birthDate":"1990","_birthDate":{"id":"b"}}`,
			`{"resourceType":"Patient","name":[{"text":"x"}]}`},
		{"delete what is not there", `[{"type":"delete","path":"Patient.birthDate"}]`,
			`{"resourceType":"Patient","active":true}`, `{"resourceType":"Patient","active":true}`},
		{"delete leaves nothing empty", `[{"type":"delete","path":"Patient.contact[0].name.text"}]`,
			`{"resourceType":"Patient","contact":[{"name":{"text":"x"}}]}`, `{"resourceType":"Patient"}`},
		{"what is emptied can be filled again", `[{"type":"delete","path":"Patient.contact[0].gender"},{"type":"add","path":"Patient.contact[0]","name":"gender","value":{"valueCode":"male"}}]`,
			`{"resourceType":"Patient","contact":[{"gender":"female"}]}`, `{"resourceType":"Patient","contact":[{"gender":"male"}]}`},
		{"operations see those before", `[{"type":"add","path":"Patient","name":"name","value":{"valueHumanName":{"text":"x"}}},{"type":"add","path":"Patient.name","name":"family","value":{"valueString":"f"}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","name":[{"text":"x","family":"f"}]}`},
		{"insert at the end", `[{"type":"insert","path":"Patient.name[0].given","index":1,"value":{"valueString":"B"}}]`,
			`{"resourceType":"Patient","name":[{"given":["A"]}]}`, `{"resourceType":"Patient","name":[{"given":["A","B"]}]}`},
		{"insert in an empty list", `[{"type":"insert","path":"Patient.name","index":0,"value":{"valueHumanName":{"text":"x"}}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","name":[{"text":"x"}]}`},
		{"insert where a keyword is the name", "[{\"type\":\"insert\",\"path\":\"ValueSet.expansion.`contains`\",\"index\":0,\"value\":{\"part\":[{\"name\":\"code\",\"valueCode\":\"c\"}]}}]",
			`{"resourceType":"ValueSet","expansion":{"total":1}}`, `{"resourceType":"ValueSet","expansion":{"total":1,"contains":[{"code":"c"}]}}`},
		{"extensions keep to their primitives: insert", `[{"type":"insert","path":"Patient.name[0].given","index":0,"value":{"valueString":"0"}}]`,
			`{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[null,{"id":"b"}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["0","A",null,"C"],"_given":[null,null,{"id":"b"},null]}]}`},
		{"extensions keep to their primitives: move", `[{"type":"move","path":"Patient.name[0].given","source":2,"destination":0}]`,
			`{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[null,{"id":"b"},{"id":"c"}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["C","A",null],"_given":[{"id":"c"},null,{"id":"b"}]}]}`},
		{"extensions keep to their primitives: delete", `[{"type":"delete","path":"Patient.name[0].given[0]"}]`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"a"},{"id":"b"}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["B"],"_given":[{"id":"b"}]}]}`},
		{"extensions keep to their primitives: emptied", `[{"type":"delete","path":"Patient.name[0].given[0].extension[0]"}]`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"extension":[{"url":"u","valueCode":"c"}]},{"id":"b"}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"b"}]}]}`},
		{"an extension on a primitive", `[{"type":"add","path":"Patient.birthDate","name":"extension","value":{"valueExtension":{"url":"u","valueCode":"c"}}}]`,
			`{"resourceType":"Patient","birthDate":"1990","active":true}`,
			`{"resourceType":"Patient","birthDate":"1990","_birthDate":{"extension":[{"url":"u","valueCode":"c"}]},"active":true}`},
		{"an extension on one of a list", `[{"type":"add","path":"Patient.name.given[1]","name":"extension","value":{"valueExtension":{"url":"u","valueCode":"c"}}}]`,
			`{"resourceType":"Patient","name":[{"given":["A","B"]}]}`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"extension":[{"url":"u","valueCode":"c"}]}]}]}`},
		{"an extension by parts", `[{"type":"add","path":"Patient","name":"extension","value":{"part":[{"name":"url","valueUri":"u"},{"name":"value","valueCode":"c"}]}}]`,
			`{"resourceType":"Patient"}`, `{"resourceType":"Patient","extension":[{"url":"u","valueCode":"c"}]}`},
		{"a value with its extension", `[{"type":"replace","path":"Patient.birthDate","value":{"valueDate":"2000","_valueDate":{"id":"x"}}}]`,
			`{"resourceType":"Patient","birthDate":"1990"}`, `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"id":"x"}}`},
		{"only an extension", `[{"type":"replace","path":"Patient.birthDate","value":{"_valueDate":{"id":"x"}}}]`,
			`{"resourceType":"Patient","birthDate":"1990"}`, `{"resourceType":"Patient","_birthDate":{"id":"x"}}`},
		{"replace an extension without a value", `[{"type":"replace","path":"Patient.birthDate","value":{"valueDate":"2000"}}]`,
			`{"resourceType":"Patient","_birthDate":{"id":"x"}}`, `{"resourceType":"Patient","birthDate":"2000"}`},
		{"move to itself", `[{"type":"move","path":"Patient.name","source":1,"destination":1}]`,
			`{"resourceType":"Patient","name":[{"text":"a"},{"text":"b"}]}`, `{"resourceType":"Patient","name":[{"text":"a"},{"text":"b"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := applyPath(operations(t, tt.ops), tt.in)
			if err != nil {
				var e *fhir.Error
				errors.As(err, &e)
				t.Fatalf("%v %+v", err, e)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPathPatchRefuses(t *testing.T) {
	const in = `{"resourceType":"Patient","active":true,"name":[{"family":"F","given":["A","B"]},{"family":"G"}],"deceasedBoolean":false}`
	tests := []struct {
		name, ops string
		code      fhir.Code
		says      string
	}{
		{"no such type", `[{"type":"copy","path":"Patient"}]`, fhir.Invalid, "must be add"},
		{"no type", `[{"path":"Patient"}]`, fhir.Invalid, "part type"},
		{"no path", `[{"type":"delete"}]`, fhir.Invalid, "part path"},
		{"no name", `[{"type":"add","path":"Patient","value":{"valueString":"x"}}]`, fhir.Invalid, "part name"},
		{"no value", `[{"type":"replace","path":"Patient.active"}]`, fhir.Invalid, "part value"},
		{"nothing in the value", `[{"type":"replace","path":"Patient.active","value":{"id":"x"}}]`, fhir.Invalid, "no value[x]"},
		{"no index", `[{"type":"insert","path":"Patient.name","value":{"valueHumanName":{"text":"x"}}}]`, fhir.Invalid, "part index"},
		{"a negative index", `[{"type":"insert","path":"Patient.name","index":-1,"value":{"valueHumanName":{"text":"x"}}}]`, fhir.Invalid, "part index"},
		{"half an index", `[{"type":"move","path":"Patient.name","source":0.5,"destination":0}]`, fhir.Invalid, "part source"},
		{"a part too many", `[{"type":"delete","path":"Patient.active","index":0}]`, fhir.Invalid, "no such part"},
		{"no FHIRPath", `[{"type":"delete","path":"Patient.."}]`, fhir.Invalid, "no FHIRPath"},
		{"a list by its item", `[{"type":"move","path":"Patient.name[0]","source":0,"destination":0}]`, fhir.Invalid, "name of a list"},
		{"a list by a union", `[{"type":"move","path":"Patient.name | Patient.contact","source":0,"destination":0}]`, fhir.Invalid, "name of a list"},

		{"add to nothing", `[{"type":"add","path":"Patient.contact","name":"gender","value":{"valueCode":"male"}}]`, fhir.Unprocessable, "selects nothing"},
		{"add to two", `[{"type":"add","path":"Patient.name","name":"text","value":{"valueString":"x"}}]`, fhir.Unprocessable, "selects 2 elements"},
		{"add what is there", `[{"type":"add","path":"Patient","name":"active","value":{"valueBoolean":true}}]`, fhir.Unprocessable, "there already"},
		{"add what is there, of another type", `[{"type":"add","path":"Patient","name":"deceased","value":{"valueDateTime":"2020"}}]`, fhir.Unprocessable, "there already"},
		{"add what R4 does not have", `[{"type":"add","path":"Patient","name":"shoeSize","value":{"valueInteger":42}}]`, fhir.Unprocessable, "no such element"},
		{"add the resource type", `[{"type":"add","path":"Patient","name":"resourceType","value":{"valueString":"Person"}}]`, fhir.Unprocessable, "no such element"},
		{"replace nothing", `[{"type":"replace","path":"Patient.birthDate","value":{"valueDate":"2020"}}]`, fhir.Unprocessable, "selects nothing"},
		{"replace two", `[{"type":"replace","path":"Patient.name.given","value":{"valueString":"x"}}]`, fhir.Unprocessable, "selects 2"},
		{"replace the resource", `[{"type":"replace","path":"Patient","value":{"resource":{"resourceType":"Patient"}}}]`, fhir.Unprocessable, "resource itself"},
		{"replace what is computed", `[{"type":"replace","path":"Patient.name.count()","value":{"valueInteger":3}}]`, fhir.Unprocessable, "no element of the resource"},
		{"delete two", `[{"type":"delete","path":"Patient.name"}]`, fhir.Unprocessable, "selects 2"},
		{"delete the resource", `[{"type":"delete","path":"Patient"}]`, fhir.Unprocessable, "resource itself"},
		{"wrong type, complex", `[{"type":"add","path":"Patient","name":"name","value":{"valueAddress":{"text":"x"}}}]`, fhir.Unprocessable, "wrong type"},
		{"wrong type, a string for a boolean", `[{"type":"replace","path":"Patient.active","value":{"valueString":"true"}}]`, fhir.Unprocessable, "wrong type"},
		{"wrong type, of a choice", `[{"type":"replace","path":"Patient.deceased","value":{"valueString":"x"}}]`, fhir.Unprocessable, "does not take"},
		{"wrong type, a resource", `[{"type":"add","path":"Patient","name":"name","value":{"resource":{"resourceType":"Patient"}}}]`, fhir.Unprocessable, "wrong type"},
		{"wrong type, no resource", `[{"type":"add","path":"Patient","name":"contained","value":{"valueString":"x"}}]`, fhir.Unprocessable, "wrong type"},
		{"parts for a primitive", `[{"type":"replace","path":"Patient.active","value":{"part":[{"name":"x","valueString":"x"}]}}]`, fhir.Unprocessable, "wrong type"},
		{"parts that R4 does not have", `[{"type":"add","path":"Patient","name":"contact","value":{"part":[{"name":"x","valueString":"x"}]}}]`, fhir.Unprocessable, "no such element"},
		{"a part twice", `[{"type":"add","path":"Patient","name":"contact","value":{"part":[{"name":"gender","valueCode":"male"},{"name":"gender","valueCode":"female"}]}}]`, fhir.Unprocessable, "there already"},
		{"insert beyond the end", `[{"type":"insert","path":"Patient.name","index":3,"value":{"valueHumanName":{"text":"x"}}}]`, fhir.Unprocessable, "beyond the end"},
		{"insert in no list", `[{"type":"insert","path":"Patient.birthDate","index":0,"value":{"valueDate":"2020"}}]`, fhir.Unprocessable, "not name a list"},
		{"insert in two lists", `[{"type":"insert","path":"Patient.name.given","index":0,"value":{"valueString":"x"}}]`, fhir.Unprocessable, "selects 2"},
		{"move from beyond the end", `[{"type":"move","path":"Patient.name","source":2,"destination":0}]`, fhir.Unprocessable, "below 2"},
		{"move beyond the end", `[{"type":"move","path":"Patient.name","source":0,"destination":2}]`, fhir.Unprocessable, "below 2"},
		{"all or nothing", `[{"type":"delete","path":"Patient.active"},{"type":"delete","path":"Patient.name"}]`, fhir.Unprocessable, "operation 1 (delete)"},
		{"run away", `[{"type":"delete","path":"Patient.repeat(name.select(%resource))"}]`, fhir.Unprocessable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := applyPath(operations(t, tt.ops), in)
			if fhir.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s, %v; want code %d, %q", got, err, tt.code, tt.says)
			}
		})
	}
}
