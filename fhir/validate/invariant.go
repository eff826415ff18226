package validate

import (
	"sync"

	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// settled are the constraints that are not evaluated, since other rules say the same.
var settled = map[string]bool{
	"ele-1": true, // empty
	"ext-1": true, // extension-value
	"ref-1": true, // reference-contained
	"txt-1": true, // narrative
	"txt-2": true, // narrative
	"dom-2": true, // contained-nested
	"dom-3": true, // containedUsed
}

// expressions holds compiled constraints, by their text. Each is compiled when it
// is first needed, and kept.
var expressions sync.Map // string -> compiled

type compiled struct {
	expr *fhirpath.Expr
	err  error
}

func compile(text string) (*fhirpath.Expr, error) {
	if c, ok := expressions.Load(text); ok {
		return c.(compiled).expr, c.(compiled).err
	}
	expr, err := fhirpath.Compile(text)
	expressions.Store(text, compiled{expr, err})
	return expr, err
}

// constraints evaluates the constraints of p's element and of its type.
//
// See https://hl7.org/fhir/R4/conformance-rules.html#constraints.
func (x *inspection) constraints(s *subject, p *place) {
	if p.elem != nil {
		for _, c := range p.elem.Constraints {
			x.constraint(s, p, c)
		}
	}
	for t := p.item.Type; t != nil; t = t.Base {
		for _, c := range t.Constraints {
			x.constraint(s, p, c)
		}
	}
}

func (x *inspection) constraint(s *subject, p *place, c *spec.Constraint) {
	if settled[c.Key] {
		return
	}
	if c.Key == "dom-6" {
		if !s.inside && p.get("text").get("div") == nil {
			x.report(c.Severity, "invariant", c.Key, c.Human, "", p)
		}
		return
	}
	expr, err := compile(c.Expression)
	if err != nil {
		x.report("information", "not-supported", c.Key, "the constraint cannot be evaluated here", err.Error(), p)
		return
	}
	x.hold(s, p, expr, c.Key, c.Severity, c.Human)
}

// hold reports p when the condition is false of it. A condition that is empty or
// cannot be evaluated does not hold.
func (x *inspection) hold(s *subject, p *place, expr *fhirpath.Expr, key, severity, human string) {
	if x.ctx.Err() != nil {
		return
	}
	ok, err := expr.Holds(p.item, x.env(s))
	switch {
	case err != nil:
		x.report("warning", "exception", key, "the constraint could not be evaluated: "+human, err.Error(), p)
	case !ok:
		x.report(severity, "invariant", key, human, expr.Source(), p)
	}
}
