package validate

import "github.com/amate-health/amate/fhir/element"

// concept checks a CodeableConcept with a required binding: one of its codings
// must be in the value set. An extension may stand for it. R4 has no other elements
// with a required binding but codes, which primitive checks.
//
// See https://hl7.org/fhir/R4/terminologies.html#required.
func (c *checker) concept(n element.Node, f *field) {
	if f.Binding == nil {
		return
	}
	list := c.doc.Get(n, "coding")
	if list == element.None {
		if c.doc.Get(n, "extension") == element.None {
			c.report(binding, n, "", "none of "+f.Binding.URL)
		}
		return
	}
	if c.doc.Kind(list) != element.Array {
		return
	}
	for i := c.doc.First(list); i != element.None; i = c.doc.Next(list, i) {
		if c.inSet(i, f) {
			return
		}
	}
	c.report(binding, n, "", "none of "+f.Binding.URL)
}

// inSet reports whether the system and code of a Coding are in the value set.
func (c *checker) inSet(n element.Node, f *field) bool {
	code := c.doc.Get(n, "code")
	if code == element.None {
		return false
	}
	text := c.doc.Bytes(code)
	system := c.doc.Get(n, "system")
	if system == element.None {
		return false
	}
	_, ok := f.Binding.Systems[string(c.doc.Bytes(system))][string(text)]
	return ok
}
