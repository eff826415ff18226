package validate

import (
	"bytes"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Check holds the resource at root against its R4 definition and returns what it
// finds, in the order of the text, and nil when all is well. typ is the type that
// the resource must have; "" allows any. Expressions begin with the type of the
// resource: see Within. Without a finding it does not allocate.
func Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	c := checkers.Get().(*checker)
	c.doc, c.types, c.name = d, shapes(), typ
	c.resource(root, typ, false)
	issues := c.finish()
	*c = checker{trail: c.trail[:0]}
	checkers.Put(c)
	return issues
}

var checkers = sync.Pool{New: func() any { return &checker{trail: make([]step, 0, 64)} }}

// checker is the state of one Check.
type checker struct {
	doc     *element.Doc
	types   map[string]*shape
	name    string                  // of the type of the root, for expressions
	trail   []step                  // from the root to here
	holder  element.Node            // the resource here, or the one that contains it
	ids     map[string]element.Node // of the resources contained in the holder; nil until needed
	issues  []fhir.Issue
	offsets []int // of the issues
}

// resource checks a whole resource.
func (c *checker) resource(n element.Node, want string, contained bool) {
	if c.name == "" {
		c.name = "Resource"
	}
	if c.doc.Kind(n) != element.Object {
		c.wrongKind(n)
		return
	}
	typ := c.doc.Get(n, "resourceType")
	if typ == element.None || c.doc.Kind(typ) != element.String {
		c.report(resourceTypeMissing, n, "", "")
		return
	}
	name := c.doc.Bytes(typ)
	s := c.types[string(name)]
	if s == nil || s.special != resource {
		c.report(resourceTypeUnknown, typ, "", quote(name))
		return
	}
	if want != "" && want != s.typ.Name {
		c.report(resourceTypeOther, typ, "", s.typ.Name+" instead of "+want)
		return
	}
	if len(c.trail) == 0 {
		c.name = s.typ.Name
	}
	if contained {
		c.contained(n)
		c.object(n, s)
		return
	}
	holder, ids := c.holder, c.ids
	c.holder, c.ids = n, nil
	c.object(n, s)
	c.holder, c.ids = holder, ids
}

// contained checks what is asked only of contained resources.
//
// See https://hl7.org/fhir/R4/references.html#contained.
func (c *checker) contained(n element.Node) {
	if c.doc.Get(n, "id") == element.None {
		c.report(containedID, n, ".id", "")
	}
	if inner := c.doc.Get(n, "contained"); inner != element.None {
		c.report(containedNested, inner, ".contained", "")
	}
}

// object checks the members of n, which must be a JSON object.
func (c *checker) object(n element.Node, s *shape) {
	d := c.doc
	var present uint64
	for m := d.First(n); m != element.None; m = d.Next(n, m) {
		if c.full() {
			return
		}
		name := d.Name(m)
		f := s.find(name)
		if f == nil {
			present |= c.otherMember(n, m, s, name)
			continue
		}
		if present&f.bit != 0 && f.Choice != "" {
			c.choice(n, m, s, f)
		}
		present |= f.bit
		c.trail = append(c.trail, step{f, -1})
		c.member(n, m, f)
		c.trail = c.trail[:len(c.trail)-1]
	}
	if d.Size(n) == 0 {
		c.report(empty, n, "", "")
		return
	}
	if lack := s.required &^ present; lack != 0 {
		c.lacking(n, s, lack)
	}
	if s.special == extension {
		c.extension(n, s, present)
	}
}

// otherMember handles a member that is no element: _name, resourceType, or one
// that is unknown. It returns the bit of the element that is present by it.
func (c *checker) otherMember(n, m element.Node, s *shape, name []byte) uint64 {
	if s.special == resource && string(name) == "resourceType" {
		return 0
	}
	if len(name) > 1 && name[0] == '_' {
		if f := s.find(name[1:]); f != nil && f.primitive() {
			if f.Choice != "" {
				c.choice(n, m, s, f)
			}
			c.trail = append(c.trail, step{f, -1})
			present := c.sibling(n, m, f)
			c.trail = c.trail[:len(c.trail)-1]
			if present {
				return f.bit
			}
			return 0
		}
	}
	for i := range s.fields {
		prefix := s.fields[i].Choice
		if prefix != "" && bytes.HasPrefix(name, []byte(prefix)) && (len(name) == len(prefix) || name[len(prefix)] <= 'Z') {
			c.report(choiceType, m, "."+prefix, quote(name))
			return s.fields[i].bit
		}
	}
	c.report(unknownElement, m, "."+string(name), quote(name)+" in "+s.typ.Name)
	return 0
}

// choice reports m when a member before it is another type of the same choice.
func (c *checker) choice(n, m element.Node, s *shape, f *field) {
	for e := c.doc.First(n); e < m; e = c.doc.Next(n, e) {
		name := c.doc.Name(e)
		other := s.find(name)
		if other == nil && len(name) > 1 && name[0] == '_' {
			other = s.find(name[1:])
		}
		if other != nil && other != f && other.bit == f.bit {
			c.report(choiceTwice, m, "."+f.Choice, f.Name+" beside "+other.Name)
			return
		}
	}
}

// lacking reports required elements that are absent.
func (c *checker) lacking(n element.Node, s *shape, lack uint64) {
	for lack != 0 {
		bit := lack & -lack
		lack &^= bit
		for i := range s.fields {
			f := &s.fields[i]
			if f.bit != bit {
				continue
			}
			name := f.Name
			if f.Choice != "" {
				name = f.Choice
			}
			c.report(missing, n, "."+name, s.typ.Name+"."+name)
			break
		}
	}
}

// member checks the value of one element: a single one, or an array of them.
func (c *checker) member(n, m element.Node, f *field) {
	d := c.doc
	if d.Kind(m) != element.Array {
		if f.Many {
			c.report(arrayExpected, m, "", "")
		}
		c.value(m, f)
		return
	}
	if !f.Many {
		c.report(arrayUnexpected, m, "", "")
		return
	}
	size := d.Size(m)
	if size == 0 {
		c.report(empty, m, "", "")
	}
	if f.Max > 0 && size > f.Max {
		c.report(tooMany, m, "", "")
	}
	here, i := len(c.trail)-1, 0
	paired := false // the _name array is there, and sibling checks the nulls
	for item := d.First(m); item != element.None && !c.full(); item = d.Next(m, item) {
		c.trail[here].index = i
		i++
		if d.Kind(item) == element.Null && f.primitive() {
			paired = paired || c.doc.Get(n, "_"+f.Name) != element.None
			if !paired {
				c.report(null, item, "", "")
			}
			continue
		}
		c.value(item, f)
	}
}

// value checks a single value.
func (c *checker) value(v element.Node, f *field) {
	switch {
	case f.primitive():
		c.primitive(v, f)
	case c.doc.Kind(v) != element.Object:
		c.wrongKind(v)
	case f.class == isResource:
		c.resource(v, "", f.Name == "contained")
	default:
		c.object(v, f.shape)
		switch f.shape.special {
		case reference:
			c.reference(v, f)
		case concept:
			c.concept(v, f)
		}
	}
}

// wrongKind reports a value of the wrong JSON type.
func (c *checker) wrongKind(v element.Node) {
	switch k := c.doc.Kind(v); k {
	case element.Null:
		c.report(null, v, "", "")
	default:
		c.report(jsonType, v, "", "found "+kindNames[k])
	}
}

var kindNames = map[element.Kind]string{
	element.Object: "an object", element.Array: "an array", element.String: "a string",
	element.Number: "a number", element.True: "true", element.False: "false",
}

// extension holds an extension to ext-1: a value or extensions, not both.
//
// See https://hl7.org/fhir/R4/extensibility.html#Extension.
func (c *checker) extension(n element.Node, s *shape, present uint64) {
	if (present&s.value != 0) == (present&s.nested != 0) {
		c.report(extensionValue, n, "", "")
	}
}
