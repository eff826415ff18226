package terminology

import (
	"iter"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// Expansion returns a value set worked out; it is remembered.
func (v *View) Expansion(of *ValueSet) *Set { return v.set(of, nil) }

// ExpandOnce is Expansion for a value set that is not stored anywhere: it is not remembered.
func (v *View) ExpandOnce(of *ValueSet) *Set { return compile(v, of, nil) }

// set is Expansion within the work on what imports the value set. A set that imports
// itself does so whoever asks, so that it too is remembered and worked on only once.
func (v *View) set(of *ValueSet, path []*ValueSet) *Set {
	if s, ok := v.sets.Load(of); ok {
		return s.(*Set)
	}
	s := compile(v, of, path)
	for _, above := range path {
		if above == of {
			return s
		}
	}
	if len(path) <= maxImports && v.lasts(of) {
		v.sets.Store(of, s)
	}
	return s
}

// lasts reports whether v has a value set for as long as it lives: one that is stored,
// or one of those that exist by their URL alone and are remembered.
func (v *View) lasts(of *ValueSet) bool {
	if !of.implied {
		return true
	}
	remembered, ok := v.implied.Load(of.URL)
	return ok && remembered == of
}

// Status says whether a value set has a code.
type Status uint8

// The statuses.
const (
	In              Status = 1 + iota
	NotIn                  //
	Abstract               // it has the code, which only groups others and is not for use in data
	UnknownValueSet        // the value set is not known here
	UnknownSystem          // whether it has the code depends on a code system (or a value set) that is not known here
)

// Membership is what a value set says of a code.
type Membership struct {
	Status       Status
	System       string   // of the code, when it is In: the one asked about, or the one found
	Concept      Concept  // what the code system says of it; its System is nil when that is not known
	Display      string   // the name that the value set or the code system gives it
	WrongDisplay bool     // a display was given, and it is no name of the code
	Inactive     bool     // the code is retired
	Problems     []string // UnknownSystem: what is not known
}

// Member reports whether the value set that a canonical names has a code. system ""
// asks for the code in any system. display is checked when it is not "".
func (r *Registry) Member(valueSet, system, code, display string) Membership {
	return r.View().Member(valueSet, system, code, display)
}

// Member is Registry.Member at one moment.
func (v *View) Member(valueSet, system, code, display string) Membership {
	url, version := SplitCanonical(valueSet)
	of, why := v.valueSet(url, version)
	if of == nil {
		return Membership{Status: UnknownValueSet, Problems: []string{why}}
	}
	return v.In(v.set(of, nil), system, "", code, display)
}

// In reports whether a set has a code. system "" asks for the code in any system,
// version "" for any version of it.
func (v *View) In(s *Set, system, version, code, display string) Membership {
	doubt := s.open
	for _, p := range s.parts {
		if system != "" && p.url != system || version != "" && p.release() != "" && p.release() != version {
			continue
		}
		verdict, i := p.verdict(code)
		switch verdict {
		case yes:
			return v.found(s, p, i, code, display)
		case maybe:
			doubt = true
		}
	}
	if doubt {
		m := Membership{Status: UnknownSystem, System: system, Problems: s.Problems}
		for _, part := range s.Partial {
			m.Problems = append(m.Problems[:len(m.Problems):len(m.Problems)], "of the code system "+part+" only a part is known here")
		}
		return m
	}
	return Membership{Status: NotIn, System: system}
}

// release returns the version of the system of a part, "" when it is not known.
func (p *part) release() string {
	if p.system != nil {
		return p.system.Version
	}
	return p.version
}

// found tells of the code at index i of a part, or formed by its rule when i is -1.
func (v *View) found(s *Set, p *part, i int32, code, display string) Membership {
	m := Membership{Status: In, System: p.url}
	var own listed
	if i >= 0 {
		if at, ok := p.choice[i]; ok {
			own = s.choices[at]
		}
		m.Concept, _ = p.concept(i)
	} else {
		m.Concept, _ = p.system.Find(code)
	}
	known := m.Concept.System != nil
	if own.display != "" {
		m.Display = own.display
	} else if known {
		m.Display = m.Concept.Display()
	}
	m.Inactive = own.inactive || known && m.Concept.Inactive()
	if own.abstract || known && m.Concept.Abstract() {
		m.Status = Abstract
	}
	if display != "" && display != m.Display {
		m.WrongDisplay = !v.names(m.Concept, own, display)
	}
	return m
}

// names reports whether display is a name of a concept, in any language. Case and
// runs of white space make no difference. A concept without any name has no wrong one.
func (v *View) names(c Concept, own listed, display string) bool {
	display = plain(display)
	any := false
	is := func(name string) bool {
		any = any || name != ""
		return name != "" && plain(name) == display
	}
	if is(own.display) {
		return true
	}
	for _, d := range own.designations {
		if is(d.Value) {
			return true
		}
	}
	if c.System == nil {
		return !any
	}
	if is(c.Display()) {
		return true
	}
	for d := range c.Designations() {
		if is(d.Value) {
			return true
		}
	}
	for _, d := range v.Supplements(c) {
		if is(d.Value) {
			return true
		}
	}
	return !any
}

// Code reports whether a code system has a code, abstract ones included.
func (v *View) Code(system, code, display string) Membership {
	s, why := v.system(system, "")
	if s == nil {
		return Membership{Status: UnknownSystem, System: system, Problems: []string{why}}
	}
	c, ok := s.Find(code)
	switch {
	case ok:
		return Membership{
			Status: In, System: system, Concept: c, Display: c.Display(), Inactive: c.Inactive(),
			WrongDisplay: display != "" && display != c.Display() && !v.Names(c, display),
		}
	case s.Complete():
		return Membership{Status: NotIn, System: system}
	}
	return Membership{Status: UnknownSystem, System: system, Problems: []string{"of the code system " + s.Canonical() + " only a part is known here"}}
}

// Names reports whether display is a name of c, as Member does.
func (v *View) Names(c Concept, display string) bool { return v.names(c, listed{}, display) }

// plain is text without what makes no difference in a name.
func plain(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// Codes yields system and code of all that a value set has. Errors: fhir.NotFound
// when it is not known; fhir.TooCostly when its codes cannot be listed.
func (r *Registry) Codes(valueSet string) (iter.Seq2[string, string], error) {
	v := r.View()
	url, version := SplitCanonical(valueSet)
	of, err := v.ValueSet(url, version)
	if err != nil {
		return nil, err
	}
	s := v.set(of, nil)
	if err := s.Listable(); err != nil {
		return nil, err
	}
	return func(yield func(system, code string) bool) {
		s.all(func(p *part, i int32) bool { return yield(p.url, p.code(i)) })
	}, nil
}

// Listable returns why the codes of a set cannot be listed, or nil.
func (s *Set) Listable() error {
	if len(s.Problems) > 0 {
		return fhir.Errorf(fhir.NotFound, "the value set cannot be expanded here").
			With("%s: %s", s.ValueSet.Canonical(), strings.Join(s.Problems, "; "))
	}
	for _, p := range s.parts {
		if p.others == ruled {
			return fhir.Errorf(fhir.TooCostly, "the value set has too many codes to list them").
				With("%s takes its codes from %s, which has no end of them", s.ValueSet.Canonical(), p.url)
		}
	}
	if s.open {
		return fhir.Errorf(fhir.NotFound, "the value set cannot be expanded here").With("%s does not say what is in it", s.ValueSet.Canonical())
	}
	return nil
}

// Subsumed yields a code and all codes below it, or, where above is set, all above
// it. Errors: fhir.NotFound when the system or the code is not known.
func (r *Registry) Subsumed(system, code string, above bool) (iter.Seq[string], error) {
	s, err := r.View().System(system, "")
	if err != nil {
		return nil, err
	}
	c, ok := s.Find(code)
	if !ok {
		return nil, fhir.Errorf(fhir.NotFound, "the code is not in the code system").With("%s has no code %q", s.Canonical(), code)
	}
	walked := c.Below()
	if above {
		walked = c.Above()
	}
	return func(yield func(string) bool) {
		for c := range walked {
			if !yield(c.Code()) {
				return
			}
		}
	}, nil
}
