package fhirpath

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Singleton evaluation: what an operator that wants one value makes of a collection.
//
// See https://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections.

// logic is a truth value: yes, no, or unknown for the empty collection.
type logic uint8

const (
	unknown logic = iota
	no
	yes
)

func logical(b bool) logic {
	if b {
		return yes
	}
	return no
}

// collection returns the collection for l; unknown is empty.
func (l logic) collection() Collection {
	if l == unknown {
		return nil
	}
	return truths(l == yes)
}

// The collections of one Boolean. They are shared: nothing may write to a collection
// that it did not make.
var (
	isTrue  = Collection{Computed(Boolean(true))}
	isFalse = Collection{Computed(Boolean(false))}
)

// truths returns a collection of one Boolean.
func truths(b bool) Collection {
	if b {
		return isTrue
	}
	return isFalse
}

// texts returns a collection of one String.
func texts(s string) Collection { return Collection{Computed(String(s))} }

// values returns a collection of one value.
func values(v Value) Collection { return Collection{Computed(v)} }

// truth reads a collection as a condition. A single item that is no Boolean
// counts as true.
func truth(c Collection) (logic, error) {
	switch len(c) {
	case 0:
		return unknown, nil
	case 1:
		if b, ok := c[0].System().(Boolean); ok {
			return logical(bool(b)), nil
		}
		return yes, nil
	}
	return unknown, failure("a condition gave %d items", len(c))
}

// single returns the value of a collection of one, nil when the item has none.
func single(c Collection) (Value, error) {
	if len(c) != 1 {
		return nil, failure("expected one item, found %d", len(c))
	}
	return c[0].System(), nil
}

// integer reads a collection of at most one as an integer; ok is false when it is empty.
func integer(c Collection) (n int64, ok bool, err error) {
	if len(c) == 0 {
		return 0, false, nil
	}
	v, err := single(c)
	if err != nil || v == nil && c[0].hollow() {
		return 0, false, err
	}
	i, ok := v.(Integer)
	if !ok {
		return 0, false, failure("expected an integer")
	}
	return int64(i), true, nil
}

// text reads a collection of at most one as a string; ok is false when it is empty.
func text(c Collection) (s string, ok bool, err error) {
	if len(c) == 0 {
		return "", false, nil
	}
	v, err := single(c)
	if err != nil || v == nil && c[0].hollow() {
		return "", false, err
	}
	t, ok := v.(String)
	if !ok {
		return "", false, failure("expected a string")
	}
	return string(t), true, nil
}

// hollow reports whether i is a primitive that has extensions but no value; as an
// operand it counts as nothing.
func (i Item) hollow() bool {
	return i.Doc != nil && i.Node == element.None && (i.Type == nil || i.Type.Kind == spec.Primitive)
}
