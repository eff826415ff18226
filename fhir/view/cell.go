package view

import (
	"errors"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// Kind is what a Cell holds.
type Kind uint8

// Kinds of cells.
const (
	Null    Kind = iota
	Boolean      // Text is true or false
	Number       // Text has its digits, as they were written
	String
	List // of a column that is a collection
)

// Cell is one value of a row.
type Cell struct {
	Kind Kind
	Text string
	List []Cell // of Kind List
}

// Errors of values that fit no cell.
var (
	errMany    = errors.New("it leads to several values, and the column is no collection")
	errComplex = errors.New("it leads to an element that is no primitive")
)

// cellOf returns what a column holds of what its path found.
func cellOf(found fhirpath.Collection, c *Column) (Cell, error) {
	if c.Collection {
		list := Cell{Kind: List, List: make([]Cell, 0, len(found))}
		for _, i := range found {
			cell, err := valueOf(i)
			if err != nil {
				return Cell{}, err
			}
			list.List = append(list.List, cell)
		}
		return list, nil
	}
	switch len(found) {
	case 0:
		return Cell{}, nil
	case 1:
		return valueOf(found[0])
	}
	return Cell{}, errMany
}

// valueOf returns a primitive, or a computed value.
func valueOf(i fhirpath.Item) (Cell, error) {
	if i.IsElement() {
		if i.Type != nil && i.Type.Kind != spec.Primitive {
			return Cell{}, errComplex
		}
		if i.Node == element.None {
			return Cell{}, nil // extensions alone
		}
		switch i.Doc.Kind(i.Node) {
		case element.True, element.False:
			return Cell{Kind: Boolean, Text: i.Doc.Text(i.Node)}, nil
		case element.Number:
			return Cell{Kind: Number, Text: i.Doc.Text(i.Node)}, nil
		case element.String:
			return Cell{Kind: String, Text: i.Doc.Text(i.Node)}, nil
		}
		return Cell{}, errComplex
	}
	switch v := i.System().(type) {
	case nil:
		return Cell{}, nil
	case fhirpath.Boolean:
		return Cell{Kind: Boolean, Text: v.String()}, nil
	case fhirpath.Integer, fhirpath.Decimal:
		return Cell{Kind: Number, Text: v.String()}, nil
	default:
		return Cell{Kind: String, Text: v.String()}, nil
	}
}

// AppendJSON appends c as JSON.
func (c *Cell) AppendJSON(b []byte) []byte {
	switch c.Kind {
	case Boolean, Number:
		return append(b, c.Text...)
	case String:
		return element.Quote(b, c.Text)
	case List:
		b = append(b, '[')
		for i := range c.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = c.List[i].AppendJSON(b)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// AppendRow appends a row as a JSON object.
func AppendRow(b []byte, columns []Column, row []Cell) []byte {
	b = append(b, '{')
	for i := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(element.Quote(b, columns[i].Name), ':')
		b = row[i].AppendJSON(b)
	}
	return append(b, '}')
}
