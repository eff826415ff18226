package search_test

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

func TestCompartment(t *testing.T) {
	a, b := fhir.Ref{Type: "Patient", ID: "a"}, fhir.Ref{Type: "Patient", ID: "b", Version: 3}
	for _, c := range []struct {
		owners []fhir.Ref
		typ    string
		want   string
	}{
		{[]fhir.Ref{a}, "Observation", "(subject=Patient/a or performer=Patient/a)"},
		{[]fhir.Ref{a, b}, "Immunization", "(patient=Patient/a,Patient/b)"},
		{[]fhir.Ref{a}, "Patient", "(link=Patient/a or _id=a)"},
		{[]fhir.Ref{{Type: "Encounter", ID: "e"}}, "Encounter", "(_id=e)"},
		{[]fhir.Ref{{Type: "Device", ID: "d"}}, "Device", "(_id=d)"},
		{[]fhir.Ref{a}, "Organization", ""},
		{nil, "Observation", ""},
	} {
		e := search.Compartment(c.owners, c.typ)
		got := ""
		if e != nil {
			got = e.String()
		}
		if got != c.want {
			t.Errorf("%v, %s: %s, want %s", c.owners, c.typ, got, c.want)
		}
	}
	if e := search.WholeCompartment(nil); e.String() != "()" {
		t.Errorf("of nobody: %s", e)
	}
}

func TestCompartmentTypes(t *testing.T) {
	for name, want := range map[string]int{"Patient": 66, "Encounter": 25, "Practitioner": 59, "RelatedPerson": 32, "Device": 33} {
		types := search.CompartmentTypes(name)
		if len(types) != want || !slices.Contains(types, name) {
			t.Errorf("%s has %d types, want %d", name, len(types), want)
		}
	}
	if n := len(spec.Compartments()); n != 5 {
		t.Errorf("%d compartments", n)
	}
}
