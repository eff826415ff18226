package bulk_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// place is all that a Service needs, in memory.
type place struct {
	entries map[string]fhir.Entry
	files   map[string]*kept
	state   map[string]bulk.State
}

type kept struct{ bytes.Buffer }

func (*kept) Sync() error  { return nil }
func (*kept) Close() error { return nil }

func (p *place) Entry(_ context.Context, _, key string) (fhir.Entry, error) {
	if e, ok := p.entries[key]; ok {
		return e, nil
	}
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (p *place) Put(_ context.Context, entries ...fhir.Entry) error {
	for _, e := range entries {
		if have := p.entries[e.Key]; have.Version != e.Version {
			return fhir.Errorf(fhir.Conflict, "version %d of %d", e.Version, have.Version)
		}
		e.Version++
		p.entries[e.Key] = e
	}
	return nil
}

func (p *place) Entries(_ context.Context, _, group, after string, limit int) (all []fhir.Entry, err error) {
	for key, e := range p.entries {
		if e.Group == group && key > after {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	return all[:min(limit, len(all))], nil
}

func (p *place) Add(_ context.Context, order string) error {
	p.state[order] = bulk.State{}
	return nil
}

func (p *place) Stop(context.Context, string) error { return nil }

func (p *place) Look(_ context.Context, order string) (bulk.State, error) { return p.state[order], nil }

func (p *place) Name() string { return "here" }

func (p *place) Append(order, name string, _ int64) (bulk.Appender, error) {
	f := &kept{}
	p.files[order+"/"+name] = f
	return f, nil
}

func (p *place) Open(order, name string) (bulk.Reader, int64, error) {
	f := p.files[order+"/"+name]
	if f == nil {
		return nil, 0, fhir.Errorf(fhir.NotFound, "none")
	}
	return io.NopCloser(bytes.NewReader(f.Bytes())), int64(f.Len()), nil
}

func (p *place) Used() (used, free int64, err error)   { return 0, -1, nil }
func (p *place) Remove(string) error                   { return nil }
func (p *place) Orders() (map[string]time.Time, error) { return nil, nil }

func (p *place) Owner(context.Context) ([]byte, bool, error)               { return []byte("{}"), true, nil }
func (p *place) As(ctx context.Context, _ []byte) (context.Context, error) { return ctx, nil }
func (p *place) Rights(context.Context, string, string, string) (*bulk.Rights, error) {
	return &bulk.Rights{Restriction: search.Unrestricted}, nil
}

func (p *place) Position(any) (bool, error)      { return false, nil }
func (p *place) Progress(int64, int64, string)   {}
func (p *place) Save(context.Context, any) error { return nil }

// TestWhoFetches: files are of those who ordered them, as what they were then.
func TestWhoFetches(t *testing.T) {
	p := &place{entries: map[string]fhir.Entry{}, files: map[string]*kept{}, state: map[string]bulk.State{}}
	s := bulk.New(bulk.Config{Store: p, Jobs: p, Files: p, Access: p, Moment: func(context.Context) (time.Time, error) { return time.Now(), nil }}, bulk.Kind{
		Name: "work", Plan: func(context.Context, *operation.Call) (any, error) { return nil, nil },
		Run: func(_ context.Context, r *bulk.Run) error {
			f, err := r.File(bulk.Output{Name: "a.ndjson", List: bulk.Outputs, Type: "Patient", Media: "application/fhir+ndjson"})
			if err == nil {
				_, err = f.Write([]byte("{}\n"))
			}
			return err
		},
	})
	ordered := operation.Caller{Principal: "ana", Client: "app", Org: "DFSSA000001", User: fhir.Ref{Type: "Practitioner", ID: "ana"}, Roles: []string{"clinician", "data-steward"}}
	a, err := s.Order("work")(t.Context(), &operation.Call{Async: true, Base: "http://h/fhir", Caller: ordered})
	if err != nil || a.Status != http.StatusAccepted {
		t.Fatal(a, err)
	}
	id := a.Location[strings.LastIndexByte(a.Location, '/')+1:]
	if _, err := s.Work(t.Context(), id, p); err != nil {
		t.Fatal(err)
	}
	var fetch operation.Operation
	for _, op := range s.Operations() {
		if op.Name == bulk.FileName {
			fetch = op
		}
	}
	for name, tt := range map[string]struct {
		change func(c *operation.Caller)
		code   fhir.Code
	}{
		"the same":             {func(*operation.Caller) {}, 0},
		"with a role more":     {func(c *operation.Caller) { c.Roles = append([]string{"nurse"}, c.Roles...) }, 0},
		"with a role less":     {func(c *operation.Caller) { c.Roles = c.Roles[:1] }, fhir.Forbidden},
		"by another role":      {func(c *operation.Caller) { c.Roles = []string{"clinic-system"} }, fhir.Forbidden},
		"at another place":     {func(c *operation.Caller) { c.Org = "DFSSA000002" }, fhir.Forbidden},
		"for somebody else":    {func(c *operation.Caller) { c.User.ID = "eva" }, fhir.Forbidden},
		"by another app":       {func(c *operation.Caller) { c.Client = "other" }, fhir.NotFound},
		"with another account": {func(c *operation.Caller) { c.Principal = "eva" }, fhir.NotFound},
	} {
		c := ordered
		c.Roles = slices.Clone(c.Roles)
		tt.change(&c)
		a, err := fetch.Run(t.Context(), &operation.Call{Base: "http://h/fhir", Caller: c, In: operation.NewInputs([]search.Param{{Name: "file", Value: id + ".a.ndjson"}}, nil)})
		if fhir.CodeOf(err) != tt.code || (err == nil) != (a != nil && a.File != nil) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}
