package fhirpath

import (
	"slices"

	"github.com/amate-health/amate/fhir/spec"
)

// Check looks for what cannot be right whatever the resource holds, when the
// expression is evaluated for an item of type this in a resource of type root:
// elements that the definitions do not have, positions in collections without an
// order, and constants of other types for conditions. Either type may be nil when it is not known; what follows from it is not
// checked then. Evaluation itself is lenient about them.
//
// See https://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation.
func (e *Expr) Check(root, this *spec.Type) error {
	_, err := e.Type(root, this)
	return err
}

// Type is Check, and returns the type that all items have which e evaluates to; nil when
// that is not known, or when they can have several.
func (e *Expr) Type(root, this *spec.Type) (*spec.Type, error) {
	c := checker{root: shapeOf(root)}
	out, err := c.check(e.root, shapeOf(this))
	if err != nil || len(out.types) != 1 {
		return nil, err
	}
	return out.types[0], nil
}

// shape is what is known of a collection before it is evaluated.
type shape struct {
	types     []*spec.Type // the types that its items may have; none when that is not known
	unordered bool
}

func shapeOf(types ...*spec.Type) shape {
	if slices.Contains(types, nil) {
		return shape{}
	}
	var each []*spec.Type // once, or a path that leads to many types again and again would have no end of them
	for _, t := range types {
		if !slices.Contains(each, t) {
			each = append(each, t)
		}
	}
	return shape{types: each}
}

// or returns the shape of items of either shape.
func (s shape) or(o shape) shape {
	if len(s.types) == 0 || len(o.types) == 0 {
		return shape{}
	}
	return shapeOf(slices.Concat(s.types, o.types)...)
}

type checker struct{ root shape }

// check returns the shape of what n evaluates to.
func (c checker) check(n node, at shape) (shape, error) {
	switch n := n.(type) {
	case *external:
		if n.name == "resource" || n.name == "rootResource" {
			return c.root, nil
		}
	case *member:
		return c.member(n, at)
	case *call:
		return c.call(n, at)
	case *indexer:
		in, err := c.check(n.x, at)
		if err != nil {
			return shape{}, err
		}
		if in.unordered {
			return shape{}, failure("an index into a collection without an order")
		}
		_, err = c.check(n.i, at)
		return in, err
	case *unary:
		_, err := c.check(n.x, at)
		return shape{}, err
	case *typeOp:
		if _, err := c.check(n.x, at); err != nil || !n.as {
			return shape{}, err
		}
		return shapeOf(n.typ.fhir), nil
	case *binary:
		x, err := c.check(n.x, at)
		if err != nil {
			return shape{}, err
		}
		y, err := c.check(n.y, at)
		if err != nil || n.op != "|" {
			return shape{}, err
		}
		return x.or(y), nil
	}
	if n == node(this{}) {
		return at, nil
	}
	return shape{}, nil
}

func (c checker) member(n *member, in shape) (shape, error) {
	if n.x != nil {
		var err error
		if in, err = c.check(n.x, in); err != nil {
			return shape{}, err
		}
	}
	if len(in.types) == 0 {
		return shape{}, nil
	}
	var out shape
	found, open := false, false
	for _, t := range in.types {
		if n.x == nil && t.Is(n.name) {
			out.types, found = append(out.types, t), true
			continue
		}
		if len(t.Elements) == 0 || t.Kind == spec.Primitive && n.name == "value" {
			found, open = true, true
		}
		for i := range t.Elements {
			if e := &t.Elements[i]; named(e, n.name) {
				found = true
				if e.Type == nil || e.Resource || e.Type.Abstract {
					open = true
					continue
				}
				out.types = append(out.types, e.Type)
			}
		}
	}
	if !found {
		return shape{}, failure("%s has no element %s", in.types[0].Name, n.name)
	}
	if open {
		return shape{}, nil
	}
	return shapeOf(out.types...), nil
}

// What functions do to the shape of their input.
var (
	keepsItems    = names("where", "first", "last", "tail", "skip", "take", "single", "distinct", "trace", "intersect", "exclude", "sort", "checkModifiers", "defineVariable")
	needsOrder    = names("first", "last", "tail", "skip", "take")
	losesOrder    = names("children", "descendants")
	overEachItem  = names("where", "select", "all", "exists", "repeat", "aggregate", "sort")
	joinsArgument = names("union", "combine")
)

// condition are the functions whose first argument is a condition.
var condition = names("iif", "where", "exists", "all")

// notBoolean reports whether n is a constant of another type.
func notBoolean(n node) bool {
	constant, ok := n.(*literal)
	if !ok || len(constant.items) != 1 {
		return false
	}
	_, ok = constant.items[0].value.(Boolean)
	return !ok
}

func names(list ...string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, name := range list {
		set[name] = true
	}
	return set
}

func (c checker) call(n *call, this shape) (shape, error) {
	in := this
	if n.x != nil {
		var err error
		if in, err = c.check(n.x, this); err != nil {
			return shape{}, err
		}
	}
	name := n.fn.name
	if in.unordered && needsOrder[name] {
		return shape{}, failure("%s() of a collection without an order", name)
	}
	if n.fn.typed != nil {
		if name == "is" || n.fn.bare {
			return shape{}, nil
		}
		return shapeOf(n.typ.fhir), nil
	}
	scope := this
	if overEachItem[name] || name == "iif" && n.x != nil {
		scope = in
	}
	if (name == "trace" || name == "defineVariable") && len(n.args) == 2 {
		scope = in
	}
	if condition[name] && len(n.args) > 0 && notBoolean(n.args[0]) {
		return shape{}, failure("the condition of %s() is no Boolean", name)
	}
	var args []shape
	for _, a := range n.args {
		s, err := c.check(a, scope)
		if err != nil {
			return shape{}, err
		}
		args = append(args, s)
	}
	switch {
	case keepsItems[name]:
		return in, nil
	case losesOrder[name]:
		return shape{unordered: true}, nil
	case joinsArgument[name]:
		return in.or(args[0]), nil
	case name == "select":
		return args[0], nil
	case name == "extension":
		return shapeOf(spec.TypeOf("Extension")), nil
	}
	return shape{}, nil
}
