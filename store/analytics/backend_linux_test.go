package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/storetest"
)

// TestBackendRation: the processes of PostgreSQL that answer analysts have a small part of a
// processor while others are served, and as much as anybody when they are not; those of others
// always do. Where the number of a process may mean another one here, none is touched.
func TestBackendRation(t *testing.T) {
	where := storetest.Postgres(t)
	k, missing, err := analytics.OpenPostgres(t.Context(), where)
	if err != nil || missing != nil {
		t.Fatal(err, missing)
	}
	defer k.Close()
	var busy atomic.Bool
	limits := analytics.Limits{Time: 10 * time.Minute, Connections: 1, Busy: busy.Load}
	watch, err := pgx.Connect(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(t.Context())

	others := len(backends(t, watch))
	far, standing, err := analytics.RunPostgres(t.Context(), relayed(t, where), limits)
	if err != nil || standing.Equal == nil {
		t.Fatalf("behind a relay: %v, %v", standing.Equal, err)
	}
	for pid := range backends(t, watch) {
		if dir := rationOf(t, pid); dir != "" {
			t.Errorf("behind a relay the process %d is in %s", pid, dir)
		}
	}
	if err := far.Close(); err != nil {
		t.Error(err)
	}
	until(t, "those of closed connections end", func() bool { return len(backends(t, watch)) == others })

	near, standing, err := analytics.RunPostgres(t.Context(), where, limits)
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceValue(near.Close)
	defer end()
	if standing.Equal != nil {
		t.Skipf("processes of the database cannot be held back here: %v", standing.Equal)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // before near is closed, which waits for it
	over := make(chan error, 1)
	go func() {
		_, _, err := ask(ctx, near, endless, 10, nil)
		over <- err
	}()
	until(t, "the query runs", func() bool {
		for _, query := range backends(t, watch) {
			if strings.HasPrefix(query, "FETCH") {
				return true
			}
		}
		return false
	})
	in := ""
	for pid, query := range backends(t, watch) {
		dir := rationOf(t, pid)
		if (query != "") != (dir != "") {
			t.Errorf("the process %d (%.20q) is in %q", pid, query, dir)
		}
		in += dir
	}
	if in == "" {
		t.Fatal("no process is of analysts")
	}
	for _, on := range []bool{true, false, true} {
		busy.Store(on)
		until(t, fmt.Sprintf("it is held back: %t", on), func() bool { return held(t, in) == on })
	}
	cancel()
	if err := <-over; err == nil {
		t.Error("what has no end was answered")
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(in); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is left: %v", err)
	}
}

// backends returns the numbers of the processes that answer somebody, with what those of
// analysts do; "" for those of others.
func backends(t *testing.T, watch *pgx.Conn) map[int]string {
	t.Helper()
	const all = `SELECT pid, CASE WHEN application_name = 'amate-analyst' THEN query ELSE '' END FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database()`
	rows, err := watch.Query(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	var pid int
	var query string
	if _, err := pgx.ForEachRow(rows, []any{&pid, &query}, func() error {
		found[pid] = query
		return nil
	}); err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	return found
}

// rationOf returns where the group of analysts is that a process is in; "" for none.
func rationOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		controllers, path, _ := strings.Cut(strings.TrimSpace(line[strings.Index(line, ":")+1:]), ":")
		if strings.Contains(path, "amate-analysts-") {
			return filepath.Join("/sys/fs/cgroup", controllers, path)
		}
	}
	return ""
}

// held reports whether a group has a bound.
func held(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "cpu.max"))
	if errors.Is(err, os.ErrNotExist) {
		text, err = os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return !strings.HasPrefix(string(text), "max") && !strings.HasPrefix(string(text), "-1")
}

// relayed returns where a database is reached over a socket that another process than its own
// listens at.
func relayed(t *testing.T, where string) string {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	const name = ".s.PGSQL.5432"
	there := filepath.Join(u.Query().Get("host"), name)
	dir, err := os.MkdirTemp("", "amate-relay-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			one, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			other, err := net.Dial("unix", there)
			if err != nil {
				_ = one.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{one, other}, {other, one}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_, _ = pair[0].Close(), pair[1].Close()
				}()
			}
		}
	}()
	return (&url.URL{Scheme: u.Scheme, User: u.User, Path: u.Path, RawQuery: url.Values{"host": {dir}}.Encode()}).String()
}
