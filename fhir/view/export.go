package view

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/table"
)

// exportNames are the operations by which tables are ordered.
var exportNames = []string{"viewdefinition-export", "sql-export"}

// mostViews is how many views an order has at most.
const mostViews = 50

// plan is an order of tables. The views are kept as they were when it was made.
type plan struct {
	Views    []planned
	Format   string
	NoHeader bool   `json:",omitempty"`
	Tracking string `json:",omitempty"`
	Filter   *filter
}

type planned struct {
	Name       string          // of the output, and of its file
	Definition json.RawMessage `json:",omitempty"`
	Query      json.RawMessage `json:",omitempty"` // in place of a view, for Queries
}

// position is how far an order is.
type position struct {
	View  int    // which is at work; those before it are done
	After string // of its scan
}

func (s *Service) kind(name string) bulk.Kind {
	return bulk.Kind{
		Name: name,
		Plan: func(ctx context.Context, call *operation.Call) (any, error) {
			return s.plan(ctx, call, name == "sql-export")
		},
		Run:      s.export,
		Manifest: manifest,
	}
}

// plan reads an order.
//
// See https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/OperationDefinition-ViewDefinitionExport.html.
func (s *Service) plan(ctx context.Context, call *operation.Call, queries bool) (*plan, error) {
	names := []string{"view", "subject", "viewReference", "viewResource", "subjectCanonical", "subjectReference", "subjectResource",
		"clientTrackingId", "patient", "group", "source", "header"}
	if queries = queries && s.Queries != nil; queries {
		names = append(names, "parameters")
	}
	if err := only(call, names...); err != nil {
		return nil, err
	}
	if err := source(call); err != nil {
		return nil, err
	}
	p := &plan{}
	format, err := exportFormat(call)
	if err != nil {
		return nil, err
	}
	options, err := optionsOf(call)
	if err != nil {
		return nil, err
	}
	p.Format, p.NoHeader = format.Code, options.NoHeader
	if p.Tracking, err = call.In.Text("clientTrackingId"); err != nil {
		return nil, err
	}
	if len(p.Tracking) > 200 {
		return nil, fhir.Errorf(fhir.Invalid, "clientTrackingId has 200 bytes at most").At("Parameters.parameter.where(name='clientTrackingId')")
	}
	if p.Filter, err = s.filterOf(ctx, call); err != nil {
		return nil, err
	}
	return p, s.planViews(ctx, call, p, queries)
}

// exportFormat returns the format that is asked for, NDJSON when none is.
func exportFormat(call *operation.Call) (*table.Format, error) {
	text, err := call.In.Text("_format")
	if err != nil {
		return nil, err
	}
	if text == "" && call.Media == "" {
		return table.NDJSON, nil
	}
	return formatOf(call)
}

// planViews reads the views of an order: parts of view (or subject), or the one that the
// operation is called on.
func (s *Service) planViews(ctx context.Context, call *operation.Call, p *plan, queries bool) error {
	views := append(call.In.All("view"), call.In.All("subject")...)
	if len(views) == 0 {
		return s.planView(ctx, call, p, "", given{call.In.All, queries, "Parameters.parameter"})
	}
	if call.ID != "" {
		return fhir.Errorf(fhir.Invalid, "the operation is called on a ViewDefinition, so that no other can be given").At("Parameters.parameter.where(name='view')")
	}
	if len(views) > mostViews {
		return fhir.Errorf(fhir.Invalid, "an order has %d views at most", mostViews)
	}
	for i, v := range views {
		name := ""
		for _, part := range v.Parts("name") {
			name = part.Text
		}
		if err := s.planView(ctx, call, p, name, given{v.Parts, queries, fmt.Sprintf("Parameters.parameter.where(name='view')[%d]", i)}); err != nil {
			return err
		}
	}
	return nil
}

// given is where an order says what a table is of.
type given struct {
	get     func(name string) []operation.Value
	queries bool // it may be a query
	at      string
}

func (s *Service) planView(ctx context.Context, call *operation.Call, p *plan, name string, from given) error {
	one, at := planned{}, from.at
	if from.queries {
		var err error
		if one.Query, err = s.Queries.Plan(ctx, call, from.get); err != nil {
			return err
		}
	}
	if one.Query == nil {
		v, definition, err := s.definition(ctx, call, from.get, at)
		if err != nil {
			return err
		}
		if len(from.get("parameters")) > 0 {
			return fhir.Errorf(fhir.Invalid, "a view has no parameters").At(at)
		}
		one.Definition, name = definition, cmp.Or(name, v.Name)
	}
	name = cmp.Or(name, fmt.Sprintf("view_%d", len(p.Views)+1))
	one.Name = name
	if !nameForm.MatchString(name) || len(name) > 64 {
		return fhir.Errorf(fhir.Invalid, "the name of an output begins with a letter, and has letters, digits and _ alone, 64 at most").With("%.100q", name).At(at + ".part.where(name='name')")
	}
	for _, other := range p.Views {
		if strings.EqualFold(other.Name, name) {
			return fhir.Errorf(fhir.Invalid, "two outputs have the same name: give each a name of its own").With("%.100q", name).At(at + ".part.where(name='name')")
		}
	}
	p.Views = append(p.Views, one)
	return nil
}

// errAgain ends a scan that is to go on with other rights.
var errAgain = errors.New("the rights were looked up anew")

// export does the work of an order.
func (s *Service) export(ctx context.Context, run *bulk.Run) error {
	var p plan
	if err := run.Decode(&p); err != nil {
		return err
	}
	format, err := table.FormatOf(p.Format)
	if err != nil {
		return err
	}
	var at position
	if _, err := run.Position(&at); err != nil {
		return err
	}
	for ; at.View < len(p.Views); at = (position{View: at.View + 1}) {
		run.Progress(int64(at.View), int64(len(p.Views)), p.Views[at.View].Name)
		if err := s.exportView(ctx, run, &p, format, &at); err != nil {
			return err
		}
		if err := run.Save(ctx, position{View: at.View + 1}); err != nil {
			return err
		}
	}
	return nil
}

// exportView writes the table of one view. Formats of lines go on where they were when the
// work was interrupted; the others begin anew.
func (s *Service) exportView(ctx context.Context, run *bulk.Run, p *plan, format *table.Format, at *position) error {
	one := &p.Views[at.View]
	if one.Query != nil {
		return s.exportQuery(ctx, run, p, format, one)
	}
	d, err := element.Parse(one.Definition)
	if err != nil {
		return err
	}
	v, err := Compile(d, 0)
	if err != nil {
		return err
	}
	lines := format == table.CSV || format == table.NDJSON
	open := run.Whole
	if lines {
		open = run.File
	}
	file, err := open(bulk.Output{Name: one.Name + format.Ext, List: bulk.Outputs, Type: one.Name, Media: format.Media, Coded: lines})
	if err != nil {
		return err
	}
	x := &exporting{s: s, run: run, view: v, format: format, file: file, at: at, lines: lines, options: table.Options{NoHeader: p.NoHeader || at.After != ""}}
	for err = errAgain; errors.Is(err, errAgain); {
		err = x.scan(ctx, p.Filter)
	}
	if err == nil {
		err = x.flush()
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// exportQuery writes what a query answers. It begins anew after an interruption.
func (s *Service) exportQuery(ctx context.Context, run *bulk.Run, p *plan, format *table.Format, one *planned) error {
	if s.Queries == nil {
		return fhir.Errorf(fhir.NotSupported, "this server runs no queries")
	}
	rights, err := run.Rights(ctx)
	if err != nil {
		return err
	}
	coded := format == table.CSV || format == table.NDJSON
	file, err := run.Whole(bulk.Output{Name: one.Name + format.Ext, List: bulk.Outputs, Type: one.Name, Media: format.Media, Coded: coded})
	if err != nil {
		return err
	}
	var w table.Writer
	err = s.Queries.Run(rights.As, one.Query, func(columns []table.Column) error {
		w, err = format.Open(file, columns, table.Options{NoHeader: p.NoHeader})
		return err
	}, func(row []table.Cell) error {
		file.Add(1)
		return w.Write(row)
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// exporting is a table that is being written.
type exporting struct {
	s       *Service
	run     *bulk.Run
	view    *View
	format  *table.Format
	options table.Options
	file    *bulk.File
	at      *position
	lines   bool // it can be cut after any row
	w       table.Writer
}

func (x *exporting) write(row []table.Cell) error {
	x.file.Add(1)
	return x.w.Write(row)
}

// open begins a part of the table.
func (x *exporting) open() (err error) {
	if x.w == nil {
		x.w, err = x.format.Open(x.file, x.view.Columns, x.options)
	}
	return err
}

// flush ends a part of the table, behind which another can begin.
func (x *exporting) flush() error {
	if err := x.open(); err != nil { // a table of no rows has a header
		return err
	}
	w := x.w
	x.w, x.options.NoHeader = nil, true
	return w.Close()
}

// scan reads on with the rights that the orderer has now, until they are looked up anew.
func (x *exporting) scan(ctx context.Context, f *filter) error {
	rights, err := x.run.Rights(ctx)
	if err != nil {
		return err
	}
	where, err := x.s.where(ctx, f, x.view.Resource, rights.Restriction)
	if err != nil {
		return err
	}
	scan := &search.Scan{At: x.run.At, After: x.at.After, Query: search.Query{Type: x.view.Resource, Where: where, Restriction: rights.Restriction}}
	if err := x.open(); err != nil {
		return err
	}
	return x.s.rows(ctx, x.view, Sight{rights.Restriction, rights.Seen}, scan, x.write, func(after string) error {
		x.at.After = after
		if x.lines && x.run.Due() {
			if err := x.flush(); err != nil {
				return err
			}
			if err := x.run.Save(ctx, x.at); err != nil {
				return err
			}
			if err := x.open(); err != nil {
				return err
			}
		}
		now, err := x.run.Rights(ctx)
		if err == nil && now != rights {
			err = errAgain
		}
		return err
	})
}

// manifest answers an order that is done.
//
// See https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/OperationDefinition-ViewDefinitionExport.html.
func manifest(o *bulk.Order, base string) ([]byte, string, error) {
	var p plan
	if err := json.Unmarshal(o.Plan, &p); err != nil {
		return nil, "", err
	}
	parts := []compose.Object{compose.Part("exportId", "String", o.ID)}
	if p.Tracking != "" {
		parts = append(parts, compose.Part("clientTrackingId", "String", p.Tracking))
	}
	parts = append(parts,
		compose.Part("status", "Code", "completed"),
		compose.Part("location", "Uri", base+"/$"+bulk.StatusName+"/"+o.ID),
		compose.Part("_format", "Code", p.Format),
		compose.Part("exportStartTime", "Instant", o.At.UTC().Format(fhir.InstantLayout)),
		compose.Part("exportEndTime", "Instant", o.Ended.UTC().Format(fhir.InstantLayout)),
		compose.Part("exportDuration", "Integer", int(o.Ended.Sub(o.Ordered).Seconds())))
	for i := range o.Outputs {
		out := &o.Outputs[i]
		parts = append(parts, compose.Object{"name": "output", "part": []compose.Object{
			compose.Part("name", "String", out.Type), compose.Part("location", "Uri", out.URL(base, o.ID)),
		}})
	}
	return compose.Parameters(parts...), "application/fhir+json", nil
}
