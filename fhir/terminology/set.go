package terminology

import "math/bits"

// Set is a value set worked out: which codes it has. It is immutable.
type Set struct {
	ValueSet *ValueSet
	Problems []string // why it may have codes that cannot be told, one line each
	Partial  []string // canonicals of code systems of which only a part is here, so that it may have more codes

	parts   []*part
	runs    []run
	choices []listed // what the value set itself says of codes: display, designations
	open    bool     // it may have codes of any system
	depends map[string]bool
}

// part is what a set has of one version of one system. Codes have indexes: first
// the rows of the system's table, if it is here, then names.
type part struct {
	url, version string
	system       *System // nil when it is not known here
	names        []string
	named        map[string]int32
	in           []uint64        // a bit for each index: in the set
	choice       map[int32]int32 // index -> place in Set.choices
	others       others          // codes without an index
	tests        []test          // where others is ruled: what filters ask of them
	except       map[string]bool // codes without an index that are not in the set although others are
}

// others says what a set has of codes that nothing lists.
type others uint8

const (
	noOthers  others = iota // none of them
	ruled                   // all that the rule of the system allows
	undecided               // some, which cannot be told here
)

// run is codes of one part, in the order of the expansion: those at the indexes of
// at, or all rows of the system when at is nil. Those whose bit is not set are skipped.
type run struct {
	part int
	at   []int32
}

// verdict is whether a set has a code.
type verdict uint8

const (
	no verdict = iota
	yes
	maybe
)

func (p *part) rows() int32 {
	if p.system == nil {
		return 0
	}
	return int32(p.system.Len())
}

func (p *part) len() int32 { return p.rows() + int32(len(p.names)) }

// full reports whether a part has all rows of its system, and no more.
func (p *part) full() bool {
	n := 0
	for _, word := range p.in {
		n += bits.OnesCount64(word)
	}
	return len(p.names) == 0 && n == int(p.rows())
}

func (p *part) has(i int32) bool {
	return int(i>>6) < len(p.in) && p.in[i>>6]&(1<<(i&63)) != 0
}

func (p *part) set(i int32) {
	for int(i>>6) >= len(p.in) {
		p.in = append(p.in, 0)
	}
	p.in[i>>6] |= 1 << (i & 63)
}

func (p *part) clear(i int32) {
	if int(i>>6) < len(p.in) {
		p.in[i>>6] &^= 1 << (i & 63)
	}
}

// find returns the index of a code, or -1.
func (p *part) find(code string) int32 {
	if p.system != nil {
		if i := p.system.table.find(code); i >= 0 {
			return i
		}
	}
	if i, ok := p.named[code]; ok {
		return p.rows() + i
	}
	return -1
}

// name gives a code an index, when it has none.
func (p *part) name(code string) int32 {
	if i := p.find(code); i >= 0 {
		return i
	}
	if p.named == nil {
		p.named = map[string]int32{}
	}
	i := int32(len(p.names))
	p.names = append(p.names, code)
	p.named[code] = i
	return p.rows() + i
}

func (p *part) code(i int32) string {
	if n := p.rows(); i >= n {
		return p.names[i-n]
	}
	return p.system.table.str(p.system.table.rows[i].code)
}

// concept returns what the system says of a code, if it is known.
func (p *part) concept(i int32) (Concept, bool) {
	if i < p.rows() {
		return Concept{p.system, i, ""}, true
	}
	if p.system != nil {
		return p.system.Find(p.code(i))
	}
	return Concept{}, false
}

// verdict says whether a part has a code, and at which index.
func (p *part) verdict(code string) (verdict, int32) {
	i := p.find(code)
	switch {
	case i >= 0 && p.has(i):
		return yes, i
	case p.others == noOthers || p.except[code]:
		return no, i
	case p.others == ruled:
		if p.admits(code) {
			return yes, i
		}
		return no, i
	case i < 0 && p.system != nil && p.system.Complete() && p.system.rule == nil:
		return no, i // there is no such code
	}
	return maybe, i
}

// admits reports whether the rule of the system and the filters allow a code.
func (p *part) admits(code string) bool {
	c, ok := p.system.Find(code)
	if !ok {
		return false
	}
	for _, t := range p.tests {
		if !t(c) {
			return false
		}
	}
	return true
}

// part returns the part of s for a version of a system, made when there is none.
func (s *Set) part(url, version string, system *System) (*part, int) {
	for i, p := range s.parts {
		if p.url == url && p.system == system && (system != nil || p.version == version) {
			return p, i
		}
	}
	p := &part{url: url, version: version, system: system}
	s.parts = append(s.parts, p)
	return p, len(s.parts) - 1
}

// describe notes what the value set itself says of a code.
func (s *Set) describe(p *part, i int32, l listed) {
	if l.display == "" && len(l.designations) == 0 && !l.abstract && !l.inactive {
		return
	}
	if p.choice == nil {
		p.choice = map[int32]int32{}
	}
	if _, ok := p.choice[i]; !ok {
		p.choice[i] = int32(len(s.choices))
		s.choices = append(s.choices, l)
	}
}

// all yields every code that is listed, in order.
func (s *Set) all(yield func(p *part, i int32) bool) {
	for _, r := range s.runs {
		p := s.parts[r.part]
		if r.at == nil {
			for i := range p.rows() {
				if p.has(i) && !yield(p, i) {
					return
				}
			}
			continue
		}
		for _, i := range r.at {
			if p.has(i) && !yield(p, i) {
				return
			}
		}
	}
}

// peer returns the part of s that is for the same system as p, which may be of
// another set; nil when there is none.
func (s *Set) peer(p *part) *part {
	for _, q := range s.parts {
		if q.url == p.url && (q.system == p.system || q.system == nil || p.system == nil) {
			return q
		}
	}
	return nil
}
