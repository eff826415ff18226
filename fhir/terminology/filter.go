package terminology

import (
	"regexp"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// maxRegex bounds the text of a regular expression. Expressions are RE2, which
// takes time in proportion to what it reads.
const maxRegex = 1000

// test is a filter made ready for one code system.
type test func(Concept) bool

// ready returns what a filter demands of the concepts of s.
//
// See https://hl7.org/fhir/R4/valueset-filter-operator.html.
func (f filter) ready(s *System) (test, error) {
	switch f.op {
	case "is-a", "descendent-of", "is-not-a", "generalizes":
		return f.hierarchical(s)
	case "=":
		return f.equal(s)
	case "in", "not-in":
		wanted := map[string]bool{}
		for value := range strings.SplitSeq(f.value, ",") {
			wanted[strings.TrimSpace(value)] = true
		}
		in := f.op == "in"
		return func(c Concept) bool {
			found := false
			f.values(c, func(value string) bool { found = wanted[value]; return !found })
			return found == in
		}, nil
	case "regex":
		re, err := expression(f.value)
		if err != nil {
			return nil, err
		}
		return func(c Concept) bool {
			found := false
			f.values(c, func(value string) bool { found = re.MatchString(value); return !found })
			return found
		}, nil
	case "exists":
		if f.value != "true" && f.value != "false" {
			return nil, fhir.Errorf(fhir.Unprocessable, "the value of the filter exists is neither true nor false").With("filter on %q: %q", f.property, f.value)
		}
		return func(c Concept) bool {
			found := false
			f.values(c, func(string) bool { found = true; return false })
			return found == (f.value == "true")
		}, nil
	}
	return nil, fhir.Errorf(fhir.Unprocessable, "unknown filter operator").With("filter operator %q on property %q", f.op, f.property)
}

// hierarchical makes the filters that go by what is below or above a code, whatever
// the property is called.
func (f filter) hierarchical(s *System) (test, error) {
	value, ok := s.Find(f.value)
	if !ok {
		return nil, fhir.Errorf(fhir.Unprocessable, "a filter names a code that is not in its code system").
			With("filter %s %s %q: %s has no such code", f.property, f.op, f.value, s.Canonical())
	}
	reached := map[int32]bool{}
	walked := value.Below()
	if f.op == "generalizes" {
		walked = value.Above()
	}
	for c := range walked {
		reached[c.at] = true
	}
	self := value.at
	switch f.op {
	case "descendent-of":
		return func(c Concept) bool { return c.at != self && reached[c.at] }, nil
	case "is-not-a":
		return func(c Concept) bool { return !reached[c.at] }, nil
	}
	return func(c Concept) bool { return reached[c.at] }, nil
}

// equal makes the filter for a property with a value.
func (f filter) equal(s *System) (test, error) {
	if f.property == "code" || f.property == "concept" {
		value, ok := s.Find(f.value)
		return func(c Concept) bool { return ok && c == value }, nil
	}
	if s.rule != nil && s.rule.Is != nil {
		return func(c Concept) bool { return s.rule.Is(c.Code(), f.property, f.value) }, nil
	}
	return func(c Concept) bool {
		found := false
		f.values(c, func(value string) bool { found = value == f.value; return !found })
		return found
	}, nil
}

// values calls yield with each value that c has for the property of f.
func (f filter) values(c Concept, yield func(string) bool) {
	switch f.property {
	case "code", "concept":
		yield(c.Code())
		return
	case "display":
		yield(c.Display())
		return
	case "definition":
		if d := c.Definition(); d != "" {
			yield(d)
		}
		return
	}
	stated := false
	for p := range c.Properties() {
		if p.Code != f.property {
			continue
		}
		stated = true
		value := p.Value
		if p.Type == "valueCoding" {
			value = codeOf(value)
		}
		if !yield(value) {
			return
		}
	}
	switch {
	case stated: // parents given as properties need no second telling
	case f.property == "parent":
		for p := range c.Parents() {
			if !yield(p.Code()) {
				return
			}
		}
	case f.property == "child":
		for p := range c.Children() {
			if !yield(p.Code()) {
				return
			}
		}
	}
}

var expressions sync.Map // text -> *regexp.Regexp; bounded, see expression

var expressionCount struct {
	sync.Mutex
	n int
}

// expression compiles a regular expression, which must match a whole value.
func expression(text string) (*regexp.Regexp, error) {
	if re, ok := expressions.Load(text); ok {
		return re.(*regexp.Regexp), nil
	}
	if len(text) > maxRegex {
		return nil, fhir.Errorf(fhir.TooCostly, "a regular expression of more than %d bytes", maxRegex)
	}
	re, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "a filter has a regular expression that cannot be read").With("%v", err)
	}
	expressionCount.Lock()
	defer expressionCount.Unlock()
	if expressionCount.n < 1000 {
		expressionCount.n++
		expressions.Store(text, re)
	}
	return re, nil
}

// codeOf returns the code of a Coding.
func codeOf(coding string) string {
	d, err := element.Parse([]byte(coding))
	if err != nil {
		return ""
	}
	return string(optional(d, d.Get(0, "code")))
}
