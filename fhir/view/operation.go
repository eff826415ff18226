package view

import (
	"bytes"
	"context"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/table"
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
		Media: table.Media(), Run: run,
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
	format := table.JSON
	if call.Media != "" {
		if format, err = table.FormatOf(call.Media); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	w, err := format.Open(&out, v.Columns, table.Options{NoHeader: header == "false"})
	if err != nil {
		return nil, err
	}
	write := func(row []table.Cell) error {
		if limit--; limit < 0 {
			return nil
		}
		return w.Write(row)
	}
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
		if err := v.Each(ctx, d, 0, write); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &operation.Answer{Media: format.Media, Raw: out.Bytes()}, nil
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
