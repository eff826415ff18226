package terminology

import (
	"errors"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// maxImports bounds how deep value sets may import one another.
const maxImports = 50

// finder finds what a value set is made of. A version of "" asks for the latest.
type finder interface {
	system(url, version string) (*System, string)     // nil, and why, when it is not known
	valueSet(url, version string) (*ValueSet, string) //
	set(v *ValueSet, path []*ValueSet) *Set           // worked out, remembered
}

// compile works out a value set. path is what imports it, outermost first. What
// cannot be told is left open, and said in Problems.
//
// See https://hl7.org/fhir/R4/valueset.html#compositions.
func compile(f finder, v *ValueSet, path []*ValueSet) *Set {
	s := newSet(v)
	if slices.Contains(path, v) || len(path) > maxImports {
		s.doubt("the value set imports itself: " + circle(append(path, v)))
		s.open = true
		return s
	}
	path = append(path[:len(path):len(path)], v)
	for i := range v.include {
		s.add(ofClause(f, v, &v.include[i], path))
	}
	for i := range v.exclude {
		s.subtract(ofClause(f, v, &v.exclude[i], path))
	}
	if v.inactiveOut {
		s.activeOnly()
	}
	if len(v.include) > 0 && (len(s.Problems) == 0 || !v.storedWhole) {
		return s
	}
	stored := fromStored(f, v)
	for d := range s.depends {
		stored.depends[d] = true
	}
	return stored
}

func newSet(v *ValueSet) *Set { return &Set{ValueSet: v, depends: map[string]bool{}} }

func (s *Set) doubt(problem string) {
	if !slices.Contains(s.Problems, problem) {
		s.Problems = append(s.Problems, problem)
	}
}

func circle(path []*ValueSet) string {
	var urls []string
	for _, v := range path {
		urls = append(urls, v.URL)
	}
	if len(urls) > 6 {
		urls = append(urls[:5], "...", urls[len(urls)-1])
	}
	return strings.Join(urls, " > ")
}

// ofClause works out one clause: what its system gives, and what all its value sets have.
func ofClause(f finder, v *ValueSet, c *clause, path []*ValueSet) *Set {
	s := newSet(v)
	if c.system != "" {
		s.ofSystem(f, c)
	}
	first := c.system == ""
	for _, canonical := range c.valueSets {
		imported := importSet(f, v, canonical, path)
		if first {
			s.add(imported)
			first = false
		} else {
			s.intersect(imported)
		}
	}
	if first {
		s.doubt("a clause names neither a system nor a value set")
	}
	return s
}

func importSet(f finder, v *ValueSet, canonical string, path []*ValueSet) *Set {
	url, version := SplitCanonical(canonical)
	imported, why := f.valueSet(url, version)
	if imported == nil {
		s := newSet(v)
		s.depends[url] = true
		s.doubt(why)
		s.open = true
		return s
	}
	s := newSet(v)
	s.add(f.set(imported, path))
	s.depends[url] = true
	return s
}

// ofSystem fills an empty set with what a clause takes from its system.
func (s *Set) ofSystem(f finder, c *clause) {
	system, why := f.system(c.system, c.version)
	s.depends[c.system] = true
	p, at := s.part(c.system, c.version, system)
	switch {
	case len(c.codes) > 0:
		s.ofList(p, at, c)
		return
	case system == nil:
		p.others = undecided
		s.doubt(why)
		return
	}
	if !system.Complete() {
		p.others = undecided
		s.Partial = append(s.Partial, system.Canonical())
	}
	if len(c.filters) == 0 {
		s.ofWhole(p, at)
		return
	}
	s.ofFilters(p, at, c.filters)
}

// ofList takes codes that are named one by one. A code that a complete code system
// does not have is not taken.
func (s *Set) ofList(p *part, at int, c *clause) {
	r := run{part: at, at: make([]int32, 0, len(c.codes))}
	for _, l := range c.codes {
		i := p.find(l.code)
		if i < 0 {
			if p.system != nil && p.system.Complete() && p.system.rule == nil {
				continue
			}
			i = p.name(l.code)
		}
		if p.has(i) {
			continue
		}
		p.set(i)
		s.describe(p, i, l)
		r.at = append(r.at, i)
	}
	s.runs = append(s.runs, r)
}

func (s *Set) ofWhole(p *part, at int) {
	if p.system.rule != nil && p.others == noOthers {
		p.others = ruled
	}
	n := p.rows()
	p.in = make([]uint64, (n+63)/64)
	for i := range n {
		p.set(i)
	}
	s.runs = append(s.runs, run{part: at})
}

func (s *Set) ofFilters(p *part, at int, filters []filter) {
	tests := make([]test, 0, len(filters))
	for _, f := range filters {
		t, err := f.ready(p.system)
		if err != nil {
			p.others = undecided
			s.doubt(reason(err))
			return
		}
		tests = append(tests, t)
	}
	if p.system.rule != nil && p.others == noOthers {
		p.others, p.tests = ruled, tests
	}
	r := run{part: at, at: []int32{}}
	for c := range p.system.Concepts() {
		if !slices.ContainsFunc(tests, func(t test) bool { return !t(c) }) {
			p.set(c.at)
			r.at = append(r.at, c.at)
		}
	}
	s.runs = append(s.runs, r)
}

// activeOnly takes out codes that are inactive.
func (s *Set) activeOnly() {
	for _, p := range s.parts {
		for i := range p.rows() {
			if p.has(i) && (Concept{p.system, i, ""}).Inactive() {
				p.clear(i)
			}
		}
	}
}

// fromStored makes a set of the expansion that a value set came with.
func fromStored(f finder, v *ValueSet) *Set {
	s := newSet(v)
	for _, l := range v.stored {
		system, _ := f.system(l.system, l.version)
		s.depends[l.system] = true
		p, at := s.part(l.system, l.version, system)
		i := p.name(l.code)
		s.describe(p, i, l)
		if p.has(i) {
			continue
		}
		p.set(i)
		if n := len(s.runs); n > 0 && s.runs[n-1].part == at {
			s.runs[n-1].at = append(s.runs[n-1].at, i)
		} else {
			s.runs = append(s.runs, run{at, []int32{i}})
		}
	}
	if !v.storedWhole {
		s.open = true
		s.doubt("the value set " + v.Canonical() + " says nothing of what is in it, or only a part")
	}
	return s
}

// reason returns why something failed, for the caller to read.
func reason(err error) string {
	var e *fhir.Error
	if errors.As(err, &e) && e.Diagnostics != "" {
		return e.Diagnostics
	}
	return err.Error()
}
