package view

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/table"
)

// mostRun is how many rows there are at most of resources that are in a call.
const mostRun = 100_000

// request is a $viewdefinition-run.
type request struct {
	view    *View
	format  *table.Format
	options table.Options
	limit   int // of rows; 0 for none
	filter  *filter
	given   []operation.Value // resources in the call; nil when those that are stored are meant
}

// request reads a call. Errors: *fhir.Error.
func (s *Service) request(ctx context.Context, call *operation.Call) (*request, error) {
	if err := only(call, "viewReference", "viewResource", "subjectCanonical", "subjectReference", "subjectResource",
		"resource", "patient", "group", "source", "header"); err != nil {
		return nil, err
	}
	r := &request{}
	var err error
	if err = source(call); err != nil {
		return nil, err
	}
	if r.view, err = s.viewOf(ctx, call); err != nil {
		return nil, err
	}
	if r.format, err = formatOf(call); err != nil {
		return nil, err
	}
	if r.options, err = optionsOf(call); err != nil {
		return nil, err
	}
	if r.limit, err = limited(call); err != nil {
		return nil, err
	}
	if r.given = call.In.All("resource"); r.given != nil {
		return r, nil
	}
	r.filter, err = s.filterOf(ctx, call)
	return r, err
}

// run answers $viewdefinition-run.
func (s *Service) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	r, err := s.request(ctx, call)
	if err != nil {
		return nil, err
	}
	if r.given != nil {
		return r.inline(ctx, call)
	}
	where, err := s.where(ctx, r.filter, r.view.Resource, call.Restriction)
	if err != nil {
		return nil, err
	}
	sight := Sight{Restriction: call.Restriction, Seen: call.Seen}
	scan := &search.Scan{Query: search.Query{Type: r.view.Resource, Where: where, Restriction: call.Restriction}}
	return s.answer(ctx, call, r.format.Media, func(ctx context.Context, out io.Writer) error {
		w, err := r.format.Open(out, r.view.Columns, r.options)
		if err != nil {
			return err
		}
		err = s.rows(ctx, r.view, sight, scan, limit(w.Write, r.limit), func(string) error { return nil })
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		return w.Close()
	})
}

// errEnough says that there are as many rows as were asked for.
var errEnough = errors.New("enough rows")

// limit ends with errEnough once n rows were written; 0 is without end.
func limit(write func([]table.Cell) error, n int) func([]table.Cell) error {
	if n == 0 {
		return write
	}
	return func(row []table.Cell) error {
		if err := write(row); err != nil {
			return err
		}
		if n--; n == 0 {
			return errEnough
		}
		return nil
	}
}

// rows calls write with the rows of all resources that a scan finds, and done behind each
// page of them with where it ends.
func (s *Service) rows(ctx context.Context, v *View, sight Sight, scan *search.Scan, write func([]table.Cell) error, done func(after string) error) error {
	doc := new(element.Doc)
	return s.Scanner.Scan(ctx, scan, func(found []fhir.Resource, after string) error {
		shown, err := s.shown(ctx, v, sight, found)
		if err != nil {
			return err
		}
		for _, json := range shown {
			if err := doc.Parse(json, element.Limits{}); err != nil {
				return err
			}
			if err := v.Each(ctx, doc, 0, write); err != nil {
				return err
			}
		}
		return done(after)
	})
}

// shown returns what rows are made of.
func (s *Service) shown(ctx context.Context, v *View, sight Sight, found []fhir.Resource) ([][]byte, error) {
	if s.Prepare != nil {
		return s.Prepare(ctx, v, sight, found)
	}
	shown := make([][]byte, len(found))
	for i := range found {
		shown[i] = found[i].JSON
		if sight.Seen == nil {
			continue
		}
		var err error
		if shown[i], err = sight.Seen(shown[i]); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// inline answers for resources that are in the call: nothing is read that is stored.
func (r *request) inline(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	var out bytes.Buffer
	w, err := r.format.Open(&out, r.view.Columns, r.options)
	if err != nil {
		return nil, err
	}
	rows, most := 0, r.limit
	if most == 0 || most > mostRun {
		most = mostRun + 1
	}
	write := limit(func(row []table.Cell) error {
		if rows++; rows > mostRun {
			return fhir.Errorf(fhir.TooCostly, "there are %d rows of resources in a call at most", mostRun)
		}
		return w.Write(row)
	}, most)
	for _, p := range r.given {
		n, ok := p.Resource()
		if !ok {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter resource is a resource").At("Parameters.parameter.where(name='resource')")
		}
		// Expressions ask for the whole of a resource, not of what it came in.
		d, err := element.Parse(p.Doc.AppendCompact(nil, n))
		if err != nil {
			return nil, err
		}
		if err := r.view.Each(ctx, d, 0, write); errors.Is(err, errEnough) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &operation.Answer{Media: r.format.Media, Raw: out.Bytes(), Nothing: true}, nil
}
