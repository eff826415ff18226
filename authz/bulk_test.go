package authz_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/bulk/ingest"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// exportPaths are the ways to order an export.
var exportPaths = []string{
	"/$export", "/$export?_type=Observation,Patient,Group", "/Patient/$export", "/Patient/$export?patient=Patient/p1",
	"/Group/g1/$export", "/Patient/$export?_type=Observation&_typeFilter=Observation%3Fcode=1-1",
	"/Patient/$export?_type=Patient,Observation&_elements=status&includeAssociatedData=RelevantProvenanceResources",
}

// exports keeps the orders of a world, and their files.
type exports struct {
	*world
	service *bulk.Service
	entries map[string]fhir.Entry
	owners  map[string]*authz.Principal
	files   map[string]*exportFile
}

type exportFile struct{ bytes.Buffer }

func (*exportFile) Sync() error  { return nil }
func (*exportFile) Close() error { return nil }

// exportOperations are the operations by which exports are ordered and fetched.
func (w *world) exportOperations() []operation.Operation {
	x := &exports{world: w, entries: map[string]fhir.Entry{}, owners: map[string]*authz.Principal{}, files: map[string]*exportFile{}}
	export := bulk.Exporter{
		Scanner: paged{w}, Search: w.store.Search, History: w.store.History, Read: w.store.Read, Subset: rest.Subset,
		Index: func(r *fhir.Resource) (search.Index, error) {
			d, err := element.Parse(r.JSON)
			if err != nil {
				return search.Index{}, err
			}
			return search.Extract(d, 0, base)
		},
	}
	x.service = bulk.New(bulk.Config{
		Store: x, Jobs: x, Files: x, Access: x, Plain: true, Most: 1 << 20, Moment: func(context.Context) (time.Time, error) { return time.Now(), nil },
	}, export.Kind(), (&ingest.Importer{Source: x.world, Sealer: sealing{}}).Kind())
	w.exports = x
	run := x.service.Order(bulk.ExportName)
	media := []string{"application/fhir+ndjson"}
	return append(append(x.service.Operations(), ingest.Operation(x.service)),
		operation.Operation{Name: "export", URL: "http://h/export", Scope: operation.OnSystem, Media: media, Sees: true, Run: run},
		operation.Operation{Name: "export", URL: "http://h/export", Scope: operation.OnType, Types: []string{"Patient"}, Media: media, Sees: true, Run: run},
		operation.Operation{Name: "export", URL: "http://h/export", Scope: operation.OnInstance, Types: []string{"Group"}, Media: media, Sees: true, Run: run})
}

func (x *exports) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	if e, ok := x.entries[kind+key]; ok {
		return e, nil
	}
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (x *exports) Put(_ context.Context, entries ...fhir.Entry) error {
	for _, e := range entries {
		e.Version++
		x.entries[e.Kind+e.Key] = e
	}
	return nil
}

func (x *exports) Entries(context.Context, string, string, string, int) ([]fhir.Entry, error) {
	return nil, nil
}

func (x *exports) Add(context.Context, string) error  { return nil }
func (x *exports) Stop(context.Context, string) error { return nil }
func (x *exports) Look(context.Context, string) (bulk.State, error) {
	return bulk.State{Begun: true}, nil
}

func (x *exports) Name() string { return "here" }

func (x *exports) Append(order, name string, _ int64) (bulk.Appender, error) {
	f := &exportFile{}
	x.files[order+"/"+name] = f
	return f, nil
}

func (x *exports) Open(order, name string) (bulk.Reader, int64, error) {
	f := x.files[order+"/"+name]
	if f == nil {
		return nil, 0, fhir.Errorf(fhir.NotFound, "none")
	}
	return io.NopCloser(bytes.NewReader(f.Bytes())), int64(f.Len()), nil
}

func (x *exports) Remove(string) error                   { return nil }
func (x *exports) Orders() (map[string]time.Time, error) { return nil, nil }
func (x *exports) Used() (used, free int64, err error)   { return 0, -1, nil }
func (x *exports) Position(any) (bool, error)            { return false, nil }
func (x *exports) Progress(int64, int64, string)         {}
func (x *exports) Save(context.Context, any) error       { return nil }

func (x *exports) Owner(ctx context.Context) ([]byte, bool, error) {
	p := authz.From(ctx)
	x.owners[p.ID] = p
	owner, err := json.Marshal(p.ID)
	return owner, true, err
}

func (x *exports) As(ctx context.Context, owner []byte) (context.Context, error) {
	var id string
	err := json.Unmarshal(owner, &id)
	return x.owners[id].With(ctx), err
}

func (x *exports) Rights(ctx context.Context, name, typ, id string) (*bulk.Rights, error) {
	d, err := x.guard.Check(ctx, &rest.Request{Interaction: rest.Operation, Operation: name, Type: typ, ID: id})
	if err != nil {
		return nil, err
	}
	return &bulk.Rights{Restriction: d.Restriction, Roster: d.Roster, Seen: d.Mask.Of(), Caller: d.Caller, Search: search.Options{Base: base}, Send: x.send}, nil
}

// exported orders an export for p and does it. It returns where its files are; none when p
// may not.
func (w *world) exported(p *authz.Principal, path string) []string {
	w.t.Helper()
	a := w.ask(p, "GET", path, "", "Prefer", "respond-async")
	if a.Code != 202 {
		return nil
	}
	at := a.Header().Get("Content-Location")
	if _, err := w.exports.service.Work(w.t.Context(), at[strings.LastIndexByte(at, '/')+1:], w.exports); err != nil && fhir.CodeOf(err) == 0 {
		w.t.Fatalf("%s for %s: %v", path, describe(w, p), err)
	}
	a = w.ask(p, "GET", at, "", "Accept", "application/json")
	var m struct{ Output []struct{ URL string } }
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &m) != nil {
		w.t.Fatalf("%s for %s: %d %s", path, describe(w, p), a.Code, a.Body)
	}
	var files []string
	for _, f := range m.Output {
		files = append(files, f.URL)
	}
	return files
}

// fetched returns what p gets of files. None of it is hidden from p, as they are now.
func (w *world) fetched(p *authz.Principal, what string, files []string) (refs []string) {
	w.t.Helper()
	for _, url := range files {
		a := w.ask(p, "GET", url, "", "Accept", "application/fhir+ndjson")
		if a.Code != 200 {
			continue
		}
		for line := range strings.Lines(a.Body.String()) {
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				w.t.Fatal(err, line)
			}
			ref := r.ResourceType + "/" + r.ID
			o, v := w.all[ref], w.viewer(p, r.ResourceType, "view")
			if o == nil || !v.sees(o) {
				w.t.Fatalf("%s for %s: %s is in it, which is hidden\n%s", what, describe(w, p), ref, line)
			}
			if v.masked(o) && strings.Contains(line, "SECRETO") {
				w.t.Fatalf("%s for %s: a secret is in it\n%s", what, describe(w, p), line)
			}
			refs = append(refs, ref)
		}
	}
	return refs
}

// TestExportsRestricted: files are of what the caller may see, and all of it; nobody else
// gets them, and with other roles or scopes than before the caller gets nothing that these
// hide.
func TestExportsRestricted(t *testing.T) {
	lines, kept := 0, 0
	for seed := range uint64(5) {
		w := newWorld(t, seed, engines["sqlite"])
		for range 6 {
			w.also = []rule{{types: []string{"*"}, acts: []string{"$export", "$bulk-status", "$bulk-file"}, restriction: "all"}}
			if w.chance(50) {
				w.also = append(w.also, rule{types: []string{"Patient", "Observation", "Group"}, acts: []string{"view"}, restriction: one(w, "all", "own-compartment", "own-unit", "own-jurisdiction")})
			}
			w.policy()
			p := w.caller()
			w.asking = p
			path := exportPaths[w.rand.IntN(len(exportPaths))]
			if w.chance(40) {
				path = exportPaths[0]
			}
			files := w.exported(p, path)
			got := w.fetched(p, path, files)
			lines += len(got)
			if path == exportPaths[0] && files != nil {
				for _, ref := range w.order {
					if o := w.all[ref]; w.viewer(p, typeOf(o), "view").sees(o) && !slices.Contains(got, ref) {
						t.Fatalf("%s for %s: %s is not in it", path, describe(w, p), ref)
					}
				}
			}
			other := *p
			other.ID += "x"
			if refs := w.fetched(&other, path, files); len(refs) > 0 {
				t.Fatalf("%s for %s: somebody else gets %v", path, describe(w, p), refs)
			}
			less := *p
			for i := range p.Scopes {
				less.Scopes = p.Scopes[i : i+1]
				kept += len(w.fetched(&less, path+" with fewer scopes", files))
			}
			for range 6 {
				w.policy()
				kept += len(w.fetched(p, path+" by another policy", files))
			}
		}
	}
	if lines == 0 || kept == 0 {
		t.Errorf("%d resources were exported, and %d fetched with other rights", lines, kept)
	}
}
