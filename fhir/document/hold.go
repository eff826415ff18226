package document

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
)

// TagSystem is the system of the tag on everything that belongs to a signed document: the
// Composition, the Bundle, its Provenances. The code is the id of the Bundle. Only the
// operations of this package set it.
const TagSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/documento-firmado"

// Right is the name of Hold, and of the right to pass it.
const Right = "signed-document"

// Hold is the rule that a signed document stays as it is, for the stores of a server: see
// bundle.Batch. It costs nothing for other types than those of documents, and little for
// these unless they are signed.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: []string{"Composition", "Bundle", "Provenance"}, Check: held}
}

func held(before, after *fhir.Resource) error {
	if before != nil {
		if _, signed := Signed(before.JSON); signed {
			return kept(after.Deleted())
		}
	}
	if _, signed := Signed(after.JSON); signed {
		return refused(fhir.Unprocessable, "only signing sets the tag of signed documents",
			"leave out the tag of "+TagSystem+", and use Composition/[id]/$prepare-signature and $sign")
	}
	return nil
}

func kept(deleted bool) error {
	what := "a signed document cannot be changed"
	if deleted {
		what = "a signed document cannot be deleted"
	}
	return refused(fhir.Conflict, what, "to add to it or to correct it, create a Composition with relatesTo.code appends or replaces, "+
		"and sign that one; to withdraw it, use Composition/[id]/$void with a reason")
}

// refused names the rule, and the way out.
func refused(code fhir.Code, what, instead string) error {
	return bundle.Refused(code, Right, what+": "+instead)
}

// Signed returns the id of the Bundle of the signed document that a stored resource is part
// of, and whether it is part of one.
func Signed(json []byte) (id string, signed bool) {
	if !element.Mentions(json, TagSystem) {
		return "", false
	}
	d, err := element.Parse(json)
	if err != nil {
		return "", false
	}
	return signedIn(d)
}

func signedIn(d *element.Doc) (id string, signed bool) {
	for tag := range d.Items(d.Get(0, "meta"), "tag") {
		if d.TextAt(tag, "system") == TagSystem {
			return d.TextAt(tag, "code"), true
		}
	}
	return "", false
}

// tagged returns a tag, as JSON.
func tagged(id string) string {
	return compose.Text(compose.Object{"system": TagSystem, "code": id, "display": "Documento firmado"})
}
