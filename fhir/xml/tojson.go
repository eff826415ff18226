package xml

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Limits bounds what ToJSON accepts. A zero field stands for its default.
type Limits struct {
	Size  int // bytes of the text; default 64 MiB, at most 1 GiB
	Depth int // JSON objects and arrays inside one another; default 100

	// AnyOrder takes the elements of a type in any order, as long as those of one
	// name stand together. FHIR asks for the order of the definition.
	AnyOrder bool
}

func (l *Limits) fill() {
	if l.Size <= 0 {
		l.Size = 64 << 20
	}
	l.Size = min(l.Size, 1<<30)
	if l.Depth <= 0 {
		l.Depth = 100
	}
}

// ToJSON returns a resource in FHIR XML as compact JSON, with its members in the
// order of the definition. What the XML does not say of its structure is left to
// the validator: that something is missing, or that a value has a wrong form. The
// error is a *fhir.Error whose issues have line, column and expression.
//
// See https://hl7.org/fhir/R4/xml.html and https://hl7.org/fhir/R4/json.html.
func ToJSON(src []byte, lim Limits) ([]byte, *Positions, error) {
	lim.fill()
	c := converter{reader: reader{src: src}, lim: lim}
	if len(src) > lim.Size {
		return nil, nil, report(nil, []fault{{rule: tooLong}})
	}
	if f := c.text(); f != nil {
		if f.path == "" {
			f.path = expression(c.trail)
		}
		c.faults = append(c.faults, *f)
	}
	if len(c.faults) > 0 {
		return nil, nil, report(src, c.faults)
	}
	return c.out, &Positions{xml: src, json: c.out, marks: c.marks}, nil
}

// converter writes JSON while it reads XML.
type converter struct {
	reader
	lim     Limits
	out     []byte
	marks   []mark
	scratch []byte // for a decoded value
	trail   []step // from the root to here
	depth   int    // JSON containers that are open
	faults  []fault
}

// text reads the whole text.
func (c *converter) text() *fault {
	if f := c.start(); f != nil {
		return f
	}
	c.out = make([]byte, 0, len(c.src))
	tok, f := c.nextTag()
	if f != nil {
		return f
	}
	if f := c.resource(tok, true); f != nil {
		return f
	}
	_, f = c.nextTag()
	return f
}

// nextTag returns the next token that is no text. Text that is more than white
// space is reported.
func (c *converter) nextTag() (token, *fault) {
	for {
		tok, f := c.next()
		if f != nil || tok.kind != charData {
			return tok, f
		}
		if !tok.blank {
			if f := c.report(hasText, tok.at, ""); f != nil {
				return tok, f
			}
		}
	}
}

// report notes a fault that the reader can go on from, and returns one that it
// cannot when there were too many.
func (c *converter) report(r *rule, at int, note string) *fault {
	if len(c.faults) >= maxFaults {
		return wrong(cutOff, at, "")
	}
	c.faults = append(c.faults, fault{rule: r, at: at, note: note, path: expression(c.trail)})
	return nil
}

// begin opens an object or array that comes from the tag at an offset.
func (c *converter) begin(bracket byte, at int) *fault {
	c.depth++
	if c.depth > c.lim.Depth {
		return wrong(tooDeep, at, "")
	}
	c.marks = append(c.marks, mark{uint32(len(c.out)), uint32(at)})
	c.out = append(c.out, bracket)
	return nil
}

func (c *converter) finish(bracket byte) {
	c.depth--
	c.out = append(c.out, bracket)
}

// member begins a member of the current object.
func (c *converter) member(name string) {
	if c.out[len(c.out)-1] != '{' {
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, '"')
	c.out = append(c.out, name...)
	c.out = append(c.out, `":`...)
}

// resource writes the resource that tok starts.
func (c *converter) resource(tok token, root bool) *fault {
	if tok.space != spaceFHIR {
		return wrong(wrongSpace, tok.at, quote(tok.local)+" is in "+quote([]byte(tok.space)))
	}
	name := string(tok.local)
	if !spec.IsResource(name) {
		return wrong(unknownType, tok.at, quote(tok.local))
	}
	if root {
		c.trail = append(c.trail, step{name: name, index: -1})
	}
	for i := range tok.attrs {
		a := &tok.attrs[i]
		if root && a.space == spaceSchema && string(a.local) == "schemaLocation" {
			continue // a hint for schema tools, and no content
		}
		if f := c.report(unknownAttribute, a.at, quote(a.local)+" on "+name); f != nil {
			return f
		}
	}
	if f := c.begin('{', tok.at); f != nil {
		return f
	}
	c.member("resourceType")
	c.out = append(c.out, '"')
	c.out = append(c.out, name...)
	c.out = append(c.out, '"')
	if _, f := c.children(spec.TypeOf(name)); f != nil { // an empty one is for the validator
		return f
	}
	c.finish('}')
	return nil
}

// children writes the elements inside one of type t, up to its end tag, and
// returns how many there are.
func (c *converter) children(t *spec.Type) (int, *fault) {
	var r run
	var seen elements
	for n := 0; ; n++ {
		tok, f := c.nextTag()
		if f != nil {
			return n, f
		}
		if tok.kind == endTag {
			c.endRun(&r)
			return n, nil
		}
		el, f := c.find(t, tok)
		if f != nil {
			return n, f
		}
		if el == nil || el == r.el && !el.Many {
			if el != nil {
				f = c.report(tooOften, tok.at, quote(tok.local))
			}
			if f == nil {
				f = c.skip()
			}
			if f != nil {
				return n, f
			}
			continue
		}
		if el != r.el {
			if f := c.startRun(&r, &seen, el, tok); f != nil {
				return n, f
			}
		}
		if f := c.one(&r, tok); f != nil {
			return n, f
		}
	}
}

// find returns the element of t that a start tag is of; nil when it is none, which
// is then reported.
func (c *converter) find(t *spec.Type, tok token) (*spec.Element, *fault) {
	el := t.Element(tok.local)
	name := quote(tok.local)
	switch {
	case el != nil && el.Type != nil && el.Type.Name == "xhtml":
		if tok.space == spaceXHTML {
			return el, nil
		}
		return nil, c.report(wrongSpace, tok.at, name+" is in "+quote([]byte(tok.space)))
	case tok.space != spaceFHIR:
		return nil, c.report(wrongSpace, tok.at, name+" is in "+quote([]byte(tok.space)))
	case el == nil:
		return nil, c.report(unknownElement, tok.at, name+" in "+t.Name)
	case inTag(t, el.Name):
		return nil, c.report(isAttribute, tok.at, name)
	}
	return el, nil
}

// inTag reports whether an element of t is an attribute in XML.
func inTag(t *spec.Type, name string) bool {
	return name == "id" && t.Kind != spec.ResourceKind || name == "url" && t.Name == "Extension"
}

// skip passes over the element that has just begun.
func (c *converter) skip() *fault {
	for until := len(c.open) - 1; len(c.open) > until; {
		if _, f := c.next(); f != nil {
			return f
		}
	}
	return nil
}

func isPrimitive(el *spec.Element) bool {
	return el.Type != nil && el.Type.Kind == spec.Primitive && el.Type.Name != "xhtml"
}

// one writes one element of a row.
func (c *converter) one(r *run, tok token) *fault {
	el := r.el
	s := step{name: el.Name, index: -1}
	if el.Choice != "" {
		s.name = el.Choice + ".ofType(" + el.Type.Name + ")"
	}
	if el.Many {
		s.index = r.n
	}
	c.trail = append(c.trail, s)
	if f := c.content(r, tok); f != nil {
		return f // the trail stays, to say where
	}
	r.n++
	c.trail = c.trail[:len(c.trail)-1]
	return nil
}

// content writes what an element stands for in JSON.
func (c *converter) content(r *run, tok token) *fault {
	el := r.el
	if isPrimitive(el) {
		return c.primitive(r, tok)
	}
	if !el.Many {
		c.member(el.Name)
	} else if r.n > 0 {
		c.out = append(c.out, ',')
	}
	switch {
	case el.Type == nil:
		return c.holder(tok)
	case el.Type.Name == "xhtml":
		return c.div(tok)
	}
	return c.complex(el.Type, tok)
}

// complex writes an element that has elements of its own.
func (c *converter) complex(t *spec.Type, tok token) *fault {
	if f := c.begin('{', tok.at); f != nil {
		return f
	}
	if _, f := c.attributes(t, tok); f != nil {
		return f
	}
	has := len(tok.attrs)
	n, f := c.children(t)
	if f != nil {
		return f
	}
	if n+has == 0 {
		if f := c.report(emptyElement, tok.at, ""); f != nil {
			return f
		}
	}
	c.finish('}')
	return nil
}

// attributes writes the attributes id and url as members, and returns value.
// Those that the element does not have are reported.
func (c *converter) attributes(t *spec.Type, tok token) (value *attr, f *fault) {
	for i := range tok.attrs {
		a := &tok.attrs[i]
		switch name := string(a.local); {
		case len(a.prefix) > 0:
			f = c.report(unknownAttribute, a.at, quote(a.local)+" in "+quote([]byte(a.space)))
		case name == "value" && t.Kind == spec.Primitive:
			value = a
		case name == "id" || name == "url" && t.Name == "Extension":
			c.member(name)
			c.quoted(a)
		default:
			note := quote(a.local)
			if t.Element(a.local) != nil {
				note += " is an element, not an attribute"
			}
			f = c.report(unknownAttribute, a.at, note)
		}
		if f != nil {
			return nil, f
		}
	}
	return value, nil
}

// quoted writes the value of an attribute as a JSON string.
func (c *converter) quoted(a *attr) {
	c.out = element.Quote(c.out, string(c.decoded(a)))
}

// decoded returns the value of an attribute, valid until the next call.
func (c *converter) decoded(a *attr) []byte {
	if simple(a.raw) {
		return a.raw
	}
	c.scratch = decode(c.scratch[:0], a.raw)
	return c.scratch
}

// holder writes the resource inside contained, resource or outcome.
func (c *converter) holder(tok token) *fault {
	for i := range tok.attrs {
		if f := c.report(unknownAttribute, tok.attrs[i].at, quote(tok.attrs[i].local)); f != nil {
			return f
		}
	}
	for n := 0; ; n++ {
		inner, f := c.nextTag()
		if f != nil {
			return f
		}
		if inner.kind == endTag {
			if n == 0 {
				return wrong(oneResource, tok.at, "there is none")
			}
			return nil
		}
		if n > 0 {
			return wrong(oneResource, inner.at, "there is another")
		}
		if f := c.resource(inner, false); f != nil {
			return f
		}
	}
}

// div writes the narrative that tok starts.
func (c *converter) div(tok token) (f *fault) {
	c.marks = append(c.marks, mark{uint32(len(c.out)), uint32(tok.at)})
	text, f := c.narrative(nil, tok)
	if f != nil {
		return f
	}
	c.out = element.Quote(c.out, string(text))
	return nil
}
