package parameter_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/parameter"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/reindex"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// engine is what a server needs of a store.
type engine interface {
	job.State
	parameter.Store
	reindex.Store
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Close() error
}

var engines = map[string]struct {
	place func(t *testing.T) string
	open  func(t *testing.T, place string) (engine, error)
}{
	"postgres": {
		func(t *testing.T) string { return storetest.Postgres(t) },
		func(t *testing.T, place string) (engine, error) {
			return postgres.Open(t.Context(), place, postgres.Options{})
		},
	},
	"sqlite": {
		func(t *testing.T) string { return filepath.Join(t.TempDir(), "amate.db") },
		func(t *testing.T, place string) (engine, error) {
			return sqlite.Open(t.Context(), place, sqlite.Options{})
		},
	},
}

// server is one of the servers of a database.
type server struct {
	*testing.T
	engine
	queue  *job.Queue
	params *parameter.Registry
	maker  bundle.Maker
}

const settle = 150 * time.Millisecond

// start starts a server. It works on jobs once run is called.
func start(t *testing.T, kind, place string) *server {
	t.Helper()
	e, err := engines[kind].open(t, place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	s := &server{T: t, engine: e}
	s.queue = job.NewQueue(e, job.Options{Poll: 20 * time.Millisecond, Lease: 5 * time.Second})
	if s.params, err = parameter.Open(t.Context(), e, e, s.queue, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s.params.Settle = settle
	s.maker = bundle.Maker{Catalogue: s.params.Catalogue}
	work := reindex.Worker{
		Store: e, Log: slog.New(slog.DiscardHandler), Begin: s.params.Begin, Settle: settle,
		End: func(ctx context.Context, scope *reindex.Scope, stamp int64, _ time.Time) error {
			return s.params.Complete(ctx, scope, stamp)
		},
		Indexer: func() store.Indexer { return s.params.Indexer(parameter.Indexing{}) },
	}
	s.queue.Handle(reindex.Kind, 1, work.Work)
	return s
}

// run lets the server work on jobs, and look for what others do.
func (s *server) run() {
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		s.queue.Run(ctx)
		close(done)
	}()
	go func() {
		for ctx.Err() == nil {
			if err := s.params.Refresh(ctx); err != nil && ctx.Err() == nil {
				s.Error(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	s.Cleanup(func() {
		cancel()
		<-done
	})
}

// Apply writes, as a server does.
func (s *server) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := s.engine.Apply(ctx, b)
	if err != nil {
		return nil, err
	}
	again, err := s.params.Applied(ctx, results)
	if err == nil && len(again) > 0 {
		_, err = s.Reindex(ctx, again, s.params.Indexer(parameter.Indexing{}), false)
	}
	return results, err
}

// change prepares a put of a resource, as this server would index it now.
func (s *server) change(json string) bundle.Change {
	s.Helper()
	src, err := bundle.Parse([]byte(json))
	if err != nil {
		s.Fatalf("%s: %v", json, err)
	}
	c, err := s.maker.Update(src, fhir.Ref{Type: src.Type(), ID: src.ID()}, false)
	if err != nil {
		s.Fatalf("%s: %v", json, err)
	}
	return c
}

// put writes resources, each given as JSON.
func (s *server) put(resources ...string) {
	s.Helper()
	b := &bundle.Batch{}
	for _, json := range resources {
		b.Changes = append(b.Changes, s.change(json))
	}
	if _, err := s.Apply(s.Context(), b); err != nil {
		s.Fatal(err)
	}
}

// remove deletes a resource.
func (s *server) remove(ref string) {
	s.Helper()
	at, _ := fhir.ParseRef(ref)
	if _, err := s.Apply(s.Context(), &bundle.Batch{Changes: []bundle.Change{{Op: bundle.Delete, Ref: at}}}); err != nil {
		s.Fatal(err)
	}
}

// find returns the ids that a search finds, joined by spaces, or the error of its parameters.
func (s *server) find(typ, name, value string) (string, error) {
	s.Helper()
	q, err := search.Parse(typ, []search.Param{{Name: name, Value: value}}, search.Options{Catalogue: s.params.Catalogue(), MaxCount: 10_000, DefaultCount: 10_000})
	if err != nil {
		return "", err
	}
	q.Restriction = search.Unrestricted
	found, err := s.Search(s.Context(), q)
	if err != nil {
		s.Fatal(err)
	}
	var ids []string
	for i := range found.Matches {
		ids = append(ids, found.Matches[i].Ref.ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, " "), nil
}

// finds expects what a search finds.
func (s *server) finds(typ, name, value, want string) {
	s.Helper()
	if got, err := s.find(typ, name, value); err != nil || got != want {
		s.Errorf("%s?%s=%s finds %q, %v; want %q", typ, name, value, got, err, want)
	}
}

// refuses expects that a search is refused, with some words.
func (s *server) refuses(typ, name string, words ...string) {
	s.Helper()
	_, err := s.find(typ, name, "x")
	for _, w := range words {
		if err == nil || !strings.Contains(diagnosed(err), w) {
			s.Errorf("%s?%s: %v, want %q in it", typ, name, diagnosed(err), w)
		}
	}
}

func diagnosed(err error) string {
	if err == nil {
		return "no error"
	}
	var e *fhir.Error
	if ok := asError(err, &e); ok {
		return e.Error() + " " + e.Diagnostics
	}
	return err.Error()
}

// ready waits until a parameter can be searched by.
func (s *server) ready(typ, name string) {
	s.Helper()
	s.until(name+" can be searched by", func() bool {
		_, err := s.find(typ, name, "none")
		return err == nil
	})
}

// idle waits until there is no open job.
func (s *server) idle() {
	s.Helper()
	s.until("no job is open", func() bool {
		jobs, err := s.queue.Open(s.Context(), "")
		if err != nil {
			s.Fatal(err)
		}
		return len(jobs) == 0
	})
}

func (s *server) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			jobs, _ := s.queue.Open(s.Context(), "")
			s.Fatalf("it does not happen that %s; jobs: %+v", what, jobs)
		}
	}
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, kind, place string)) {
	for kind, e := range engines {
		t.Run(kind, func(t *testing.T) { test(t, kind, e.place(t)) })
	}
}

// definition is a SearchParameter.
func definition(id, base, code, typ, expression string, more ...string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":%q,"url":"http://example.org/SearchParameter/%s","name":"x","status":"active",
"description":"x","code":%q,"base":[%q],"type":%q,"expression":%q%s}`, id, id, code, base, typ, expression, strings.Join(more, ""))
}

// patient has an eye colour.
func patient(id, colour string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"extension":[{"url":"http://example.org/eyes","valueCode":%q}],"name":[{"family":"Ek"}]}`, id, colour)
}

const eyes = "Patient.extension.where(url='http://example.org/eyes').value"
