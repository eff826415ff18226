package record

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// document is a document Bundle, or a Composition alone, that is looked into.
type document struct {
	*element.Doc
	comp    element.Node
	entries []entry
	issues  []fhir.Issue // what Check found
}

// entry is a resource of the Bundle.
type entry struct {
	url  string // fullUrl
	name string // Type/id; "" without an id
	node element.Node
	path string
}

// read takes a document apart. ok is false when there is no Composition where a
// document has it.
//
// See https://hl7.org/fhir/R4/documents.html.
func read(doc *element.Doc) (*document, bool) {
	d := &document{Doc: doc, comp: element.None}
	if d.typeOf(0) == "Composition" {
		d.comp = 0
		d.entries = []entry{d.entry("", 0, "Composition")}
		return d, true
	}
	if d.typeOf(0) != "Bundle" {
		return d, false
	}
	i := 0
	for e := range d.each(0, "entry") {
		if r := d.Get(e, "resource"); r != element.None {
			d.entries = append(d.entries, d.entry(d.text(e, "fullUrl"), r, "Bundle.entry["+strconv.Itoa(i)+"].resource"))
			if i == 0 && d.typeOf(r) == "Composition" {
				d.comp = r
			}
		}
		i++
	}
	return d, d.comp != element.None
}

func (d *document) entry(url string, node element.Node, path string) entry {
	e := entry{url: url, node: node, path: path}
	if id := d.text(node, "id"); id != "" {
		e.name = d.typeOf(node) + "/" + id
	}
	return e
}

// kind returns the type of the document, or nil when the norm does not have it.
func (d *document) kind() *Kind {
	for c := range d.each(d.comp, "type", "coding") {
		if k := Find(d.text(c, "system") + "|" + d.text(c, "code")); k != nil {
			return k
		}
	}
	return nil
}

func (d *document) typeOf(n element.Node) string { return d.text(n, "resourceType") }

// get follows names from n to one node, taking the first item of lists; element.None
// when there is none.
func (d *document) get(n element.Node, names ...string) element.Node {
	for n = range d.each(n, names...) {
		return n
	}
	return element.None
}

// text is the primitive that names lead to from n, or "".
func (d *document) text(n element.Node, names ...string) string {
	if n = d.get(n, names...); n == element.None || d.Kind(n) == element.Object || d.Kind(n) == element.Array {
		return ""
	}
	return d.Text(n)
}

// each yields what names lead to from n, all items of lists.
func (d *document) each(n element.Node, names ...string) func(func(element.Node) bool) {
	return func(yield func(element.Node) bool) { d.walk(n, names, yield) }
}

func (d *document) walk(n element.Node, names []string, yield func(element.Node) bool) bool {
	switch {
	case n == element.None:
		return true
	case d.Kind(n) == element.Array:
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			if !d.walk(c, names, yield) {
				return false
			}
		}
		return true
	case len(names) == 0:
		return yield(n)
	}
	return d.walk(d.Get(n, names[0]), names[1:], yield)
}

// has reports whether names lead anywhere from n.
func (d *document) has(n element.Node, names ...string) bool {
	return d.get(n, names...) != element.None
}

// find returns the resource that a Reference at n leads to within the document, or nil.
func (d *document) find(n element.Node) *entry {
	ref := d.text(n, "reference")
	if ref == "" {
		return nil
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		for c := range d.each(d.comp, "contained") {
			if d.text(c, "id") == id {
				return &entry{name: d.typeOf(c) + "/" + id, node: c, path: "Composition.contained"}
			}
		}
		return nil
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.url == ref || e.name == ref || e.url != "" && strings.HasSuffix(e.url, "/"+ref) || e.name != "" && strings.HasSuffix(ref, "/"+e.name) {
			return e
		}
	}
	return nil
}

// same reports whether the References at a and b name one resource.
func (d *document) same(a, b element.Node) bool {
	x, y := d.find(a), d.find(b)
	return x != nil && y != nil && x.node == y.node
}

// coded reports whether the CodeableConcept at n has a code of a system.
func (d *document) coded(n element.Node, system string, codes ...string) bool {
	for c := range d.each(n, "coding") {
		if d.text(c, "system") != system {
			continue
		}
		for _, code := range codes {
			if d.text(c, "code") == code {
				return true
			}
		}
	}
	return false
}

// sectionOf returns the part of the document that is section s, with its place among
// the sections; element.None when it is not there.
func (d *document) sectionOf(s *Section) (n element.Node, at int) {
	i := 0
	for n := range d.each(d.comp, "section") {
		if d.coded(d.Get(n, "code"), SectionSystem, s.Code) {
			return n, i
		}
		i++
	}
	return element.None, -1
}

// compPath is the path of the Composition in what was sent.
func (d *document) compPath() string {
	if d.comp == 0 {
		return "Composition"
	}
	return "Bundle.entry[0].resource"
}

// name returns how a HumanName, or a list of them, at n is written: its text, or prefix,
// given names and surnames.
func (d *document) name(n element.Node) string {
	n = d.get(n)
	if n == element.None {
		return ""
	}
	if text := d.text(n, "text"); text != "" {
		return text
	}
	var parts []string
	for _, part := range []string{"prefix", "given", "family", "suffix"} {
		for p := range d.each(n, part) {
			parts = append(parts, d.Text(p))
		}
	}
	return strings.Join(parts, " ")
}

// identifier returns the value of the first identifier of system that n has.
func (d *document) identifier(n element.Node, system string) string {
	for i := range d.each(n, "identifier") {
		if d.text(i, "system") == system {
			return d.text(i, "value")
		}
	}
	return ""
}
