package birth

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
)

// TagSystem is the system of the tag on every resource that was made from a certificate;
// the code is the id of the document, which tells nothing to who sees neither. Only the operations of this package set it. The document itself
// and its Composition bear the tag of signed documents.
const TagSystem = base + "CodeSystem/certificado-nacimiento"

// Right is the name of Hold, and of the right to pass it.
const Right = "birth-certificate"

// held are the types of what is made from a certificate, beside the document.
var held = []string{"Encounter", "RelatedPerson", "Observation", "Condition", "Procedure", "Immunization", "MedicationAdministration", "Coverage"}

// Hold is the rule that what a certificate certifies stays as it is, for the stores of a
// server: see bundle.Batch. The newborn's Patient may change, but its folio stays.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: append([]string{"Patient", "Composition"}, held...), Check: check}
}

func check(before, after *fhir.Resource) error {
	if after.Ref.Type == "Patient" {
		return folioKept(before, after)
	}
	if after.Ref.Type == "Composition" {
		return composed(before, after)
	}
	if before != nil && tagOf(before.JSON) != "" {
		return refused(fhir.Conflict, "what a certificate of birth certifies cannot be changed or deleted",
			"a wrong certificate is withdrawn by $birth-void, or replaced by $birth-replace")
	}
	if tagOf(after.JSON) != "" {
		return refused(fhir.Unprocessable, "only the certification of a birth sets the tag of what it certifies", "leave out the tag of "+TagSystem)
	}
	return nil
}

// composed keeps the Composition of a certificate from the operations on documents, which
// know nothing of the ledger.
func composed(before, after *fhir.Resource) error {
	switch {
	case before != nil && composedOf(before.JSON) != "":
		return refused(fhir.Conflict, "the document of a certificate of birth cannot be changed or deleted",
			"a wrong certificate is withdrawn by $birth-void, or replaced by $birth-replace")
	case composedOf(after.JSON) != "":
		return refused(fhir.Unprocessable, "only the certification of a birth makes a document with a folio", "leave out the identifier of "+FolioSystem)
	}
	return nil
}

// composedOf returns the folio of the certificate that a Composition is of, "" for none.
func composedOf(json []byte) string {
	if !element.Mentions(json, FolioSystem) {
		return ""
	}
	d, err := element.Parse(json)
	if err != nil {
		return ""
	}
	if id := d.Get(0, "identifier"); id != element.None && d.TextAt(id, "system") == FolioSystem {
		return d.TextAt(id, "value")
	}
	return ""
}

// folioKept holds the folios of a newborn together with its certificates.
func folioKept(before, after *fhir.Resource) error {
	var was []string
	if before != nil {
		was = foliosIn(before.JSON)
	}
	if after.Deleted() {
		if len(was) > 0 {
			return refused(fhir.Conflict, "the Patient of a certificate of birth cannot be deleted", "withdraw the certificate by $birth-void")
		}
		return nil
	}
	is := foliosIn(after.JSON)
	for _, folio := range was {
		if !slices.Contains(is, folio) {
			return refused(fhir.Conflict, "the folio of a certificate of birth stays with the Patient", "leave the identifier of "+FolioSystem+" in place")
		}
	}
	for _, folio := range is {
		if !slices.Contains(was, folio) {
			return refused(fhir.Unprocessable, "only the certification of a birth gives a Patient its folio", "leave out the identifier of "+FolioSystem)
		}
	}
	return nil
}

// refused names the rule, and the way out.
func refused(code fhir.Code, what, instead string) error {
	return bundle.Refused(code, Right, what+": "+instead)
}

// tagOf returns the id of the document that a resource was made with, "" for none.
func tagOf(json []byte) string {
	if !element.Mentions(json, TagSystem) {
		return ""
	}
	d, err := element.Parse(json)
	if err != nil {
		return ""
	}
	for tag := range d.Items(d.Get(0, "meta"), "tag") {
		if d.TextAt(tag, "system") == TagSystem {
			return d.TextAt(tag, "code")
		}
	}
	return ""
}

func foliosIn(json []byte) (all []string) {
	if !element.Mentions(json, FolioSystem) {
		return nil
	}
	d, err := element.Parse(json)
	if err != nil {
		return nil
	}
	for id := range d.Items(0, "identifier") {
		if d.TextAt(id, "system") == FolioSystem {
			all = append(all, d.TextAt(id, "value"))
		}
	}
	return all
}

// mark puts the tag of a certificate on a resource that has no meta.
func mark(json []byte, document string) ([]byte, error) {
	d, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Append(0, `"meta":{"tag":[`+compose.Text(compose.Object{"system": TagSystem, "code": document, "display": "Certificado de nacimiento"})+`]}`)
	return e.AppendTo(nil), nil
}
