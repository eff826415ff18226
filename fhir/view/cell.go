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
