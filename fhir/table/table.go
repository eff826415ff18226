// Package table writes tables: rows of cells under named columns, as JSON, lines of
// JSON, CSV or Parquet, one row after the other, so that a table of any length takes
// the memory of a few rows.
package table

import (
	"io"
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Column is a column of a table.
type Column struct {
	Name        string
	Type        string // FHIR type of its values, such as "date"; "" when it is not said
	Description string // for the data dictionary
	Collection  bool   // values are lists
	Unique      bool   // hardly a value comes twice, so that no list of those that there are is kept
}

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

// Writer takes the rows of one table, by one goroutine.
type Writer interface {
	// Write writes a row: a cell for each column. It keeps nothing of it.
	Write(row []Cell) error
	// Close writes what is left. It does not close what it writes to.
	Close() error
}

// Format is a way to write tables.
type Format struct {
	Code  string // "csv", as _format has it
	Media string // "text/csv"
	Ext   string // of file names, ".csv"

	open func(w io.Writer, columns []Column, o Options) (Writer, error)
}

// Options of a Writer.
type Options struct {
	NoHeader bool // of CSV: without the line of names
}

// Open returns a Writer of f.
func (f *Format) Open(w io.Writer, columns []Column, o Options) (Writer, error) {
	return f.open(w, columns, o)
}

// The formats.
var (
	JSON   = &Format{Code: "json", Media: "application/json", Ext: ".json", open: openJSON}
	NDJSON = &Format{Code: "ndjson", Media: "application/ndjson", Ext: ".ndjson", open: openNDJSON}
	CSV    = &Format{Code: "csv", Media: "text/csv", Ext: ".csv", open: openCSV}
)

// Formats returns all of them.
func Formats() []*Format { return []*Format{JSON, NDJSON, CSV, Parquet} }

// Media returns the media types under which tables can be asked for.
func Media() []string {
	var all []string
	for _, f := range Formats() {
		all = append(all, f.Media)
	}
	return append(all, slices.Sorted(maps.Keys(alias))...)
}

// Media types that mean one of the formats, too.
var alias = map[string]*Format{
	"application/x-ndjson":  NDJSON,
	"application/x-parquet": Parquet,
	"application/parquet":   Parquet,
}

// FormatOf returns the format of a code or media type.
// Errors: fhir.Invalid.
func FormatOf(name string) (*Format, error) {
	for _, f := range Formats() {
		if f.Code == name || f.Media == name {
			return f, nil
		}
	}
	if f := alias[name]; f != nil {
		return f, nil
	}
	return nil, fhir.Errorf(fhir.Invalid, "tables are written as json, ndjson, csv or parquet").With("%.40q", name)
}
