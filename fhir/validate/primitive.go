package validate

import (
	"bytes"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// primitive checks the JSON type, the form and the binding of a primitive value.
//
// See https://hl7.org/fhir/R4/datatypes.html#primitive.
func (c *checker) primitive(v element.Node, f *field) {
	kind := c.doc.Kind(v)
	switch f.class {
	case isNumber:
		if kind != element.Number {
			c.wrongKind(v)
			return
		}
	case isBoolean:
		if kind != element.True && kind != element.False {
			c.wrongKind(v)
		}
		return
	default:
		if kind != element.String {
			c.wrongKind(v)
			return
		}
	}
	raw := c.doc.Raw(v)
	if kind == element.String {
		raw = raw[1 : len(raw)-1]
		if len(raw) == 0 {
			c.report(empty, v, "", "")
			return
		}
		if hasControl(raw) {
			c.report(control, v, "", quote(c.doc.Bytes(v)))
			return
		}
	}
	switch f.Type.Pattern {
	case spec.PatternXHTML:
		return
	case spec.PatternString, spec.PatternMarkdown: // only their length is left to check; no need to decode
		if len(raw) <= maxText {
			return
		}
	}
	text := c.doc.Bytes(v)
	if !f.Type.Pattern.Check(text) {
		c.report(format, v, "", quote(text)+" is no "+f.Type.Name)
		return
	}
	if f.Binding != nil && f.shape.special == plain {
		if _, ok := f.Binding.Codes[string(text)]; !ok {
			c.report(binding, v, "", quote(text)+" is not in "+f.Binding.URL)
		}
	}
}

// maxText is the size that a string may have in any case: R4 allows a mebi of characters.
const maxText = 1 << 20

// hasControl reports whether the inside of a JSON string escapes a control
// character that FHIR does not allow.
//
// See https://hl7.org/fhir/R4/datatypes.html#string.
func hasControl(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		switch c := raw[i+1]; {
		case c == 'b' || c == 'f':
			return true
		case c == 'u' && string(raw[i+2:i+4]) == "00" && raw[i+4] < '2':
			switch low := raw[i+5] | 0x20; {
			case raw[i+4] == '1':
				return true
			case low != '9' && low != 'a' && low != 'd':
				return true
			}
		}
		raw = raw[i+2:]
	}
}

// sibling checks m, the _name beside the primitive element f, and reports whether
// the element counts as present by it: because it has an extension.
//
// See https://hl7.org/fhir/R4/json.html#primitive.
func (c *checker) sibling(n, m element.Node, f *field) bool {
	d := c.doc
	value := d.Get(n, f.Name)
	if !f.Many {
		if d.Kind(m) != element.Object {
			c.report(siblingKind, m, "", "")
			return false
		}
		c.object(m, f.shape)
		return d.Get(m, "extension") != element.None
	}
	if d.Kind(m) != element.Array {
		c.report(siblingKind, m, "", "")
		return false
	}
	if d.Size(m) == 0 {
		c.report(empty, m, "", "")
		return false
	}
	values := element.None // the item beside the one looked at
	if value != element.None && d.Kind(value) == element.Array {
		if d.Size(value) != d.Size(m) {
			c.report(siblingLength, m, "", "")
			return true
		}
		values = d.First(value)
	}
	return c.siblings(m, value, values, f)
}

// siblings walks a _name array m and, unless beside is None, the array value whose
// first item beside is.
func (c *checker) siblings(m, value, beside element.Node, f *field) (present bool) {
	d := c.doc
	here, i := len(c.trail)-1, 0
	for item := d.First(m); item != element.None && !c.full(); item = d.Next(m, item) {
		c.trail[here].index = i
		i++
		switch d.Kind(item) {
		case element.Object:
			c.object(item, f.shape)
			present = present || d.Get(item, "extension") != element.None
		case element.Null:
			if beside == element.None || d.Kind(beside) == element.Null {
				c.report(null, item, "", "")
			}
		default:
			c.wrongKind(item)
		}
		if beside != element.None {
			beside = d.Next(value, beside)
		}
	}
	return present
}
