package query

import (
	"fmt"
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
// that have a value come first, in the order of the value's index; those without
// one follow, by the further keys. from says in which part the page begins.
//
// See https://hl7.org/fhir/R4/search.html#sort.
type order struct {
	keys []key
	from *Position
}

// key is one key of the order.
type key struct {
	search.Sort
	table  string // of values; "" for a column of resource
	column string // "k0.lo", "r.id"
}

func newOrder(sorts []search.Sort, from *Position) (*order, error) {
	o := &order{from: from}
	for i, s := range sorts {
		k := key{Sort: s}
		alias := "k" + strconv.Itoa(i)
		switch {
		case s.Param == nil && s.Field == "_id":
			k.column = "r.id"
		case s.Param == nil && s.Field == "_lastUpdated":
			k.column = "r.updated"
		case s.Param == nil:
			return nil, fhir.Errorf(fhir.NotSupported, "sorting by %s is not supported", s.Field)
		case s.Param.Type == spec.Date:
			k.table, k.column = "date_value", alias+".lo"
		case s.Param.Type == spec.Number || s.Param.Type == spec.Quantity:
			k.table, k.column = "number_value", alias+".value"
		case s.Param.Type == spec.String:
			k.table, k.column = "string_value", alias+".folded"
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

// param returns the first key's parameter when the page is of resources that have a value for it.
func (o *order) param() *spec.SearchParam {
	if len(o.keys) == 0 || o.missing() {
		return nil
	}
	return o.keys[0].Param
}

// implies reports whether a row of the first key's table can only belong to a live
// resource of type typ.
func (o *order) implies(typ string) bool { return o.param() != nil && o.param().Base == typ }

// generic reports whether all keys are columns of resource.
func (o *order) generic() bool {
	return !slices.ContainsFunc(o.keys, func(k key) bool { return k.table != "" })
}

// missing reports whether the page is of resources without a value for the first key.
func (o *order) missing() bool { return o.from != nil && o.from.Missing }

// descending is the direction of the first key, which the row key follows so
// that one index serves both.
func (o *order) descending() bool { return len(o.keys) > 0 && o.keys[0].Desc }

// columns returns the keys as columns of the inner SELECT.
func (o *order) columns() string {
	var b strings.Builder
	for i, k := range o.keys {
		column := k.column
		if i == 0 && o.missing() {
			column = "NULL"
		}
		fmt.Fprintf(&b, ", %s AS key%d", column, i)
	}
	return b.String()
}

// names returns the keys as columns of the outer SELECT.
func (o *order) names(prefix string) string {
	var b strings.Builder
	for i := range o.keys {
		fmt.Fprintf(&b, ", %skey%d", prefix, i)
	}
	return b.String()
}

// tables appends the tables of the inner SELECT. SQLite joins them as they stand.
func (o *order) tables(s *index.SQL, start start) {
	first, join := o.param(), " JOIN "
	if s.Dialect == index.SQLite {
		join = " CROSS JOIN "
	}
	switch {
	case first != nil && start.gather:
		s.Add("resource r", join, o.keys[0].table, " k0 ON k0.rkey = r.rkey")
	case first != nil:
		s.Add(o.keys[0].table, " k0", join, "resource r ON r.rkey = k0.rkey")
	case start.along != nil:
		o.streams(s, start.along)
		s.Add(" a", join, "resource r ON r.rkey = a.rkey")
	default:
		s.Add("resource r")
	}
	for i, k := range o.keys {
		if i == 0 || k.table == "" {
			continue
		}
		alias := "k" + strconv.Itoa(i)
		s.Add(" LEFT JOIN ", k.table, " ", alias, " ON ", alias, ".rkey = r.rkey AND ")
		k.marked(s, alias)
	}
}

// streams appends the rows of postings in the order of their row keys, each key once.
func (o *order) streams(s *index.SQL, postings []int64) {
	for i, p := range postings {
		s.Add([]string{"(", " UNION "}[min(i, 1)], "SELECT rkey FROM posting WHERE posting = ").Int(p)
		if o.from != nil {
			s.Add(" AND rkey > ").Int(o.from.Rkey)
		}
	}
	s.Add(" ORDER BY rkey)")
}

// marked appends that a row of values is the one to sort by.
func (k *key) marked(s *index.SQL, alias string) {
	bit := index.MarkFirst
	if k.Desc {
		bit = index.MarkLast
	}
	s.Add(alias, ".param = ").Param(k.Param.ID)
	s.Add(" AND ", alias, ".mark & ", strconv.Itoa(int(bit)), " <> 0")
}

// where appends the conditions that the order brings.
func (o *order) where(s *index.SQL, start start) {
	if o.param() != nil {
		s.Add(" AND ")
		o.keys[0].marked(s, "k0")
	}
	if o.missing() && o.keys[0].table != "" {
		s.Add(" AND NOT EXISTS (SELECT 1 FROM ", o.keys[0].table, " k0 WHERE k0.rkey = r.rkey AND ")
		o.keys[0].marked(s, "k0")
		s.Add(")")
	}
	if o.from != nil && !o.from.Start {
		s.Add(" AND ")
		o.after(s, o.first(), start)
	}
}

// first is the first key that the page is still ordered by.
func (o *order) first() int {
	if o.missing() {
		return 1
	}
	return 0
}

// after appends that a row follows the position, comparing from key i on.
func (o *order) after(s *index.SQL, i int, start start) {
	if i == len(o.keys) {
		s.Add(o.rkey(start), " ", beyond(o.descending()), " ").Int(o.from.Rkey)
		return
	}
	k, v := o.keys[i], o.from.Keys[i]
	if v == nil {
		s.Add("(", k.column, " IS NULL AND ")
		o.after(s, i+1, start)
		s.Add(")")
		return
	}
	if i == o.first() && !k.nullable(i) && !start.gather {
		// Says the same as what follows, in a form that an index can start from.
		// What gathers starts elsewhere, and must not be lured away.
		s.Add(k.column, " ", beyond(k.Desc), "= ").Arg(v).Add(" AND ")
	}
	s.Add("(", k.column, " ", beyond(k.Desc), " ").Arg(v)
	if k.nullable(i) {
		s.Add(" OR ", k.column, " IS NULL")
	}
	s.Add(" OR ", k.column, " = ").Arg(v).Add(" AND ")
	o.after(s, i+1, start)
	s.Add(")")
}

// nullable reports whether key i may be null on a page: further keys that are
// search parameters may, since the resource need not have a value.
func (k *key) nullable(i int) bool { return k.table != "" && i > 0 }

func beyond(descending bool) string {
	if descending {
		return "<"
	}
	return ">"
}

// by returns the ORDER BY of the inner SELECT. To gather, PostgreSQL is shown an
// order that no index has.
func (o *order) by(d index.Dialect, start start) string {
	follow := !start.gather || d == index.SQLite
	return o.list(func(i int) string {
		switch k := &o.keys[i]; {
		case follow:
			return k.column
		case k.table == "string_value" || k.column == "r.id":
			return k.column + " || ''"
		default:
			return k.column + " + 0"
		}
	}, o.rkey(start)+map[bool]string{false: " + 0"}[follow])
}

// rkey is the column of the row key that stands in the index which the order follows.
func (o *order) rkey(start start) string {
	switch {
	case start.along != nil:
		return "a.rkey"
	case o.param() != nil && !start.gather:
		return "k0.rkey"
	}
	return "r.rkey"
}

// outerBy returns the ORDER BY of the outer SELECT.
func (o *order) outerBy() string {
	return o.list(func(i int) string { return "p.key" + strconv.Itoa(i) }, "p.rkey")
}

func (o *order) list(column func(i int) string, rkey string) string {
	var b strings.Builder
	for i := o.first(); i < len(o.keys); i++ {
		b.WriteString(column(i))
		if o.keys[i].Desc {
			b.WriteString(" DESC")
		}
		if o.keys[i].nullable(i) {
			b.WriteString(" NULLS LAST")
		}
		b.WriteString(", ")
	}
	b.WriteString(rkey)
	if o.descending() {
		b.WriteString(" DESC")
	}
	return b.String()
}
