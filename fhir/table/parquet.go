package table

import (
	"io"
	"reflect"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/amate-health/amate/fhir"
)

// Parquet writes files that DuckDB, Spark and pandas read. Every column may be null, and
// a collection is a LIST. Types follow those of FHIR:
//
//	boolean                             BOOLEAN
//	integer, positiveInt, unsignedInt   INT32
//	integer64, and computed integers    INT64
//	decimal                             DECIMAL(38,12), for FHIR forbids binary fractions
//	instant                             TIMESTAMP in microseconds of UTC
//	all else                            STRING
//
// A date and a dateTime stay text, for both may lack their day or month, and text of them
// sorts as they do. Decimals are rounded to 12 places; who needs the digits as they were
// written asks for toString(). What a column says about itself stands in the key-value
// metadata of the file, under description.NAME. Rows are held until 32 MB of text or 65,536
// of them make a row group.
//
// See https://parquet.apache.org/docs/file-format/types/logicaltypes/ and
// https://hl7.org/fhir/R4/datatypes.html#decimal.
var Parquet = &Format{Code: "parquet", Media: "application/vnd.apache.parquet", Ext: ".parquet", open: openParquet}

// Bounds of a row group, and of the memory of all pages that are being filled.
const (
	groupRows  = 65_536
	groupBytes = 32 << 20
	pageBytes  = 8 << 20
)

// dictionaryBytes is how large a dictionary becomes: one that is larger gets no smaller than
// the values, and is given up. Whether it is, is looked at when a page ends, and a page of
// references to it would have room for a whole group: so it ends after as much text.
const dictionaryBytes = 1 << 20

// Digits of a DECIMAL.
const (
	precision = 38
	scale     = 12
)

// codec compresses pages. All files share it, for what compresses holds some megabytes.
var codec = &zstd.Codec{Level: zstd.SpeedFastest}

// Grouped is a Writer that holds rows until there are enough of them for a group.
type Grouped interface {
	Writer
	// Held returns how many bytes the rows had that are held.
	Held() int
	// Flush writes them as a group.
	Flush() error
}

// rowGroups writes Parquet.
type rowGroups struct {
	w       *parquet.GenericWriter[any]
	columns []Column
	kinds   []parquetKind
	row     parquet.Row
	rows    int
	bytes   int
	text    []byte // of the row
	page    []int  // bytes of text that the page of each column has
}

func openParquet(w io.Writer, columns []Column, _ Options) (Writer, error) {
	p := &rowGroups{columns: columns, page: make([]int, len(columns))}
	root := record{}
	options := []parquet.WriterOption{
		parquet.Compression(codec),
		parquet.CreatedBy("amate", "", ""),
		parquet.PageBufferSize(min(max(pageBytes/max(len(columns), 1), 4<<10), 256<<10)),
		parquet.DictionaryMaxBytes(dictionaryBytes),
	}
	for i := range columns {
		c := &columns[i]
		kind := kindOf(c.Type)
		p.kinds = append(p.kinds, kind)
		value := kind.node()
		if kind == text && c.Unique {
			value = parquet.String()
		}
		node := parquet.Optional(value)
		if c.Collection {
			node = parquet.Optional(parquet.List(node))
		}
		root.fields = append(root.fields, field{node, c.Name})
		if c.Description != "" {
			options = append(options, parquet.KeyValueMetadata("description."+c.Name, c.Description))
		}
		if c.Type != "" {
			options = append(options, parquet.KeyValueMetadata("type."+c.Name, c.Type))
		}
	}
	p.w = parquet.NewGenericWriter[any](w, append(options, parquet.NewSchema("table", root))...)
	return p, nil
}

// Write puts a row into the row group.
func (p *rowGroups) Write(row []Cell) error {
	p.row, p.text = p.row[:0], p.text[:0]
	for i := range row {
		if err := p.cell(i, &row[i]); err != nil {
			return err
		}
	}
	if _, err := p.w.WriteRows([]parquet.Row{p.row}); err != nil {
		return err
	}
	for i, n := range p.page {
		if n < dictionaryBytes {
			continue
		}
		if err := p.w.ColumnWriters()[i].Flush(); err != nil {
			return err
		}
		p.page[i] = 0
	}
	p.rows++
	p.bytes += len(p.text) + len(p.row)
	if p.rows < groupRows && p.bytes < groupBytes {
		return nil
	}
	return p.Flush()
}

// Held implements Grouped.
func (p *rowGroups) Held() int { return p.bytes }

// Flush implements Grouped.
func (p *rowGroups) Flush() error {
	p.rows, p.bytes = 0, 0
	clear(p.page)
	return p.w.Flush()
}

// cell appends the values of a cell, with the levels that say what is null: of a list, 0 is
// no list, 1 an empty one, 2 a null within, 3 a value.
//
// See https://parquet.apache.org/docs/file-format/nestedencoding/.
func (p *rowGroups) cell(i int, c *Cell) error {
	if !p.columns[i].Collection {
		v, err := p.value(i, c)
		if err != nil {
			return err
		}
		p.row = append(p.row, v.Level(0, present(v, 0), i))
		return nil
	}
	if c.Kind != List || len(c.List) == 0 {
		level := 0
		if c.Kind == List {
			level = 1
		}
		p.row = append(p.row, parquet.NullValue().Level(0, level, i))
		return nil
	}
	for j := range c.List {
		v, err := p.value(i, &c.List[j])
		if err != nil {
			return err
		}
		p.row = append(p.row, v.Level(min(j, 1), present(v, 2), i))
	}
	return nil
}

// present is the definition level of a value, which is one more than that of a null.
func present(v parquet.Value, null int) int {
	if v.IsNull() {
		return null
	}
	return null + 1
}

func (p *rowGroups) value(i int, c *Cell) (parquet.Value, error) {
	if c.Kind == Null {
		return parquet.NullValue(), nil
	}
	if p.kinds[i] == text {
		from := len(p.text)
		if c.Kind == List {
			p.text = c.AppendJSON(p.text)
		} else {
			p.text = append(p.text, c.Text...)
		}
		p.page[i] += len(p.text) - from
		return parquet.ByteArrayValue(p.text[from:len(p.text):len(p.text)]), nil
	}
	v, ok := p.kinds[i].value(c.Text)
	if !ok || c.Kind == List {
		return v, fhir.Errorf(fhir.Unprocessable, "the values of the column %s are not all of its type, which is %s", p.columns[i].Name, p.columns[i].Type)
	}
	return v, nil
}

// Close writes the last row group, and the index of the file.
func (p *rowGroups) Close() error { return p.w.Close() }

// parquetKind is how the values of a column are held.
type parquetKind uint8

const (
	text parquetKind = iota
	boolean
	int32s
	int64s
	decimals
	instants
)

func kindOf(typ string) parquetKind {
	switch typ {
	case "boolean", "Boolean":
		return boolean
	case "integer", "positiveInt", "unsignedInt":
		return int32s
	case "integer64", "Integer", "Long":
		return int64s
	case "decimal", "Decimal":
		return decimals
	case "instant":
		return instants
	}
	return text
}

func (k parquetKind) node() parquet.Node {
	switch k {
	case boolean:
		return parquet.Leaf(parquet.BooleanType)
	case int32s:
		return parquet.Int(32)
	case int64s:
		return parquet.Int(64)
	case decimals:
		return parquet.Decimal(scale, precision, parquet.FixedLenByteArrayType(16))
	case instants:
		return parquet.Timestamp(parquet.Microsecond)
	}
	return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
}

// value reads what is not text.
func (k parquetKind) value(s string) (parquet.Value, bool) {
	switch k {
	case boolean:
		return parquet.BooleanValue(s == "true"), s == "true" || s == "false"
	case int32s:
		n, err := strconv.ParseInt(s, 10, 32)
		return parquet.Int32Value(int32(n)), err == nil
	case int64s:
		n, err := strconv.ParseInt(s, 10, 64)
		return parquet.Int64Value(n), err == nil
	case decimals:
		b, ok := unscaled(s)
		return parquet.FixedLenByteArrayValue(b), ok
	case instants:
		t, err := time.Parse(time.RFC3339Nano, s)
		return parquet.Int64Value(t.UnixMicro()), err == nil
	}
	return parquet.Value{}, false
}

// record is a group whose fields stand in the order of the columns. parquet.Group sorts them.
type record struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (r record) Fields() []parquet.Field { return r.fields }

// GoType implements parquet.Node. Rows are written as values, so nothing is made of it.
func (r record) GoType() reflect.Type { return reflect.TypeFor[struct{}]() }

// field is one of a record.
type field struct {
	parquet.Node
	name string
}

// Name implements parquet.Field.
func (f field) Name() string { return f.name }

// Value implements parquet.Field.
func (f field) Value(base reflect.Value) reflect.Value { return base.FieldByName(f.name) }
