package prescription

import (
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
)

// Right is the name of Hold, and of the right to pass it.
const Right = "prescription"

// Hold is the rule that what belongs to a prescription is written by its operations alone:
// its document, its requests and what was dispensed of them.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: []string{"Composition", "MedicationRequest", "MedicationDispense"}, Check: held}
}

func held(before, after *fhir.Resource) error {
	if before != nil && folioIn(before.JSON) != "" {
		return refused(fhir.Conflict, "what belongs to a prescription is not changed or deleted: it is withdrawn by Composition/[id]/$cancel-prescription, and another one is drafted")
	}
	if folioIn(after.JSON) != "" {
		return refused(fhir.Unprocessable, "only Encounter/[id]/$draft-prescription, or that of a Patient, gives a folio: leave out the identifier of "+FolioSystem)
	}
	return nil
}

// refused names the rule, and the way out.
func refused(code fhir.Code, why string) error { return bundle.Refused(code, Right, why) }

// folioIn is the folio of the prescription that a stored resource belongs to, "" for none.
func folioIn(json []byte) string {
	if !element.Mentions(json, FolioSystem) {
		return ""
	}
	d, err := element.Parse(json)
	if err != nil {
		return ""
	}
	return folioOf(d, 0)
}

func folioOf(d *element.Doc, n element.Node) string {
	for _, name := range []string{"identifier", "groupIdentifier"} {
		if id := d.Get(n, name); id != element.None && d.TextAt(id, "system") == FolioSystem && d.TextAt(id, "value") != "" {
			return d.TextAt(id, "value")
		}
		for id := range d.Items(n, name) {
			if d.TextAt(id, "system") == FolioSystem && d.TextAt(id, "value") != "" {
				return d.TextAt(id, "value")
			}
		}
	}
	return ""
}

// Completed makes a drafted request active as of the time of its signature, from which on
// its days are counted: see document.Config.Completed.
func Completed(d *element.Doc, at time.Time) []byte {
	if d.TextAt(0, "resourceType") != "MedicationRequest" || d.TextAt(0, "status") != "draft" || folioOf(d, 0) == "" {
		return nil
	}
	e := d.Edit(0)
	e.Set(0, "status", `"active"`)
	e.Set(0, "authoredOn", quoted(at.UTC().Format(time.RFC3339)))
	if supply := d.Get(0, "dispenseRequest"); supply != element.None {
		if from, until, ok := validity(d, supply); ok {
			e.Set(supply, "validityPeriod", compose.Text(period(at, at.Add(until.Sub(from)))))
		}
	}
	return e.AppendTo(nil)
}

// Check holds a document to what a prescription is, before it is signed: what else is in
// it was checked when it was drafted, and nobody could change it since.
func Check(doc *element.Doc) []fhir.Issue {
	first := element.None
	for e := range doc.Items(0, "entry") {
		first = doc.Get(e, "resource")
		break
	}
	coded := false
	for c := range doc.Items(doc.Get(first, "type"), "coding") {
		coded = coded || doc.TextAt(c, "system") == loinc && doc.TextAt(c, "code") == documentCode
	}
	if coded && folioOf(doc, first) == "" {
		return []fhir.Issue{{
			Severity: "error", Type: "business-rule", Rule: "receta-folio", Expression: "Bundle.entry[0].resource.identifier",
			Details: "a prescription is drafted by Encounter/[id]/$draft-prescription, which checks it and gives it its folio",
		}}
	}
	return nil
}

// period is from and until, as a Period.
func period(from, until time.Time) compose.Object {
	return compose.Object{"start": from.UTC().Format(time.RFC3339), "end": until.UTC().Format(time.RFC3339)}
}

// validity is the time in which a request may be dispensed.
func validity(d *element.Doc, supply element.Node) (from, until time.Time, ok bool) {
	from, err := time.Parse(time.RFC3339, d.TextAt(supply, "validityPeriod", "start"))
	until, err2 := time.Parse(time.RFC3339, d.TextAt(supply, "validityPeriod", "end"))
	return from, until, err == nil && err2 == nil
}

func quoted(s string) string { return string(element.Quote(nil, s)) }
