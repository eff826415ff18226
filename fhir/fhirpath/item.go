package fhirpath

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Item is one member of a collection: an element of a document, or a computed value.
type Item struct {
	Type  *spec.Type   // of an element; nil for a computed value
	Doc   *element.Doc // of an element
	Node  element.Node // of an element; None for a primitive that has extensions but no value
	Side  element.Node // of a primitive: the object under its _name, or None
	value Value        // of a computed value
}

// Collection is an ordered list of items.
type Collection []Item

// Computed returns an item that is no element of a document.
func Computed(v Value) Item { return Item{Node: element.None, Side: element.None, value: v} }

// Root returns the item for the resource at node n of d; its Type is nil when it
// is of no known resource type.
func Root(d *element.Doc, n element.Node) Item {
	return Item{Type: resourceType(d, n), Doc: d, Node: n, Side: element.None}
}

func resourceType(d *element.Doc, n element.Node) *spec.Type {
	t := d.Get(n, "resourceType")
	if t == element.None || d.Kind(t) != element.String {
		return nil
	}
	return spec.TypeOf(string(d.Bytes(t)))
}

// is reports whether i is of the type called name, or a resource that says so.
func (i Item) is(name string) bool {
	if i.Type != nil || i.Node == element.None {
		return i.Type.Is(name)
	}
	t := i.Doc.Get(i.Node, "resourceType")
	return t != element.None && string(i.Doc.Bytes(t)) == name
}

// IsElement reports whether i is an element of a document.
func (i Item) IsElement() bool { return i.Doc != nil }

// System returns i as a value of a System type: the value itself when it was
// computed, the converted one for a primitive or Quantity. It returns nil for
// elements that have none, or whose text does not follow their type.
//
// See https://hl7.org/fhir/R4/fhirpath.html#types.
func (i Item) System() Value {
	if i.Doc == nil {
		return i.value
	}
	if i.Node == element.None {
		return nil
	}
	if i.Type == nil {
		return plainValue(i.Doc, i.Node)
	}
	if i.Type.Kind != spec.Primitive {
		if i.Type.Is("Quantity") {
			return i.quantity()
		}
		return nil
	}
	return primitive(i.Type, i.Doc, i.Node)
}

// plainValue converts a value of no known type, as JSON has it.
func plainValue(d *element.Doc, n element.Node) Value {
	switch d.Kind(n) {
	case element.True, element.False:
		return Boolean(d.Kind(n) == element.True)
	case element.String:
		return String(d.Text(n))
	case element.Number:
		if v, ok := parseNumber(d.Text(n)); ok {
			return v
		}
	}
	return nil
}

// primitive converts the value of a primitive element.
func primitive(t *spec.Type, d *element.Doc, n element.Node) Value {
	var v Value
	ok := true
	switch kind := d.Kind(n); {
	case kind == element.True || kind == element.False:
		return Boolean(kind == element.True)
	case kind == element.Number && (t.Is("integer") || t.Name == "integer64"):
		var i int64
		i, err := strconv.ParseInt(d.Text(n), 10, 64)
		v, ok = Integer(i), err == nil
	case kind == element.Number:
		v, ok = parseDecimal(d.Text(n))
	case kind != element.String:
		return nil
	case t.Name == "date":
		v, ok = parseDate(d.Text(n))
	case t.Name == "dateTime" || t.Name == "instant":
		v, ok = parseDateTime(d.Text(n))
	case t.Name == "time":
		v, ok = parseTime(d.Text(n))
	default:
		return String(d.Text(n))
	}
	if !ok {
		return nil
	}
	return v
}

// unitSystem is the system of the units that a Quantity can be computed with.
const unitSystem = "http://unitsofmeasure.org"

// quantity converts a FHIR Quantity. The UCUM code is its unit; without one, its
// unit text serves, in no known relation to any other. With a comparator it is no
// value at all.
//
// See https://hl7.org/fhir/R4/fhirpath.html#quantity.
func (i Item) quantity() Value {
	n := i.Doc.Get(i.Node, "value")
	if n == element.None || i.Doc.Kind(n) != element.Number {
		return nil
	}
	v, ok := parseDecimal(i.Doc.Text(n))
	if !ok || i.Doc.Get(i.Node, "comparator") != element.None {
		return nil
	}
	q := Quantity{Value: v, Unit: "1"}
	unit := i.Doc.Get(i.Node, "code")
	if system := i.Doc.Get(i.Node, "system"); system == element.None || string(i.Doc.Bytes(system)) != unitSystem {
		unit = i.Doc.Get(i.Node, "unit")
	}
	if unit != element.None {
		q.Unit = i.Doc.Text(unit)
	}
	// The UCUM codes of years and months in FHIR data mean calendar durations.
	switch q.Unit {
	case "a":
		q.Unit, q.Calendar, q.code = "year", true, "a"
	case "mo":
		q.Unit, q.Calendar, q.code = "month", true, "mo"
	}
	return q
}

// each calls f with the items that member c of an object, with type e, stands
// for, in order. side is the object or array under its _name, or None.
func each(d *element.Doc, e *spec.Element, c, side element.Node, f func(Item)) {
	if c = present(d, c); c != element.None && d.Kind(c) != element.Array {
		f(item(d, e, c, side))
		return
	}
	if c == element.None && side == element.None {
		return
	}
	if c == element.None && d.Kind(side) != element.Array {
		f(item(d, e, element.None, side))
		return
	}
	v, s := element.None, element.None
	if c != element.None {
		v = d.First(c)
	}
	if side != element.None && d.Kind(side) == element.Array {
		s = d.First(side)
	}
	for v != element.None || s != element.None {
		value, extra := present(d, v), present(d, s)
		if value != element.None || extra != element.None {
			f(item(d, e, value, extra))
		}
		if v != element.None {
			v = d.Next(c, v)
		}
		if s != element.None {
			s = d.Next(side, s)
		}
	}
}

// present returns n, or None when n is a JSON null.
func present(d *element.Doc, n element.Node) element.Node {
	if n != element.None && d.Kind(n) == element.Null {
		return element.None
	}
	return n
}

func item(d *element.Doc, e *spec.Element, n, side element.Node) Item {
	t := e.Type
	if (e.Resource || e == &untyped) && n != element.None {
		t = resourceType(d, n)
	}
	return Item{Type: t, Doc: d, Node: n, Side: side}
}
