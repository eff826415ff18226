package view

import (
	"errors"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/fhir/table"
)

// Errors of values that fit no cell.
var (
	errMany    = errors.New("it leads to several values, and the column is no collection")
	errComplex = errors.New("it leads to an element that is no primitive")
)

// cell sets a cell to what a column holds for an item.
func (r *runner) cell(to *table.Cell, c *column, item fhirpath.Item, env *fhirpath.Env) error {
	done, err := false, error(nil)
	if t := c.trail; t != nil && item.Type == t.This() && item.Node != element.None && t.Follow(&r.walk, item.Doc, item.Node) {
		done, err = true, r.follow(to, c, item.Doc)
	}
	if !done {
		var found fhirpath.Collection
		if found, err = eval(c.path, item, env); err == nil {
			*to, err = cellOf(found, c)
		}
	}
	if err != nil {
		return unfit(columnAt(c.Name)+".path", err)
	}
	return nil
}

// follow sets a cell to where the trail of its column has led.
func (r *runner) follow(to *table.Cell, c *column, d *element.Doc) error {
	if c.Collection {
		to.Kind = table.List
		to.List = r.take(len(r.walk.Found))[:0]
	}
	for _, n := range r.walk.Found {
		var one table.Cell
		if key, made := c.trail.Key(d, n); made {
			if key == "" {
				continue
			}
			one = table.Cell{Kind: table.String, Text: key}
		} else if err := r.value(&one, c.trail.Type(), d, n); err != nil {
			return err
		}
		switch {
		case c.Collection:
			to.List = append(to.List, one)
		case to.Kind != table.Null:
			return errMany
		default:
			*to = one
		}
	}
	return nil
}

// value sets a cell to a primitive element of a type.
func (r *runner) value(to *table.Cell, typ *spec.Type, d *element.Doc, n element.Node) error {
	if typ.Kind != spec.Primitive {
		return errComplex
	}
	switch d.Kind(n) {
	case element.True, element.False:
		to.Kind = table.Boolean
	case element.Number:
		to.Kind = table.Number
	case element.String:
		to.Kind = table.String
	default:
		return errComplex
	}
	to.Text = r.textOf(d, n)
	return nil
}

// mostText is how long a resource is at most of which the cells share one copy.
const mostText = 8 << 10

// textOf is the text of a primitive: cut out of a copy of the whole resource, which costs
// less than a copy for each cell.
func (r *runner) textOf(d *element.Doc, n element.Node) string {
	b := d.Bytes(n)
	if d != r.doc || len(d.Source()) > mostText {
		return string(b)
	}
	start, end := d.Span(n)
	if d.Kind(n) == element.String {
		start, end = start+1, end-1
	}
	if end-start != len(b) { // there are escapes in it
		return string(b)
	}
	if r.text == "" {
		r.text = string(d.Source())
	}
	return r.text[start:end]
}

// cellOf returns what a column holds of what its path found.
func cellOf(found fhirpath.Collection, c *column) (table.Cell, error) {
	if c.Collection {
		list := table.Cell{Kind: table.List, List: make([]table.Cell, 0, len(found))}
		for _, i := range found {
			cell, err := valueOf(i)
			if err != nil {
				return table.Cell{}, err
			}
			list.List = append(list.List, cell)
		}
		return list, nil
	}
	switch len(found) {
	case 0:
		return table.Cell{}, nil
	case 1:
		return valueOf(found[0])
	}
	return table.Cell{}, errMany
}

// valueOf returns a primitive, or a computed value.
func valueOf(i fhirpath.Item) (table.Cell, error) {
	if i.IsElement() {
		if i.Type != nil && i.Type.Kind != spec.Primitive {
			return table.Cell{}, errComplex
		}
		if i.Node == element.None {
			return table.Cell{}, nil // extensions alone
		}
		switch i.Doc.Kind(i.Node) {
		case element.True, element.False:
			return table.Cell{Kind: table.Boolean, Text: i.Doc.Text(i.Node)}, nil
		case element.Number:
			return table.Cell{Kind: table.Number, Text: i.Doc.Text(i.Node)}, nil
		case element.String:
			return table.Cell{Kind: table.String, Text: i.Doc.Text(i.Node)}, nil
		}
		return table.Cell{}, errComplex
	}
	switch v := i.System().(type) {
	case nil:
		return table.Cell{}, nil
	case fhirpath.Boolean:
		return table.Cell{Kind: table.Boolean, Text: v.String()}, nil
	case fhirpath.Integer, fhirpath.Decimal:
		return table.Cell{Kind: table.Number, Text: v.String()}, nil
	default:
		return table.Cell{Kind: table.String, Text: v.String()}, nil
	}
}
