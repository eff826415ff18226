package hl7

import (
	"strconv"
	"strings"
)

// Path names a place of a message: PID-3(2).1.1 is the first subcomponent of the first
// component of the second repetition of field 3 of PID; OBX[2]-5 is field 5 of the
// second OBX. What it does not say is the first one.
type Path struct {
	Segment                             string
	Sequence                            int
	Field                               int
	Repetition, Component, Subcomponent int // 0 for the whole
}

// ParsePath reads a Path, and reports whether it is one.
func ParsePath(s string) (p Path, ok bool) {
	place, rest, found := strings.Cut(s, "-")
	p.Sequence = 1
	if name, number, ok := strings.Cut(place, "["); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(number, "]"))
		if err != nil || n < 1 || !strings.HasSuffix(number, "]") {
			return p, false
		}
		place, p.Sequence = name, n
	}
	if p.Segment = place; !segmentName(place) || !found {
		return p, false
	}
	parts := strings.Split(rest, ".")
	if len(parts) > 3 {
		return p, false
	}
	if field, number, ok := strings.Cut(parts[0], "("); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(number, ")"))
		if err != nil || n < 1 || !strings.HasSuffix(number, ")") {
			return p, false
		}
		parts[0], p.Repetition = field, n
	}
	for i, to := range []*int{&p.Field, &p.Component, &p.Subcomponent}[:len(parts)] {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 1 {
			return p, false
		}
		*to = n
	}
	return p, true
}

// Get returns the text at a path, "" when there is none or the path is wrong.
func (m *Message) Get(path string) string {
	p, ok := ParsePath(path)
	if !ok {
		return ""
	}
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.Name != p.Segment || s.Sequence != p.Sequence {
			continue
		}
		f := s.Field(p.Field)
		if p.Segment == "MSH" && p.Field <= 2 {
			return f.Raw
		}
		if p.Repetition > 0 || p.Component > 0 {
			f = f.Repetition(max(p.Repetition, 1))
		}
		if p.Component > 0 {
			f = f.Component(p.Component)
		}
		if p.Subcomponent > 0 {
			f = f.Sub(p.Subcomponent)
		}
		return f.Whole()
	}
	return ""
}
