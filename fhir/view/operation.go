package view

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// Media types of tables.
const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/ndjson"
	mediaLines  = "application/x-ndjson"
	mediaCSV    = "text/csv"
)

// OperationURL is the canonical URL of $viewdefinition-run.
//
// See https://sql-on-fhir.org/ig/2.0.0/OperationDefinition-ViewDefinitionRun.html.
const OperationURL = "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run"

// Operation returns $viewdefinition-run, for a view and resources that are in the call:
// it reads nothing that is stored, so whoever is signed in may try their views with it.
func Operation() operation.Operation {
	return operation.Operation{
		Name: "viewdefinition-run", URL: OperationURL, Scope: operation.OnSystem, Whole: true,
		Media: []string{mediaJSON, mediaNDJSON, mediaLines, mediaCSV}, Run: run,
	}
}

// mostRun is how many rows an answer has at most.
const mostRun = 100_000

// run answers $viewdefinition-run.
func run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("viewResource", "resource", "header"); err != nil {
		return nil, err
	}
	v, err := viewOf(call)
	if err != nil {
		return nil, err
	}
	limit, err := limited(call)
	if err != nil {
		return nil, err
	}
	header, err := call.In.Text("header")
	if err != nil {
		return nil, err
	}
	t := table{view: v, media: call.Media, header: header != "false", limit: limit}
	if t.media == "" {
		t.media = mediaJSON
	}
	t.begin()
	for _, p := range call.In.All("resource") {
		n, ok := p.Resource()
		if !ok {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter resource is a resource").At("Parameters.parameter.where(name='resource')")
		}
		// Expressions ask for the whole of a resource, not of what it came in.
		d, err := element.Parse(p.Doc.AppendCompact(nil, n))
		if err != nil {
			return nil, err
		}
		if err := v.Each(ctx, d, 0, t.row); err != nil {
			return nil, err
		}
	}
	return &operation.Answer{Media: t.media, Raw: t.end()}, nil
}

// viewOf compiles the view of a call.
func viewOf(call *operation.Call) (*View, error) {
	v, given, err := call.In.One("viewResource")
	if err != nil {
		return nil, err
	}
	n, ok := v.Resource()
	if !given || !ok {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter viewResource is needed: a ViewDefinition").At("Parameters.parameter.where(name='viewResource')")
	}
	return Compile(v.Doc, n)
}

// limited returns _limit.
func limited(call *operation.Call) (int, error) {
	text, err := call.In.Text("_limit")
	if err != nil || text == "" {
		return mostRun, err
	}
	n, bad := strconv.Atoi(text)
	if bad != nil || n < 1 {
		return 0, fhir.Errorf(fhir.Invalid, "the parameter _limit is a number of rows, 1 or more").With("%.20q", text)
	}
	return min(n, mostRun), nil
}

// table writes rows in one of the formats.
type table struct {
	view   *View
	media  string
	header bool
	limit  int

	rows int
	out  bytes.Buffer
	line []byte
}

func (t *table) begin() {
	switch {
	case t.media == mediaJSON:
		t.out.WriteByte('[')
	case t.media == mediaCSV && t.header:
		names := make([]string, len(t.view.Columns))
		for i := range names {
			names[i] = t.view.Columns[i].Name
		}
		t.csv(names)
	}
}

// row writes one row; those beyond the limit are left out.
func (t *table) row(row []Cell) error {
	if t.rows++; t.rows > t.limit {
		return nil
	}
	switch t.media {
	case mediaCSV:
		cells := make([]string, len(row))
		for i := range row {
			if cells[i] = row[i].Text; row[i].Kind == List {
				cells[i] = string(row[i].AppendJSON(nil))
			}
		}
		t.csv(cells)
		return nil
	case mediaJSON:
		if t.rows > 1 {
			t.out.WriteByte(',')
		}
	}
	t.line = AppendRow(t.line[:0], t.view.Columns, row)
	if t.media == mediaNDJSON || t.media == mediaLines {
		t.line = append(t.line, '\n')
	}
	t.out.Write(t.line)
	return nil
}

// csv writes a line by RFC 4180.
func (t *table) csv(cells []string) {
	w := csv.NewWriter(&t.out)
	w.UseCRLF = true
	// A buffer takes everything.
	_ = w.Write(cells)
	w.Flush()
}

func (t *table) end() []byte {
	if t.media == mediaJSON {
		t.out.WriteByte(']')
	}
	return t.out.Bytes()
}
