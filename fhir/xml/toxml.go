package xml

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// header begins every text that AppendXML writes.
const header = `<?xml version="1.0" encoding="UTF-8"?>`

// FromJSON returns the resource at root as FHIR XML.
// Errors: fhir.NotAcceptable when something in it cannot be said in XML, such as
// an element that R4 does not define.
//
// See https://hl7.org/fhir/R4/xml.html.
func FromJSON(d *element.Doc, root element.Node) ([]byte, error) {
	start, end := d.Span(root)
	return AppendXML(make([]byte, 0, (end-start)*3/2+128), d, root, false)
}

// AppendXML appends what FromJSON returns to dst; pretty puts each element on a
// line of its own, indented by two spaces a level.
func AppendXML(dst []byte, d *element.Doc, root element.Node, pretty bool) ([]byte, error) {
	w := writer{d: d, out: append(dst, header...), pretty: pretty}
	if f := w.resource(root, true); f != nil {
		issue := fhir.Issue{
			Severity: "error", Type: "not-supported", Rule: notWritable.key, Details: notWritable.text,
			Diagnostics: f.note, Expression: expression(w.trail),
		}
		if f.rule != notWritable {
			issue.Diagnostics = f.rule.text
		}
		return dst, &fhir.Error{Code: fhir.NotAcceptable, Issues: []fhir.Issue{issue}}
	}
	if pretty {
		w.out = append(w.out, '\n')
	}
	return w.out, nil
}

// writer writes XML from the nodes of a Doc.
type writer struct {
	d       *element.Doc
	out     []byte
	pretty  bool
	depth   int
	members []member // of the objects that are being written, those of the innermost last
	trail   []step
}

// member is one property of an object: its value and what belongs to a primitive
// beside it.
type member struct {
	el           *spec.Element
	value, extra element.Node
}

func cannot(note string) *fault { return wrong(notWritable, 0, note) }

// resource writes a whole resource.
func (w *writer) resource(n element.Node, root bool) *fault {
	name := w.text(w.d.Get(n, "resourceType"))
	if !spec.IsResource(name) {
		return cannot("resourceType names no resource type of R4")
	}
	if root {
		w.trail = append(w.trail, step{name: name, index: -1})
	}
	w.open(name)
	if root {
		w.out = append(w.out, ` xmlns="`+spaceFHIR+`"`...)
	}
	return w.inside(name, spec.TypeOf(name), n)
}

// text returns a string member, "" when it is none.
func (w *writer) text(n element.Node) string {
	if n == element.None || w.d.Kind(n) != element.String {
		return ""
	}
	return w.d.Text(n)
}

// open begins a start tag.
func (w *writer) open(name string) {
	w.newLine()
	w.depth++
	w.out = append(append(w.out, '<'), name...)
}

// inside writes the rest of a start tag, the elements of the object n, none when it
// is None, and the end tag.
func (w *writer) inside(name string, t *spec.Type, n element.Node) *fault {
	w.out = append(w.out, '>')
	empty := len(w.out)
	if n != element.None {
		if f := w.elements(t, n); f != nil {
			return f
		}
	}
	w.shut(name, empty)
	return nil
}

// shut writes the end tag of an element whose content began at an offset.
func (w *writer) shut(name string, empty int) {
	w.depth--
	if len(w.out) == empty {
		w.out = append(w.out[:empty-1], "/>"...)
		return
	}
	w.newLine()
	w.out = append(append(append(w.out, "</"...), name...), '>')
}

func (w *writer) newLine() {
	if !w.pretty {
		return
	}
	w.out = append(w.out, '\n')
	for range w.depth {
		w.out = append(w.out, "  "...)
	}
}

// elements writes the members of the object n of type t, in the order of the
// definition.
func (w *writer) elements(t *spec.Type, n element.Node) *fault {
	if w.d.Kind(n) != element.Object {
		return cannot("it is no object")
	}
	base := len(w.members)
	defer func() { w.members = w.members[:base] }()
	if f := w.gather(t, n); f != nil {
		return f
	}
	own := w.members[base:]
	inOrder := func(a, b member) int { return a.el.Index - b.el.Index }
	if !slices.IsSortedFunc(own, inOrder) {
		slices.SortStableFunc(own, inOrder)
	}
	for i := base; i < len(w.members); i++ {
		m := w.members[i]
		if i+1 < len(w.members) && w.members[i+1].el == m.el { // name and _name
			i++
			m = m.with(w.members[i])
		}
		if f := w.member(m); f != nil {
			return f
		}
	}
	return nil
}

// with joins the two members of a primitive.
func (m member) with(other member) member {
	if m.value == element.None {
		m.value = other.value
	} else {
		m.extra = other.extra
	}
	return m
}

// gather adds the members of n that are elements in XML to w.members.
func (w *writer) gather(t *spec.Type, n element.Node) *fault {
	for c := w.d.First(n); c != element.None; c = w.d.Next(n, c) {
		name := w.d.Name(c)
		m := member{value: c, extra: element.None}
		if len(name) > 0 && name[0] == '_' {
			name = name[1:]
			m = member{value: element.None, extra: c}
		}
		m.el = t.Element(name)
		switch {
		case m.el == nil:
			if string(name) == "resourceType" && t.Kind == spec.ResourceKind {
				continue
			}
			return cannot("R4 does not define " + quote(name) + " in " + t.Name)
		case m.extra != element.None && (!isPrimitive(m.el) || inTag(t, m.el.Name)):
			return cannot(quote(name) + " can have no extensions of its own")
		case inTag(t, m.el.Name):
			continue
		}
		w.members = append(w.members, m)
	}
	return nil
}

// member writes the element or elements of one member.
func (w *writer) member(m member) *fault {
	s := step{name: m.el.Name, index: -1}
	if m.el.Choice != "" {
		s.name = m.el.Choice + ".ofType(" + m.el.Type.Name + ")"
	}
	w.trail = append(w.trail, s)
	var f *fault
	switch {
	case !m.el.Many:
		f = w.one(m.el, m.value, m.extra)
	default:
		f = w.many(m)
	}
	if f == nil {
		w.trail = w.trail[:len(w.trail)-1]
	}
	return f
}

// many writes the items of an array, each with its partner in the other one.
func (w *writer) many(m member) *fault {
	value, f := w.items(m.value)
	if f != nil {
		return f
	}
	extra, f := w.items(m.extra)
	if f != nil {
		return f
	}
	last := &w.trail[len(w.trail)-1]
	for last.index = 0; value != element.None || extra != element.None; last.index++ {
		if f := w.one(m.el, value, extra); f != nil {
			return f
		}
		if value != element.None {
			value = w.d.Next(m.value, value)
		}
		if extra != element.None {
			extra = w.d.Next(m.extra, extra)
		}
		last = &w.trail[len(w.trail)-1] // the trail may have moved
	}
	return nil
}

// items returns the first item of an array.
func (w *writer) items(n element.Node) (element.Node, *fault) {
	if n == element.None {
		return n, nil
	}
	if w.d.Kind(n) != element.Array {
		return n, cannot("it is no array")
	}
	return w.d.First(n), nil
}

// one writes one element. extra is the object with the id and extensions of a
// primitive, or None.
func (w *writer) one(el *spec.Element, value, extra element.Node) *fault {
	switch {
	case isPrimitive(el):
		return w.primitive(el, value, extra)
	case el.Type == nil:
		if w.d.Kind(value) != element.Object {
			return cannot("it is no resource")
		}
		w.open(el.Name)
		w.out = append(w.out, '>')
		if f := w.resource(value, false); f != nil {
			return f
		}
		w.shut(el.Name, 0)
		return nil
	case el.Type.Name == "xhtml":
		return w.div(value)
	}
	w.open(el.Name)
	if f := w.attributes(el.Type, value); f != nil {
		return f
	}
	return w.inside(el.Name, el.Type, value)
}

// primitive writes a primitive; one with neither value nor anything beside it is
// only a place in an array, and has no element.
func (w *writer) primitive(el *spec.Element, value, extra element.Node) *fault {
	value, extra = w.present(value), w.present(extra)
	if value == element.None && extra == element.None {
		return nil
	}
	w.open(el.Name)
	if extra != element.None {
		if f := w.attributes(el.Type, extra); f != nil {
			return f
		}
	}
	if value != element.None {
		if f := w.attribute("value", value); f != nil {
			return f
		}
	}
	return w.inside(el.Name, el.Type, extra)
}

// present returns n, or None when it is null.
func (w *writer) present(n element.Node) element.Node {
	if n != element.None && w.d.Kind(n) == element.Null {
		return element.None
	}
	return n
}

// attributes writes the members of n that are attributes in XML.
func (w *writer) attributes(t *spec.Type, n element.Node) *fault {
	for _, name := range [...]string{"id", "url"} {
		if c := w.d.Get(n, name); c != element.None && inTag(t, name) {
			if f := w.attribute(name, c); f != nil {
				return f
			}
		}
	}
	return nil
}

// attribute writes the text of n as an attribute.
func (w *writer) attribute(name string, n element.Node) *fault {
	if k := w.d.Kind(n); k == element.Object || k == element.Array || k == element.Null {
		return cannot("it is no primitive")
	}
	w.out = append(append(append(w.out, ' '), name...), `="`...)
	var ok bool
	if w.out, ok = appendValue(w.out, w.d.Bytes(n)); !ok {
		return cannot("XML cannot hold one of its characters")
	}
	w.out = append(w.out, '"')
	return nil
}

// div writes a narrative, whose text is left as it is.
func (w *writer) div(n element.Node) (f *fault) {
	if w.d.Kind(n) != element.String {
		return cannot("a narrative is a string")
	}
	w.newLine()
	w.out, f = appendNarrative(w.out, w.d.Text(n))
	return f
}
