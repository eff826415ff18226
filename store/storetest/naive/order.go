package naive

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Key is one key of an order.
type Key struct {
	Param *Param // nil for the two below
	Field string // _id or _lastUpdated
	Desc  bool
}

// String returns k as it stands in _sort.
func (k Key) String() string {
	code := k.Field
	if k.Param != nil {
		code = k.Param.Code
	}
	if k.Desc {
		return "-" + code
	}
	return code
}

// OutOfOrder returns the place of the first resource that may not stand behind the
// one before it; -1 when all do. Resources without a value come last either way.
//
// See https://hl7.org/fhir/R4/search.html#sort.
func (w *World) OutOfOrder(keys []Key, list []*Resource) int {
	for i := 1; i < len(list); i++ {
		for _, k := range keys {
			c := w.compare(k, list[i-1], list[i])
			if c > 0 {
				return i
			}
			if c < 0 {
				break
			}
		}
	}
	return -1
}

// compare tells which of two resources comes first by k.
func (w *World) compare(k Key, a, b *Resource) int {
	switch {
	case k.Field == "_id":
		return turned(k, strings.Compare(a.ID, b.ID))
	case k.Field == "_lastUpdated":
		return turned(k, cmp.Compare(a.Updated, b.Updated))
	}
	x, okX := w.first(k, a)
	y, okY := w.first(k, b)
	switch {
	case !okX && !okY:
		return 0
	case !okX:
		return 1
	case !okY:
		return -1
	}
	return turned(k, compareKeys(x, y))
}

func turned(k Key, c int) int {
	if k.Desc {
		return -c
	}
	return c
}

// first is the value of r that comes first in the order of k.
func (w *World) first(k Key, r *Resource) (any, bool) {
	var keys []any
	for _, v := range w.values(r, k.Param) {
		if key := sortKey(v); key != nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, false
	}
	return slices.MinFunc(keys, func(a, b any) int { return turned(k, compareKeys(a, b)) }), true
}

// sortKey is what an order compares of a value: text, a number, or a time, which is
// the beginning of a period. nil when there is nothing to compare.
func sortKey(v value) any {
	switch v := v.(type) {
	case dateValue:
		return v.lo
	case stringValue:
		return fold(v.text)
	case numberValue:
		if v.lo == nil {
			return v.hi
		}
		return v.lo
	case tokenValue:
		if v.code != "" {
			return v.code
		}
	case uriValue:
		return v.text
	case referenceValue:
		if v.local != "" { // what leads elsewhere has no place
			return v.local
		}
	}
	return nil
}

func compareKeys(a, b any) int {
	switch a := a.(type) {
	case int64:
		b := b.(int64)
		if a == math.MinInt64 && b == math.MinInt64 {
			return 0
		}
		return cmp.Compare(a, b)
	case *big.Rat:
		return a.Cmp(b.(*big.Rat))
	}
	return strings.Compare(a.(string), b.(string))
}
