package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// order is the order of a page: the keys of the query's sort, then the row key.
//
// A first key that is a search parameter splits the result in two. Resources
// that have a value come first, those without one follow, by the further keys.
// from says in which part the page begins.
//
// See https://hl7.org/fhir/R4/search.html#sort.
type order struct {
	keys []key
	from *Position
}

// key is one key of the order.
type key struct {
	search.Sort
	kind   keyKind
	table  string // of values, or ""
	column string // "lo", "id"
}

type keyKind uint8

const (
	columnKey    keyKind = iota // a column of resource
	valueKey                    // the first or last of the values of a table
	wordKey                     // what a token says, in the dictionary
	referenceKey                // the type and id of a target
)

func newOrder(sorts []search.Sort, from *Position) (*order, error) {
	o := &order{from: from}
	for _, s := range sorts {
		k := key{Sort: s, kind: valueKey}
		switch {
		case s.Param == nil && s.Field == "_id":
			k.kind, k.column = columnKey, "id"
		case s.Param == nil && s.Field == "_lastUpdated":
			k.kind, k.column = columnKey, "updated"
		case s.Param == nil:
			return nil, fhir.Errorf(fhir.NotSupported, "sorting by %s is not supported", s.Field)
		case s.Param.Type == spec.Date:
			k.table, k.column = "date_value", "lo"
		case s.Param.Type == spec.Number || s.Param.Type == spec.Quantity:
			k.table, k.column = "number_value", "value"
		case s.Param.Type == spec.String:
			k.table, k.column = "string_value", "folded"
		case s.Param.Type == spec.Token || s.Param.Type == spec.URI:
			k.kind = wordKey
		case s.Param.Type == spec.Reference:
			k.kind = referenceKey
		default:
			return nil, fhir.Errorf(fhir.NotSupported, "sorting by a %s parameter is not supported", s.Param.Type)
		}
		o.keys = append(o.keys, k)
	}
	if from != nil && !from.fits(o) {
		return nil, errBadPosition
	}
	return o, nil
}

// split reports whether the first key is a search parameter, which a resource may have no value for.
func (o *order) split() bool { return len(o.keys) > 0 && o.keys[0].kind != columnKey }

// missing reports whether the page is of resources without a value for the first key.
func (o *order) missing() bool { return o.from != nil && o.from.Missing }

// descending is the direction of the first key, which the row key follows so
// that one index serves both.
func (o *order) descending() bool { return len(o.keys) > 0 && o.keys[0].Desc }

// first is the first key that the page is still ordered by.
func (o *order) first() int {
	if o.missing() {
		return 1
	}
	return 0
}

// left returns the keys that the page is still ordered by.
func (o *order) left() []key { return o.keys[o.first():] }

// walkable reports whether an index has the order, of a search of one type.
func (o *order) walkable(typ string) bool {
	if len(o.left()) == 0 {
		return true
	}
	switch k := &o.keys[0]; {
	case o.missing():
		return false
	case k.kind == columnKey:
		return typ != ""
	default:
		return k.kind == valueKey || k.kind == wordKey
	}
}

// beyond compares what comes after, in a direction.
func beyond(descending bool) string {
	if descending {
		return " < "
	}
	return " > "
}

func direction(descending bool) string {
	if descending {
		return " DESC"
	}
	return ""
}

// marked appends that a row k of values is the one to sort by.
func (k *key) marked(s *index.SQL) {
	bit := index.MarkFirst
	if k.Desc {
		bit = index.MarkLast
	}
	s.Add("k.param = ").Param(k.Param.ID).Add(" AND k.mark & ", strconv.Itoa(int(bit)), " <> 0")
}

// value appends the value that a resource is sorted by: null if it has none.
func (k *key) value(w *where) {
	switch k.kind {
	case columnKey:
		w.Add(w.Row, ".", k.column)
	case valueKey:
		w.Add("(SELECT k.", k.column, " FROM ", k.table, " k WHERE k.rkey = ", w.Key, " AND ")
		k.marked(w.SQL)
		w.Add(" LIMIT 1)")
	case wordKey:
		w.Add("(SELECT k.text FROM word k WHERE k.posting ")
		w.AmongPostings()
		w.Add(" AND k.param = ").Param(k.Param.ID).Add(" AND k.kind = ").Int(int64(search.CodeWord))
		w.Add(" ORDER BY k.text || ''", direction(k.Desc), " LIMIT 1)") // found by posting, not in the order of the text
	case referenceKey:
		w.Add("(SELECT (1000 + t.type) || '/' || t.id FROM ") // types are numbered by their names
		w.Targets(k.Param.ID)
		w.Resource("t", "l.rkey")
		w.Add(" ORDER BY 1", direction(k.Desc), " LIMIT 1)")
	}
}

// foremost appends that the word of a walked row is the one that its resource is
// sorted by: of several it has, the first in the order.
func (k *key) foremost(w *where) {
	w.Add("NOT EXISTS (SELECT 1 FROM word k WHERE k.posting ")
	w.AmongPostings()
	w.Add(" AND k.param = ").Param(k.Param.ID).Add(" AND k.kind = ").Int(int64(search.CodeWord))
	// found by posting, not by going through all words that come first
	w.Add(" AND (k.text || ''", beyond(!k.Desc), "a.key0 OR k.text || '' = a.key0 AND k.posting < a.posting)").Fence().Add(")")
}

// none appends that a resource has no value to sort by.
func (k *key) none(w *where) {
	if k.kind != valueKey {
		k.value(w)
		w.Add(" IS NULL")
		return
	}
	w.Add("NOT EXISTS (SELECT 1 FROM ", k.table, " k WHERE k.rkey = ", w.Key, " AND ")
	k.marked(w.SQL)
	w.Fence().Add(")")
}

// nullable reports whether key i may be null on a page that is sorted as a whole, or walked.
func (o *order) nullable(i int, walked bool) bool {
	return o.keys[i].kind != columnKey && !(walked && i == 0)
}

// after appends that a row follows the position, comparing from key i on. column
// appends a key.
func (o *order) after(w *where, i int, walked bool, column func(i int), rkey string) {
	if i == len(o.keys) {
		w.Add(rkey, beyond(o.descending())).Int(o.from.Rkey)
		return
	}
	k, v := &o.keys[i], o.from.Keys[i]
	if v == nil {
		w.Add("(")
		column(i)
		w.Add(" IS NULL AND ")
		o.after(w, i+1, walked, column, rkey)
		w.Add(")")
		return
	}
	w.Add("(")
	column(i)
	w.Add(beyond(k.Desc)).Arg(v)
	if o.nullable(i, walked) {
		w.Add(" OR ")
		column(i)
		w.Add(" IS NULL")
	}
	w.Add(" OR ")
	column(i)
	w.Add(" = ").Arg(v).Add(" AND ")
	o.after(w, i+1, walked, column, rkey)
	w.Add(")")
}

// by returns an ORDER BY of the columns key0, key1 and so on, after the prefix.
func (o *order) by(alias string, walked bool) string {
	var b strings.Builder
	for i := o.first(); i < len(o.keys); i++ {
		b.WriteString(alias + "key" + strconv.Itoa(i) + direction(o.keys[i].Desc))
		if o.nullable(i, walked) {
			b.WriteString(" NULLS LAST")
		}
		b.WriteString(", ")
	}
	b.WriteString(alias + "rkey" + direction(o.descending()))
	return b.String()
}

// names returns the columns of the keys, each after the prefix.
func (o *order) names(prefix string) string {
	var b strings.Builder
	for i := range o.keys {
		b.WriteString(", " + prefix + "key" + strconv.Itoa(i))
	}
	return b.String()
}

// fits reports whether v is of the kind that the key has.
func (k *key) fits(v any) bool {
	switch v := v.(type) {
	case int64:
		return k.table == "date_value" || k.column == "updated"
	case float64:
		return k.table == "number_value"
	case string:
		return len(v) <= 4096 && (k.table == "string_value" || k.column == "id" || slices.Contains([]keyKind{wordKey, referenceKey}, k.kind))
	}
	return false
}
