package analytics_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/store/analytics"
)

// Where values stand in the file stat of a thread, counted from the state, which is behind
// its name in parentheses.
//
// See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
const (
	statState  = 0
	statParent = 1
	statPolicy = 38
)

// statOf reads the file stat of a process or thread; nil when it is no more.
func statOf(path string) []string {
	text, _ := os.ReadFile(filepath.Join(path, "stat"))
	_, after, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(after); len(fields) > statPolicy {
		return fields
	}
	return nil
}

// TestYields: while others are served, each thread of the process in which a query runs has a
// processor only when nobody else wants it, those that were there before it ran too. While
// nobody is served it is as any other.
func TestYields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "analytics.db")
	k, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	fill(t, k, person("1", "1990"))
	var busy atomic.Bool
	limits := analytics.Limits{Time: 10 * time.Minute, Connections: 1, Busy: busy.Load, Rest: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	apart := analytics.RunSQLiteApart(path, limits, os.Args[0], answering)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, _, err := ask(ctx, apart, endless, 10, nil)
		over <- err
	}()
	child := childOf(t, os.Getpid(), over)
	// It is looked at when it has computed for a while, and threads for that have been made.
	until(t, "the query runs", func() bool { return computed(child) })
	const other, idle = "0", "5" // SCHED_OTHER and SCHED_IDLE
	all := func(policy string) bool {
		threads, err := filepath.Glob(child + "/task/*")
		if err != nil || len(threads) < 2 {
			t.Fatalf("%d threads, %v", len(threads), err)
		}
		return !slices.ContainsFunc(threads, func(thread string) bool {
			stat := statOf(thread)
			return stat != nil && stat[statPolicy] != policy
		})
	}
	if !all(other) {
		t.Error("it yields while nobody is served")
	}
	busy.Store(true)
	until(t, "it yields", func() bool { return all(idle) })
	busy.Store(false)
	if os.Getuid() == 0 { // for others there is no way back
		until(t, "it yields no longer", func() bool { return all(other) })
	}
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// computed reports whether a process has computed for 50 ms, in clock ticks of 10 ms.
func computed(process string) bool {
	const user, most = 11, "5"
	stat := statOf(process)
	return stat != nil && (len(stat[user]) > 1 || stat[user] >= most)
}

// until waits for something to come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

// childOf waits for the process that another one has started for a query.
func childOf(t *testing.T, parent int, over <-chan error) (child string) {
	t.Helper()
	until(t, "a query is started", func() bool {
		select {
		case err := <-over:
			t.Fatal(err)
		default:
		}
		all, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			text, _ := os.ReadFile(path + "/cmdline")
			if stat := statOf(path); stat != nil && stat[statParent] == strconv.Itoa(parent) && strings.Contains(string(text), answering) {
				child = path
			}
		}
		return child != ""
	})
	return child
}

// stopped reports whether a process rests.
func stopped(process string) bool {
	stat := statOf(process)
	return stat != nil && stat[statState] == "T"
}

// gone reports whether a process is no more.
func gone(process string) bool {
	stat := statOf(process)
	return stat == nil || stat[statState] == "Z"
}

// TestRests: while others are served a query works and rests by turns; one that nobody waits
// for any more ends while it rests, and so does one whose server has died.
func TestRests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "analytics.db")
	k, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	fill(t, k, person("1", "1990"))

	on := make(chan bool)
	apart := analytics.RunSQLiteApart(path, restful(on), os.Args[0], answering)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, _, err := ask(ctx, apart, endless, 10, nil)
		over <- err
	}()
	child := childOf(t, os.Getpid(), over)
	for range 5 {
		until(t, "it rests", func() bool { return stopped(child) })
		on <- true
	}
	until(t, "it rests", func() bool { return stopped(child) })
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	until(t, "a query ends that rests", func() bool { return gone(child) })
	close(on)
	if got, _, err := ask(t.Context(), apart, `SELECT count(*) AS n FROM patient`, 10, nil); err != nil || got != "{\"n\":1}\n" {
		t.Errorf("with rests: %q, %v", got, err)
	}

	server := exec.Command(os.Args[0], resting, path)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	child = childOf(t, server.Process.Pid, nil)
	until(t, "it rests", func() bool { return stopped(child) })
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	until(t, "a query ends whose server has died", func() bool { return gone(child) })
}
