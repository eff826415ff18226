// Package mhd takes in and finds documents as IHE Mobile access to Health Documents
// has them: a submission is a transaction of a SubmissionSet, DocumentReferences and
// the documents; and what it says of them is held to the profile before it is written.
//
// See https://profiles.ihe.net/ITI/MHD/ (4.2).
package mhd

import (
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// option is how much a submission says of its documents.
type option uint8

const (
	minimal option = 1 + iota
	uncontained
	comprehensive
)

const (
	guide     = "https://profiles.ihe.net/ITI/MHD/"
	structure = guide + "StructureDefinition/"
	listTypes = guide + "CodeSystem/MHDlistTypes"
	sourceID  = structure + "ihe-sourceId"
	purpose   = structure + "ihe-designationType"
)

// OfPatient is the URL of the extension of Bundle.meta that says to which patient's
// record a document belongs, where the document itself cannot.
const OfPatient = search.OfPatient

// options are the profiles of Bundles that are submissions.
var options = map[string]option{
	"IHE.MHD.Minimal.ProvideBundle":                   minimal,
	"IHE.MHD.UnContained.Comprehensive.ProvideBundle": uncontained,
	"IHE.MHD.Comprehensive.ProvideBundle":             comprehensive,
}

// optionOf returns as what kind of submission a Bundle presents itself, 0 when it is
// none. The http form of the URLs was that of earlier editions.
func optionOf(d *element.Doc, root element.Node) option {
	for p := range items(d, d.Get(d.Get(root, "meta"), "profile")) {
		if d.Kind(p) != element.String {
			continue
		}
		url, _, _ := strings.Cut(d.Text(p), "|")
		url = strings.Replace(url, "http://", "https://", 1)
		if o, ok := options[strings.TrimPrefix(url, structure)]; ok && strings.HasPrefix(url, structure) {
			return o
		}
	}
	return 0
}

// items yields the items of an array, of None or anything else nothing.
func items(d *element.Doc, list element.Node) func(yield func(element.Node) bool) {
	return func(yield func(element.Node) bool) {
		if list == element.None || d.Kind(list) != element.Array {
			return
		}
		for n := d.First(list); n != element.None && yield(n); {
			n = d.Next(list, n)
		}
	}
}

// get follows members of objects; the first of an array counts.
func get(d *element.Doc, n element.Node, names ...string) element.Node {
	for _, name := range names {
		if n = d.Get(n, name); n == element.None {
			return n
		}
		if d.Kind(n) == element.Array {
			n = d.First(n)
		}
		if n == element.None {
			return n
		}
	}
	return n
}

// text is get of a string; "" where there is none.
func text(d *element.Doc, n element.Node, names ...string) string {
	if n = get(d, n, names...); n == element.None || d.Kind(n) != element.String {
		return ""
	}
	return d.Text(n)
}

// has reports whether there is anything at a path.
func has(d *element.Doc, n element.Node, names ...string) bool {
	return get(d, n, names...) != element.None
}
