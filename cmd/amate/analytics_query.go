package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	tables "github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/store/analytics"
)

// sqlQueryRight is what the role policy calls queries over the tables, as if they were an
// operation.
const sqlQueryRight = "sql-query"

// queryCanonical begins the URLs of the queries that come with the program.
const queryCanonical = "https://github.com/amate-health/amate/fhir/Library/"

// sqlQuery is a query as a Library has it: the profile SQLQuery of SQL on FHIR.
//
// See https://build.fhir.org/ig/HL7/sql-on-fhir/en/StructureDefinition-SQLQuery.html.
type sqlQuery struct {
	text       string
	parameters map[string]string // types by names; nil where it declares none and takes any
	depends    map[string]string // canonical URLs of views by the names they have in the text
}

// queryable lets $sql-run, which runs views, run queries over the tables too.
func (o *opened) queryable(all []operation.Operation) {
	for i := range all {
		if all[i].Name != sqlRun {
			continue
		}
		views := all[i].Run
		all[i].Run = func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
			q, err := o.queryOf(ctx, call, call.In.All)
			if err != nil {
				return nil, err
			}
			if q == nil {
				return views(ctx, call)
			}
			return o.runQuery(ctx, call, q)
		}
	}
}

// givenBy returns the parameters that have a name.
type givenBy func(name string) []operation.Value

// one returns the parameter of a name. Errors: fhir.Invalid when there are several.
func (p givenBy) one(name string) (v operation.Value, ok bool, err error) {
	all := p(name)
	if len(all) > 1 {
		return v, false, fhir.Errorf(fhir.Invalid, "the parameter %s is given once", name)
	}
	if len(all) == 0 {
		return v, false, nil
	}
	return all[0], true, nil
}

// text returns the parameter of a name that is a text or a Reference.
func (p givenBy) text(name string) (string, error) {
	v, ok, err := p.one(name)
	if err != nil || !ok || v.Text != "" {
		return v.Text, err
	}
	if t, _ := v.Typed(); t != element.None {
		return v.Doc.TextAt(t, "reference"), nil
	}
	return "", nil
}

// queryOf returns the query that parameters of a call are about; nil when it is about a view.
func (o *opened) queryOf(ctx context.Context, call *operation.Call, get givenBy) (*sqlQuery, error) {
	text, err := get.text("query")
	if err != nil {
		return nil, err
	}
	if text == "" && len(get("query")) > 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter query is the SQL that is to be run, as valueString").At("Parameters.parameter")
	}
	inline, given, err := get.one("subjectResource")
	if err != nil {
		return nil, err
	}
	n := element.None
	if given {
		n, _ = inline.Resource()
	}
	library := given && n != element.None && inline.Doc.TextAt(n, "resourceType") == "Library"
	canonical, err := get.text("subjectCanonical")
	if err != nil {
		return nil, err
	}
	ref, err := get.text("subjectReference")
	if err != nil {
		return nil, err
	}
	ref = strings.TrimPrefix(ref, call.Base+"/")
	switch subjects := len(get("subjectResource")) + len(get("subjectCanonical")) + len(get("subjectReference")); {
	case call.Type == "Library" && call.ID != "":
		if text != "" || subjects > 0 {
			return nil, fhir.Errorf(fhir.Invalid, "the operation is called on a Library, so that no other query can be given")
		}
		return o.storedQuery(ctx, call, search.IDs{Any: []string{call.ID}})
	case call.ID != "" && text != "":
		return nil, fhir.Errorf(fhir.Invalid, "the operation is called on a ViewDefinition, so that no query can be given")
	case text != "" && subjects > 0, subjects > 1 && (library || strings.HasPrefix(ref, "Library/")):
		return nil, fhir.Errorf(fhir.Invalid, "one query is run: give one of query, subjectCanonical, subjectReference and subjectResource")
	case text != "":
		return &sqlQuery{text: text}, nil
	case library:
		return o.readQuery(inline.Doc, n)
	case strings.HasPrefix(ref, "Library/"):
		return o.storedQuery(ctx, call, search.IDs{Any: []string{strings.TrimPrefix(ref, "Library/")}})
	case canonical != "":
		return o.namedQuery(ctx, call, canonical)
	}
	return nil, nil
}

// namedQuery returns the query of a canonical URL; nil when that is none of a query.
func (o *opened) namedQuery(ctx context.Context, call *operation.Call, canonical string) (*sqlQuery, error) {
	for _, v := range analysis.Views() {
		for _, q := range v.Queries {
			if canonical == queryCanonical+queryID(&v, &q) {
				return &sqlQuery{text: q.SQL, parameters: map[string]string{}}, nil
			}
		}
	}
	where, err := ofCanonical("Library", canonical)
	if err != nil {
		return nil, err
	}
	q, err := o.storedQuery(ctx, call, where...)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, nil
	}
	return q, err
}

// ofCanonical returns the condition that a definition has a canonical URL, which may end in
// a version.
func ofCanonical(typ, canonical string) ([]search.Expr, error) {
	url, version, _ := strings.Cut(canonical, "|")
	params := []search.Param{{Name: "url", Value: search.Escape(url)}}
	if version != "" {
		params = append(params, search.Param{Name: "version", Value: search.Escape(version)})
	}
	q, err := search.Parse(typ, params, search.Options{DefaultCount: 2})
	if err != nil {
		return nil, err
	}
	return q.Where, nil
}

// storedQuery returns the query of a Library that the caller may see.
func (o *opened) storedQuery(ctx context.Context, call *operation.Call, where ...search.Expr) (*sqlQuery, error) {
	found, err := o.Search(ctx, &search.Query{Type: "Library", Where: where, Count: 2, Restriction: call.Restriction})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such Library that you may read")
	}
	if len(found.Matches) > 1 {
		return nil, fhir.Errorf(fhir.MultipleMatches, "several Libraries have that URL: add |version, or refer to one by subjectReference")
	}
	d, err := element.Parse(found.Matches[0].JSON)
	if err != nil {
		return nil, err
	}
	return o.readQuery(d, 0)
}

// readQuery reads a Library.
func (o *opened) readQuery(d *element.Doc, n element.Node) (*sqlQuery, error) {
	q := &sqlQuery{parameters: map[string]string{}, depends: map[string]string{}}
	best := -1
	for c := range d.Items(n, "content") {
		media, options, _ := strings.Cut(strings.ReplaceAll(d.TextAt(c, "contentType"), " ", ""), ";")
		rank := 0
		switch {
		case media != "application/sql":
			return nil, fhir.Errorf(fhir.Unprocessable, "the content of a query is of the type application/sql").At("Library.content.contentType")
		case options == "dialect="+o.analytic.dialect():
			rank = 2
		case options == "" || options == "dialect=sql-2":
			rank = 1
		}
		if rank <= best || rank == 0 {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(d.TextAt(c, "data"))
		if err != nil {
			return nil, fhir.Errorf(fhir.Unprocessable, "the SQL of a query stands in content.data, in base64").At("Library.content.data")
		}
		best, q.text = rank, string(raw)
	}
	if best < 0 {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Library has no SQL in a dialect that is spoken here: none, or %s", o.analytic.dialect()).At("Library.content")
	}
	for p := range d.Items(n, "parameter") {
		if d.TextAt(p, "use") != "out" {
			q.parameters[d.TextAt(p, "name")] = d.TextAt(p, "type")
		}
	}
	for a := range d.Items(n, "relatedArtifact") {
		if d.TextAt(a, "type") == "depends-on" {
			q.depends[d.TextAt(a, "label")] = d.TextAt(a, "resource")
		}
	}
	return q, nil
}

func (a *analytic) dialect() string {
	if a == nil || a.runner == nil {
		return "postgresql"
	}
	return a.runner.Dialect()
}

// statement reads the SQL of a query, and gives it the tables it depends on by their names.
func (o *opened) statement(ctx context.Context, q *sqlQuery) (*analytics.Statement, error) {
	s, err := analytics.Parse(q.text)
	if err != nil || len(q.depends) == 0 {
		return s, err
	}
	names := map[string]string{}
	for label, url := range q.depends {
		bare, _, _ := strings.Cut(url, "|")
		if v, ok := analysis.LookupView(bare); ok {
			names[label] = v.Name
			continue
		}
		if names[label], err = o.tableOf(ctx, url); err != nil {
			return nil, err
		}
	}
	return s.Over(names)
}

// tableOf returns the name of the table that is kept of a stored view.
func (o *opened) tableOf(ctx context.Context, canonical string) (string, error) {
	where, err := ofCanonical("ViewDefinition", canonical)
	if err != nil {
		return "", err
	}
	found, err := o.engine.Search(ctx, &search.Query{Type: "ViewDefinition", Where: where, Count: 2, Restriction: search.Unrestricted})
	if err != nil {
		return "", err
	}
	for i := range found.Matches {
		if _, err := o.Entry(ctx, viewKind, found.Matches[i].Ref.ID); err != nil {
			continue // it was not enabled
		}
		d, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			return "", err
		}
		return analytics.NameOf(d.TextAt(0, "name"))
	}
	return "", fhir.Errorf(fhir.Unprocessable, "the query depends on a view of which no table is kept").With("%.200q", canonical).At("Library.relatedArtifact")
}

// arguments returns the values of the parameters of a query.
func (q *sqlQuery) arguments(get givenBy, s *analytics.Statement) (map[string]analytics.Argument, error) {
	args := map[string]analytics.Argument{}
	all, given, err := get.one("parameters")
	if err != nil {
		return nil, err
	}
	n := element.None
	if given {
		n, _ = all.Resource()
	}
	if n != element.None {
		for p := range all.Doc.Items(n, "parameter") {
			name := all.Doc.TextAt(p, "name")
			if _, declared := q.parameters[name]; q.parameters != nil && !declared || !slices.Contains(s.Names, name) {
				return nil, fhir.Errorf(fhir.Invalid, "the query has no such parameter").With("it has %s, not %.100q", strings.Join(s.Names, ", "), name)
			}
			v := operation.Value{Doc: all.Doc, Node: p}
			value, property := v.Typed()
			if value == element.None || all.Doc.Kind(value) == element.Object {
				return nil, fhir.Errorf(fhir.Invalid, "the value of a parameter is a primitive").With("%.100q", name)
			}
			typ := strings.TrimPrefix(property, "value")
			args[name] = analytics.Argument{Type: strings.ToLower(typ[:1]) + typ[1:], Text: all.Doc.Text(value)}
			if declared := q.parameters[name]; declared != "" {
				args[name] = analytics.Argument{Type: declared, Text: args[name].Text}
			}
		}
	}
	for _, name := range s.Names {
		if _, ok := args[name]; !ok {
			return nil, fhir.Errorf(fhir.Invalid, "the query needs a value for each of its parameters").With("%.100q has none", name)
		}
	}
	return args, nil
}

// runQuery answers a call with the rows of a query. The audit trail gets its hash.
func (o *opened) runQuery(ctx context.Context, call *operation.Call, q *sqlQuery) (*operation.Answer, error) {
	if err := o.mayQuery(ctx); err != nil {
		return nil, err
	}
	if err := call.Only("query", "subjectResource", "subjectReference", "subjectCanonical", "parameters", "header"); err != nil {
		return nil, err
	}
	rest.Touched(ctx, fhir.Resource{Ref: fhir.Ref{Type: "Library", ID: "sql-" + digest(q.text)}})
	s, err := o.statement(ctx, q)
	if err != nil {
		return nil, err
	}
	run := &analytics.Query{Statement: s, Rows: o.analytic.Rows}
	if run.Arguments, err = q.arguments(call.In.All, s); err != nil {
		return nil, err
	}
	limit, err := call.In.Text("_limit")
	if err != nil {
		return nil, err
	}
	if limit != "" {
		n, bad := strconv.Atoi(limit)
		if bad != nil || n < 1 {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter _limit is a number of rows, 1 or more").With("%.20q", limit)
		}
		run.Rows = min(n, run.Rows)
	}
	header, err := call.In.Text("header")
	if err != nil {
		return nil, err
	}
	format := tables.NDJSON
	if call.Media != "" {
		if format, err = tables.FormatOf(call.Media); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	var w tables.Writer
	more := false
	err = call.Idle(ctx, func(ctx context.Context) (err error) {
		more, err = o.ask(ctx, run, func(columns []tables.Column) error {
			w, err = format.Open(&out, columns, tables.Options{NoHeader: header == "false"})
			return err
		}, func(row []tables.Cell) error {
			if int64(out.Len()) > call.MaxBytes {
				return fhir.Errorf(fhir.TooCostly, "the answer would have more than %d bytes", call.MaxBytes)
			}
			return w.Write(row)
		})
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	if more && limit == "" {
		return nil, fhir.Errorf(fhir.TooCostly, "the result has more than %d rows: count or narrow in SQL, or give _limit", run.Rows)
	}
	return &operation.Answer{Media: format.Media, Raw: out.Bytes()}, nil
}
