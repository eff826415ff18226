package query

import (
	"math"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// where writes the conditions on one resource row.
type where struct {
	index.Condition
	compiler    *Compiler
	restriction *search.Restriction
	depth       *int // of resource aliases, so that nested ones differ
	looks       int  // about how many resources the conditions are checked on; 0 for few
	counts      bool // about how many there are is asked, before consents leave any out
}

func (c *Compiler) where(row string, r *search.Restriction) *where {
	return &where{
		Condition: index.Condition{SQL: &index.SQL{Dialect: c.Dialect}, Row: row, Key: row + ".rkey", Keys: c.Keys},
		compiler:  c, restriction: r, depth: new(int),
	}
}

// separate returns a where like w that writes a statement of its own, which counts.
func (w *where) separate() *where {
	sub := w.compiler.where("r", w.restriction)
	sub.counts = true
	return sub
}

// parts returns the conditions of q that must all hold, those of its restriction
// included when it is about one type.
func (w *where) parts(q *search.Query) []search.Expr {
	return append(conjunction(q.Where), w.restrictions(q.Type)...)
}

// restrictions returns what a resource of type typ must meet to be seen.
func (w *where) restrictions(typ string) []search.Expr {
	if typ == "" || w.restriction == nil || w.restriction.Open() {
		return nil
	}
	where, _ := w.restriction.Of(typ)
	return conjunction(where)
}

// place appends that the row is a live resource of type typ, which may be implied. Of
// the restriction it appends what restrictions does not return.
func (w *where) place(typ string, implied bool) error {
	switch {
	case typ == "":
		if !implied {
			w.Add(w.Row, ".live AND ")
		}
		return w.permitted("", implied)
	case index.TypeNumber(typ) == 0:
		return fhir.Errorf(fhir.UnknownType, "%s is no resource type", typ)
	case w.restriction == nil:
		return ErrUnrestricted
	case !w.restriction.Open() && !listed(w.restriction, typ):
		w.Add("FALSE")
	case implied:
		w.Add("TRUE")
	default:
		w.Add(w.Row, ".live AND ")
		w.typeIs(typ)
	}
	return nil
}

func listed(r *search.Restriction, typ string) bool {
	_, ok := r.Of(typ)
	return ok
}

// implies reports whether e holds for live resources of type typ only. To ask for
// the type beside it would say the same twice, and the planner, which takes the
// two for independent, would expect far too few rows.
func implies(e search.Expr, typ string) bool {
	switch e := e.(type) {
	case search.Match:
		return e.Modifier != "missing" && e.Param.Base == typ
	case search.Chain:
		return e.Param.Base == typ
	case search.Or:
		return len(e) > 0 && !slices.ContainsFunc(e, func(part search.Expr) bool { return !implies(part, typ) })
	case search.And:
		return slices.ContainsFunc(e, func(part search.Expr) bool { return implies(part, typ) })
	}
	return false
}

// visible appends that the row is a live resource of type typ ("" for any) that
// the restriction shows. implied says that another condition sees to life and type.
func (w *where) visible(typ string, implied bool) error {
	if typ == "" || !implied {
		w.Add(w.Row, ".live AND ")
		return w.permitted(typ, false)
	}
	return w.permitted(typ, true)
}

// permitted appends that the row is of type typ ("" for any; nothing of it when that
// is implied) and that the restriction shows it.
func (w *where) permitted(typ string, implied bool) error {
	if typ != "" && index.TypeNumber(typ) == 0 {
		return fhir.Errorf(fhir.UnknownType, "%s is no resource type", typ)
	}
	r := w.restriction
	switch {
	case r == nil:
		return ErrUnrestricted
	case r.Open() && (typ == "" || implied):
		w.Add("TRUE")
		return nil
	case r.Open():
		w.typeIs(typ)
		return nil
	case typ != "":
		exprs, listed := r.Of(typ)
		if !listed {
			w.Add("FALSE")
			return nil
		}
		if implied {
			return w.join(exprs, " AND ", "TRUE")
		}
		return w.restricted(typ, exprs)
	}
	return w.permittedAny(r)
}

func (w *where) typeIs(typ string) {
	w.Add(w.Row, ".type = ").Int(int64(index.TypeNumber(typ)))
}

// restricted appends that the row is of type typ and meets all of exprs.
func (w *where) restricted(typ string, exprs []search.Expr) error {
	w.typeIs(typ)
	for _, e := range exprs {
		w.Add(" AND ")
		if err := w.expr(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *where) expr(e search.Expr) error {
	switch e := e.(type) {
	case search.And:
		return w.join(e, " AND ", "TRUE")
	case search.Or:
		return w.or(e)
	case search.Not:
		w.Add("NOT (")
		err := w.expr(e.X)
		w.Add(")")
		return err
	case search.Match:
		return w.Match(&e)
	case search.IDs:
		w.AnyString(w.Row+".id", e.Any)
		return nil
	case search.Types:
		w.AnyInt(w.Row+".type", typeNumbers(e.Any))
		return nil
	case search.Updated:
		return w.updated(&e.Value)
	case search.Chain:
		next := w.next()
		return w.Refers(e.Param.ID, next.Row, func() error { return next.linked(e.Types, e.Next) })
	case search.Has:
		next := w.next()
		key := "k" + next.Row
		next.Key = key + ".rkey"
		return w.Referred(e.Param.ID, next.Row, key, func() error { return next.linked([]string{e.Source}, e.Next) })
	case search.Words:
		w.Words(&e)
		return nil
	case search.Consented:
		w.consented(&e)
		return nil
	case search.Unblocked:
		w.unblocked(idsOf(nil, e.Params), idsOf(nil, e.Through), e.Label)
		return nil
	case search.Proxied:
		return w.proxied(&e)
	}
	return fhir.Errorf(fhir.NotSupported, "this search condition is not supported")
}

// next returns a where for a resource at the other end of a reference.
func (w *where) next() *where {
	*w.depth++
	next := *w
	next.Row = "r" + strconv.Itoa(*w.depth)
	next.Key = next.Row + ".rkey"
	return &next
}

// linked appends that the row is a visible resource of one of the types for which e holds.
func (w *where) linked(types []string, e search.Expr) error {
	w.Add("(")
	for i, typ := range types {
		if i > 0 {
			w.Add(" OR ")
		}
		if err := w.visible(typ, len(types) == 1 && implies(e, typ)); err != nil {
			return err
		}
	}
	w.Add(") AND ")
	return w.expr(e)
}

func typeNumbers(names []string) []int64 {
	numbers := make([]int64, 0, len(names))
	for _, name := range names {
		numbers = append(numbers, int64(index.TypeNumber(name)))
	}
	return numbers
}

// or appends an Or; postings as one condition, and dates of which the same is asked.
func (w *where) or(parts search.Or) error {
	parts = alternatives(parts)
	postings, others := w.parted(parts)
	switch {
	case len(parts) > 0 && len(others) == 0:
		w.Postings(postings)
		return nil
	case len(parts) == 0:
		w.Add("FALSE")
		return nil
	}
	same, others := gatherDates(others)
	begin := "("
	if len(postings) > 0 {
		w.Add(begin)
		w.Postings(postings)
		begin = " OR "
	}
	for i := range same {
		w.Add(begin)
		begin = " OR "
		if err := w.Dates(same[i].params, same[i].value); err != nil {
			return err
		}
	}
	for _, e := range others {
		w.Add(begin)
		begin = " OR "
		if err := w.expr(e); err != nil {
			return err
		}
	}
	w.Add(")")
	return nil
}

// set appends a SELECT of the row keys of all resources for which e, an isSet, holds;
// some perhaps twice.
func (w *where) set(e search.Expr) error {
	switch e := e.(type) {
	case search.Match:
		return w.Set(&e)
	case search.Chain:
		return w.RefersSet(e.Param.ID, func() error { return w.inner(e.Types, e.Next, false) })
	case search.Has:
		return w.ReferredSet(e.Param.ID, func() error { return w.inner([]string{e.Source}, e.Next, true) })
	case search.Words:
		w.WordsSet(&e)
		return nil
	case search.IDs, search.And:
		next := w.next()
		w.Add("SELECT ", next.Key, " FROM resource ", next.Row, " WHERE ")
		return next.expr(e)
	}
	return fhir.Errorf(fhir.NotSupported, "this search condition is not supported")
}

// inner appends a SELECT of the visible resources of one of types for which e holds:
// their row keys, or their postings.
func (w *where) inner(types []string, e search.Expr, postings bool) error {
	for i, typ := range types {
		if i > 0 {
			w.Add(" UNION ALL ")
		}
		next := *w
		next.Row = "r"
		parts := append(conjunction([]search.Expr{e}), w.restrictions(typ)...)
		p, err := next.newPlan(typ, parts, &order{}, math.MaxInt32, true)
		if err != nil {
			return err
		}
		next.looks = w.looksOf(typ, parts, &p, math.MaxInt32)
		if postings {
			w.Add("SELECT r.postings AS postings FROM ")
		} else {
			w.Add("SELECT ", p.key(&order{}), " AS rkey FROM ")
		}
		if err := next.matching(typ, parts, &p, postings); err != nil {
			return err
		}
	}
	return nil
}

// onKeys reports whether those of parts that p's lead leaves can be checked by row
// keys alone, without the rows.
func (w *where) onKeys(parts []search.Expr, p *plan) bool {
	for i, e := range parts {
		if !p.settles(i) && !w.onKey(e) {
			return false
		}
	}
	return true
}

func (w *where) onKey(e search.Expr) bool {
	all := func(parts []search.Expr) bool {
		return !slices.ContainsFunc(parts, func(part search.Expr) bool { return !w.onKey(part) })
	}
	switch e := e.(type) {
	case search.And:
		return all(e)
	case search.Or:
		postings, others := w.parted(alternatives(e))
		return !index.OnRow(postings) && all(others)
	case search.Not:
		return w.onKey(e.X)
	case search.Has:
		return true
	case search.Match:
		return !w.OnlyRow(&e)
	}
	return false
}

func (w *where) join(parts []search.Expr, operator, empty string) error {
	if len(parts) == 0 {
		w.Add(empty)
		return nil
	}
	w.Add("(")
	for i, e := range parts {
		if i > 0 {
			w.Add(operator)
		}
		if err := w.expr(e); err != nil {
			return err
		}
	}
	w.Add(")")
	return nil
}

// updated appends a comparison with the time of the last change. Stored times
// and the ends of a query's range are whole milliseconds, so that one instant is
// either inside the range, before or after it.
func (w *where) updated(v *search.Value) error {
	column := w.Row + ".updated"
	switch v.Prefix {
	case "eq", "", "ap":
		w.Add("(", column, " >= ").Int(v.Lo).Add(" AND ", column, " < ").Int(v.Hi).Add(")")
	case "ne":
		w.Add("(", column, " < ").Int(v.Lo).Add(" OR ", column, " >= ").Int(v.Hi).Add(")")
	case "gt", "sa":
		w.Add(column, " >= ").Int(v.Hi)
	case "lt", "eb":
		w.Add(column, " < ").Int(v.Lo)
	case "ge":
		w.Add(column, " >= ").Int(v.Lo)
	case "le":
		w.Add(column, " < ").Int(v.Hi)
	default:
		return fhir.Errorf(fhir.Invalid, "unknown comparison prefix").With("the prefix is %q", v.Prefix)
	}
	return nil
}
