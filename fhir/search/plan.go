package search

import (
	"fmt"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// typePlan is how resources of one type are indexed: the paths of all search
// parameters in one tree, so that a single pass over a resource serves them all.
type typePlan struct {
	root      branch
	here      []leaf // for the resource itself
	evaluated []evaluated
}

// branch is a place in a resource.
type branch struct{ fields []field }

// field is a JSON property of a branch.
type field struct {
	name  string
	edges []edge
}

// edge leads to the items of a property, or to those that its condition keeps.
type edge struct {
	branch
	index  int // only this item of the array; -1 for all
	keep   *fhirpath.Filter
	leaves []leaf
}

// leaf is the end of a path: emit indexes what stands there for a parameter.
type leaf struct {
	param    uint16
	ordinal  int   // of the parameter within its type
	presence int64 // PresenceHash of param
	systems  []codeSystem
	tails    bool   // index a text from each of its words on
	joint    *joint // of a composite
	emit     func(x *extractor, l *leaf, n element.Node)
}

// evaluated is a parameter that needs the FHIRPath engine.
type evaluated struct {
	leaf
	expr  *fhirpath.Expr
	param *spec.SearchParam
}

// planOf returns the plan of a resource type, compiled at its first use.
func (c *Catalogue) planOf(typ string) (*typePlan, error) {
	f, ok := c.plans.Load(typ)
	if !ok {
		f, _ = c.plans.LoadOrStore(typ, sync.OnceValues(func() (*typePlan, error) { return c.compile(typ) }))
	}
	return f.(func() (*typePlan, error))()
}

// compile builds the plan of a type.
func (c *Catalogue) compile(typ string) (*typePlan, error) {
	plan := new(typePlan)
	for ordinal, p := range c.Params(typ) {
		if !Supported(p) || p.Code == "_id" || p.Code == "_lastUpdated" {
			continue // the two stand in columns of their own
		}
		if parts(typ, p) != nil {
			continue
		}
		if err := plan.param(typ, p, ordinal); err != nil {
			return nil, fmt.Errorf("search parameter %s of %s: %w", p.Code, typ, err)
		}
	}
	return plan, nil
}

// param adds what p needs to the plan of typ. Errors are about the expressions of p.
func (plan *typePlan) param(typ string, p *spec.SearchParam, ordinal int) error {
	expr, err := fhirpath.Compile(p.Expression, fhirpath.Filtering)
	if err != nil {
		return faulty("expression", "the expression is not FHIRPath").With("%v", err)
	}
	l := leaf{param: p.ID, ordinal: ordinal, presence: PresenceHash(p.ID)}
	paths, ok := expr.Paths(spec.TypeOf(typ))
	if !ok && p.Type == spec.Composite {
		return faulty("expression", "the expression of a composite search parameter is a path to an element")
	}
	if !ok {
		plan.evaluated = append(plan.evaluated, evaluated{leaf: l, expr: expr, param: p})
		return nil
	}
	for _, path := range paths {
		end := l.to(p.Type, path, typ)
		if p.Type == spec.Composite {
			end = l.joined(p, path)
		}
		switch {
		case end.emit == nil:
		case len(path.Steps) == 0:
			plan.here = append(plan.here, end)
		default:
			plan.root.add(path.Steps, end)
		}
	}
	return nil
}

// to returns l with the emit for a value at the end of path; emit is nil for
// datatypes that the search type does not cover.
func (l leaf) to(search spec.SearchType, path fhirpath.Path, typ string) leaf {
	switch search {
	case spec.Token:
		l.emit = tokenEmit(path.Type)
		l.systems = systemsOf(path.Element)
	case spec.Reference:
		l.emit = referenceEmit(path.Type)
	case spec.URI:
		l.emit = uriEmit(path.Type)
	case spec.String:
		l.emit = stringEmit(path.Type)
		l.tails = inName(typ, path)
	case spec.Date:
		l.emit = dateEmit(path.Type)
	case spec.Number, spec.Quantity:
		l.emit = quantityEmit(path.Type)
	case spec.Special:
		if path.Type.Is("Location.position") {
			l.emit = emitPosition
		}
	}
	return l
}

// joined returns l with the emit for a composite of what stands at the end of path.
func (l leaf) joined(p *spec.SearchParam, path fhirpath.Path) leaf {
	if l.joint = jointOf(p, path.Type); l.joint != nil {
		l.emit = emitComposite
	}
	return l
}

// add hangs l at the end of steps.
func (b *branch) add(steps []fhirpath.Step, l leaf) {
	if l.emit == nil {
		return
	}
	s := steps[0]
	i := slices.IndexFunc(b.fields, func(f field) bool { return f.name == s.Name })
	if i < 0 {
		i = len(b.fields)
		b.fields = append(b.fields, field{name: s.Name})
	}
	f := &b.fields[i]
	j := slices.IndexFunc(f.edges, func(e edge) bool { return e.index == s.Index && sameFilter(e.keep, s.Keep) })
	if j < 0 {
		j = len(f.edges)
		f.edges = append(f.edges, edge{index: s.Index, keep: s.Keep})
	}
	e := &f.edges[j]
	if len(steps) > 1 {
		e.add(steps[1:], l)
		return
	}
	e.leaves = append(e.leaves, l)
}

func sameFilter(a, b *fhirpath.Filter) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// inName reports whether path ends at a text part of a HumanName.
func inName(typ string, path fhirpath.Path) bool {
	if len(path.Steps) == 0 {
		return false
	}
	t := spec.TypeOf(typ)
	for _, s := range path.Steps[:len(path.Steps)-1] {
		e := t.Element([]byte(s.Name))
		if e == nil || e.Type == nil {
			return false
		}
		t = e.Type
	}
	return t.Is("HumanName")
}
