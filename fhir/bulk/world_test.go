package bulk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

const base = "http://h/fhir"

// moment is that of the exports of a world.
var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// errCrash is what everything comes to once the server has died.
var errCrash = errors.New("the server has died")

// world is what an export works on. Its server dies after a number of steps, and takes with
// it what was not made durable.
type world struct {
	*place
	versions []fhir.Resource // each after those before it
	disk     map[string]*platter
	told     []string // how far it was, each time
	kept     []byte   // position of the work
	volume   int64    // bytes of the disk
	left     int      // steps until the server dies; below 0 it does not
	clock    time.Time
	rights   func() (*bulk.Rights, error)
	service  *bulk.Service
}

// platter is a file: what is written, and how much of it is durable.
type platter struct {
	w       *world
	text    []byte
	durable int
}

func newWorld() *world {
	w := &world{
		place: &place{entries: map[string]fhir.Entry{}, files: map[string]*kept{}, state: map[string]bulk.State{}},
		disk:  map[string]*platter{}, volume: 1 << 40, left: -1, clock: moment,
		rights: func() (*bulk.Rights, error) {
			return &bulk.Rights{Restriction: search.Unrestricted, Search: search.Options{Base: base}}, nil
		},
	}
	x := &bulk.Exporter{Scanner: w, Search: w.search, History: w.history, Read: w.read, Index: indexOf, Subset: nil}
	w.service = bulk.New(bulk.Config{
		Store: w.place, Jobs: w, Files: w, Access: w, Most: 2, Now: w.now,
		Moment: func(context.Context) (time.Time, error) { return moment, nil },
	}, x.Kind())
	return w
}

// now is a second later each time, so that positions are saved and rights looked up anew.
func (w *world) now() time.Time {
	w.clock = w.clock.Add(time.Second)
	return w.clock
}

// step is something that is not done by a dead server.
func (w *world) step() error {
	if w.left == 0 {
		return errCrash
	}
	w.left--
	return nil
}

// die loses of each file a part of what is not durable; some of it may have reached the disk.
func (w *world) die() {
	for _, f := range w.disk {
		f.text = f.text[:f.durable+(len(f.text)-f.durable)/2]
	}
	w.left = -1
}

func (w *world) Append(order, name string, at int64) (bulk.Appender, error) {
	f := w.disk[order+"/"+name]
	if f == nil {
		f = &platter{w: w}
		w.disk[order+"/"+name] = f
	}
	if int64(f.durable) < at {
		return nil, fmt.Errorf("%s has %d durable bytes, and is gone on with at %d", name, f.durable, at)
	}
	f.text, f.durable = f.text[:at], int(at)
	return f, w.step()
}

func (f *platter) Write(p []byte) (int, error) {
	if err := f.w.step(); err != nil {
		return 0, err
	}
	f.text = append(f.text, p...)
	return len(p), nil
}

func (f *platter) Sync() error {
	if err := f.w.step(); err != nil {
		return err
	}
	f.durable = len(f.text)
	return nil
}

func (f *platter) Close() error { return nil }

func (w *world) Open(order, name string) (bulk.Reader, int64, error) {
	f := w.disk[order+"/"+name]
	if f == nil {
		return nil, 0, fhir.Errorf(fhir.NotFound, "none")
	}
	return io.NopCloser(strings.NewReader(string(f.text))), int64(len(f.text)), nil
}

func (w *world) Remove(order string) error {
	for name := range w.disk {
		if strings.HasPrefix(name, order+"/") {
			delete(w.disk, name)
		}
	}
	return nil
}

// Used tells how much the files take, on a disk that is as large as said.
func (w *world) Used() (used, free int64, err error) {
	for _, f := range w.disk {
		used += int64(len(f.text))
	}
	return used, max(0, w.volume-used), nil
}

// Orders tells of files from long ago.
func (w *world) Orders() (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for name := range w.disk {
		order, _, _ := strings.Cut(name, "/")
		all[order] = moment.AddDate(0, -1, 0)
	}
	return all, nil
}

// Progress keeps what is told.
func (w *world) Progress(done, total int64, note string) {
	w.told = append(w.told, fmt.Sprintf("%d of %d: %s", done, total, note))
}

func (w *world) Position(into any) (bool, error) {
	if w.kept == nil {
		return false, nil
	}
	return true, json.Unmarshal(w.kept, into)
}

func (w *world) Save(_ context.Context, position any) (err error) {
	if err = w.step(); err == nil {
		w.kept, err = json.Marshal(position)
	}
	return err
}

func (w *world) Rights(context.Context, string, string, string) (*bulk.Rights, error) {
	return w.rights()
}

// put stores a version; "" deletes. It was made at a time, counted in days before the moment.
func (w *world) put(ref string, days int, text string) {
	r, _ := fhir.ParseRef(ref)
	r.Version = 1
	for i := range w.versions {
		if w.versions[i].Ref.Current() == r.Current() {
			r.Version++
		}
	}
	v := fhir.Resource{Ref: r, Updated: moment.AddDate(0, 0, -days), JSON: []byte(text), Method: fhir.PUT}
	if text == "" {
		v.Method, v.JSON = fhir.DELETE, nil
	}
	w.versions = append(w.versions, v)
}

// current returns what there is of a type, as of a moment.
func (w *world) current(typ string, at time.Time) (all []fhir.Resource) {
	last := map[string]int{}
	for i := range w.versions {
		if v := &w.versions[i]; v.Ref.Type == typ && !v.Updated.After(at) {
			last[v.Ref.ID] = i
		}
	}
	for _, i := range last {
		if !w.versions[i].Deleted() {
			all = append(all, w.versions[i])
		}
	}
	slices.SortFunc(all, func(a, b fhir.Resource) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	return all
}

func indexOf(r *fhir.Resource) (search.Index, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return search.Index{}, err
	}
	return search.Extract(d, 0, base)
}

// meant leaves what a query asks for.
func meant(q *search.Query, all []fhir.Resource) ([]fhir.Resource, error) {
	var found []fhir.Resource
	for i := range all {
		ix, err := indexOf(&all[i])
		if err != nil {
			return nil, err
		}
		ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: all[i].Ref.Current(), Updated: all[i].Updated, Index: &ix})
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, all[i])
		}
	}
	return found, nil
}

func (w *world) Scan(_ context.Context, s *search.Scan, page func([]fhir.Resource, string) error) error {
	all, err := meant(&s.Query, w.current(s.Query.Type, s.At))
	if err != nil {
		return err
	}
	at, _ := strconv.Atoi(s.After)
	for at < len(all) {
		if err := w.step(); err != nil {
			return err
		}
		some := slices.Clone(all[at:min(len(all), at+7)])
		at += len(some)
		if err := page(some, strconv.Itoa(at)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) search(_ context.Context, q *search.Query) (*search.Result, error) {
	found, err := meant(q, w.current(q.Type, w.clock))
	return &search.Result{Matches: found, Total: int64(len(found))}, err
}

func (w *world) history(_ context.Context, h *search.History) (*search.Versions, error) {
	page := &search.Versions{}
	next := map[string]time.Time{} // when a version was followed
	for _, v := range slices.Backward(w.versions) {
		if until, followed := next[v.Ref.ID]; v.Ref.Type == h.Type && (!followed || until.After(h.At)) {
			page.Entries = append(page.Entries, v)
		}
		next[v.Ref.ID] = v.Updated
	}
	return page, nil
}

func (w *world) read(_ context.Context, ref fhir.Ref) (fhir.Resource, error) {
	for i := range w.versions {
		if w.versions[i].Ref == ref {
			if w.versions[i].Deleted() {
				return fhir.Resource{}, fhir.Errorf(fhir.Gone, "deleted")
			}
			return w.versions[i], nil
		}
	}
	return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "none")
}

// order orders an export: "Group/g?_type=Patient".
func (w *world) order(path string) (id string, err error) {
	on, query, _ := strings.Cut(path, "?")
	params, err := search.SplitQuery(query)
	if err != nil {
		return "", err
	}
	call := &operation.Call{
		Async: true, Base: base, URL: base + "/$export", Restriction: search.Unrestricted, Search: search.Options{Base: base},
		Caller: operation.Caller{Principal: "ana"}, In: operation.NewInputs(params, nil),
	}
	call.Type, call.ID, _ = strings.Cut(on, "/")
	if rest, ok := strings.CutPrefix(call.ID, "lenient"); ok {
		call.Lenient, call.ID = true, rest
	}
	a, err := w.service.Order(bulk.ExportName)(context.Background(), call)
	if err != nil {
		return "", err
	}
	return a.Location[strings.LastIndexByte(a.Location, '/')+1:], nil
}

// ask calls an operation of orders.
func (w *world) ask(name, param, value string) (*operation.Answer, error) {
	for _, op := range w.service.Operations() {
		if op.Name == name {
			in := operation.NewInputs([]search.Param{{Name: param, Value: value}}, nil)
			return op.Run(context.Background(), &operation.Call{Base: base, Caller: operation.Caller{Principal: "ana"}, In: in})
		}
	}
	return nil, errors.New("no such operation")
}

// listed is a file in a manifest, with what is in it.
type listed struct {
	Type, URL string
	Count     int
	Extension struct{ Partition struct{ Type, Month string } }
	text      string
}

// outcome returns the files that came of an order, by list.
func (w *world) outcome(t rapid.TB, id string) map[string][]listed {
	t.Helper()
	a, err := w.ask(bulk.StatusName, "order", id)
	if err != nil || a.Status == 202 {
		t.Fatalf("the order is not done: %v", err)
	}
	all := map[string][]listed{}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(a.Raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"output", "deleted", "error"} {
		var files []listed
		if m[list] != nil {
			if err := json.Unmarshal(m[list], &files); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range files {
			a, err := w.ask(bulk.FileName, "file", f.URL[strings.LastIndexByte(f.URL, '/')+1:])
			if err != nil {
				t.Fatal(f.URL, err)
			}
			var from io.Reader = a.File
			if a.File.Coded != "" {
				if from, err = zstd.NewReader(a.File); err != nil {
					t.Fatal(err)
				}
			}
			text, err := io.ReadAll(from)
			if err != nil {
				t.Fatal(f.URL, err)
			}
			f.text = string(text)
			all[list] = append(all[list], f)
		}
	}
	return all
}
