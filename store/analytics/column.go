package analytics

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/table"
)

// keyColumn is the column by which the rows of a resource are replaced. No view shows it.
const keyColumn = "amate_key"

// numberColumn numbers the rows of a resource, in SQLite. No view shows it.
const numberColumn = "amate_number"

// kind is what a column holds in a database.
type kind uint8

const (
	textKind    kind = iota // also dates: they may be of a month or a year alone, and sort as text
	booleanKind             //
	integerKind             //
	decimalKind             //
	listKind                // JSON
)

// kindOf returns what a column holds, by the type of its values in FHIR.
func kindOf(c *table.Column) kind {
	if c.Collection {
		return listKind
	}
	switch c.Type {
	case "boolean", "Boolean":
		return booleanKind
	case "integer", "positiveInt", "unsignedInt", "integer64", "Integer", "Long":
		return integerKind
	case "decimal", "Decimal":
		return decimalKind
	}
	return textKind
}

// fits reports whether a cell can stand in a column. One that cannot is left out: the type
// that a view states of a column is a promise that no FHIRPath expression is held to.
func fits(c *table.Cell, k kind) bool {
	switch k {
	case booleanKind:
		return c.Kind == table.Boolean
	case integerKind:
		_, err := strconv.ParseInt(c.Text, 10, 64)
		return c.Kind == table.Number && err == nil
	case decimalKind:
		return c.Kind == table.Number
	}
	return c.Kind != table.Null
}

// textOf returns a cell of a column of texts or lists.
func textOf(c *table.Cell, k kind) string {
	if k == listKind || c.Kind == table.List {
		return string(c.AppendJSON(nil))
	}
	return c.Text
}

// entries returns the lines of the data dictionary about a table.
func (t *Table) entries(sql func(kind) string) []Entry {
	all := []Entry{{Table: t.Name, FHIR: t.Resource, Description: t.Description}}
	for i := range t.Columns {
		c := &t.Columns[i]
		typ := c.Type
		if c.Collection {
			typ += "[]"
		}
		all = append(all, Entry{Table: t.Name, Column: c.Name, Position: i + 1, SQL: sql(kindOf(c)), FHIR: typ, Description: c.Description})
	}
	return all
}

// listCell returns a list that a database keeps as JSON; the JSON itself where it is
// something else.
func listCell(text string) (table.Cell, error) {
	whole := table.Cell{Kind: table.String, Text: text}
	d, err := element.Parse([]byte(`{"v":` + text + `}`))
	if err != nil {
		return whole, nil
	}
	list := d.Get(0, "v")
	if d.Kind(list) != element.Array {
		return whole, nil
	}
	out := table.Cell{Kind: table.List}
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		switch d.Kind(n) {
		case element.String:
			out.List = append(out.List, table.Cell{Kind: table.String, Text: d.Text(n)})
		case element.Number:
			out.List = append(out.List, table.Cell{Kind: table.Number, Text: d.Text(n)})
		case element.True, element.False:
			out.List = append(out.List, table.Cell{Kind: table.Boolean, Text: d.Text(n)})
		case element.Array, element.Object:
			return whole, nil
		default:
			out.List = append(out.List, table.Cell{})
		}
	}
	return out, nil
}
