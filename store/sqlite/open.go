package sqlite

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/migrations"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

// Options are the settings of a Store. The zero value is good for a server.
type Options struct {
	Readers   int                                        // read connections; 0 means two for each core, at least four
	NoMigrate bool                                       // refuse a file whose schema is not current, instead of bringing it up to date
	Observe   func(operation string, took time.Duration) // told of every operation: "read", "history", "search", "apply", "commit"
	Now       func() time.Time                           // the clock; nil means time.Now
}

// Store is a SQLite file. It is safe for concurrent use.
type Store struct {
	options  Options
	readers  *sqlitex.Pool
	prepared prepared // of the readers
	writer   *writer
	keys     *store.KeyCache
	weights  *store.Weights
	words    *store.WordCache

	criteriaTime time.Duration // see the constant; a field for tests
	scrubTime    time.Duration // for which Scrub waits for readers; likewise
	free         sharedBlock   // row keys for attempts without locks
	sealer       *store.Sealer
	secret       []byte
	sweeper      store.Sweeper
	feed         *store.Feed
	flights      store.Flights
	slack        time.Duration // see momentSlack; a field for tests
}

// Open opens the file at path, which is made, with its folder, when it is not
// there; only its owner can read it. The schema is brought up to date.
// Errors: *migrations.VersionError when the file is newer than the program.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	if options.Readers <= 0 {
		options.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Observe == nil {
		options.Observe = func(string, time.Duration) {}
	}
	if err := create(path); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{options: options, slack: momentSlack, keys: store.NewKeyCache(), weights: store.NewWeights(options.Now), words: store.NewWordCache(), criteriaTime: criteriaTime, scrubTime: busyTime}
	if err := s.prepare(ctx, path, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), conn.Close())
	}
	s.writer = newWriter(conn, s.keys, options.Observe)
	s.feed = store.NewFeed(s)
	return s, nil
}

// create makes the file, if it is not there, so that only its owner can read it.
// SQLite gives its companions the same mode.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// busyTime is how long a write waits for another process: it may be importing into the same
// file.
const busyTime = 30 * time.Second

// prepare readies the writer's connection and the schema, then the readers.
func (s *Store) prepare(ctx context.Context, path string, conn *sqlite.Conn) error {
	conn.SetBusyTimeout(busyTime)
	for _, pragma := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 8000", "PRAGMA cache_size = -16384",
		"PRAGMA temp_store = MEMORY", "PRAGMA journal_size_limit = 67108864", "PRAGMA foreign_keys = OFF",
		"PRAGMA secure_delete = FAST", // what is removed is overwritten where that costs nothing
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return fmt.Errorf("%s: %w", pragma, err)
		}
	}
	if s.options.NoMigrate {
		if err := migrations.CheckSQLite(conn); err != nil {
			return err
		}
	} else if err := migrations.SQLite(conn); err != nil {
		return err
	}
	key, err := cursorKey(conn)
	if err != nil {
		return err
	}
	if s.sealer, err = store.NewSealer(key); err != nil {
		return err
	}
	s.secret = key
	if err := addFunctions(conn); err != nil {
		return err
	}
	s.readers, err = sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadWrite | sqlite.OpenWAL, PoolSize: s.options.Readers, PrepareConn: prepareReader,
	})
	return err
}

func prepareReader(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(10 * time.Second)
	for _, pragma := range []string{"PRAGMA query_only = ON", "PRAGMA cache_size = -2048", "PRAGMA temp_store = MEMORY"} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	return addFunctions(conn)
}

// addFunctions gives SQL the functions that store/index writes.
func addFunctions(conn *sqlite.Conn) error {
	all := &sqlite.FunctionImpl{NArgs: 1, Deterministic: true, Scalar: postingsJSON}
	targets := &sqlite.FunctionImpl{NArgs: 3, Deterministic: true, Scalar: postingTargets}
	has := &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, Scalar: postingIn}
	return errors.Join(conn.CreateFunction(index.SpanFunction, all), conn.CreateFunction(index.TargetsFunction, targets),
		conn.CreateFunction(index.HasFunction, has))
}

func postingIn(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
	packed, posting := args[0].Blob(), args[1].Int64()
	n := len(packed) / 8
	_, found := sort.Find(n, func(i int) int {
		return cmp.Compare(posting, int64(binary.LittleEndian.Uint64(packed[8*i:])))
	})
	if found {
		return sqlite.IntegerValue(1), nil
	}
	return sqlite.IntegerValue(0), nil
}

func postingsJSON(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
	text, err := json.Marshal(unpack(args[0].Blob()))
	return sqlite.TextValue(string(text)), err
}

func postingTargets(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
	from, to := args[1].Int64(), args[2].Int64()
	targets := []int64{}
	for _, p := range unpack(args[0].Blob()) {
		if p >= from && p < to {
			targets = append(targets, index.LinkTarget(p))
		}
	}
	text, err := json.Marshal(targets)
	return sqlite.TextValue(string(text)), err
}

// cursorKey returns the key that seals cursors. The first start makes it.
func cursorKey(conn *sqlite.Conn) ([]byte, error) {
	fresh := make([]byte, store.CursorKeySize)
	rand.Read(fresh) // never fails
	const insert = `INSERT INTO setting (name, value) VALUES ('cursor', ?1) ON CONFLICT DO NOTHING`
	if err := sqlitex.Execute(conn, insert, &sqlitex.ExecOptions{Args: []any{fresh}}); err != nil {
		return nil, err
	}
	stmt, err := conn.Prepare(`SELECT value FROM setting WHERE name = 'cursor'`)
	if err != nil {
		return nil, err
	}
	key := make([]byte, store.CursorKeySize)
	n, err := sqlitex.ResultBytes(stmt, key)
	return key[:n], err
}

// Secret returns the key that seals cursors: 32 bytes that are the same for all
// who open this database, and known to nobody else.
func (s *Store) Secret() []byte { return s.secret }

// Close finishes what was accepted and closes the file.
func (s *Store) Close() error {
	s.writer.jobs.Close()
	return errors.Join(s.readers.Close(), s.writer.conn.Close())
}

// Ready reports whether the store can answer now.
func (s *Store) Ready(ctx context.Context) error {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	return migrations.CheckSQLite(conn)
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
	return store.Search(ctx, reader{s}, s.sealer, q)
}

// Explain tells how a search is carried out.
func (s *Store) Explain(ctx context.Context, q *search.Query) ([]search.Plan, error) {
	return store.Explain(ctx, reader{s}, s.sealer, q)
}

// History returns versions, newest first.
func (s *Store) History(ctx context.Context, h *search.History) (*search.Versions, error) {
	defer s.observe("history", time.Now())
	return store.History(ctx, reader{s}, s.sealer, h)
}

// Read returns the version that ref names, or the current one when ref.Version is 0.
// Errors: fhir.NotFound; fhir.Gone when that version is a deletion.
func (s *Store) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	defer s.observe("read", time.Now())
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return fhir.Resource{}, err
	}
	found, err := read(conn, ref)
	s.readers.Put(conn)
	if err != nil {
		return fhir.Resource{}, err
	}
	return store.Served(found)
}

func (s *Store) observe(operation string, start time.Time) {
	s.options.Observe(operation, time.Since(start))
}
