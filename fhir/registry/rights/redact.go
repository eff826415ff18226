package rights

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// subsetTag says that a resource is shown in part.
//
// See https://hl7.org/fhir/R4/security-labels.html and
// http://terminology.hl7.org/CodeSystem/v3-ObservationValue.
const subsetTag = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// Without returns a resource without what refers to something that is hidden: of a list,
// such as the members of a Group, the item in which the reference stands, else the
// element that is the reference. What stands within it, such as an entry of a Bundle, is
// left out in the same way when it is hidden itself. The narrative goes, too, as it may
// name whom the reference named. tag marks what is left as a part. A resource in which
// nothing is hidden is returned as it is, in the same bytes.
//
// base is the FHIR base of this server: references below it are like relative ones.
func Without(json []byte, base string, tag bool, hidden func(fhir.Ref) bool) ([]byte, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	w := &leaving{doc: doc, base: base, hidden: hidden}
	w.object(0, true)
	if len(w.drop) == 0 {
		return json, nil
	}
	if text := doc.Get(0, "text"); text != element.None && !slices.Contains(w.drop, text) {
		w.drop = append(w.drop, text)
	}
	e := doc.Edit(0)
	for _, n := range w.drop {
		e.Drop(n)
	}
	if tag {
		w.tag(e)
	}
	return e.AppendTo(nil), nil
}

// leaving is what is left out of one resource.
type leaving struct {
	doc    *element.Doc
	base   string
	hidden func(fhir.Ref) bool
	drop   []element.Node
}

// References returns what a resource refers to on this server, each once, in the way
// that Without looks for it.
func References(doc *element.Doc, base string) (refs []fhir.Ref) {
	known := map[fhir.Ref]bool{} // a Group may have a hundred thousand members
	w := &leaving{doc: doc, base: base, hidden: func(ref fhir.Ref) bool {
		if !known[ref] {
			known[ref] = true
			refs = append(refs, ref)
		}
		return false
	}}
	w.object(0, true)
	return refs
}

// ref reads a reference to this server.
func (w *leaving) ref(n element.Node, name string) (fhir.Ref, bool) {
	at := w.doc.Get(n, name)
	if at == element.None || w.doc.Kind(at) != element.String {
		return fhir.Ref{}, false
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(w.doc.Text(at), w.base+"/"))
	return ref.Current(), ok
}

// object goes through the members of n, and reports whether n itself is to go.
func (w *leaving) object(n element.Node, root bool) (gone bool) {
	for _, name := range []string{"reference", "url"} { // of an attachment
		if ref, ok := w.ref(n, name); ok && w.hidden(ref) {
			return true
		}
	}
	if typ, id := w.doc.Get(n, "resourceType"), w.doc.Get(n, "id"); !root && typ != element.None && id != element.None {
		if w.hidden(fhir.Ref{Type: w.doc.Text(typ), ID: w.doc.Text(id)}) {
			return true
		}
	}
	for c := w.doc.First(n); c != element.None; c = w.doc.Next(n, c) {
		switch w.doc.Kind(c) {
		case element.Object:
			before := len(w.drop)
			if !w.object(c, false) {
				continue
			}
			if !root {
				return true // the item of the list in which it stands goes
			}
			w.drop = append(w.drop[:before], c)
		case element.Array:
			w.array(c)
		}
	}
	return false
}

// array goes through the items of n.
func (w *leaving) array(n element.Node) {
	items, gone := 0, 0
	start := len(w.drop)
	for c := w.doc.First(n); c != element.None; c = w.doc.Next(n, c) {
		items++
		before := len(w.drop)
		if w.doc.Kind(c) == element.Object && w.object(c, false) {
			w.drop = append(w.drop[:before], c)
			gone++
		}
	}
	if items == gone && items > 0 {
		w.drop = append(w.drop[:start], n)
	}
}

// tag marks the resource as a part of itself.
func (w *leaving) tag(e *element.Edit) {
	meta := w.doc.Get(0, "meta")
	if meta == element.None {
		e.Append(0, `"meta":{"tag":[`+subsetTag+`]}`)
		return
	}
	tags := w.doc.Get(meta, "tag")
	switch {
	case tags == element.None || w.doc.Kind(tags) != element.Array:
		e.Append(meta, `"tag":[`+subsetTag+`]`)
	case !strings.Contains(string(w.doc.Raw(tags)), `"SUBSETTED"`):
		e.Append(tags, subsetTag)
	}
}
