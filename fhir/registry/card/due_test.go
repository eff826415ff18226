package card

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
	"github.com/amate-health/amate/fhir/search"
)

// TestDue: a cartilla sends no pregnant woman to a vaccine that harms her, whoever prints
// it, and tells of no pregnancy and of no dose to who may not see them.
func TestDue(t *testing.T) {
	p := newPost(t)
	shelf, err := mexico.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := immunization.New(shelf[len(shelf)-1])
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range Operations(Config{
		Store: p.store, Ledger: p.ledger, Page: func(string) string { return "https://h/verify/x" }, Now: p.ledger.Now,
		Assessor: func(schedule.Date) (immunization.Assessor, error) { return engine, nil },
	}) {
		p.ops[op.Name] = op
	}
	print := func(only *search.Restriction) string {
		t.Helper()
		p.sees = only
		a, err := p.call("cartilla", mediaHTML)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(a.Raw), "Próximas vacunas")
		return after
	}
	p.put(`{"resourceType":"Patient","id":"p1","name":[{"family":"Peña"}],"birthDate":"1998-03-15","gender":"female"}`)
	vaccinator := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "Immunization": nil}}
	const measles, withheld = "SRP y SR", "no se puede decir"
	for who, only := range map[string]*search.Restriction{"all": search.Unrestricted, "vaccinator": vaccinator} {
		if got := print(only); !strings.Contains(got, measles) || strings.Contains(got, withheld) {
			t.Errorf("before, %s prints %s", who, got)
		}
	}
	p.put(`{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/p1"},"code":{"coding":[{"system":"http://loinc.org","code":"11884-4"}]},"effectiveDateTime":"2026-11-20","valueQuantity":{"value":24,"code":"wk","system":"http://unitsofmeasure.org"}}`)
	if got := print(search.Unrestricted); strings.Contains(got, measles) || strings.Contains(got, withheld) {
		t.Errorf("pregnant: %s", got)
	}
	if got := print(vaccinator); strings.Contains(got, measles) || !strings.Contains(got, withheld) || strings.Contains(strings.ToLower(got), "embaraz") {
		t.Errorf("pregnant, which is hidden: %s", got)
	}
	half := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil, "Immunization": {search.IDs{Any: []string{"d1"}}}}}
	if got := print(half); strings.Contains(got, "Influenza") || !strings.Contains(got, withheld) {
		t.Errorf("a dose is hidden: %s", got)
	}
}
