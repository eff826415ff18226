package patch

import (
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// FuzzPathPatch holds that whatever a patch and a resource are, there is either an
// error for the caller or JSON.
func FuzzPathPatch(f *testing.F) {
	const patient = `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}],"_birthDate":{"id":"b"},"contained":[{"resourceType":"Basic"}]}`
	op := func(parts string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[` + parts + `]}]}`
	}
	for _, seed := range []string{
		op(`{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient.name.given[1]"},{"name":"name","valueString":"extension"},{"name":"value","valueExtension":{"url":"u"}}`),
		op(`{"name":"type","valueCode":"insert"},{"name":"path","valueString":"Patient.name.given"},{"name":"index","valueInteger":2},{"name":"value","valueString":"x"}`),
		op(`{"name":"type","valueCode":"move"},{"name":"path","valueString":"Patient.name.given"},{"name":"source","valueInteger":0},{"name":"destination","valueInteger":1}`),
		op(`{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.birthDate"}`),
		op(`{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.descendants()[3]"},{"name":"value","part":[{"name":"a","part":[{"name":"b"}]}]}`),
		op(`{"name":"type","valueCode":"replace"},{"name":"path","valueString":"contained.where($this is Basic).id"},{"name":"value","_value":{}}`),
		op(`{"name":null,"part":{}}`), `{"resourceType":"Parameters","parameter":{}}`, `{"resourceType":"Parameters","parameter":[1,[],null]}`,
	} {
		f.Add(seed, patient)
		f.Add(seed, `{"resourceType":"Patient","name":{"given":{}},"birthDate":[[1]],"":1,"_":[],"_name":[null,{}]}`)
	}
	f.Fuzz(func(t *testing.T, parameters, resource string) {
		doc, err := element.Parse([]byte(parameters))
		if err != nil {
			return
		}
		p, err := ParseParameters(doc, 0)
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatalf("not an error for the caller: %v", err)
			}
			return
		}
		if _, err := element.Parse([]byte(resource)); err != nil {
			return
		}
		out, err := p.Apply([]byte(resource))
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatalf("not an error for the caller: %v", err)
			}
			return
		}
		if _, err := element.Parse(out); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	})
}
