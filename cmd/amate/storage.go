package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/authz/label"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/identity/check"
	"github.com/amate-health/amate/fhir/registry/identity/merge"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/registry/identity/renapo"
	"github.com/amate-health/amate/fhir/registry/immunization/campaign"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/prescription"
	"github.com/amate-health/amate/fhir/registry/referral"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/migrations"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/blob"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/reindex"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/telehealth/monitor"
	"github.com/amate-health/amate/telehealth/schedule"
)

// storage says where the records are.
type storage struct {
	Data     string `help:"Folder of the SQLite database, and of the journal of imports." default:"amate-data" placeholder:"DIR" type:"path"`
	Database string `help:"PostgreSQL database to use instead of SQLite: postgres://..." placeholder:"URL"`

	DatabaseFile string `help:"File that holds what --database is to say, so that its password is in no list of processes." placeholder:"FILE" type:"path"`

	FullText textTypes `help:"Types of resources whose text _text and _content search, from when they are written: all, none, a list, or all but some, as in all,-Observation." default:"all" placeholder:"TYPES"`

	// JobLease is for tests, which do not wait as long as one should for a busy server.
	JobLease time.Duration `help:"How long a server may be silent until another one takes its jobs over." default:"15s" hidden:""`
}

// engine is what both stores have beside the contract of the API.
type engine interface {
	rest.Store
	authz.State
	audit.Chains
	reindex.Store
	Explain(ctx context.Context, q *search.Query) ([]search.Plan, error)
	Feed() *store.Feed
	Scan(ctx context.Context, s *search.Scan, x store.Indexer, page func([]fhir.Resource, string) error) error
	Moment(ctx context.Context) (time.Time, error)
	store.FeedPruner
	Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error)
	People(ctx context.Context, keys []int64, most int, each func(key int64, features []byte)) error
	Secret() []byte
	birthLedger
	recommend.Store
	campaign.Rows
	BlobsUsed(ctx context.Context, hashes ...[]byte) ([]bool, error)
	Close() error

	Purge(ctx context.Context, refs []fhir.Ref, x store.Indexer) (store.Purged, error)
	Redact(ctx context.Context, ref fhir.Ref, x store.Indexer, without func([]byte) ([]byte, error)) (bool, error)
	Remnants(ctx context.Context, typ string, after int64, limit int) ([]store.Remnant, error)
	Scrub(ctx context.Context, long bool) error
	ForgetWords()
}

// opened is a store that is ready for use.
type opened struct {
	engine
	background
	timings    *timings
	vocabulary *vocabulary // terminology, kept in step with what is stored; nil where nothing asks for it

	definitions *definitions // stored profiles; nil where nothing asks for them

	strictExtensions bool // for $validate

	gate *gate // holds work for analysts back; nil where nobody is served

	trail *audit.Trail // nil where nobody is served

	access   *access // nil without access control
	guarded  *authz.Guard
	alarms   []prometheus.Collector // emergency access, and views of who people are
	labels   *label.Rules           // what is labelled as it is written; nil for nothing
	contents *blob.Keeper           // what large Binaries hold
	holds    []bundle.Hold          // what no write passes by
	office   office                 // of requests of ARCO rights
	people   *mpi.Clerk             // which records are of one person; nil until somebody asks
	signing  signing                // whose signatures of documents are believed

	certifying  certifying    // of births
	schedules   *schedules    // of immunization; nil until somebody asks
	doses       *dose.Service // nil until somebody asks
	carding     carding       // of vaccination cards
	ingesting   ingesting     // from where $import takes files
	prescribing prescribing   // of medicines
	referring   referring     // of patients
	visits      *visits       // at a distance; nil where nobody is served

	subscriptions *subscriptions // nil where nobody is served

	library  *library  // of open data; nil where nobody is served
	orders   *orders   // nil until somebody asks
	analytic *analytic // tables for analysts; nil where nobody is served

	replaced     merge.Links     // Patients who were merged into others
	survivorship []merge.Rule    // of merges; nil are the default ones
	identifiers  *check.Policy   // what is held against identifiers; nil for nothing
	population   renapo.Registry // of CURPs; nil where nobody is asked
}

// Read, Search and History tell the audit trail what they return, whoever asked.

func (o *opened) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	r, err := o.engine.Read(ctx, ref)
	if err == nil && o.contents != nil {
		err = o.contents.Fill(ctx, &r)
	}
	if err == nil {
		rest.Touched(ctx, r)
	}
	return r, err
}

func (o *opened) Search(ctx context.Context, q *search.Query) (*search.Result, error) {
	q, err := o.unfound(ctx, unworded(q))
	if err != nil {
		return nil, err
	}
	found, err := o.engine.Search(ctx, q)
	if err == nil {
		err = o.withhold(ctx, q.Restriction, found.Matches, found.Included)
	}
	if err == nil {
		err = o.fill(ctx, found.Matches, found.Included)
	}
	if err == nil {
		rest.Touched(ctx, found.Matches...)
		rest.Touched(ctx, found.Included...)
	}
	return found, err
}

func (o *opened) History(ctx context.Context, q *search.History) (*search.Versions, error) {
	found, err := o.engine.History(ctx, q)
	if err == nil {
		err = o.withhold(ctx, q.Restriction, found.Entries)
	}
	if err == nil {
		err = o.fill(ctx, found.Entries)
	}
	if err == nil {
		rest.Touched(ctx, found.Entries...)
	}
	return found, err
}

// Apply writes, and lets those know who keep in step with it.
func (o *opened) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	if o.labels != nil && o.parameters != nil {
		b = o.labels.Batch(b, o.parameters.Indexer(o.indexing))
	}
	b = o.reserving(ctx, o.replaced.Batch(b))
	if o.subscriptions != nil {
		b = o.subscriptions.Batch(ctx, b)
	}
	if len(o.holds) > 0 {
		held := *b
		held.Holds, b = o.holds, &held
	}
	if o.contents != nil {
		b = o.contents.Batch(ctx, b)
	}
	results, err := o.engine.Apply(ctx, b)
	if err == nil {
		o.written(ctx, results)
		err = o.fillResults(ctx, results)
	}
	return results, err
}

// timings hands on how long the operations of a store take, once somebody listens.
// A store must be opened before there are metrics to tell.
type timings struct {
	observe func(operation string, took time.Duration)
}

func (t *timings) told(operation string, took time.Duration) {
	if t.observe != nil {
		t.observe(operation, took)
	}
}

// String names the place without any password.
func (s storage) String() string {
	if s.resolve() != nil {
		return "PostgreSQL"
	}
	if s.Database == "" {
		return s.file()
	}
	u, err := url.Parse(s.Database)
	if err != nil || u.Scheme == "" {
		return "PostgreSQL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func (s storage) file() string { return filepath.Join(s.Data, "amate.db") }

// openEngine opens the database. A SQLite file and an empty PostgreSQL database are set up;
// a PostgreSQL database with an older schema is refused: it has to be migrated
// first, by somebody who knows that its servers are stopped or new enough.
func (s storage) openEngine(ctx context.Context, log *slog.Logger) (*opened, error) {
	if err := s.resolve(); err != nil {
		return nil, err
	}
	s.warn(log)
	o := &opened{timings: new(timings), labels: label.Default(), holds: []bundle.Hold{rights.Hold, document.Hold(), birth.Hold(), check.Hold(), schedule.Hold(), prescription.Hold(), monitor.Hold(), referral.Hold()}}
	o.holds = append(o.holds, label.Tie(func() string { return o.indexing.Base }))
	var err error
	if s.Database == "" {
		o.engine, err = sqlite.Open(ctx, s.file(), sqlite.Options{Observe: o.timings.told})
		return o, err
	}
	o.engine, err = postgres.Open(ctx, s.Database, postgres.Options{NoMigrate: true, Observe: o.timings.told})
	var version *migrations.VersionError
	if errors.As(err, &version) && version.Database == 0 {
		log.Info("setting up an empty database", "database", s.String())
		o.engine, err = postgres.Open(ctx, s.Database, postgres.Options{Observe: o.timings.told})
	}
	return o, err
}

// migrate brings the schema to the version of this program.
func (s storage) migrate(ctx context.Context) error {
	if err := s.resolve(); err != nil {
		return err
	}
	var e engine
	var err error
	if s.Database == "" {
		e, err = sqlite.Open(ctx, s.file(), sqlite.Options{})
	} else {
		e, err = postgres.Open(ctx, s.Database, postgres.Options{})
	}
	if err != nil {
		return err
	}
	return e.Close()
}

// key derives a key for one purpose from the secret of the database, so that all
// servers of one database have the same.
func (o *opened) key(purpose string) []byte {
	mac := hmac.New(sha256.New, o.Secret())
	fmt.Fprintf(mac, "amate %s", purpose)
	return mac.Sum(nil)
}

// watch tells m how the store is doing.
func (o *opened) watch(m *metrics) {
	o.timings.observe = func(operation string, took time.Duration) {
		m.store.WithLabelValues(operation).Observe(took.Seconds())
	}
	pool, ok := o.engine.(*postgres.Store)
	if !ok {
		return
	}
	m.gauge("amate_store_connections", "Connections to the database.", func() float64 { return float64(pool.Statistics().Open) })
	m.gauge("amate_store_connections_busy", "Connections to the database that are in use.", func() float64 { return float64(pool.Statistics().Busy) })
	m.gauge("amate_store_connections_most", "Connections to the database that there may be.", func() float64 { return float64(pool.Statistics().Most) })
	m.count("amate_store_connection_waits_total", "How often an operation had to wait for a connection.", func() float64 { return float64(pool.Statistics().Waiters) })
	m.count("amate_store_connection_wait_seconds_total", "Time spent waiting for a connection.", func() float64 { return pool.Statistics().Waited.Seconds() })
}

// explainer returns what tells how the store carries out a search, nil unless on.
func (o *opened) explainer(on bool) func(context.Context, *search.Query) ([]search.Plan, error) {
	if !on {
		return nil
	}
	return o.Explain
}
