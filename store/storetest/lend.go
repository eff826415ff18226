package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/migrations"
)

// lender is the one server of this test process, with a migrated database to copy.
type lender struct {
	url      func(database string) string
	template string
	recycle  bool // the server is private, so that returned databases need not be dropped
	err      error

	mu       sync.Mutex
	returned []string
}

var (
	fast    = sync.OnceValue(func() *lender { return newLender(false) })
	durable = sync.OnceValue(func() *lender { return newLender(true) })
	lent    atomic.Int64
	running atomic.Pointer[Server] // the durable one
)

// Postgres returns the URL of a fresh database with the newest schema. It is dropped when t ends.
func Postgres(t testing.TB) string {
	t.Helper()
	return fast().lend(t)
}

// DurablePostgres is Postgres on a server that waits for the disk, as one in
// service does. Benchmarks use it.
func DurablePostgres(t testing.TB) string {
	t.Helper()
	return durable().lend(t)
}

// EmptyPostgres returns the URL of a fresh database without a schema.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	l := fast()
	return (&lender{url: l.url, template: "template1", err: l.err}).lend(t)
}

// EmptyDurablePostgres is EmptyPostgres on the server of DurablePostgres.
func EmptyDurablePostgres(t testing.TB) string {
	t.Helper()
	l := durable()
	return (&lender{url: l.url, template: "template1", err: l.err}).lend(t)
}

// StartServer starts a PostgreSQL of the test's own, that waits for the disk. It ends with t.
func StartServer(t testing.TB) *Server {
	t.Helper()
	s, err := startServer(context.Background(), true)
	unavailable(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Log(err)
		}
	})
	return s
}

func newLender(fsync bool) *lender {
	ctx := context.Background()
	l := &lender{template: fmt.Sprintf("amate_template_%d", os.Getpid())}
	if given := os.Getenv("AMATE_TEST_DATABASE_URL"); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			l.err = errors.New("AMATE_TEST_DATABASE_URL is not a URL")
			return l
		}
		l.url = func(database string) string {
			other := *u
			other.Path = "/" + database
			return other.String()
		}
	} else {
		s, err := startServer(ctx, fsync)
		if err != nil {
			l.err = err
			return l
		}
		l.url, l.recycle = s.URL, true
		if fsync {
			running.Store(s)
		}
	}
	l.err = l.makeTemplate(ctx)
	return l
}

func (l *lender) makeTemplate(ctx context.Context) error {
	if err := l.admin(ctx, `CREATE DATABASE `+l.template+` TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, l.url(l.template))
	if err != nil {
		return err
	}
	return errors.Join(migrations.Postgres(ctx, conn), conn.Close(ctx))
}

// admin runs one statement in the server's own database.
func (l *lender) admin(ctx context.Context, sql string) error { return l.exec(ctx, "postgres", sql) }

func (l *lender) exec(ctx context.Context, database, sql string) error {
	conn, err := pgx.Connect(ctx, l.url(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (l *lender) lend(t testing.TB) string {
	t.Helper()
	unavailable(t, l.err)
	ctx := context.Background()
	l.mu.Lock()
	defer l.mu.Unlock()
	var name string
	if n := len(l.returned); n > 0 {
		name, l.returned = l.returned[n-1], l.returned[:n-1]
	} else {
		name = fmt.Sprintf("amate_test_%d_%d", os.Getpid(), lent.Add(1))
		if err := l.copy(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := l.takeBack(ctx, name); err != nil {
			t.Log(err)
		}
	})
	return l.url(name)
}

// copy makes a database of the template. PostgreSQL refuses that while somebody is connected
// to it, such as autovacuum, or who was before and whose process has not ended yet: it waits
// for five seconds, which can be too short for a slow machine.
func (l *lender) copy(ctx context.Context, name string) error {
	const inUse = "55006"
	for end := time.Now().Add(3 * time.Minute); ; {
		err := l.admin(ctx, `CREATE DATABASE `+name+` TEMPLATE `+l.template)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != inUse || time.Now().After(end) {
			return err
		}
	}
}

// empty removes all data, as a migrated database holds none.
const empty = `DO $$ DECLARE tables text; BEGIN
DROP SCHEMA IF EXISTS analytics, analytics_rows CASCADE;
SELECT string_agg(quote_ident(tablename), ', ') INTO tables FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration';
IF tables IS NOT NULL THEN EXECUTE 'TRUNCATE ' || tables; END IF; END $$`

// takeBack empties a database for the next test, which is faster than making a new
// one. On a server that stays, it is dropped.
func (l *lender) takeBack(ctx context.Context, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recycle {
		return l.admin(ctx, `DROP DATABASE `+name+` WITH (FORCE)`)
	}
	if err := l.exec(ctx, name, empty); err != nil {
		return err
	}
	l.returned = append(l.returned, name)
	return nil
}

// unavailable ends the test when err says that there is no PostgreSQL to be had.
func unavailable(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errNoPostgres) && os.Getenv("AMATE_TEST_REQUIRE_POSTGRES") != "1":
		t.Skipf("SKIPPED, NOTHING WAS TESTED ON POSTGRESQL: %v", err)
	default:
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
}
