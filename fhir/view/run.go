package view

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/table"
)

// runner flattens one resource at a time.
type runner struct {
	view *View
	env  fhirpath.Env
	rows int

	walk  fhirpath.Walker
	cells []table.Cell // of rows, used again for the next resource
	doc   *element.Doc
	text  string // what doc was read from, "" until a cell needs it
}

// Each calls emit with every row that the resource at root of d makes; none for one of
// another type, or that the conditions leave out. A row is valid until emit returns.
// Errors: fhir.Unprocessable for a resource that the view does not fit; those of emit.
func (v *View) Each(ctx context.Context, d *element.Doc, root element.Node, emit func(row []table.Cell) error) error {
	item := fhirpath.Root(d, root)
	if item.Type == nil || item.Type.Name != v.Resource {
		return nil
	}
	r, _ := v.idle.Get().(*runner)
	if r == nil {
		r = &runner{view: v}
	}
	defer v.idle.Put(r)
	r.env = fhirpath.Env{Variables: v.constants, Done: ctx.Done(), Resource: item}
	r.rows, r.cells, r.doc, r.text = 0, r.cells[:0], d, ""
	err := r.each(item, emit)
	r.env, r.doc, r.text = fhirpath.Env{}, nil, "" // which would be kept for no use
	clear(r.cells)
	return err
}

func (r *runner) each(item fhirpath.Item, emit func(row []table.Cell) error) error {
	for i, w := range r.view.where {
		holds, err := r.holds(w, item)
		if err != nil {
			return unfit(fmt.Sprintf("ViewDefinition.where[%d].path", i), err)
		}
		if !holds {
			return nil
		}
	}
	if r.view.flat != nil {
		row := r.take(len(r.view.flat))
		for i, c := range r.view.flat {
			if err := r.cell(&row[i], c, item, &r.env); err != nil {
				return err
			}
		}
		return emit(row)
	}
	rows, err := r.cross(r.view.selects, item, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := emit(row); err != nil {
			return err
		}
	}
	return nil
}

// mostKept is how many cells a runner keeps for the next resource.
const mostKept = 4096

// take returns n empty cells.
func (r *runner) take(n int) []table.Cell {
	if len(r.cells)+n > cap(r.cells) {
		if len(r.cells)+n > mostKept {
			return make([]table.Cell, n)
		}
		r.cells = make([]table.Cell, 0, max(2*cap(r.cells), n, 64)) // rows that there are keep theirs
	}
	from := len(r.cells)
	r.cells = r.cells[:from+n]
	return r.cells[from : from+n : from+n]
}

// nothing stands for the empty collection that a select is evaluated for that goes through
// one and is to make a row all the same.
var nothing = func() fhirpath.Item {
	d, err := element.Parse([]byte(`{}`))
	if err != nil {
		panic(err) // it is JSON
	}
	return fhirpath.Root(d, 0)
}()

// eval evaluates an expression for an item, or for nothing.
func eval(e *fhirpath.Expr, item fhirpath.Item, env *fhirpath.Env) (fhirpath.Collection, error) {
	if item.Doc == nothing.Doc {
		return e.EvalEmpty(item, env)
	}
	return e.EvalItem(item, env)
}

// errNotBoolean is of a condition that is something else.
var errNotBoolean = errors.New("a condition is true or false")

// holds evaluates a condition.
func (r *runner) holds(e *fhirpath.Expr, item fhirpath.Item) (bool, error) {
	found, err := e.EvalItem(item, &r.env)
	if err != nil || len(found) == 0 {
		return false, err
	}
	b, ok := found[0].System().(fhirpath.Boolean)
	if len(found) > 1 || !ok {
		return false, errNotBoolean
	}
	return bool(b), nil
}

// cross returns the rows of several selects at one place: each of the one with each of
// the other.
func (r *runner) cross(all []*selection, item fhirpath.Item, index int) ([][]table.Cell, error) {
	rows := [][]table.Cell{nil}
	for _, s := range all {
		more, err := r.rowsOf(s, item, index)
		if err != nil {
			return nil, err
		}
		if rows, err = r.join(rows, more); err != nil || len(rows) == 0 {
			return nil, err
		}
	}
	return rows, nil
}

// join puts each row of more behind each of rows.
func (r *runner) join(rows, more [][]table.Cell) ([][]table.Cell, error) {
	switch {
	case len(more) == 1 && len(more[0]) == 0:
		return rows, nil
	case len(rows) == 1 && len(rows[0]) == 0:
		return more, nil
	}
	out := make([][]table.Cell, 0, len(rows)*len(more))
	// The first select changes fastest last: its rows are the outer ones.
	for _, a := range rows {
		for _, b := range more {
			if r.rows++; r.rows > maxRows {
				return nil, fault("ViewDefinition.select", fmt.Sprintf("a resource makes more than %d rows", maxRows))
			}
			out = append(out, append(a[:len(a):len(a)], b...))
		}
	}
	return out, nil
}

// rowsOf returns the rows of one select.
func (r *runner) rowsOf(s *selection, item fhirpath.Item, index int) ([][]table.Cell, error) {
	if s.forEach == nil && s.repeat == nil {
		return r.at(s, item, index)
	}
	foci, err := r.foci(s, item)
	if err != nil {
		return nil, err
	}
	if len(foci) == 0 && s.orNull {
		return r.at(s, nothing, 0)
	}
	var out [][]table.Cell
	for i, f := range foci {
		rows, err := r.at(s, f, i)
		if err != nil {
			return nil, err
		}
		if r.rows += len(rows); r.rows > maxRows {
			return nil, fault("ViewDefinition.select", fmt.Sprintf("a resource makes more than %d rows", maxRows))
		}
		out = append(out, rows...)
	}
	return out, nil
}

// foci returns what a select goes through.
func (r *runner) foci(s *selection, item fhirpath.Item) (fhirpath.Collection, error) {
	if s.forEach != nil {
		found, err := eval(s.forEach, item, &r.env)
		if err != nil {
			return nil, unfit("ViewDefinition.select.forEach", err)
		}
		return found, nil
	}
	var out fhirpath.Collection
	var follow func(i fhirpath.Item) error
	follow = func(i fhirpath.Item) error {
		for _, p := range s.repeat {
			found, err := eval(p, i, &r.env)
			if err != nil {
				return unfit("ViewDefinition.select.repeat", err)
			}
			for _, f := range found {
				// What a path finds lies below, or it would go on for ever.
				if f.Doc == i.Doc && f.Node == i.Node || len(out) >= maxRepeat {
					return fault("ViewDefinition.select.repeat", fmt.Sprintf("the paths of repeat lead down, to %d elements at most", maxRepeat))
				}
				out = append(out, f)
				if err := follow(f); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, follow(item)
}

// at returns the rows of a select for one item.
func (r *runner) at(s *selection, item fhirpath.Item, index int) ([][]table.Cell, error) {
	own := r.take(len(s.columns))
	if len(s.columns) > 0 {
		env := &r.env
		if r.view.indexed {
			own := r.env
			own.Variables = maps.Clone(own.Variables)
			own.Variables["rowIndex"] = fhirpath.Computed(fhirpath.Integer(index))
			env = &own
		}
		for i := range s.columns {
			if err := r.cell(&own[i], &s.columns[i], item, env); err != nil {
				return nil, err
			}
		}
	}
	rows, err := r.cross(s.selects, item, index)
	if err != nil {
		return nil, err
	}
	if rows, err = r.join([][]table.Cell{own}, rows); err != nil || len(s.union) == 0 {
		return rows, err
	}
	var union [][]table.Cell
	for _, u := range s.union {
		more, err := r.rowsOf(u, item, index)
		if err != nil {
			return nil, err
		}
		union = append(union, more...)
	}
	return r.join(rows, union)
}
