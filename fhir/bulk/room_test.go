package bulk_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// within has the files of w take no more bytes than so many, of a disk that has volume.
func (w *world) within(limit, volume int64) {
	w.volume = volume
	w.served(func(cfg *bulk.Config) { cfg.Disk = limit })
}

// served has w served with another configuration.
func (w *world) served(change func(*bulk.Config)) {
	cfg := w.service.Config
	change(&cfg)
	x := &bulk.Exporter{Scanner: w, Search: w.search, History: w.history, Read: w.read, Index: indexOf}
	w.service = bulk.New(cfg, x.Kind())
}

// TestDisk: files take no more of the disk than they may. What would take more ends, and
// leaves nothing; nothing is ordered as long as there is no room; and what goes makes room.
func TestDisk(t *testing.T) {
	t.Parallel()
	w, _ := people(40)
	w.exported(t, "?_type=Patient,Condition")
	one, _, _ := w.Used()
	for name, tt := range map[string]struct{ limit, volume int64 }{
		"by what is said":         {one + one/2, 100 * one},
		"by half of what is free": {100 * one, 3 * one},
		"with nothing said":       {0, 3 * one},
	} {
		w, _ := people(40)
		w.within(tt.limit, tt.volume)
		w.exported(t, "?_type=Patient,Condition")
		have := len(w.disk)
		id, err := w.order("?_type=Patient,Condition")
		if err != nil {
			t.Fatalf("%s: there is room for half of it: %v", name, err)
		}
		w.kept = nil
		if final, err := w.service.Work(t.Context(), id, w); !final || fhir.CodeOf(err) != fhir.TooCostly {
			t.Errorf("%s: it is too large: %v, %v", name, final, err)
		}
		if _, err := w.ask(bulk.StatusName, "order", id); fhir.CodeOf(err) != fhir.TooCostly || !strings.Contains(err.Error(), "--export-disk") {
			t.Errorf("%s: it is told by %v", name, err)
		}
		if len(w.disk) != have {
			t.Errorf("%s: it has left %d files", name, len(w.disk)-have)
		}
		w.within(one, 100*one)
		var told *fhir.Error
		if _, err := w.order("?_type=Patient"); !errors.As(err, &told) || told.Code != fhir.Unavailable || told.RetryAfter == 0 || !strings.Contains(told.Details, "--export-disk") {
			t.Errorf("%s: another one is ordered: %v", name, err)
		}
		clear(w.entries) // those before it have expired
		if _, err := w.order("?_type=Patient"); err != nil || len(w.disk) != 0 {
			t.Errorf("%s: nothing is left and %d files are there: %v", name, len(w.disk), err)
		}
	}
}

// meeting is a store in which two orders look what there is before either is put.
type meeting struct {
	mu sync.Mutex
	*place
	both sync.WaitGroup
	came int
}

func (m *meeting) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.place.Entry(ctx, kind, key)
}

func (m *meeting) Put(ctx context.Context, entries ...fhir.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.place.Put(ctx, entries...)
}

func (m *meeting) Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	m.mu.Lock()
	found, err := m.place.Entries(ctx, kind, group, after, limit)
	m.came++
	early := m.came <= 2
	m.mu.Unlock()
	if early {
		m.both.Done()
		m.both.Wait()
	}
	return found, err
}

func (m *meeting) Add(context.Context, string) error { return nil }

// Look knows no job yet.
func (m *meeting) Look(context.Context, string) (bulk.State, error) {
	return bulk.State{}, fhir.Errorf(fhir.NotFound, "none")
}

// TestMostAtOnce: two orders at the same moment are not both the last one that may be.
func TestMostAtOnce(t *testing.T) {
	t.Parallel()
	w, _ := people(1)
	m := &meeting{place: w.place}
	m.both.Add(2)
	w.served(func(cfg *bulk.Config) { cfg.Store, cfg.Jobs, cfg.Most, cfg.Now = m, m, 1, nil })
	s := w.service
	came := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.Order(bulk.ExportName)(t.Context(), &operation.Call{
				Async: true, Base: base, Restriction: search.Unrestricted, Caller: operation.Caller{Principal: "ana"}, In: operation.NewInputs(nil, nil),
			})
			came <- err
		}()
	}
	a, b := <-came, <-came
	if (a == nil) == (b == nil) || fhir.CodeOf(errors.Join(a, b)) != fhir.Throttled {
		t.Errorf("%v and %v", a, b)
	}
}

// TestSight: files are shown to nobody who sees less by now.
func TestSight(t *testing.T) {
	t.Parallel()
	mine := &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"p001", "p002"}}}, "Condition": nil}}
	for name, tt := range map[string]struct {
		then, now *search.Restriction
		refused   bool
	}{
		"all, still":            {search.Unrestricted, search.Unrestricted, false},
		"all, then some":        {search.Unrestricted, mine, true},
		"some, still":           {mine, &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"p001", "p002"}}}}}, false},
		"some, then fewer":      {mine, &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"p001"}}}}}, true},
		"some, then by consent": {mine, &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"p001", "p002"}}, search.Consented{}}}}, true},
		"some, then none":       {mine, &search.Restriction{Types: map[string][]search.Expr{"Condition": nil}}, true},
		"some, then all":        {mine, search.Unrestricted, false},
	} {
		w, _ := people(3)
		w.rights = func() (*bulk.Rights, error) {
			return &bulk.Rights{Restriction: tt.then, Search: search.Options{Base: base}}, nil
		}
		id, err := w.order("?_type=Patient")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Work(t.Context(), id, w); err != nil {
			t.Fatal(name, err)
		}
		w.rights = func() (*bulk.Rights, error) { return &bulk.Rights{Restriction: tt.now}, nil }
		if _, err := w.ask(bulk.FileName, "file", id+".Patient.1.ndjson"); (fhir.CodeOf(err) == fhir.Forbidden) != tt.refused || err != nil != tt.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ending is a queue whose job ends while somebody asks for it.
type ending struct {
	*world
	err error
}

func (e *ending) Look(ctx context.Context, order string) (bulk.State, error) {
	_, e.err = e.service.Work(ctx, order, e.world)
	return bulk.State{Begun: true, Ended: true}, nil
}

// TestEndsMeanwhile: an order that ends between being read and its job being looked at is
// answered as what it came to.
func TestEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w, _ := people(3)
	e := &ending{world: w}
	w.served(func(cfg *bulk.Config) { cfg.Jobs = e })
	id, err := w.order("?_type=Patient")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := w.ask(bulk.StatusName, "order", id); err != nil || a.Status != 0 || !strings.Contains(string(a.Raw), `"Patient"`) || e.err != nil {
		t.Errorf("%+v, %v, %v", a, err, e.err)
	}
}

// beginning is a queue whose job writes its order while somebody gives that up.
type beginning struct {
	*world
	err error
}

func (b *beginning) Stop(ctx context.Context, order string) error {
	b.world.left = 0 // it dies as soon as it has written that it begins
	_, b.err = b.service.Work(ctx, order, b.world)
	return nil
}

// TestGivenUpMeanwhile: an order that is given up while its work writes it is given up all
// the same.
func TestGivenUpMeanwhile(t *testing.T) {
	t.Parallel()
	w, _ := people(3)
	b := &beginning{world: w}
	w.served(func(cfg *bulk.Config) { cfg.Jobs = b })
	id, err := w.order("?_type=Patient")
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range w.service.Operations() {
		if op.Name != bulk.StatusName {
			continue
		}
		in := operation.NewInputs([]search.Param{{Name: "order", Value: id}}, nil)
		a, err := op.Cancel(t.Context(), &operation.Call{Base: base, Caller: operation.Caller{Principal: "ana"}, In: in})
		if err != nil || a.Status != 202 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if !errors.Is(b.err, errCrash) {
		t.Errorf("the work came to %v", b.err)
	}
	for _, e := range w.entries {
		if e.Key == id && e.Expires.After(w.now()) {
			t.Errorf("the order is there until %v", e.Expires)
		}
	}
}
