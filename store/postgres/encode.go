package postgres

import (
	"encoding/binary"
	"math"
)

// Object identifiers of the types used here.
const (
	oidBool   = 16
	oidBytea  = 17
	oidInt8   = 20
	oidInt2   = 21
	oidInt4   = 23
	oidText   = 25
	oidFloat8 = 701
)

// encoder writes rows in PostgreSQL's binary form: for COPY all into one buffer,
// for arrays each column into its own. A field looks the same in both.
type encoder struct {
	columns [][]byte
	copying bool
	next    int // column of the next field
	rows    int
}

// copySignature begins a binary COPY.
//
// See https://www.postgresql.org/docs/15/sql-copy.html.
const copySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func newArrays(columns int) *encoder { return &encoder{columns: make([][]byte, columns)} }

func newCopy() *encoder {
	return &encoder{columns: [][]byte{[]byte(copySignature)}, copying: true}
}

// row begins a row of n fields.
func (e *encoder) row(n int) {
	e.rows++
	e.next = 0
	if e.copying {
		e.columns[0] = binary.BigEndian.AppendUint16(e.columns[0], uint16(n))
	}
}

// field appends the length of the next field and returns the buffer that the rest goes to.
func (e *encoder) field(length int) *[]byte {
	column := &e.columns[0]
	if !e.copying {
		column = &e.columns[e.next]
	}
	e.next++
	*column = binary.BigEndian.AppendUint32(*column, uint32(int32(length)))
	return column
}

func (e *encoder) null() { e.field(-1) }

func (e *encoder) int64(v int64) {
	b := e.field(8)
	*b = binary.BigEndian.AppendUint64(*b, uint64(v))
}

func (e *encoder) int32(v int32) {
	b := e.field(4)
	*b = binary.BigEndian.AppendUint32(*b, uint32(v))
}

func (e *encoder) int16(v int16) {
	b := e.field(2)
	*b = binary.BigEndian.AppendUint16(*b, uint16(v))
}

func (e *encoder) bool(v bool) {
	b := e.field(1)
	*b = append(*b, boolByte(v))
}

func (e *encoder) float(v float64) {
	b := e.field(8)
	*b = binary.BigEndian.AppendUint64(*b, math.Float64bits(v))
}

func (e *encoder) text(v string) {
	b := e.field(len(v))
	*b = append(*b, v...)
}

func (e *encoder) bytes(v []byte) {
	b := e.field(len(v))
	*b = append(*b, v...)
}

// int64s writes an array as one field.
func (e *encoder) int64s(v []int64) {
	b := e.field(arraySize(len(v)))
	*b = appendInt64s(*b, v)
}

// arrays returns each column as an array of its type.
func (e *encoder) arrays(oids ...uint32) [][]byte {
	out := make([][]byte, len(e.columns))
	for i, column := range e.columns {
		out[i] = append(appendArrayHeader(make([]byte, 0, 20+len(column)), oids[i], e.rows), column...)
	}
	return out
}

// copied returns the data of a COPY.
func (e *encoder) copied() []byte {
	return binary.BigEndian.AppendUint16(e.columns[0], math.MaxUint16)
}

// appendArrayHeader begins an array of n elements, which may be null.
func appendArrayHeader(b []byte, oid uint32, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, 1) // dimensions
	b = binary.BigEndian.AppendUint32(b, 1) // may hold nulls
	b = binary.BigEndian.AppendUint32(b, oid)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	return binary.BigEndian.AppendUint32(b, 1) // index of the first
}

// arraySize is the length of an array of n bigints. An empty one has no dimensions.
func arraySize(n int) int {
	if n == 0 {
		return 12
	}
	return 20 + 12*n
}

func appendInt64s(b []byte, v []int64) []byte {
	if len(v) == 0 {
		b = binary.BigEndian.AppendUint64(b, 0)
		return binary.BigEndian.AppendUint32(b, oidInt8)
	}
	b = appendArrayHeader(b, oidInt8, len(v))
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func appendTexts(b []byte, v []string) []byte {
	b = appendArrayHeader(b, oidText, len(v))
	for _, s := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

func int64Bytes(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func int32Bytes(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func int16Bytes(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// encodeArgs writes the arguments of a compiled statement.
func encodeArgs(args []any) [][]byte {
	out := make([][]byte, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case int64:
			out[i] = int64Bytes(arg)
		case float64:
			out[i] = int64Bytes(int64(math.Float64bits(arg)))
		case string:
			out[i] = []byte(arg)
		case []int64:
			out[i] = appendInt64s(make([]byte, 0, arraySize(len(arg))), arg)
		case []string:
			out[i] = appendTexts(nil, arg)
		}
	}
	return out
}
