package service

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// parameters writes a Parameters resource, or the parts of a parameter.
type parameters struct {
	out   []byte
	count int
}

const opening = `{"resourceType":"Parameters","parameter":[`

func newParameters() *parameters {
	return &parameters{out: append(make([]byte, 0, 512), opening...)}
}

func (p *parameters) name(name string) {
	if p.count++; p.count > 1 {
		p.out = append(p.out, ',')
	}
	p.out = append(p.out, `{"name":"`...)
	p.out = append(p.out, name...)
	p.out = append(p.out, '"')
}

// text adds a primitive that JSON writes as a string, unless it is "".
func (p *parameters) text(name, typ, value string) {
	if value == "" {
		return
	}
	p.name(name)
	p.out = append(append(append(p.out, `,"`...), typ...), `":`...)
	p.out = append(element.Quote(p.out, value), '}')
}

func (p *parameters) truth(name string, value bool) {
	p.name(name)
	p.out = strconv.AppendBool(append(p.out, `,"valueBoolean":`...), value)
	p.out = append(p.out, '}')
}

// json adds a value that is JSON already, unless it is "".
func (p *parameters) json(name, typ, value string) {
	if value == "" {
		return
	}
	p.name(name)
	p.out = append(append(append(p.out, `,"`...), typ...), `":`...)
	p.out = append(append(p.out, value...), '}')
}

// part adds a parameter made of parts, which write adds.
func (p *parameters) part(name string, write func(*parameters)) {
	p.name(name)
	inner := parameters{out: append(p.out, `,"part":[`...)}
	write(&inner)
	p.out = append(inner.out, `]}`...)
}

// answer ends the resource.
func (p *parameters) answer() *operation.Answer {
	return &operation.Answer{JSON: append(p.out, `]}`...)}
}

// codingJSON writes a Coding, leaving out what is "".
func codingJSON(c coding) string {
	out := []byte{'{'}
	for _, m := range []struct{ name, value string }{{"system", c.system}, {"version", c.version}, {"code", c.code}, {"display", c.display}} {
		if m.value == "" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = element.Quote(append(append(append(out, '"'), m.name...), `":`...), m.value)
	}
	return string(append(out, '}'))
}
