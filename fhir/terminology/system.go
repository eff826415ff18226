package terminology

import (
	"iter"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// System is one version of a code system.
type System struct {
	Header
	Content       string // complete | not-present | example | fragment | supplement
	Supplements   string // canonical of the system that a supplement adds to
	ValueSet      string // canonical of the value set of all its codes; "" for none
	Hierarchy     string // hierarchyMeaning: is-a, part-of, ...; "" when unsaid
	CaseSensitive bool   //
	Properties    []PropertyDef

	table *table
	rule  *Rule // codes are formed by a rule instead of listed; nil for nearly all
}

// PropertyDef declares a property that concepts may have.
type PropertyDef struct{ Code, URI, Description, Type string }

// Rule says which codes a system has that nobody can list.
type Rule struct {
	// Check reports whether code is formed as the system asks, and what it stands
	// for, "" when that is not known.
	Check func(code string) (display string, ok bool)

	// Is reports whether a property of code has a value, for the filter "=". It is
	// nil when codes have no properties.
	Is func(code, property, value string) bool
}

// newSystem builds the code system at root. more holds further fragments of it.
func newSystem(d *element.Doc, root element.Node, more func(*builder) error) (*System, error) {
	head, err := readHeader(d, root)
	if err != nil {
		return nil, err
	}
	text := func(name string) string { return string(optional(d, d.Get(root, name))) }
	s := &System{
		Header: head, Content: text("content"), Supplements: text("supplements"), ValueSet: text("valueSet"),
		Hierarchy: text("hierarchyMeaning"), CaseSensitive: text("caseSensitive") != "false",
	}
	if list := d.Get(root, "property"); list != element.None && d.Kind(list) == element.Array {
		for p := d.First(list); p != element.None; p = d.Next(list, p) {
			field := func(name string) string { return string(optional(d, d.Get(p, name))) }
			s.Properties = append(s.Properties, PropertyDef{field("code"), field("uri"), field("description"), field("type")})
		}
	}
	b := newBuilder()
	b.declare(s.Properties)
	if err := b.concepts(d, d.Get(root, "concept"), -1); err != nil {
		return nil, err
	}
	if more != nil {
		if err := more(b); err != nil {
			return nil, err
		}
		s.Content = "complete" // its other parts are here
	}
	s.table = b.finish(!s.CaseSensitive)
	return s, nil
}

// Len returns how many concepts are listed.
func (s *System) Len() int { return s.table.len() }

// Complete reports whether a code that is not found does not exist.
func (s *System) Complete() bool { return s.Content == "complete" || s.Content == "" }

// Rule returns the rule of a system whose codes are formed rather than listed, or nil.
func (s *System) Rule() *Rule { return s.rule }

// Find returns the concept with a code.
func (s *System) Find(code string) (Concept, bool) {
	if i := s.table.find(code); i >= 0 {
		return Concept{s, i, ""}, true
	}
	if s.rule != nil {
		if _, ok := s.rule.Check(code); ok {
			return Concept{s, -1, code}, true
		}
	}
	return Concept{}, false
}

// Concepts yields all concepts that are listed, in the order of the definition.
func (s *System) Concepts() iter.Seq[Concept] {
	return func(yield func(Concept) bool) {
		for i := range int32(s.table.len()) {
			if !yield(Concept{s, i, ""}) {
				return
			}
		}
	}
}

// Relation is how two codes stand to one another, in the words of
// http://hl7.org/fhir/concept-subsumption-outcome.
type Relation string

// The relations.
const (
	Equivalent  Relation = "equivalent"
	Subsumes    Relation = "subsumes"
	SubsumedBy  Relation = "subsumed-by"
	NotSubsumed Relation = "not-subsumed"
)

// Relate says how a stands to b. Errors: fhir.NotFound when one of them is not in s.
func (s *System) Relate(a, b string) (Relation, error) {
	ca, okA := s.Find(a)
	cb, okB := s.Find(b)
	for _, missing := range []struct {
		ok   bool
		code string
	}{{okA, a}, {okB, b}} {
		if !missing.ok {
			return "", fhir.Errorf(fhir.NotFound, "the code is not in the code system").With("code %q is not in %s", missing.code, s.Canonical())
		}
	}
	switch {
	case ca.at == cb.at && ca.formed == cb.formed:
		return Equivalent, nil
	case ca.at < 0 || cb.at < 0:
		return NotSubsumed, nil
	case s.table.subsumes(ca.at, cb.at):
		return Subsumes, nil
	case s.table.subsumes(cb.at, ca.at):
		return SubsumedBy, nil
	}
	return NotSubsumed, nil
}
