package operation_test

import (
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

func TestReference(t *testing.T) {
	d, err := element.Parse([]byte(`{"resourceType":"Parameters","parameter":[{"name":"a","valueReference":{"reference":"Patient/1"}},
		{"name":"b","valueString":"http://h/fhir/Patient/2/_history/3"},{"name":"c","valueReference":{"display":"x"}},{"name":"d","valueString":"Patient/../4"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	body := &operation.Call{In: operation.NewInputs(nil, d), Base: "http://h/fhir"}
	query := &operation.Call{In: operation.NewInputs([]search.Param{{Name: "id", Value: "7"}, {Name: "none", Value: ""}}, nil), Base: "http://h/fhir"}
	for _, c := range []struct {
		call  *operation.Call
		name  string
		types []string
		want  string
	}{
		{body, "a", []string{"Patient"}, "Patient/1"}, {body, "b", []string{"Group", "Patient"}, "Patient/2"}, {body, "missing", []string{"Patient"}, "/"},
		{query, "id", []string{"Patient"}, "Patient/7"},
		{body, "a", []string{"Group"}, "refused"}, {body, "c", []string{"Patient"}, "refused"}, {body, "d", []string{"Patient"}, "refused"},
		{query, "id", []string{"Patient", "Group"}, "refused"},
	} {
		ref, err := c.call.Reference(c.name, c.types...)
		got := ref.String()
		if err != nil {
			got = "refused"
			if fhir.CodeOf(err) != fhir.Invalid {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if got != c.want && !(c.want == "/" && ref == fhir.Ref{}) {
			t.Errorf("%s of %v is %s, want %s", c.name, c.types, got, c.want)
		}
	}
	if err := query.Only("id"); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("a parameter that it does not have: %v", err)
	}
	if err := query.Only("id", "none"); err != nil {
		t.Error(err)
	}
	if _, err := query.Needed("none", "x"); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("an empty one: %v", err)
	}
	if v, err := query.Needed("id", "x"); v != "7" || err != nil {
		t.Errorf("%q %v", v, err)
	}
}
