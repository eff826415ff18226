package history

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// coding is a code and the URI of its system.
type coding struct{ system, code string }

// text returns a string; "" for anything else.
func text(d *element.Doc, n element.Node) string {
	if n == element.None || d.Kind(n) != element.String {
		return ""
	}
	return d.Text(n)
}

// list returns the items of an array; none for anything else.
func list(d *element.Doc, n element.Node) []element.Node {
	if n == element.None || d.Kind(n) != element.Array {
		return nil
	}
	items := make([]element.Node, 0, d.Size(n))
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		items = append(items, c)
	}
	return items
}

// codings returns the codings of a CodeableConcept, with systems as [code.System]
// names them.
func codings(d *element.Doc, concept element.Node) []coding {
	var all []coding
	for _, n := range list(d, d.Get(concept, "coding")) {
		if c := (coding{code.System(text(d, d.Get(n, "system"))), strings.TrimSpace(text(d, d.Get(n, "code")))}); c.code != "" {
			all = append(all, c)
		}
	}
	return all
}

// has reports whether a CodeableConcept holds one of the codes, of any system.
func has(d *element.Doc, concept element.Node, codes ...string) bool {
	for _, c := range codings(d, concept) {
		for _, want := range codes {
			if c.code == want {
				return true
			}
		}
	}
	return false
}

// day reads a FHIR date or dateTime as the day of the place; false for a partial one.
func (r *Reader) day(s string) (schedule.Date, bool) {
	if r.Zone != nil && (strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "+00:00")) {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return schedule.DateOf(t.In(r.Zone)), true
		}
	}
	d, err := schedule.ParseDate(s)
	return d, err == nil
}

// lastDay reads a FHIR date, of which a partial one means its last day.
func lastDay(s string) (schedule.Date, bool) {
	for _, layout := range []struct {
		form          string
		years, months int
	}{{"2006", 1, 0}, {"2006-01", 0, 1}} {
		if t, err := time.Parse(layout.form, s); err == nil {
			return schedule.DateOf(t.AddDate(layout.years, layout.months, -1)), true
		}
	}
	d, err := schedule.ParseDate(s)
	return d, err == nil
}
