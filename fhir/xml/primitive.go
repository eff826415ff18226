package xml

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// primitive writes one primitive: its value in the member of its name, its id and
// extensions in the one with an underscore.
//
// See https://hl7.org/fhir/R4/json.html#primitive.
func (c *converter) primitive(r *run, tok token) *fault {
	if r.el.Many {
		return c.item(r, tok)
	}
	t := r.el.Type
	valued := hasValue(tok)
	if valued {
		c.member(r.el.Name)
		c.marks = append(c.marks, mark{uint32(len(c.out)), uint32(tok.at)})
		c.value(t, valueOf(tok))
	}
	start, marked := len(c.out), len(c.marks)
	c.member("_" + r.el.Name)
	any, f := c.extra(t, tok)
	if f != nil {
		return f
	}
	if !any {
		c.out, c.marks = c.out[:start], c.marks[:marked]
	}
	return c.notEmpty(valued || any, tok)
}

// item writes one of a row of primitives into the two arrays of the row.
func (c *converter) item(r *run, tok token) *fault {
	t := r.el.Type
	if r.n > 0 {
		c.out = append(c.out, ',')
	}
	valued := hasValue(tok)
	if valued {
		r.values = true
		c.marks = append(c.marks, mark{uint32(len(c.out)), uint32(tok.at)})
		c.value(t, valueOf(tok))
	} else {
		c.out = append(c.out, "null"...)
	}
	// What belongs into the second array is written here, and moved.
	start, marked := len(c.out), len(c.marks)
	any, f := c.extra(t, tok)
	if f != nil {
		return f
	}
	if any {
		r.fill()
		for _, m := range c.marks[marked:] {
			r.marks = append(r.marks, mark{m.json - uint32(start) + uint32(len(r.extra)), m.xml})
		}
		r.extra = append(append(r.extra, c.out[start:]...), ',')
		r.filled++
	}
	c.out, c.marks = c.out[:start], c.marks[:marked]
	return c.notEmpty(valued || any, tok)
}

// fill adds nulls to the second array for items that have nothing in it.
func (r *run) fill() {
	for ; r.filled < r.n; r.filled++ {
		r.extra = append(r.extra, "null,"...)
	}
}

func (c *converter) notEmpty(ok bool, tok token) *fault {
	if ok {
		return nil
	}
	return c.report(emptyElement, tok.at, "")
}

// extra writes the object with the id and extensions of a primitive, up to its end
// tag, and reports whether there is anything in it.
func (c *converter) extra(t *spec.Type, tok token) (bool, *fault) {
	if c.closing && len(tok.attrs) == 1 && hasValue(tok) { // nearly always
		_, f := c.next()
		return false, f
	}
	if f := c.begin('{', tok.at); f != nil {
		return false, f
	}
	empty := len(c.out)
	if _, f := c.attributes(t, tok); f != nil {
		return false, f
	}
	if _, f := c.children(t); f != nil {
		return false, f
	}
	any := len(c.out) > empty
	c.finish('}')
	return any, nil
}

// value writes the value of a primitive: bare where JSON has it so, provided that
// it has the form. Otherwise it becomes a string, and the validator says so.
func (c *converter) value(t *spec.Type, a *attr) {
	text := c.decoded(a)
	bare := false
	switch t.Name {
	case "boolean":
		bare = string(text) == "true" || string(text) == "false"
	case "integer", "unsignedInt", "positiveInt", "decimal":
		bare = isNumber(text)
	}
	if bare {
		c.out = append(c.out, text...)
		return
	}
	c.out = element.Quote(c.out, string(text))
}

func hasValue(tok token) bool { return valueOf(tok) != nil }

// valueOf returns the attribute value of a tag, or nil.
func valueOf(tok token) *attr {
	for i := range tok.attrs {
		if a := &tok.attrs[i]; len(a.prefix) == 0 && string(a.local) == "value" {
			return a
		}
	}
	return nil
}

// maxNumber is how many characters a JSON number may have here, as in fhir/element.
const maxNumber = 256

// isNumber reports whether text is a number of JSON.
//
// See https://www.rfc-editor.org/rfc/rfc8259#section-6.
func isNumber(text []byte) bool {
	if len(text) > maxNumber {
		return false
	}
	i := 0
	digits := func() int {
		from := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i - from
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	whole := i
	if n := digits(); n == 0 || n > 1 && text[whole] == '0' {
		return false
	}
	if i < len(text) && text[i] == '.' {
		i++
		if digits() == 0 {
			return false
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if digits() == 0 {
			return false
		}
	}
	return i == len(text)
}
