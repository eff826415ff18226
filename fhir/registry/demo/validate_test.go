package demo

import (
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/validate"
)

func TestPopulationIsValid(t *testing.T) {
	checked := 0
	for b := range Population(Options{Patients: 250, Seed: 11}) {
		doc, err := element.Parse(b.JSON)
		if err != nil {
			t.Fatal(err)
		}
		entries := doc.Get(0, "entry")
		for e := doc.First(entries); e != element.None; e = doc.Next(entries, e) {
			resource := doc.Get(e, "resource")
			for _, issue := range validate.Check(doc, resource, doc.Text(doc.Get(resource, "resourceType"))) {
				t.Errorf("%s: %s %s %s", issue.Expression, issue.Severity, issue.Details, issue.Diagnostics)
			}
			checked++
		}
	}
	if checked < 5000 {
		t.Errorf("only %d resources were checked", checked)
	}
}
