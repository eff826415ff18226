package query

import (
	"encoding/binary"
	"math"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Position is the place of a resource in an order: where a page ended.
type Position struct {
	Missing bool  // among the resources that have no value for the first key
	Start   bool  // before the first of those
	Keys    []any // values of the keys: int64, float64, string, or nil
	Rkey    int64
}

var errBadPosition = fhir.Errorf(fhir.Invalid, "the page link does not fit this search")

// Kinds of a key within an encoded position.
const (
	kindNull byte = iota
	kindInt
	kindFloat
	kindText
)

// Append encodes p.
func (p *Position) Append(b []byte) []byte {
	var flags byte
	if p.Missing {
		flags |= 1
	}
	if p.Start {
		flags |= 2
	}
	b = append(b, flags, byte(len(p.Keys)))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Rkey))
	for _, k := range p.Keys {
		switch k := k.(type) {
		case nil:
			b = append(b, kindNull)
		case int64:
			b = binary.LittleEndian.AppendUint64(append(b, kindInt), uint64(k))
		case float64:
			b = binary.LittleEndian.AppendUint64(append(b, kindFloat), math.Float64bits(k))
		case string:
			b = binary.AppendUvarint(append(b, kindText), uint64(len(k)))
			b = append(b, k...)
		}
	}
	return b
}

// DecodePosition reads what Append wrote. Errors: fhir.Invalid.
func DecodePosition(b []byte) (*Position, error) {
	if len(b) < 10 || b[0] > 3 {
		return nil, errBadPosition
	}
	p := &Position{Missing: b[0]&1 != 0, Start: b[0]&2 != 0, Rkey: int64(binary.LittleEndian.Uint64(b[2:]))}
	n := int(b[1])
	b = b[10:]
	for range n {
		var k any
		var ok bool
		if k, b, ok = decodeKey(b); !ok {
			return nil, errBadPosition
		}
		p.Keys = append(p.Keys, k)
	}
	if len(b) > 0 {
		return nil, errBadPosition
	}
	return p, nil
}

func decodeKey(b []byte) (k any, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	kind, b := b[0], b[1:]
	switch {
	case kind == kindNull:
		return nil, b, true
	case kind == kindInt && len(b) >= 8:
		return int64(binary.LittleEndian.Uint64(b)), b[8:], true
	case kind == kindFloat && len(b) >= 8:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:], true
	case kind == kindText:
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, nil, false
		}
		return string(b[size : size+int(n)]), b[size+int(n):], true
	}
	return nil, nil, false
}

// fits reports whether p is a place in o: it has a value of the right kind for every key.
func (p *Position) fits(o *order) bool {
	if p.Start {
		return p.Missing && o.split()
	}
	if len(p.Keys) != len(o.keys) || p.Missing && !o.split() {
		return false
	}
	for i := range o.keys {
		k, v := &o.keys[i], p.Keys[i]
		if v == nil && k.kind != columnKey && (i > 0 || p.Missing) {
			continue
		}
		if !k.fits(v) {
			return false
		}
	}
	return true
}

// Rest returns where a result goes on when a page from p ran out of rows: with
// the resources that have no value for the first key. It is nil when p is among
// them already, or when the order has no such part.
func Rest(sorts []search.Sort, p *Position) *Position {
	if p != nil && p.Missing || len(sorts) == 0 || sorts[0].Param == nil {
		return nil
	}
	return &Position{Missing: true, Start: true}
}
