package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/migrations"
	"github.com/amate-health/amate/store"
)

// Options are the settings of a Store. The zero value is good for a server.
type Options struct {
	Connections int                                        // most connections at once; 0 means what the URL says, or four for each core, at least eight
	NoMigrate   bool                                       // refuse a database whose schema is not current, instead of bringing it up to date
	Observe     func(operation string, took time.Duration) // told of every operation: "read", "history", "search", "apply", "analyze"
	Now         func() time.Time                           // the clock; nil means time.Now
}

// Store is a PostgreSQL database. It is safe for concurrent use.
type Store struct {
	options Options
	pool    *pgxpool.Pool
	keys    *store.KeyCache
	weights *store.Weights
	words   *store.WordCache
	free    keyBlocks
	sealer  *store.Sealer
	secret  []byte

	reads    *store.Gatherer[*readJob]
	currents *store.Gatherer[*currentJob]
	writes   *store.Gatherer[*writeJob]
	analyst  analyst
	sweeper  store.Sweeper
	feed     *store.Feed
	flights  store.Flights
	slack    time.Duration // see momentSlack; a field for tests
	name     string        // of the connections of this Store, and of no other

	mu       sync.Mutex
	timeline string // of the server that the newest connection reached
}

// Open connects to the database at url, a PostgreSQL connection string, and
// brings the schema up to date.
// Errors: *migrations.VersionError when the database is newer than the program.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Observe == nil {
		options.Observe = func(string, time.Duration) {}
	}
	s := &Store{options: options, slack: momentSlack, keys: store.NewKeyCache(), weights: store.NewWeights(options.Now), words: store.NewWordCache()}
	id := make([]byte, 6)
	rand.Read(id) // never fails
	s.name = "amate " + hex.EncodeToString(id)
	config, err := s.config(url)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, config.ConnConfig); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := s.pool.Ping(ctx); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s.reads = store.NewGatherer(sharedTrips, sharedJobs, s.runReads)
	s.currents = store.NewGatherer(sharedTrips, sharedJobs, s.runCurrents)
	s.writes = store.NewGatherer(sharedTrips, sharedJobs, s.runWrites)
	s.analyst.start(s.analyze)
	s.feed = store.NewFeed(s)
	return s, nil
}

func (s *Store) config(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // the cause would quote its password
	}
	switch {
	case s.options.Connections > 0:
		config.MaxConns = int32(s.options.Connections)
	case !strings.Contains(url, "pool_max_conns"):
		config.MaxConns = int32(max(8, 4*runtime.GOMAXPROCS(0)))
	}
	// Every query here is written to be carried out in one way: row by row, by indexes,
	// in the order in which its joins stand. The planner is kept from others, which look
	// better to it where it has no statistics, or the wrong ones. So one plan is good for
	// all arguments, and what is prepared is planned once.
	defaults := map[string]string{
		"jit": "off", "plan_cache_mode": "force_generic_plan",
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
		"enable_hashagg": "off", "enable_material": "off", "enable_memoize": "off",
		"default_transaction_isolation":   "read committed",
		"max_parallel_workers_per_gather": "0",
	}
	for name, value := range defaults {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	if given := config.ConnConfig.RuntimeParams["application_name"]; given != "" {
		s.name += " " + given
	}
	s.name = s.name[:min(len(s.name), 63)] // longer ones are cut
	config.ConnConfig.RuntimeParams["application_name"] = s.name
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := s.sameTimeline(ctx, conn); err != nil {
			return err
		}
		return prepare(ctx, conn)
	}
	return config, nil
}

// prepare readies the schema over a connection of its own.
func (s *Store) prepare(ctx context.Context, config *pgx.ConnConfig) (err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := suitable(ctx, conn); err != nil {
		return err
	}
	if s.options.NoMigrate {
		err = migrations.CheckPostgres(ctx, conn)
	} else {
		err = migrations.Postgres(ctx, conn)
	}
	if err != nil {
		return err
	}
	const known = `SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'version'::regclass`
	if err := conn.QueryRow(ctx, known).Scan(&s.analyst.known); err != nil {
		return err
	}
	key, err := cursorKey(ctx, conn)
	if err != nil {
		return err
	}
	s.secret = key
	s.sealer, err = store.NewSealer(key)
	return err
}

// oldest is the oldest PostgreSQL that will do.
const oldest = 15

// suitable refuses a server that is too old, and a database that cannot hold every text.
func suitable(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding string
	const sql = `SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_encoding')`
	if err := conn.QueryRow(ctx, sql).Scan(&version, &encoding); err != nil {
		return err
	}
	if version < oldest {
		return fmt.Errorf("PostgreSQL %d is too old: %d or later is needed", version, oldest)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has encoding %s: create it with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// cursorKey returns the key that seals cursors. The first server makes it.
func cursorKey(ctx context.Context, conn *pgx.Conn) (key []byte, err error) {
	const read = `SELECT value FROM setting WHERE name = 'cursor'`
	err = conn.QueryRow(ctx, read).Scan(&key)
	if !errors.Is(err, pgx.ErrNoRows) {
		return key, err
	}
	fresh := make([]byte, store.CursorKeySize)
	rand.Read(fresh) // never fails
	if _, err := conn.Exec(ctx, `INSERT INTO setting (name, value) VALUES ('cursor', $1) ON CONFLICT DO NOTHING`, fresh); err != nil {
		return nil, err
	}
	err = conn.QueryRow(ctx, read).Scan(&key)
	return key, err
}

// sameTimeline forgets all row keys when a connection reaches another history of
// the database than the one before: a replica that took over may lack the last
// transactions, and hand out their keys again.
func (s *Store) sameTimeline(ctx context.Context, conn *pgx.Conn) error {
	const sql = `SELECT (SELECT system_identifier FROM pg_control_system())::text || ' ' ||
CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END`
	var timeline string
	if err := conn.QueryRow(ctx, sql).Scan(&timeline); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timeline != "" && s.timeline != timeline {
		s.keys.Reset()
		s.words.Reset()
		s.free.reset()
	}
	s.timeline = timeline
	return nil
}

// Secret returns the key that seals cursors: 32 bytes that are the same for all
// who open this database, and known to nobody else.
func (s *Store) Secret() []byte { return s.secret }

// Close waits for what runs and closes all connections.
func (s *Store) Close() error {
	s.analyst.close()
	s.reads.Close()
	s.currents.Close()
	s.writes.Close()
	s.pool.Close()
	return nil
}

// Ready reports whether the database can answer now.
func (s *Store) Ready(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return failure(err)
	}
	defer conn.Release()
	return failure(migrations.CheckPostgres(ctx, conn.Conn()))
}

// Statistics are figures of the connection pool.
type Statistics struct {
	Open    int           // connections
	Busy    int           // of those, in use
	Most    int           // that there may be
	Waited  time.Duration // in all, for a free connection
	Waiters int64         // how many had to wait, in all
}

// Statistics returns the figures of now.
func (s *Store) Statistics() Statistics {
	p := s.pool.Stat()
	return Statistics{
		Open: int(p.TotalConns()), Busy: int(p.AcquiredConns()), Most: int(p.MaxConns()),
		Waited: p.EmptyAcquireWaitTime(), Waiters: p.EmptyAcquireCount(),
	}
}

// Apply makes all changes of b, or none.
func (s *Store) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	defer s.observe("apply", time.Now())
	defer s.flights.Begin()()
	return store.Apply(ctx, s, b, s.options.Now)
}

// Search returns a page of matches and what they include.
func (s *Store) Search(ctx context.Context, q *search.Query) (*search.Result, error) {
	defer s.observe("search", time.Now())
	var result *search.Result
	err := s.with(ctx, func(c *connection) (err error) {
		result, err = store.Search(ctx, c, s.sealer, q)
		return err
	})
	return result, err
}

// Explain tells how a search is carried out.
func (s *Store) Explain(ctx context.Context, q *search.Query) ([]search.Plan, error) {
	var plans []search.Plan
	err := s.with(ctx, func(c *connection) (err error) {
		plans, err = store.Explain(ctx, c, s.sealer, q)
		return err
	})
	return plans, err
}

// History returns versions, newest first.
func (s *Store) History(ctx context.Context, h *search.History) (*search.Versions, error) {
	defer s.observe("history", time.Now())
	var versions *search.Versions
	err := s.with(ctx, func(c *connection) (err error) {
		versions, err = store.History(ctx, c, s.sealer, h)
		return err
	})
	return versions, err
}

// Read returns the version that ref names, or the current one when ref.Version is 0.
// Errors: fhir.NotFound; fhir.Gone when that version is a deletion.
func (s *Store) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	defer s.observe("read", time.Now())
	if ref.Version == 0 {
		j := &readJob{ref: ref, done: make(chan error, 1)}
		if err := await(ctx, s.reads, j, j.done); err != nil {
			return fhir.Resource{}, err
		}
		return store.Served(j.found)
	}
	var found *store.Found
	err := s.with(ctx, func(c *connection) (err error) {
		found, err = c.readVersion(ctx, ref)
		return err
	})
	if err != nil {
		return fhir.Resource{}, err
	}
	return store.Served(found)
}

func (s *Store) observe(operation string, start time.Time) {
	s.options.Observe(operation, time.Since(start))
}

// with runs f on a connection of the pool.
func (s *Store) with(ctx context.Context, f func(*connection) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return failure(err)
	}
	defer conn.Release()
	return f(&connection{s: s, pg: conn.Conn().PgConn()})
}
