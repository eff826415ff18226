package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/validate"
	"github.com/amate-health/amate/fhir/view"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/parameter"
	"github.com/amate-health/amate/store/reindex"
	"github.com/amate-health/amate/telehealth/monitor"
	"github.com/amate-health/amate/telehealth/schedule"
)

// background is what goes on beside the requests: jobs, and the search parameters
// that are added to a server.
type background struct {
	log        *slog.Logger
	jobs       *job.Queue
	parameters *parameter.Registry
	indexing   parameter.Indexing
	since      time.Time // when the store was opened
	stands     stands

	messages *messages // nil until they are taken
}

// open opens the store, and what belongs to it whoever writes there.
func (s storage) open(ctx context.Context, log *slog.Logger) (*opened, error) {
	o, err := s.openEngine(ctx, log)
	if err != nil {
		return o, err
	}
	full := s.FullText
	o.background = background{
		log: log, jobs: job.NewQueue(o.engine, job.Options{Log: log, Lease: s.JobLease}), indexing: parameter.Indexing{FullText: full.has, Person: mpi.Index(reading)}, since: time.Now(),
	}
	if err = o.keepContents(s); err == nil {
		err = o.bornCurrent(ctx)
	}
	if err == nil {
		o.parameters, err = parameter.Open(ctx, o.engine, o.engine, o.jobs, log)
	}
	if err == nil {
		o.parameters.Settle = settle
		err = o.replaced.Load(ctx, o.engine, time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// maker makes changes that are indexed as this database is.
func (o *opened) maker(base string) bundle.Maker {
	return bundle.Maker{Base: base, Catalogue: o.parameters.Catalogue, FullText: o.indexing.FullText, Person: o.indexing.Person, Rules: o.rules(validate.Check)}
}

// makerFor makes changes for a store: those of this program's own making, which are
// held to the base rules and nothing else.
func makerFor(s rest.Store) bundle.Maker {
	o, ok := s.(*opened)
	if !ok {
		return bundle.Maker{}
	}
	m := o.maker("")
	m.Rules = nil
	return m
}

// rules are next, and what resources of some types are held to beside.
func (o *opened) rules(next bundle.Rules) bundle.Rules {
	doses := o.doseRule()
	return func(d *element.Doc, root element.Node, typ string) []fhir.Issue {
		issues := o.held(next(d, root, typ), d, root, typ)
		if typ == "Immunization" {
			issues = append(issues, doses.Check(d, root, typ)...)
		}
		return issues
	}
}

// held appends to what was found in a resource what it is held to beside, as far as no
// record has to be read for it: whoever validates may not see every record.
func (o *opened) held(found []fhir.Issue, d *element.Doc, root element.Node, typ string) []fhir.Issue {
	if typ == "SearchParameter" && validate.Fault(found) == nil {
		found = append(found, o.parameters.Check(d, root)...)
	}
	if o.identifiers != nil {
		found = append(found, o.identifiers.Check(d, root, typ)...)
	}
	found = append(found, schedule.Check(d, root, typ)...)
	found = append(found, monitor.Check(d, root, typ)...)
	return append(found, view.Check(d, root, typ)...)
}

// written lets those know of a write who keep in step with what is stored. Whatever
// fails here, the write is done; what is missed is noticed by follow.
func (o *opened) written(ctx context.Context, results []bundle.Result) {
	if o.guarded != nil {
		heed(o.guarded, results)
	}
	if o.vocabulary != nil {
		o.vocabulary.applied(ctx, results)
	}
	if o.definitions != nil {
		o.definitions.applied(results)
	}
	ctx = context.WithoutCancel(ctx)
	again, err := o.parameters.Applied(ctx, results)
	if err == nil && len(again) > 0 {
		_, err = o.engine.Reindex(ctx, again, o.indexer(), false)
	}
	if err != nil {
		o.log.Error("keep in step with what was written", "error", err)
	}
	o.patientsWritten(ctx, results)
	o.consentsWritten(ctx, results)
	o.appointmentsWritten(ctx, results)
}

// What is known of the index as a whole.
const (
	indexKind = "search"
	indexKey  = "index-version"
)

// indexVersion returns in which way all of the database is indexed, 0 when nobody
// has said so.
func (o *opened) indexVersion(ctx context.Context) (version int, e fhir.Entry, err error) {
	e, err = o.Entry(ctx, indexKind, indexKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		return 0, fhir.Entry{Kind: indexKind, Key: indexKey}, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &version)
	}
	return version, e, err
}

// setIndexVersion says that all of the database is indexed in this program's way.
func (o *opened) setIndexVersion(ctx context.Context) error {
	version, e, err := o.indexVersion(ctx)
	if err != nil || version >= reindex.Version {
		return err
	}
	e.Value = fmt.Append(nil, reindex.Version)
	if err = o.Put(ctx, e); fhir.CodeOf(err) == fhir.Conflict {
		return nil // another server has said it
	}
	return err
}

// bornCurrent notes of an empty database that nothing in it is indexed in an older way.
func (o *opened) bornCurrent(ctx context.Context) error {
	version, _, err := o.indexVersion(ctx)
	if err != nil || version > 0 {
		return err
	}
	anything, err := o.engine.History(ctx, &search.History{Count: 1, Restriction: search.Unrestricted})
	if err != nil || len(anything.Entries) > 0 {
		return err
	}
	return o.setIndexVersion(ctx)
}

// upgradeIndex queues a job when the database was indexed by an older program.
func (o *opened) upgradeIndex(ctx context.Context) error {
	version, _, err := o.indexVersion(ctx)
	if err != nil || version >= reindex.Version {
		return err
	}
	id := fmt.Sprintf("index-version-%d", reindex.Version)
	if j, err := o.jobs.Get(ctx, id); err == nil && j.Status.Ended() {
		id = "" // it did not succeed, else the version would be another
	}
	scope := reindex.Scope{Words: true, Why: fmt.Sprintf("the index is of version %d, this program makes version %d", version, reindex.Version)}
	id, err = o.jobs.Add(ctx, job.New{ID: id, Kind: reindex.Kind, Payload: scope})
	if err == nil {
		o.log.Warn("the database was indexed by an older program: it is reindexed now, and until that is done searches may miss some resources",
			"index", version, "program", reindex.Version, "progress", "$reindex-status/"+id)
	}
	return err
}

// settle is how long it takes at most until every server knows of a new parameter.
const settle = 2*refreshEvery + time.Second

// lateAfter is how long after it a reindexing looks once more for changes that were
// under way on a server that was cut off from the database meanwhile.
const lateAfter = 90 * time.Second

// handleReindexing lets this process work on reindexing.
func (o *opened) handleReindexing() {
	w := reindex.Worker{
		Store: o.engine, Log: o.log, Begin: o.parameters.Begin, Settle: settle, End: o.reindexed,
		Indexer: o.indexer,
	}
	o.jobs.Handle(reindex.Kind, 1, w.Work)
}

// reindexed notes that all resources of a scope are indexed anew.
func (o *opened) reindexed(ctx context.Context, s *reindex.Scope, stamp int64, began time.Time) error {
	if err := o.parameters.Complete(ctx, s, stamp); err != nil || !s.Whole() {
		return err
	}
	if len(s.Types) == 0 {
		if err := o.setIndexVersion(ctx); err != nil {
			return err
		}
	}
	_, err := o.jobs.Add(ctx, job.New{
		ID: fmt.Sprintf("late-%d", began.UnixMilli()), Kind: reindex.Kind, Due: time.Now().Add(lateAfter),
		Payload: reindex.Scope{Types: s.Types, Since: began.Add(-time.Minute), Why: "changes that were under way"},
	})
	return err
}

// work does jobs until ctx ends. What it returns waits for that.
func (o *opened) work(ctx context.Context) (wait func()) {
	var working sync.WaitGroup
	working.Go(func() { o.jobs.Run(ctx) })
	return working.Wait
}

// workBeside does all that goes on beside the requests of a server until ctx ends. What it
// returns waits for that.
func (o *opened) workBeside(ctx context.Context, log *slog.Logger) (wait func()) {
	var working sync.WaitGroup
	working.Go(func() { o.jobs.Run(ctx) })
	working.Go(func() { o.keepStanding(ctx) })
	working.Go(func() { o.follow(ctx) })
	working.Go(func() { o.followMerges(ctx) })
	working.Go(func() { o.sweepBlobs(ctx, log) })
	working.Go(func() { o.lapseOffers(ctx, log) })
	working.Go(func() { o.visits.tend(ctx) })
	return working.Wait
}
