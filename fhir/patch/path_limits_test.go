package patch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

func TestPathPatchLimits(t *testing.T) {
	times := func(n int, op string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(op+",", n), ",") + "]"
	}
	long := `{"resourceType":"Patient","name":[` + strings.TrimSuffix(strings.Repeat(`{"family":"F","given":["A","B"]},`, 40_000), ",") + `]}`
	const toggle = `{"type":"replace","path":"Patient.active","value":{"valueBoolean":true}}`
	tests := []struct {
		name, ops, in string
		code          fhir.Code
	}{
		{"so many operations", times(MaxOperations+1, toggle), `{"resourceType":"Patient","active":true}`, fhir.TooLarge},
		{"as many as may be", times(MaxOperations, toggle), `{"resourceType":"Patient","active":true}`, 0},
		{"so many on so large a resource", times(MaxOperations, toggle), strings.Replace(long, `{`, `{"active":true,`, 1), fhir.TooLarge},
		{"so much to add", `[{"type":"add","path":"Patient","name":"name","value":{"valueHumanName":{"text":"` + strings.Repeat("x", MaxGrowth) + `"}}}]`,
			`{"resourceType":"Patient"}`, fhir.TooLarge},
		{"a costly path", `[{"type":"delete","path":"Patient.name.where(Patient.name.given.count() + %resource.name.where(family = $this.family).count() = 1)"}]`, long, fhir.TooCostly},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := applyPath(operations(t, tt.ops), tt.in)
			if fhir.CodeOf(err) != tt.code || tt.code == 0 && err != nil {
				t.Errorf("got %v, want code %d", err, tt.code)
			}
		})
	}
}

func TestPathPatchStaysWithinTheDepthOfADocument(t *testing.T) {
	nested := func(n int, in string) string {
		for range n {
			in = `{"resourceType":"Bundle","entry":[{"resource":` + in + `}]}`
		}
		return in
	}
	in := nested(30, `{"resourceType":"Patient"}`)
	add := func(n int) string {
		return operations(t, `[{"type":"add","path":"Bundle.descendants().ofType(Patient)","name":"contained","value":{"resource":`+nested(n, `{"resourceType":"Basic"}`)+`}}]`)
	}
	if _, err := applyPath(add(1), in); err != nil {
		t.Error(err)
	}
	if out, err := applyPath(add(10), in); fhir.CodeOf(err) != fhir.Unprocessable || !strings.Contains(err.Error(), "too deep") {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// BenchmarkPathPatch applies three operations to a resource of 1.5 KB.
func BenchmarkPathPatch(b *testing.B) {
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf(`{"use":"official","family":"Family %d","given":["A","B"]}`, i))
	}
	src := []byte(`{"resourceType":"Patient","active":true,"name":[` + strings.Join(names, ",") + `],"birthDate":"1990-05"}`)
	op := func(parts string) string { return `{"name":"operation","part":[` + parts + `]}` }
	doc, err := element.Parse([]byte(`{"resourceType":"Parameters","parameter":[` + strings.Join([]string{
		op(`{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.birthDate"},{"name":"value","valueDate":"1990-05-17"}`),
		op(`{"name":"type","valueCode":"insert"},{"name":"path","valueString":"Patient.name[3].given"},{"name":"index","valueInteger":1},{"name":"value","valueString":"C"}`),
		op(`{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.name.where(family = 'Family 7')"}`),
	}, ",") + `]}`))
	if err != nil {
		b.Fatal(err)
	}
	p, err := ParseParameters(doc, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Apply(src); err != nil {
			b.Fatal(err)
		}
	}
}
