package postgres

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgconn"
)

// fields reads one row in binary form, column by column. A value of the wrong
// length shows in bad, which is asked once at the end.
type fields struct {
	values [][]byte
	at     int
	bad    bool
}

func (f *fields) next(length int) []byte {
	v := f.values[f.at]
	f.at++
	if len(v) != length {
		f.bad = true
		return make([]byte, length)
	}
	return v
}

func (f *fields) int64() int64 { return int64(binary.BigEndian.Uint64(f.next(8))) }
func (f *fields) int32() int32 { return int32(binary.BigEndian.Uint32(f.next(4))) }
func (f *fields) int16() int16 { return int16(binary.BigEndian.Uint16(f.next(2))) }
func (f *fields) bool() bool   { return f.next(1)[0] != 0 }

func (f *fields) float() float64 { return math.Float64frombits(binary.BigEndian.Uint64(f.next(8))) }

func (f *fields) text() string {
	f.at++
	return string(f.values[f.at-1])
}

// bytes returns a copy; nil for null.
func (f *fields) bytes() []byte {
	f.at++
	if v := f.values[f.at-1]; v != nil {
		return append(make([]byte, 0, len(v)), v...)
	}
	return nil
}

// isNull reports whether the next field is null.
func (f *fields) isNull() bool { return f.values[f.at] == nil }

// nullable reads a bigint, 0 for null.
func (f *fields) nullable() int64 {
	if f.isNull() {
		f.skip()
		return 0
	}
	return f.int64()
}

// skip passes over a field.
func (f *fields) skip() { f.at++ }

// array returns the elements of an array, none for null.
func (f *fields) array() [][]byte {
	f.at++
	b := f.values[f.at-1]
	if len(b) < 20 {
		return nil // null or empty
	}
	n := int(binary.BigEndian.Uint32(b[12:]))
	return f.elements(b[20:], n, 0)
}

// record returns the fields of a row value.
func (f *fields) record(b []byte) *fields {
	if len(b) < 4 {
		f.bad = true
		return &fields{}
	}
	return &fields{values: f.elements(b[4:], int(binary.BigEndian.Uint32(b)), 4)}
}

// elements reads n values, each after its length and, before that, header bytes.
func (f *fields) elements(b []byte, n, header int) [][]byte {
	if n < 0 || n > len(b) {
		f.bad = true
		return nil
	}
	out := make([][]byte, n)
	for i := range out {
		if len(b) < header+4 {
			f.bad = true
			return nil
		}
		length := int(int32(binary.BigEndian.Uint32(b[header:])))
		b = b[header+4:]
		if length < 0 {
			continue
		}
		if length > len(b) {
			f.bad = true
			return nil
		}
		out[i], b = b[:length:length], b[length:]
	}
	return out
}

func (f *fields) int64s() []int64 {
	elements := f.array()
	out := make([]int64, len(elements))
	for i, e := range elements {
		if len(e) != 8 {
			f.bad = true
			return nil
		}
		out[i] = int64(binary.BigEndian.Uint64(e))
	}
	return out
}

func (f *fields) err() error {
	if f.bad {
		return fmt.Errorf("a column has another form than expected")
	}
	return nil
}

// ordered reads a key of an order, whose type the statement decides.
func (f *fields) ordered(d pgconn.FieldDescription) any {
	if f.isNull() {
		f.skip()
		return nil
	}
	switch d.DataTypeOID {
	case oidInt8:
		return f.int64()
	case oidFloat8:
		return f.float()
	}
	return f.text()
}
