package fhirpath

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Path is a direct plan: JSON properties to follow from a resource. Type is what
// stands at its end, nil for a whole resource of any type.
type Path struct {
	Steps []Step
	Type  *spec.Type
	// Element defines the last step; nil for a path without steps. Its binding tells
	// the code system of a bare code.
	Element *spec.Element
}

// Step follows one JSON property. Where the property holds an array, it leads to
// each item of it.
type Step struct {
	Name  string  // the JSON property: "valueQuantity"
	Index int     // only this item, over all that the path has led to; -1 for every one
	Keep  *Filter // only items that pass it; nil for all
}

// Filter is a condition that can be checked without evaluating an expression.
type Filter struct {
	Target string // where(resolve() is Target): the Reference points to a resource of this type, outside its own
	Name   string // where(Name = 'Equal'): the item has this child, a primitive that is not repeated
	Equal  string
}

// Passes reports whether the item at n passes f. It does not allocate.
func (f *Filter) Passes(d *element.Doc, n element.Node) bool {
	if f == nil {
		return true
	}
	if f.Target != "" {
		return TargetType(d, n).Is(f.Target)
	}
	c := d.Get(n, f.Name)
	return c != element.None && d.Kind(c) == element.String && string(d.Bytes(c)) == f.Equal
}

// Paths returns the direct plan of e for resources of type root: the paths that
// together lead to its result, apart from order and duplicates. ok is false when
// e needs to be evaluated. No paths with ok true say that the result is always empty.
func (e *Expr) Paths(root *spec.Type) (paths []Path, ok bool) {
	p := planner{root: root}
	paths, ok = p.plan(e.root)
	if !ok {
		return nil, false
	}
	return paths, true
}

// planner turns a tree into paths, with the definitions at hand.
type planner struct{ root *spec.Type }

func (p *planner) plan(n node) ([]Path, bool) {
	switch n := n.(type) {
	case *member:
		return p.member(n)
	case *binary:
		if n.op != "|" {
			return nil, false
		}
		x, ok := p.plan(n.x)
		if !ok {
			return nil, false
		}
		y, ok := p.plan(n.y)
		return append(x, y...), ok
	case *typeOp:
		if !n.filter {
			return nil, false
		}
		return p.ofType(n.x, n.typ)
	case *indexer:
		return p.indexer(n)
	case *call:
		return p.call(n)
	}
	return nil, false
}

func (p *planner) member(n *member) ([]Path, bool) {
	if n.x == nil {
		start := Path{Type: p.root}
		switch {
		case p.root.Is(n.name):
			return []Path{start}, true
		case spec.TypeOf(n.name) != nil && spec.TypeOf(n.name).Kind == spec.ResourceKind:
			return nil, true // a path of another type
		}
		return start.follow(n.name), true
	}
	from, ok := p.plan(n.x)
	if !ok {
		return nil, false
	}
	var out []Path
	for _, f := range from {
		if f.Type == nil || f.Type.Kind == spec.Primitive {
			return nil, false
		}
		out = append(out, f.follow(n.name)...)
	}
	return out, true
}

// follow returns one path for each JSON property that the child called name can have.
func (p Path) follow(name string) []Path {
	var out []Path
	for i := range p.Type.Elements {
		e := &p.Type.Elements[i]
		if !named(e, name) {
			continue
		}
		steps := append(p.Steps[:len(p.Steps):len(p.Steps)], Step{Name: e.Name, Index: -1})
		out = append(out, Path{Steps: steps, Type: e.Type, Element: e})
	}
	return out
}

func (p *planner) ofType(x node, t *typeSpec) ([]Path, bool) {
	from, ok := p.plan(x)
	if !ok {
		return nil, false
	}
	var out []Path
	for _, f := range from {
		if f.Type == nil {
			return nil, false // known only in the document
		}
		if t.fhir != nil && f.Type.Is(t.fhir.Name) {
			out = append(out, f)
		}
	}
	return out, true
}

// indexer plans x[i] where x is a single path whose last step alone can repeat, so
// that the i-th item is that of one array.
func (p *planner) indexer(n *indexer) ([]Path, bool) {
	at, ok := n.i.(*literal)
	if !ok || len(at.items) != 1 {
		return nil, false
	}
	i, ok := at.items[0].value.(Integer)
	from, planned := p.plan(n.x)
	if !ok || !planned || len(from) != 1 || len(from[0].Steps) != 1 || i < 0 || i > 1<<20 {
		return nil, false
	}
	last := &from[0].Steps[0]
	if last.Index >= 0 || last.Keep != nil {
		return nil, false
	}
	last.Index = int(i)
	return from, true
}

func (p *planner) call(n *call) ([]Path, bool) {
	switch {
	case n.x == nil:
		return nil, false
	case n.fn.name == "ofType":
		return p.ofType(n.x, n.typ)
	case n.fn.name != "where":
		return nil, false
	}
	from, ok := p.plan(n.x)
	if !ok {
		return nil, false
	}
	var out []Path
	for _, f := range from {
		if len(f.Steps) == 0 || f.Type == nil || f.Steps[len(f.Steps)-1].Keep != nil {
			return nil, false
		}
		keep, possible, ok := filterOf(n.args[0], f.Type)
		if !ok {
			return nil, false
		}
		if possible {
			f.Steps = append([]Step(nil), f.Steps...)
			f.Steps[len(f.Steps)-1].Keep = keep
			out = append(out, f)
		}
	}
	return out, true
}

// filterOf recognises resolve() is T and name = 'text' about items of type t.
// possible is false when no item can pass.
func filterOf(n node, t *spec.Type) (f *Filter, possible, ok bool) {
	if is, match := n.(*typeOp); match && !is.as && is.typ.fhir != nil {
		fn, match := is.x.(*call)
		if !match || fn.x != nil || fn.fn.name != "resolve" {
			return nil, false, false
		}
		return &Filter{Target: is.typ.fhir.Name}, t.Is("Reference") || t.Is("uri"), true
	}
	eq, match := n.(*binary)
	if !match || eq.op != "=" {
		return nil, false, false
	}
	name, match := eq.x.(*member)
	value, constant := eq.y.(*literal)
	if !match || !constant || name.x != nil || len(value.items) != 1 {
		return nil, false, false
	}
	text, constant := value.items[0].value.(String)
	e := t.Element([]byte(name.name))
	if !constant || e == nil || e.Many || e.Choice != "" || e.Type == nil || e.Type.Kind != spec.Primitive || !e.Type.Is("string") && !e.Type.Is("uri") {
		return nil, false, false
	}
	return &Filter{Name: name.name, Equal: string(text)}, true, true
}

// Walk calls f with every node that p leads to from the resource at root of d. It
// does not allocate.
func (p *Path) Walk(d *element.Doc, root element.Node, f func(element.Node)) {
	walk(d, root, p.Steps, f)
}

func walk(d *element.Doc, n element.Node, steps []Step, f func(element.Node)) {
	if len(steps) == 0 {
		f(n)
		return
	}
	s := &steps[0]
	c := d.Get(n, s.Name)
	if c == element.None {
		return
	}
	if d.Kind(c) != element.Array {
		if s.Index <= 0 && d.Kind(c) != element.Null && s.Keep.Passes(d, c) {
			walk(d, c, steps[1:], f)
		}
		return
	}
	at := 0
	for i := d.First(c); i != element.None; i = d.Next(c, i) {
		if (s.Index < 0 || s.Index == at) && d.Kind(i) != element.Null && s.Keep.Passes(d, i) {
			walk(d, i, steps[1:], f)
		}
		at++
	}
}
