package query

import (
	"maps"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// where writes the conditions on one resource row.
type where struct {
	index.Condition
	restriction *search.Restriction
	depth       *int                    // of resource aliases, so that nested ones differ
	count       func(posting int64) int // see Compiler.Rows; nil when nothing is known
	gather      bool                    // see Compiler.Gather
}

func (c *Compiler) where(row string, r *search.Restriction) *where {
	return &where{
		Condition:   index.Condition{SQL: &index.SQL{Dialect: c.Dialect}, Row: row, Keys: c.Keys},
		restriction: r, depth: new(int), count: c.Rows, gather: c.Gather,
	}
}

// query appends all conditions of q, its restriction included, to be found as start says.
func (w *where) query(q *search.Query, start start) error {
	if err := w.visible(q.Type, start.implied || implies(search.And(q.Where), q.Type)); err != nil {
		return err
	}
	for i, e := range q.Where {
		if start.along != nil && i == start.from {
			continue // the tables see to it
		}
		w.Drive = i == start.from
		w.Add(" AND ")
		if err := w.expr(e); err != nil {
			return err
		}
	}
	w.Drive = false
	return nil
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
		exprs, listed := r.Types[typ]
		if !listed {
			w.Add("FALSE")
			return nil
		}
		if implied {
			return w.join(exprs, " AND ", "TRUE")
		}
		return w.restricted(typ, exprs)
	}
	w.Add("(FALSE")
	for _, t := range slices.Sorted(maps.Keys(r.Types)) {
		w.Add(" OR (")
		if err := w.restricted(t, r.Types[t]); err != nil {
			return err
		}
		w.Add(")")
	}
	w.Add(")")
	return nil
}

func (w *where) typeIs(typ string) {
	w.Add(w.Row, ".type = ").Int(int64(index.TypeNumber(typ)))
}

// restricted appends that the row is of type typ and meets all of exprs.
func (w *where) restricted(typ string, exprs []search.Expr) error {
	w.typeIs(typ)
	drive := w.Drive
	w.Drive = false
	for _, e := range exprs {
		w.Add(" AND ")
		if err := w.expr(e); err != nil {
			return err
		}
	}
	w.Drive = drive
	return nil
}

func (w *where) expr(e search.Expr) error {
	switch e := e.(type) {
	case search.And:
		return w.join(e, " AND ", "TRUE")
	case search.Or:
		return w.or(e)
	case search.Not:
		drive := w.Drive
		w.Drive = false
		w.Add("NOT (")
		err := w.expr(e.X)
		w.Add(")")
		w.Drive = drive
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
		return w.Referred(e.Param.ID, next.Row, func() error { return next.linked([]string{e.Source}, e.Next) })
	}
	return fhir.Errorf(fhir.NotSupported, "this search condition is not supported")
}

// next returns a where for a resource at the other end of a reference.
func (w *where) next() *where {
	*w.depth++
	next := *w
	next.Row = "r" + strconv.Itoa(*w.depth)
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
	w.Drive = w.rank(e) > 0
	return w.expr(e)
}

func typeNumbers(names []string) []int64 {
	numbers := make([]int64, 0, len(names))
	for _, name := range names {
		numbers = append(numbers, int64(index.TypeNumber(name)))
	}
	return numbers
}

// or appends an Or in the form that an index serves best: postings as one
// condition, other values as one set of row keys.
func (w *where) or(parts search.Or) error {
	if postings, ok := w.onlyPostings(parts); ok {
		w.Postings(postings)
		return nil
	}
	if w.Dialect == index.SQLite && !w.Drive || len(parts) == 0 || !slices.ContainsFunc(parts, isSet) || slices.ContainsFunc(parts, notSet) {
		drive := w.Drive
		w.Drive = false
		err := w.join(parts, " OR ", "FALSE")
		w.Drive = drive
		return err
	}
	w.Add(w.Row, ".rkey IN (")
	for i, e := range parts {
		if i > 0 {
			w.Add(" UNION ALL ")
		}
		if err := w.set(e); err != nil {
			return err
		}
	}
	w.Add(")")
	return nil
}

// onlyPostings returns the postings of all parts, if each asks for nothing else.
func (w *where) onlyPostings(parts search.Or) ([]int64, bool) {
	var all []int64
	for _, e := range parts {
		m, ok := e.(search.Match)
		if !ok || m.Modifier != "" || !index.IsPosting(m.Param) {
			return nil, false
		}
		all = append(all, w.PostingsOf(&m)...)
	}
	slices.Sort(all)
	return slices.Compact(all), len(parts) > 0
}

// isSet reports whether the resources for which e holds can be selected by themselves.
func isSet(e search.Expr) bool {
	switch e := e.(type) {
	case search.Match:
		return e.Modifier != "missing"
	case search.Chain, search.Has:
		return true
	}
	return false
}

func notSet(e search.Expr) bool { return !isSet(e) }

// set appends a SELECT of the row keys of all resources for which e, an isSet, holds.
func (w *where) set(e search.Expr) error {
	switch e := e.(type) {
	case search.Match:
		return w.Set(&e)
	case search.Chain:
		next := w.next()
		return w.RefersSet(e.Param.ID, next.Row, func() error { return next.linked(e.Types, e.Next) })
	case search.Has:
		next := w.next()
		return w.ReferredSet(e.Param.ID, next.Row, func() error { return next.linked([]string{e.Source}, e.Next) })
	}
	return fhir.Errorf(fhir.NotSupported, "this search condition is not supported")
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
