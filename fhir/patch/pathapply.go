package patch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// resourceState is a resource while a PathPatch is applied to it.
type resourceState struct {
	doc   *element.Doc // as the operations before have left it; what paths are evaluated on
	root  *value       // the same, for the operation to change
	steps int          // allowed to each evaluation
	room  int          // bytes by which the resource may still grow
	work  int          // bytes that may still be written and read between operations
}

func (s *resourceState) open(doc *element.Doc) { s.doc, s.root = doc, &value{doc: doc} }

// do performs one operation.
//
// See https://hl7.org/fhir/R4/fhirpatch.html.
func (s *resourceState) do(op *pathOperation) *failure {
	if err := s.fits(&op.value); err != nil {
		return err
	}
	switch op.kind {
	case "add":
		return s.add(op)
	case "insert", "move":
		return s.reorder(op)
	}
	item, err := s.one(op.path)
	if err != nil {
		if op.kind == "delete" && err.what == nothing {
			return nil // delete is the one operation that may find nothing
		}
		return err
	}
	p := locate(s.root, nodeOf(item))
	if p == nil {
		return fail("the path selects the resource itself, or nothing that can be changed", "")
	}
	if op.kind == "delete" {
		all := occurrences(p.in, p.elem)
		set(p.in, p.elem, slices.Delete(all, p.index, p.index+1), -1)
		return nil
	}
	return p.replace(&op.value)
}

// fits takes the size of o from the room that is left.
func (s *resourceState) fits(o *operand) *failure {
	for _, n := range []element.Node{o.value, o.side} {
		if o.doc != nil && n != element.None {
			start, end := o.doc.Span(n)
			s.room -= end - start
		}
	}
	if s.room < 0 {
		return &failure{fhir.TooLarge, "the result would be too large", ""}
	}
	return nil
}

const nothing = "the path selects nothing"

// one evaluates a path that must select a single element of the resource.
func (s *resourceState) one(path *fhirpath.Expr) (fhirpath.Item, *failure) {
	found, err := path.Eval(s.doc, 0, &fhirpath.Env{Steps: s.steps})
	switch {
	case errors.Is(err, fhirpath.ErrTooCostly):
		return fhirpath.Item{}, &failure{fhir.TooCostly, "the path takes too long to evaluate", ""}
	case err != nil:
		return fhirpath.Item{}, fail("the path cannot be evaluated", err.Error())
	case len(found) == 0:
		return fhirpath.Item{}, fail(nothing, "")
	case len(found) > 1:
		return fhirpath.Item{}, fail(fmt.Sprintf("the path selects %d elements; it must select one", len(found)), "")
	case found[0].Doc != s.doc:
		return fhirpath.Item{}, fail("the path selects no element of the resource", "")
	}
	return found[0], nil
}

// nodeOf returns the node of an element, or that of its extensions where it has
// no value.
func nodeOf(i fhirpath.Item) element.Node {
	if i.Node == element.None {
		return i.Side
	}
	return i.Node
}

// container returns the object that holds the children of what path selects, and
// its type. The children of a primitive are its id and extensions, in an object
// that is made where there is none.
func (s *resourceState) container(path *fhirpath.Expr) (*value, *spec.Type, *failure) {
	if path == nil {
		return s.root, typeOf(s.root), nil
	}
	item, err := s.one(path)
	if err != nil {
		return nil, nil, err
	}
	if item.Node == 0 {
		return s.root, item.Type, nil
	}
	p := locate(s.root, nodeOf(item))
	if p == nil || item.Type == nil {
		return nil, nil, fail("the path selects nothing that can be changed", "")
	}
	all := occurrences(p.in, p.elem)
	if item.Type.Kind != spec.Primitive {
		return all[p.index].v, item.Type, nil
	}
	if all[p.index].side == nil {
		all[p.index].side = newObject()
		set(p.in, p.elem, all, -1)
	}
	return all[p.index].side, item.Type, nil
}

func (s *resourceState) add(op *pathOperation) *failure {
	in, typ, err := s.container(op.path)
	if err != nil {
		return err
	}
	return attach(in, typ, op.name, &op.value)
}

// attach gives object in, of type typ, another value of the element called name.
func attach(in *value, typ *spec.Type, name string, o *operand) *failure {
	e := choose(typ, name, o)
	if e == nil {
		return fail("there is no such element, or it does not take this type of value", "at "+name)
	}
	all := occurrences(in, e)
	if e.Choice != "" {
		_, all = chosen(in, typ, e.Choice)
	}
	if len(all) > 0 && !e.Many {
		return fail("the element does not repeat, and is there already", "at "+name)
	}
	occ, err := o.of(e)
	if err != nil {
		return err
	}
	set(in, e, append(all, occ), -1)
	return nil
}

// choose returns the element of typ called name. A choice is called by its name
// as FHIRPath has it ("value", also "value[x]"), and the type of the value tells
// which one is meant, or by its JSON property ("valueQuantity").
func choose(typ *spec.Type, name string, o *operand) *spec.Element {
	if e := typ.Element([]byte(name)); e != nil {
		return e
	}
	if n := len(name) - len("[x]"); n > 0 && name[n:] == "[x]" {
		name = name[:n]
	}
	given := typeGiven(o.typ)
	for i := range typ.Elements {
		if e := &typ.Elements[i]; e.Choice == name && given != nil && e.Type == given {
			return e
		}
	}
	return nil
}

// chosen returns which type of a choice object in has, with its values; nil for none.
func chosen(in *value, typ *spec.Type, choice string) (*spec.Element, []occurrence) {
	for i := range typ.Elements {
		if e := &typ.Elements[i]; e.Choice == choice {
			if all := occurrences(in, e); len(all) > 0 {
				return e, all
			}
		}
	}
	return nil, nil
}

// replace puts another value in place of the one at p. That of a choice may be of
// another type.
func (p *place) replace(o *operand) *failure {
	e := p.elem
	if e.Choice != "" {
		if e = choose(p.typ, e.Choice, o); e == nil {
			return fail("the element does not take this type of value", "at "+p.elem.Choice)
		}
	}
	occ, err := o.of(e)
	if err != nil {
		return err
	}
	if e == p.elem {
		all := occurrences(p.in, e)
		all[p.index] = occ
		set(p.in, e, all, -1)
		return nil
	}
	at := p.in.member(p.elem.Name)
	if at < 0 {
		at = p.in.member("_" + p.elem.Name)
	}
	set(p.in, p.elem, nil, -1)
	set(p.in, e, []occurrence{occ}, at)
	return nil
}

// reorder performs insert and move, whose path names a list.
func (s *resourceState) reorder(op *pathOperation) *failure {
	in, typ, err := s.container(op.list)
	if err != nil {
		return err
	}
	e := typ.Element([]byte(op.name))
	if e == nil || !e.Many {
		return fail("the path does not name a list", "")
	}
	all := occurrences(in, e)
	at := op.index[0]
	if op.kind == "insert" {
		if at > len(all) {
			return fail(fmt.Sprintf("the index %d is beyond the end: the list has %d elements", at, len(all)), "")
		}
		occ, err := op.value.of(e)
		if err != nil {
			return err
		}
		set(in, e, slices.Insert(all, at, occ), -1)
		return nil
	}
	to := op.index[1]
	if max(at, to) >= len(all) {
		return fail(fmt.Sprintf("source %d and destination %d must be below %d, the size of the list", at, to, len(all)), "")
	}
	moved := all[at]
	all = slices.Insert(slices.Delete(all, at, at+1), to, moved)
	set(in, e, all, -1)
	return nil
}
