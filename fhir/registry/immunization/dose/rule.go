package dose

import (
	"bytes"
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Rule is what every Immunization is held to, whichever way it is written: that it was not
// given in the future, nor before the patient was born. History of any precision passes.
type Rule struct {
	// Patient reads a Patient, for its birth date. Errors leave the rule out.
	Patient func(ctx context.Context, id string) (fhir.Resource, error)
	// Kept reports whether the birth date of a Patient may be kept from some, by a consent:
	// then nobody is told what is before it. nil says so of nobody.
	Kept func(ctx context.Context, id string) bool
	Zone *time.Location // whose days count; nil is that of central Mexico
	Now  func() time.Time
}

// Check holds the resource at root of d, of type typ, to the rule.
func (r *Rule) Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	if typ != "Immunization" || text(d, root, "status") == "entered-in-error" {
		return nil
	}
	zone := r.Zone
	if zone == nil {
		zone = mexico
	}
	n := d.Get(root, "occurrenceDateTime")
	if n == element.None || d.Kind(n) != element.String {
		return nil
	}
	when, ok := readSpan(d.Text(n), zone)
	if !ok {
		return nil // the base rules refuse what is no date
	}
	issue := func(rule, details string) []fhir.Issue {
		start, _ := d.Span(n)
		line, col := d.Position(start)
		return []fhir.Issue{{Severity: "error", Type: "business-rule", Rule: rule, Details: details, Expression: "Immunization.occurrence[x]", Line: line, Col: col}}
	}
	now := r.Now()
	if when.from.After(now.Add(early)) && when.first(zone) > schedule.DateOf(now.In(zone)) {
		return issue("dose-future", "a dose is recorded when it was given: this is in the future")
	}
	birth, patient := r.birth(d, root)
	born, ok := readSpan(birth, zone)
	// Systems write times of any place in UTC, where the day of the birth may be another
	// one: it is refused only where it is before the birth on either calendar.
	if ok && max(when.last(zone), when.written()) < born.first(zone) && (patient == "" || r.Kept == nil || !r.Kept(context.Background(), patient)) {
		return issue("dose-before-birth", "the dose would have been given before the patient was born")
	}
	return nil
}

// birth returns the birth date of the patient of an Immunization, whom the Bundle has that
// it is in, or this server; of the latter the id as well. The date stays "" for a Patient
// with a security label: whether a day is before their birth is told to nobody who may not
// see them.
func (r *Rule) birth(d *element.Doc, root element.Node) (date, id string) {
	ref := text(d, d.Get(root, "patient"), "reference")
	if root != 0 {
		for entry := range items(d, 0, "entry") {
			if text(d, entry, "fullUrl") != ref {
				continue
			}
			if patient := d.Get(entry, "resource"); patient != element.None && text(d, patient, "resourceType") == "Patient" {
				return text(d, patient, "birthDate"), ""
			}
		}
	}
	at, ok := fhir.ParseRef(ref)
	if !ok || at.Type != "Patient" || r.Patient == nil {
		return "", ""
	}
	found, err := r.Patient(context.Background(), at.ID)
	if err != nil || bytes.Contains(found.JSON, []byte(`"security"`)) {
		return "", ""
	}
	patient, err := element.Parse(found.JSON)
	if err != nil {
		return "", ""
	}
	return text(patient, 0, "birthDate"), at.ID
}
