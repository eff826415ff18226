package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/compose"
)

// Inputs is the list of what was taken, a file without content for each input.
const Inputs bulk.List = "input"

// position is how far the work is.
type position struct {
	Inputs []input // in order, once the manifest was read
	At     int     // of Inputs that are done
	Line   int     // of the next one that are done
	Done   int64   // resources, for those who watch
}

func (im *Importer) run(ctx context.Context, r *bulk.Run) error {
	var p plan
	if err := r.Decode(&p); err != nil {
		return err
	}
	headers, err := im.headers(p.Headers)
	if err != nil {
		return err
	}
	var pos position
	had, err := r.Position(&pos)
	if err != nil {
		return err
	}
	if !had {
		pos.Inputs = p.Inputs
		if p.Manifest != "" {
			if pos.Inputs, err = im.listed(ctx, p.Manifest, headers); err != nil {
				return err
			}
		}
		if err := r.Save(ctx, &pos); err != nil {
			return err
		}
	}
	for pos.At < len(pos.Inputs) {
		if err := im.file(ctx, r, &pos, headers); err != nil {
			return err
		}
		pos.At, pos.Line = pos.At+1, 0
		if err := r.Save(ctx, &pos); err != nil {
			return err
		}
	}
	return nil
}

// mostManifest is how long a manifest may be.
const mostManifest = 16 << 20

// listed reads the manifest of a bulk export.
func (im *Importer) listed(ctx context.Context, url string, headers map[string]string) ([]input, error) {
	body, err := im.Source.Open(ctx, url, headers)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, mostManifest+1))
	if err != nil {
		return nil, err
	}
	var m struct {
		Output []struct{ Type, URL string }
	}
	if len(raw) > mostManifest || json.Unmarshal(raw, &m) != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "what is at the URL of the manifest is none")
	}
	if len(m.Output) == 0 || len(m.Output) > mostInputs {
		return nil, fhir.Errorf(fhir.Unprocessable, "a manifest lists from 1 to %d files as its output", mostInputs)
	}
	var inputs []input
	for _, o := range m.Output {
		inputs = append(inputs, input{Type: o.Type, URL: o.URL})
	}
	return inputs, im.check(inputs)
}

// file takes what is left of the next input.
func (im *Importer) file(ctx context.Context, r *bulk.Run, pos *position, headers map[string]string) error {
	from := pos.Inputs[pos.At]
	body, err := im.Source.Open(ctx, from.URL, headers)
	if err != nil {
		return in(pos.At, err)
	}
	defer body.Close()
	text, done, err := plain(body)
	if err != nil {
		return in(pos.At, fhir.Errorf(fhir.Unprocessable, "the file cannot be unpacked"))
	}
	defer done()
	t, err := newTaker(r, from, pos.At)
	if err != nil {
		return err
	}
	lines := &reader{r: bufio.NewReaderSize(text, 64<<10), typ: from.Type}
	for lines.number < pos.Line {
		if _, err := lines.line(); err != nil {
			return in(pos.At, fhir.Errorf(fhir.Unprocessable, "the file is shorter than it was before"))
		}
	}
	for {
		chunk, end := lines.chunk()
		if end != nil && end != io.EOF {
			return in(pos.At, end)
		}
		if err := t.take(ctx, chunk); err != nil {
			return err
		}
		if n := len(chunk); n > 0 {
			pos.Line = chunk[n-1].number
			pos.Done += int64(n)
		}
		r.Progress(pos.Done, 0, fmt.Sprintf("file %d of %d", pos.At+1, len(pos.Inputs)))
		if end == io.EOF {
			return t.end()
		}
		if !r.Due() {
			continue
		}
		if err := r.Save(ctx, pos); err != nil {
			return err
		}
	}
}

// in says of which input an error is, for whoever ordered.
func in(n int, err error) error {
	if fhir.CodeOf(err) == 0 {
		return err
	}
	told := *err.(*fhir.Error) //nolint:errorlint // what CodeOf knows, Source has not wrapped
	told.Details = "input " + strconv.Itoa(n+1) + ": " + told.Details
	return &told
}

// manifest is what is answered when all was taken: what of each file, and where what was
// refused of it is told.
func manifest(o *bulk.Order, base string) ([]byte, string, error) {
	lists := map[bulk.List][]compose.Object{Inputs: {}, bulk.Errors: {}}
	for i := range o.Outputs {
		f := &o.Outputs[i]
		if f.List == bulk.Errors && f.Count == 0 {
			continue
		}
		one := compose.Object{"type": f.Type, "count": f.Count, "inputUrl": f.Extension}
		if f.List == bulk.Errors {
			one["url"] = f.URL(base, o.ID)
		}
		lists[f.List] = append(lists[f.List], one)
	}
	return compose.JSON(compose.Object{
		"transactionTime": o.Ended.UTC().Format(fhir.InstantLayout), "request": o.URL, "requiresAccessToken": o.Principal != "",
		"output": lists[Inputs], "error": lists[bulk.Errors],
	}), "application/json", nil
}
