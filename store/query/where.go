package query

import (
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// where writes the conditions on one resource row.
type where struct{ index.Condition }

func (c *Compiler) where(row string) *where {
	return &where{index.Condition{SQL: &index.SQL{Dialect: c.Dialect}, Row: row, Keys: c.Keys}}
}

// query appends all conditions of q, its restriction included.
func (w *where) query(q *search.Query) error {
	if err := w.visible(q.Type, q.Restriction); err != nil {
		return err
	}
	driver := -1
	if w.Drive && w.Dialect == index.SQLite {
		driver = bestDriver(q.Where)
	}
	for i, e := range q.Where {
		w.Drive = i == driver
		w.Add(" AND ")
		if err := w.expr(e); err != nil {
			return err
		}
	}
	w.Drive = false
	return nil
}

// visible appends that the row is a live resource of type typ ("" for any) that r shows.
func (w *where) visible(typ string, r *search.Restriction) error {
	w.Add(w.Row, ".live AND ")
	return w.permitted(typ, r)
}

// permitted appends that the row is of type typ ("" for any) and that r shows it.
func (w *where) permitted(typ string, r *search.Restriction) error {
	if typ != "" && index.TypeNumber(typ) == 0 {
		return fhir.Errorf(fhir.UnknownType, "%s is no resource type", typ)
	}
	switch {
	case r == nil:
		return ErrUnrestricted
	case r.Open() && typ == "":
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
		return w.join(e, " OR ", "FALSE")
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
		w.Add("(FALSE")
		for _, typ := range e.Any {
			w.Add(" OR ")
			w.typeIs(typ)
		}
		w.Add(")")
		return nil
	case search.Updated:
		return w.updated(&e.Value)
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

// bestDriver returns which condition SQLite should start from: the one that is
// likely to leave the fewest rows, or -1 when none can be started from.
func bestDriver(exprs []search.Expr) int {
	best, rank := -1, 0
	for i, e := range exprs {
		if r := selectivity(e); r > rank {
			best, rank = i, r
		}
	}
	return best
}

// selectivity ranks conditions by how few rows they usually leave; 0 cannot be started from.
func selectivity(e search.Expr) int {
	if _, ok := e.(search.IDs); ok {
		return 9 // found by the unique index, without being asked
	}
	m, ok := e.(search.Match)
	if !ok || m.Modifier == "not" || m.Modifier == "missing" {
		return 0
	}
	switch m.Param.Type {
	case spec.Reference:
		return 6
	case spec.String:
		if m.Modifier == "contains" {
			return 1
		}
		return 5
	case spec.Token, spec.URI:
		return 4
	case spec.Number, spec.Quantity:
		return 3
	case spec.Date:
		return 2
	}
	return 0
}
