package validate

import (
	"math/bits"
	"sync"

	"github.com/amate-health/amate/fhir/spec"
)

// class sorts elements by what may stand in their place in JSON.
type class uint8

const (
	isString class = iota
	isNumber
	isBoolean
	isObject
	isResource
)

// shape is a spec.Type laid out for one pass over an object: a small hash table of
// its members, and one bit for each element that can be present.
type shape struct {
	typ      *spec.Type
	fields   []field // parallel to typ.Elements
	table    []int16 // position in fields by hash of the name; -1 is free
	required uint64  // bits of the elements that must be present
	value    uint64  // the bit of value[x], where there is one
	nested   uint64  // the bit of extension
	special  special
}

// field is an element as a member of its shape.
type field struct {
	*spec.Element
	class class
	bit   uint64 // of the element; all types of a choice share one
	shape *shape // of the type; nil where any resource may stand
}

// special marks types that have rules of their own.
type special uint8

const (
	plain special = iota
	resource
	extension
	reference
	concept
)

var specials = map[string]special{
	"Extension": extension, "Reference": reference, "CodeableConcept": concept,
}

// shapes holds the shape of every resource type, and of all that they are made of,
// by name.
var shapes = sync.OnceValue(build)

func build() map[string]*shape {
	all := make(map[string]*shape, 1024)
	for _, name := range spec.Resources() {
		shapeOf(all, spec.TypeOf(name))
	}
	return all
}

func shapeOf(all map[string]*shape, typ *spec.Type) *shape {
	if s := all[typ.Name]; s != nil {
		return s
	}
	s := &shape{typ: typ, fields: make([]field, len(typ.Elements)), special: specials[typ.Name]}
	if typ.Kind == spec.ResourceKind {
		s.special = resource
	}
	all[typ.Name] = s // before its elements, which may lead back to it
	s.table = make([]int16, 1<<bits.Len(uint(2*len(s.fields))))
	for i := range s.table {
		s.table[i] = -1
	}
	slots := map[string]int{}
	for i := range typ.Elements {
		e := &typ.Elements[i]
		slot := e.Name
		if e.Choice != "" {
			slot = e.Choice + "[x]"
		}
		if _, ok := slots[slot]; !ok {
			slots[slot] = len(slots)
		}
		f := field{Element: e, bit: 1 << slots[slot], class: classOf(e)}
		if f.bit == 0 {
			panic("fhir/validate: " + typ.Name + " has more than 64 elements") // the table is part of the program
		}
		if e.Type != nil {
			f.shape = shapeOf(all, e.Type)
		}
		if e.Min > 0 {
			s.required |= f.bit
		}
		if e.Choice == "value" {
			s.value = f.bit
		}
		if e.Name == "extension" {
			s.nested = f.bit
		}
		s.fields[i] = f
		h := hash(e.Name) & (len(s.table) - 1)
		for s.table[h] >= 0 {
			h = (h + 1) & (len(s.table) - 1)
		}
		s.table[h] = int16(i)
	}
	return s
}

func classOf(e *spec.Element) class {
	switch {
	case e.Type == nil:
		return isResource
	case e.Type.Kind != spec.Primitive:
		return isObject
	}
	switch e.Type.Pattern {
	case spec.PatternBoolean:
		return isBoolean
	case spec.PatternInteger, spec.PatternUnsignedInt, spec.PatternPositiveInt, spec.PatternDecimal:
		return isNumber
	}
	return isString
}

// hash tells the names of one type well apart, of which few are alike in length
// and in these letters.
func hash[T []byte | string](name T) int {
	n := len(name)
	if n == 0 {
		return 0
	}
	return n + 3*int(name[0]) + 37*int(name[n/2]) + 11*int(name[n-1])
}

// find returns the field whose JSON property is name, or nil.
func (s *shape) find(name []byte) *field {
	mask := len(s.table) - 1
	for h := hash(name) & mask; s.table[h] >= 0; h = (h + 1) & mask {
		if f := &s.fields[s.table[h]]; f.Name == string(name) {
			return f
		}
	}
	return nil
}

// primitive reports whether the element's value is no object, so that a _name may
// stand beside it.
func (f *field) primitive() bool { return f.class <= isBoolean }
