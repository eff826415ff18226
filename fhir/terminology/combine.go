package terminology

import "slices"

// add makes s the union of s and b.
func (s *Set) add(b *Set) {
	mine := make([]int, len(b.parts))
	for k, p := range b.parts {
		q, at := s.part(p.url, p.version, p.system)
		mine[k] = at
		q.addOthers(p)
	}
	for _, r := range b.runs {
		p, at := b.parts[r.part], mine[r.part]
		q := s.parts[at]
		if r.at == nil && q.in == nil && p.full() {
			q.in = append([]uint64(nil), p.in...)
			s.copyChoices(q, p, b)
			s.runs = append(s.runs, run{at, nil})
			continue
		}
		n := p.len()
		var added []int32
		take := func(i int32) {
			if !p.has(i) {
				return
			}
			j := i
			if i >= p.rows() || q.rows() != p.rows() {
				j = q.name(p.code(i))
			}
			if c, ok := p.choice[i]; ok {
				s.describe(q, j, b.choices[c])
			}
			if !q.has(j) {
				q.set(j)
				added = append(added, j)
			}
		}
		if r.at == nil {
			for i := range n {
				take(i)
			}
		} else {
			for _, i := range r.at {
				take(i)
			}
		}
		if len(added) > 0 {
			s.runs = append(s.runs, run{at, added})
		}
	}
	s.open = s.open || b.open
	s.heed(b)
}

// heed takes over the problems and dependencies of b.
func (s *Set) heed(b *Set) {
	for _, problem := range b.Problems {
		s.doubt(problem)
	}
	for _, system := range b.Partial {
		if !slices.Contains(s.Partial, system) {
			s.Partial = append(s.Partial, system)
		}
	}
	for d := range b.depends {
		s.depends[d] = true
	}
}

// addOthers joins what p has of codes that nothing lists to what q has of them.
func (q *part) addOthers(p *part) {
	if p.others == noOthers {
		for i := range p.len() {
			if p.has(i) {
				delete(q.except, p.code(i))
			}
		}
		return
	}
	switch {
	case q.others == noOthers:
		q.others, q.tests = p.others, p.tests
		q.except = map[string]bool{}
		for code := range p.except {
			if i := q.find(code); i < 0 || !q.has(i) {
				q.except[code] = true
			}
		}
		return
	case q.others == undecided || p.others == undecided:
		q.others = undecided
	case len(q.tests) > 0 && len(p.tests) > 0:
		q.others = undecided // one filter or the other: not told apart
	default:
		q.tests = nil
	}
	kept := map[string]bool{}
	for code := range q.except {
		if p.except[code] {
			kept[code] = true
		}
	}
	q.except = kept
}

// copyChoices describes the codes of p, a part of b, in q.
func (s *Set) copyChoices(q, p *part, b *Set) {
	for i, c := range p.choice {
		s.describe(q, i, b.choices[c])
	}
}

// intersect leaves in s what b has too.
func (s *Set) intersect(b *Set) {
	for _, p := range s.parts {
		q := b.peer(p)
		if q == nil && b.open {
			q = &part{url: p.url, others: undecided}
		}
		doubt := false
		for i := range p.len() {
			if !p.has(i) {
				continue
			}
			v := no
			if q != nil {
				v, _ = q.verdict(p.code(i))
			}
			if v != yes {
				p.clear(i)
				doubt = doubt || v == maybe
			}
		}
		was := p.others
		switch {
		case q == nil || was == noOthers || q.others == noOthers:
			p.others = noOthers
		default:
			p.others = max(was, q.others)
			p.tests = append(p.tests[:len(p.tests):len(p.tests)], q.tests...)
		}
		if doubt {
			p.others = undecided
		}
		if was != noOthers && q != nil { // what b lists may be among the others of s
			p.except = union(p.except, q.except)
			s.adopt(p, q, was)
		}
	}
	s.open = s.open && b.open
	s.heed(b)
}

// adopt lists in p those codes that q lists and that p has by its rule.
func (s *Set) adopt(p, q *part, was others) {
	_, at := s.part(p.url, p.version, p.system)
	var added []int32
	for i := range q.len() {
		if !q.has(i) {
			continue
		}
		code := q.code(i)
		if was == undecided {
			if p.find(code) < 0 {
				p.others = undecided
			}
			continue
		}
		if _, ok := p.system.rule.Check(code); ok && !p.except[code] {
			if j := p.name(code); !p.has(j) {
				p.set(j)
				added = append(added, j)
			}
		}
	}
	if len(added) > 0 {
		s.runs = append(s.runs, run{at, added})
	}
}

// subtract takes out of s what b has.
func (s *Set) subtract(b *Set) {
	for _, p := range s.parts {
		q := b.peer(p)
		if q == nil && b.open {
			q = &part{url: p.url, others: undecided}
		}
		if q == nil {
			continue
		}
		for i := range p.len() {
			if !p.has(i) {
				continue
			}
			switch v, _ := q.verdict(p.code(i)); v {
			case yes:
				p.clear(i)
				if p.others != noOthers {
					p.except = union(p.except, map[string]bool{p.code(i): true})
				}
			case maybe:
				p.clear(i)
				p.others = undecided
			}
		}
		if p.others == noOthers {
			continue
		}
		switch q.others {
		case ruled:
			p.others = noOthers
			if len(q.tests) > 0 {
				p.others = undecided
			}
		case undecided:
			p.others = undecided
		case noOthers:
			out := map[string]bool{}
			for i := range q.len() {
				if q.has(i) {
					out[q.code(i)] = true
				}
			}
			p.except = union(p.except, out)
		}
	}
	s.heed(b)
}

func union(a, b map[string]bool) map[string]bool {
	if len(b) == 0 {
		return a
	}
	all := make(map[string]bool, len(a)+len(b))
	for _, m := range []map[string]bool{a, b} {
		for code := range m {
			all[code] = true
		}
	}
	return all
}
