package validate

import (
	"bytes"
	"slices"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// reference checks what a Reference points to, as far as it can be told from the
// text: the type in a relative reference, in an absolute one that ends in Type/id,
// in Reference.type, and in the contained resource that #id names.
//
// See https://hl7.org/fhir/R4/references.html#Reference.
func (c *checker) reference(n element.Node, f *field) {
	var target *shape
	if ref := c.doc.Get(n, "reference"); ref != element.None && c.doc.Kind(ref) == element.String {
		text := c.doc.Bytes(ref)
		if len(text) > 0 {
			target = c.target(ref, text)
		}
		if target != nil && !f.allows(target) {
			c.report(referenceTarget, ref, "", target.typ.Name+" is none of "+f.targets())
		}
	}
	if typ := c.doc.Get(n, "type"); typ != element.None && c.doc.Kind(typ) == element.String {
		c.referenceType(typ, target, f)
	}
}

// target returns the shape of the type that a literal reference points to; nil
// when that cannot be told.
func (c *checker) target(ref element.Node, text []byte) *shape {
	if text[0] == '#' {
		return c.local(ref, text[1:])
	}
	if i := bytes.IndexByte(text, ':'); i > 0 && !bytes.ContainsAny(text[:i], "/?") {
		return c.absolute(text[i+1:])
	}
	name, rest := text, []byte(nil)
	end := bytes.IndexAny(text, "/?")
	if end >= 0 {
		name, rest = text[:end], text[end:]
	}
	s := c.types[string(name)]
	switch {
	case end <= 0:
		c.report(referenceForm, ref, "", quote(text))
		return nil
	case s == nil || s.special != resource:
		c.report(referenceUnknown, ref, "", quote(text))
		return nil
	case rest[0] == '/' && !validPlace(rest[1:]):
		c.report(referenceForm, ref, "", quote(text))
	}
	return s
}

// absolute returns the type that the path of an absolute URL ends in, or nil.
func (c *checker) absolute(path []byte) *shape {
	if !bytes.HasPrefix(path, []byte("//")) || bytes.ContainsAny(path, "?#") {
		return nil
	}
	if i := bytes.Index(path, []byte("/_history/")); i >= 0 {
		path = path[:i]
	}
	end := bytes.LastIndexByte(path, '/')
	if end < 2 || !validPlace(path[end+1:]) {
		return nil
	}
	start := bytes.LastIndexByte(path[:end], '/')
	if s := c.types[string(path[start+1:end])]; start > 1 && s != nil && s.special == resource {
		return s
	}
	return nil
}

// validPlace reports whether text is an id, with or without a version.
func validPlace(text []byte) bool {
	id, version, versioned := bytes.Cut(text, []byte("/_history/"))
	return spec.PatternID.Check(id) && (!versioned || spec.PatternID.Check(version))
}

// local returns the shape of the contained resource called id, or of the resource
// that contains this one when id is empty.
func (c *checker) local(ref element.Node, id []byte) *shape {
	at := c.holder
	if len(id) > 0 {
		at = c.find(id)
	}
	if at == element.None {
		c.report(referenceContained, ref, "", quote(id))
		return nil
	}
	if t := c.doc.Get(at, "resourceType"); t != element.None {
		return c.types[string(c.doc.Bytes(t))]
	}
	return nil
}

// find returns the resource contained in the holder that has this id, or None. It
// keeps what it learns, so that many such references cost time in proportion.
func (c *checker) find(id []byte) element.Node {
	if c.ids == nil {
		c.ids = map[string]element.Node{}
		list := c.doc.Get(c.holder, "contained")
		if list == element.None || c.doc.Kind(list) != element.Array {
			return element.None
		}
		for r := c.doc.First(list); r != element.None; r = c.doc.Next(list, r) {
			if n := c.doc.Get(r, "id"); n != element.None {
				c.ids[c.doc.Text(n)] = r
			}
		}
	}
	if r, ok := c.ids[string(id)]; ok {
		return r
	}
	return element.None
}

// definitions is where the definitions of R4 types live; Reference.type may name a
// type by that URL as well.
var definitions = []byte("http://hl7.org/fhir/StructureDefinition/")

// referenceType checks Reference.type by itself, and against the target, if known.
func (c *checker) referenceType(typ element.Node, target *shape, f *field) {
	text := c.doc.Bytes(typ)
	name, core := bytes.CutPrefix(text, definitions)
	s := c.types[string(name)]
	switch {
	case s == nil || s.special != resource:
		if core || bytes.IndexByte(text, ':') < 0 {
			c.report(referenceUnknown, typ, ".type", quote(text))
		}
	case target == nil && !f.allows(s):
		c.report(referenceTarget, typ, ".type", s.typ.Name+" is none of "+f.targets())
	case target != nil && target != s:
		c.report(referenceOther, typ, ".type", s.typ.Name+" instead of "+target.typ.Name)
	}
}

// allows reports whether a reference may point to a resource of this type.
func (f *field) allows(s *shape) bool {
	return len(f.Targets) == 0 || slices.ContainsFunc(f.Targets, func(t string) bool { return s.typ.Is(t) })
}

func (f *field) targets() string {
	var b []byte
	for i, t := range f.Targets {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, t...)
	}
	return string(b)
}
