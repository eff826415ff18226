package terminology

import (
	"iter"
)

// Entry is a code of a worked-out value set.
type Entry struct {
	System  string  // URL
	Version string  // of the system, "" when it is not known
	Code    string  //
	Concept Concept // its System is nil when the code system is not known

	own  listed
	part int // of the Set
	at   int32
}

// Entries yields what is listed in s, in the order of the expansion. A set that is
// not Listable may have more.
func (s *Set) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, r := range s.runs {
			p := s.parts[r.part]
			n := p.rows()
			if r.at != nil {
				n = int32(len(r.at))
			}
			for k := range n {
				i := k
				if r.at != nil {
					i = r.at[k]
				}
				if p.has(i) && !yield(s.entry(r.part, i)) {
					return
				}
			}
		}
	}
}

func (s *Set) entry(part int, i int32) Entry {
	p := s.parts[part]
	e := Entry{System: p.url, Version: p.release(), Code: p.code(i), part: part, at: i}
	e.Concept, _ = p.concept(i)
	if at, ok := p.choice[i]; ok {
		e.own = s.choices[at]
	}
	return e
}

// Abstract reports whether the code only groups others.
func (e *Entry) Abstract() bool {
	return e.own.abstract || e.Concept.System != nil && e.Concept.Abstract()
}

// Inactive reports whether the code is retired.
func (e *Entry) Inactive() bool {
	return e.own.inactive || e.Concept.System != nil && e.Concept.Inactive()
}

// Display returns the name of the code: the one in the first language of langs that
// there is one in; else the one that the value set gives; else that of the code
// system. more holds designations of supplements.
func (e *Entry) Display(langs Languages, more ...Designation) string {
	for _, want := range langs {
		for _, d := range e.own.designations {
			if speaks(d.Language, want) {
				return d.Value
			}
		}
	}
	if e.own.display != "" && len(langs) == 0 || e.Concept.System == nil {
		return e.own.display
	}
	if name := e.Concept.DisplayIn(langs, more...); e.own.display == "" || name != e.Concept.Display() {
		return name
	}
	return e.own.display
}

// Designations yields the names that value set and code system give beside the display.
func (e *Entry) Designations() iter.Seq[Designation] {
	return func(yield func(Designation) bool) {
		for _, d := range e.own.designations {
			if !yield(d) {
				return
			}
		}
		if e.Concept.System == nil {
			return
		}
		for d := range e.Concept.Designations() {
			if !yield(d) {
				return
			}
		}
	}
}

// Tree is entries by what is right above them among the entries of a set.
type Tree struct {
	Roots    []Entry
	children map[place][]Entry
}

// place is the part and index of an entry.
type place struct {
	part int
	at   int32
}

// Children returns the entries right below e.
func (t *Tree) Children(e Entry) []Entry { return t.children[place{e.part, e.at}] }

// Tree arranges the entries of s that keep wants below their nearest parent in s.
// An entry with several parents stands below the first. Each entry stands once:
// codes that are below one another in a circle are roots.
func (s *Set) Tree(keep func(*Entry) bool) *Tree {
	t := &Tree{children: map[place][]Entry{}}
	kept := map[place]bool{}
	var all []Entry
	for e := range s.Entries() {
		if keep(&e) {
			kept[place{e.part, e.at}] = true
			all = append(all, e)
		}
	}
	for _, e := range all {
		if parent, ok := s.above(e, kept); ok {
			t.children[parent] = append(t.children[parent], e)
		} else {
			t.Roots = append(t.Roots, e)
		}
	}
	return t
}

// above finds the nearest ancestor of e among the kept entries of the same part.
func (s *Set) above(e Entry, kept map[place]bool) (place, bool) {
	p := s.parts[e.part]
	if e.at >= p.rows() {
		return place{}, false
	}
	table := p.system.table
	found, circle := int32(-1), false
	walk(&table.parents, e.at, func(i int32) bool {
		if i != e.at && found < 0 && kept[place{e.part, i}] {
			found = i
		}
		return true
	})
	if found >= 0 {
		circle = table.subsumes(e.at, found)
	}
	return place{e.part, found}, found >= 0 && !circle
}

// Systems yields URL and version of each code system that s draws on, once.
func (s *Set) Systems() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, p := range s.parts {
			if !yield(p.url, p.release()) {
				return
			}
		}
	}
}

// Head returns the members of the value set that an expansion keeps, as the
// beginning of a JSON object that is not closed yet.
func (v *ValueSet) Head() string { return string(v.head) }
