package xml

import "github.com/amate-health/amate/fhir/spec"

// run is a row of elements of one name: one JSON member, or for primitives two.
type run struct {
	el     *spec.Element
	n      int    // elements so far
	values bool   // a primitive of the row has a value
	start  int    // of the JSON of the row
	marked int    // how many marks there were
	extra  []byte // the items of the member _name, a comma after each; nil while all are null
	filled int    // how many items extra has
	marks  []mark // of extra, from its start
}

// elements is a set of elements of one type, by their Index.
type elements [6]uint64

// add puts el in, and reports whether it was in already.
func (s *elements) add(el *spec.Element) bool {
	word, bit := el.Index/64, uint64(1)<<(el.Index%64)
	was := s[word]&bit != 0
	s[word] |= bit
	return was
}

// startRun ends the row in r and begins the one of el.
func (c *converter) startRun(r *run, seen *elements, el *spec.Element, tok token) *fault {
	c.endRun(r)
	last := r.el
	*r = run{el: el, start: len(c.out), marked: len(c.marks)}
	late := last != nil && el.Index < last.Index && (el.Choice == "" || el.Choice != last.Choice)
	if again := seen.add(el); again || late && !c.lim.AnyOrder {
		if f := c.report(outOfOrder, tok.at, quote(tok.local)+" must stand before "+last.Name); f != nil {
			return f
		}
	}
	if el.Many {
		c.member(el.Name)
		return c.begin('[', tok.at)
	}
	return nil
}

// endRun finishes the row in r.
func (c *converter) endRun(r *run) {
	if r.el == nil || !r.el.Many {
		return
	}
	c.finish(']')
	if !isPrimitive(r.el) {
		return
	}
	if !r.values {
		c.out, c.marks = c.out[:r.start], c.marks[:r.marked]
	}
	if r.extra == nil {
		return
	}
	r.fill()
	c.member("_" + r.el.Name)
	c.out = append(c.out, '[')
	for _, m := range r.marks {
		c.marks = append(c.marks, mark{m.json + uint32(len(c.out)), m.xml})
	}
	c.out = append(append(c.out, r.extra[:len(r.extra)-1]...), ']')
}
