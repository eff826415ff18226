package main

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	tables "github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/store/analytics"
)

// mayQuery refuses those who may not ask the tables, which are of everybody: whoever is
// signed in runs views, of what they see. Errors: fhir.NotSupported, those of a refusal.
func (o *opened) mayQuery(ctx context.Context) error {
	if o.analytic == nil || o.analytic.runner == nil {
		return fhir.Errorf(fhir.NotSupported, "this server keeps no tables for analysts")
	}
	if o.guarded == nil {
		return nil
	}
	_, err := o.guarded.Check(ctx, &rest.Request{Interaction: rest.Operation, Operation: sqlQueryRight})
	return err
}

// ordered are queries whose answers are ordered, as files.
type ordered struct{ *opened }

// orderedQuery is such a query, as it is kept.
type orderedQuery struct {
	SQL       string
	Depends   map[string]string `json:",omitempty"`
	Arguments map[string]analytics.Argument
}

// Plan implements view.Queries.
func (o ordered) Plan(ctx context.Context, call *operation.Call, get func(name string) []operation.Value) (json.RawMessage, error) {
	q, err := o.queryOf(ctx, call, get)
	if err != nil || q == nil {
		return nil, err
	}
	if err := o.mayQuery(ctx); err != nil {
		return nil, err
	}
	rest.Touched(ctx, fhir.Resource{Ref: fhir.Ref{Type: "Library", ID: "sql-" + digest(q.text)}})
	s, err := o.statement(ctx, q)
	if err != nil {
		return nil, err
	}
	args, err := q.arguments(get, s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(orderedQuery{q.text, q.depends, args})
}

// Run implements view.Queries.
func (o ordered) Run(ctx context.Context, query json.RawMessage, begin func([]tables.Column) error, row func([]tables.Cell) error) error {
	var q orderedQuery
	if err := json.Unmarshal(query, &q); err != nil {
		return err
	}
	if err := o.mayQuery(ctx); err != nil {
		return err
	}
	s, err := o.statement(ctx, &sqlQuery{text: q.SQL, depends: q.Depends})
	if err != nil {
		return err
	}
	// What goes to a file is as long as it is.
	_, err = o.ask(ctx, &analytics.Query{Statement: s, Arguments: q.Arguments, Rows: math.MaxInt32}, begin, row)
	return err
}

// ask runs a query. Errors: those of analytics.Runner; fhir.Unavailable where a table that it
// names is to be there, and is not yet.
func (o *opened) ask(ctx context.Context, q *analytics.Query, begin func([]tables.Column) error, row func([]tables.Cell) error) (more bool, err error) {
	begun := false
	first := func(c []tables.Column) error {
		begun = true
		return begin(c)
	}
	more, err = o.analytic.runner.Run(ctx, q, first, row)
	if fhir.CodeOf(err) != fhir.Unprocessable || begun {
		return more, err
	}
	missing, failed := o.missing(ctx, q.Statement)
	switch {
	case failed != nil && fhir.CodeOf(failed) != fhir.Unprocessable: // it cannot be told now
		return false, failed
	case failed != nil:
		return more, err
	case missing == "": // if it was, it has been made since
		return o.analytic.runner.Run(ctx, q, begin, row)
	}
	soon := fhir.Errorf(fhir.Unavailable, "a table that the query names is being made for the first time: it is there once all that is stored was gone through").With("%s", missing)
	soon.RetryAfter = 10
	return false, soon
}

// shownTables asks for the tables that are there.
const shownTables = `SELECT table_name FROM dictionary WHERE position = 0`

// missing returns a table that a query names and that is to be kept, but is not there yet;
// "" for none.
func (o *opened) missing(ctx context.Context, s *analytics.Statement) (string, error) {
	look, err := analytics.Parse(shownTables)
	if err != nil {
		return "", err
	}
	there := map[string]bool{}
	_, err = o.analytic.runner.Run(ctx, &analytics.Query{Statement: look, Rows: math.MaxInt32}, func([]tables.Column) error { return nil }, func(row []tables.Cell) error {
		there[row[0].Text] = true
		return nil
	})
	if err != nil {
		return "", err
	}
	kept, err := o.tables(ctx, time.Time{})
	if err != nil {
		return "", err
	}
	for i := range kept {
		if name := kept[i].Name; !there[name] && s.Mentions(name) {
			return name, nil
		}
	}
	return "", nil
}
