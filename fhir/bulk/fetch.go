package bulk

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// Names of the operations by which orders are asked for, and files fetched.
const (
	StatusName = "bulk-status"
	FileName   = "bulk-file"
)

// Operations are those by which orders are asked for and given up, and files fetched.
func (s *Service) Operations() []operation.Operation {
	const definition = "https://github.com/amate-health/amate/fhir/OperationDefinition/"
	return []operation.Operation{
		{
			Name: StatusName, URL: definition + StatusName, Scope: operation.OnSystem, Item: "order", Media: []string{"application/json"},
			Sees: true, Run: s.status, Cancel: s.cancel,
		},
		{
			Name: FileName, URL: definition + FileName, Scope: operation.OnSystem, Item: "file", Sees: true, Run: s.fetch,
			Media: []string{"application/fhir+ndjson", "application/ndjson", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "application/octet-stream"},
		},
	}
}

func compareOutputs(a, b *Output) int {
	return cmp.Or(strings.Compare(string(a.List), string(b.List)), strings.Compare(a.Type, b.Type), cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
}

// status answers how far an order is, or what came of it.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request.
func (s *Service) status(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("order"); err != nil {
		return nil, err
	}
	id, err := call.In.Text("order")
	if err != nil {
		return nil, err
	}
	o, err := s.find(ctx, call, id)
	if err != nil {
		return nil, err
	}
	if o.Ended.IsZero() {
		a, err := s.underWay(ctx, o)
		if a != nil || err != nil {
			return a, err
		}
		if o, err = s.find(ctx, call, id); err != nil { // its job has ended since it was read
			return nil, err
		}
		if o.Ended.IsZero() {
			return nil, fmt.Errorf("order %s was given up by its job", o.ID)
		}
	}
	if o.Fault != nil {
		return nil, &fhir.Error{Code: o.Fault.Code, Details: o.Fault.Details, Diagnostics: o.Fault.Diagnostics}
	}
	body, media := o.manifest(call.Base), "application/json"
	if m := s.kinds[o.Kind].Manifest; m != nil {
		if body, media, err = m(o, call.Base); err != nil {
			return nil, err
		}
	}
	return &operation.Answer{Media: media, Raw: body, Expires: o.expires, Nothing: true}, nil
}

// underWay answers of an order that is not done; nil once its job has ended.
func (s *Service) underWay(ctx context.Context, o *Order) (*operation.Answer, error) {
	st, err := s.Jobs.Look(ctx, o.ID)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound || err == nil && st.Cancelled:
		return nil, fhir.Errorf(fhir.NotFound, "there is no such order, or it has expired or was given up")
	case err != nil:
		return nil, err
	case st.Ended:
		return nil, nil
	}
	return &operation.Answer{Status: http.StatusAccepted, Progress: st.progress(), RetryAfter: st.retry(s.Now().Sub(o.Ordered)), Nothing: true}, nil
}

// progress says how far the work is, in less than 100 characters.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---in-progress-status.
func (st *State) progress() string {
	text := "at work"
	switch {
	case !st.Begun:
		return "queued"
	case st.Total > 0:
		text = fmt.Sprintf("%d %%: %d of about %d", min(99, st.Done*100/st.Total), st.Done, st.Total)
	case st.Done > 0:
		text = fmt.Sprintf("%d so far", st.Done)
	}
	if st.Note != "" && len(text)+len(st.Note) < 96 {
		text += " (" + st.Note + ")"
	}
	return text
}

// retry is after how many seconds to ask again: soon at first, and then as the work takes.
func (st *State) retry(since time.Duration) int {
	wait := since / 4
	if st.Left > 0 {
		wait = st.Left
	}
	return int(min(max(wait, time.Second), time.Minute) / time.Second)
}

// cancel gives an order up, and removes what came of it.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-delete-request.
func (s *Service) cancel(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	id, err := call.In.Text("order")
	if err != nil {
		return nil, err
	}
	o, err := s.giveUp(ctx, call, id)
	if err != nil {
		return nil, err
	}
	if err := s.Files.Remove(o.ID); err != nil {
		s.Log.Warn("files of an order that was given up are left to the sweep", "error", err)
	}
	return &operation.Answer{Status: http.StatusAccepted, Nothing: true}, nil
}

// giveUp stops the work of an order and has it found no more. The work may write the order
// at the same time, as it begins and ends.
func (s *Service) giveUp(ctx context.Context, call *operation.Call, id string) (*Order, error) {
	for n := 1; ; n++ {
		o, err := s.find(ctx, call, id)
		if err != nil {
			return nil, err
		}
		if err := s.Jobs.Stop(ctx, o.ID); err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return nil, err
		}
		e := o.entry()
		e.Expires = s.Now().Add(-time.Second) // it is not found any more
		if err = s.Store.Put(ctx, e); fhir.CodeOf(err) != fhir.Conflict || n == turns {
			return o, err
		}
	}
}

// fetch answers a file, as long as the caller may still order such a thing.
func (s *Service) fetch(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("file"); err != nil {
		return nil, err
	}
	text, err := call.In.Text("file")
	if err != nil {
		return nil, err
	}
	id, name, _ := strings.Cut(text, ".")
	o, err := s.find(ctx, call, id)
	if err != nil {
		return nil, err
	}
	rights, err := s.Access.Rights(ctx, o.Kind, o.Type, o.Instance)
	if err != nil {
		return nil, err
	}
	if !o.still(&call.Caller) {
		return nil, fhir.Errorf(fhir.Forbidden, "this was ordered in another role, at another establishment or for somebody else: order it again")
	}
	if rights.Seen != nil && !o.Part {
		return nil, fhir.Errorf(fhir.Forbidden, "you see resources only in part, and these files were made when that was not so: order them again")
	}
	for i := range o.Outputs {
		f := &o.Outputs[i]
		if f.Name != name || o.Ended.IsZero() {
			continue
		}
		_, shown := rights.Restriction.Of(f.Type)
		if !shown && !rights.Restriction.Open() && spec.IsResource(f.Type) && f.List == Outputs {
			return nil, fhir.Errorf(fhir.Forbidden, "you may not see %s", f.Type)
		}
		if f.Sight != "" && !rights.Restriction.Open() && f.Sight != sight(rights.Restriction, f) {
			return nil, fhir.Errorf(fhir.Forbidden, "what you may see has changed since this file was made: order it again")
		}
		return s.answer(o, f)
	}
	return nil, fhir.Errorf(fhir.NotFound, "there is no such file")
}

func (s *Service) answer(o *Order, f *Output) (*operation.Answer, error) {
	if o.Place != s.Files.Name() {
		return nil, fhir.Errorf(fhir.Unavailable, "this server does not reach the folder of the file: all servers of a database share the one below --data")
	}
	r, size, err := s.Files.Open(o.ID, f.Name)
	if err != nil {
		return nil, err
	}
	file := &operation.File{ReadCloser: r, Size: size, Name: f.Name, Tag: o.ID + "." + f.Name}
	if f.Coded {
		file.Coded = "zstd"
	}
	return &operation.Answer{Media: f.Media, File: file}, nil
}

// Sweep removes the files of orders that are no more.
func (s *Service) Sweep(ctx context.Context) error {
	all, err := s.Files.Orders()
	if err != nil {
		return err
	}
	for id, since := range all {
		if s.Now().Sub(since) < time.Hour {
			continue
		}
		_, err := s.Store.Entry(ctx, entryKind, id)
		if fhir.CodeOf(err) == fhir.NotFound {
			err = s.Files.Remove(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
