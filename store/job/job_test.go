package job_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// engines open a store at a place, and make a place for a fresh one.
var engines = map[string]struct {
	place func(t *testing.T) string
	open  func(t *testing.T, place string) job.State
}{
	"postgres": {
		func(t *testing.T) string { return storetest.Postgres(t) },
		func(t *testing.T, place string) job.State {
			s, err := postgres.Open(t.Context(), place, postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
	},
	"sqlite": {
		func(t *testing.T) string { return filepath.Join(t.TempDir(), "amate.db") },
		func(t *testing.T, place string) job.State {
			s, err := sqlite.Open(t.Context(), place, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
	},
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, state job.State)) {
	for name, e := range engines {
		t.Run(name, func(t *testing.T) { test(t, e.open(t, e.place(t))) })
	}
}

// quick are options with which it is not waited long for who is silent.
var quick = job.Options{Poll: 10 * time.Millisecond, Lease: 250 * time.Millisecond, Backoff: time.Millisecond, Attempts: 3}

// held are those where no server is to take over what another has, however slow it is.
var held = job.Options{Poll: quick.Poll, Lease: 15 * time.Second, Backoff: quick.Backoff, Attempts: quick.Attempts}

// watched are those where another server takes over in time, and a slow machine is no reason.
var watched = job.Options{Poll: quick.Poll, Lease: 5 * time.Second, Backoff: quick.Backoff, Attempts: quick.Attempts}

// run runs a queue until the test ends, or what it returns is called.
func run(t *testing.T, q *job.Queue) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		q.Run(ctx)
		close(ended)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// add queues a job, which must succeed.
func add(t *testing.T, q *job.Queue, n job.New) string {
	t.Helper()
	id, err := q.Add(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// await returns a job once ok holds for it.
func await(t *testing.T, q *job.Queue, id string, ok func(job.Job) bool) job.Job {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		j, err := q.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if ok(j) {
			return j
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job does not get there: %+v", j)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func ended(j job.Job) bool { return j.Status.Ended() }

func TestDone(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		q := job.NewQueue(state, held)
		type payload struct{ Name string }
		q.Handle("greet", 1, func(ctx context.Context, task *job.Task) error {
			var p payload
			if err := task.Payload(&p); err != nil || p.Name != "Ek" {
				t.Errorf("payload %+v, %v", p, err)
			}
			if there, err := task.Position(new(int)); there || err != nil {
				t.Errorf("a position before any: %v", err)
			}
			task.Progress(1, 2, "half")
			if err := task.Save(ctx, 1); err != nil {
				return err
			}
			task.Progress(2, 2, "whole")
			return nil
		})
		id := add(t, q, job.New{ID: "greeting", Kind: "greet", Payload: payload{"Ek"}})
		add(t, q, job.New{ID: "greeting", Kind: "greet", Payload: payload{"another"}}) // there is one already
		if j, err := q.Get(t.Context(), id); err != nil || j.Status != job.Queued || j.Created.IsZero() {
			t.Errorf("%+v, %v", j, err)
		}
		other := add(t, q, job.New{Kind: "nobody does it"})
		run(t, q)
		j := await(t, q, id, ended)
		if j.Status != job.Done || j.Done != 2 || j.Note != "whole" || j.Started.IsZero() || j.Ended.Before(j.Started) || j.Worker != "" {
			t.Errorf("%+v", j)
		}
		if all, err := q.Open(t.Context(), ""); err != nil || len(all) != 1 || all[0].ID != other {
			t.Errorf("open: %+v, %v", all, err)
		}
		if all, err := q.Ended(t.Context(), "greet"); err != nil || len(all) != 1 || all[0].ID != id {
			t.Errorf("ended: %+v, %v", all, err)
		}
		if _, err := q.Get(t.Context(), "none"); fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("no job: %v", err)
		}
	})
}

// TestFailures: a job that fails is tried again, from where it was, and given up
// when it gets no further.
func TestFailures(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		q := job.NewQueue(state, held)
		var calls, steady atomic.Int64
		q.Handle("hopeless", 1, func(context.Context, *job.Task) error {
			calls.Add(1)
			return errors.New("no luck")
		})
		q.Handle("panics", 1, func(context.Context, *job.Task) error { panic("ouch") })
		q.Handle("permanent", 1, func(context.Context, *job.Task) error {
			return fmt.Errorf("it is so: %w", job.Permanent(errors.New("never")))
		})
		q.Handle("stumbles", 1, func(ctx context.Context, task *job.Task) error {
			at := 0
			if _, err := task.Position(&at); err != nil {
				return err
			}
			if int64(at) != steady.Load() {
				t.Errorf("goes on at %d after %d", at, steady.Load())
			}
			if at == 9 {
				return nil
			}
			if err := task.Save(ctx, at+1); err != nil {
				return err
			}
			steady.Add(1)
			return errors.New("stumbled") // more often than attempts are allowed, but never twice at one place
		})
		want := map[string]struct {
			status   job.Status
			attempts int
			text     string
		}{
			"hopeless": {job.Failed, 3, "no luck"}, "panics": {job.Failed, 3, "panic: ouch"},
			"permanent": {job.Failed, 1, "it is so: never"}, "stumbles": {job.Done, 0, ""},
		}
		for kind := range want {
			add(t, q, job.New{ID: kind, Kind: kind})
		}
		run(t, q)
		for kind, w := range want {
			if j := await(t, q, kind, ended); j.Status != w.status || j.Attempts != w.attempts || j.Error != w.text {
				t.Errorf("%s: %+v", kind, j)
			}
		}
		if calls.Load() != 3 {
			t.Errorf("%d attempts", calls.Load())
		}
	})
}

// TestLater: a job waits for its time, and can ask for another.
func TestLater(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		q := job.NewQueue(state, held)
		var calls atomic.Int64
		due := time.Now().Add(150 * time.Millisecond)
		q.Handle("periodic", 1, func(ctx context.Context, task *job.Task) error {
			if time.Now().Before(due.Truncate(time.Millisecond)) {
				t.Error("it began before its time")
			}
			if there, err := task.Position(new(int)); there || err != nil {
				t.Errorf("a new beginning has no position: %v", err)
			}
			if err := task.Save(ctx, 1); err != nil {
				return err
			}
			if calls.Add(1) < 5 {
				return &job.Again{At: time.Now()}
			}
			return nil
		})
		id := add(t, q, job.New{Kind: "periodic", Due: due})
		run(t, q)
		if j := await(t, q, id, ended); j.Status != job.Done || calls.Load() != 5 {
			t.Errorf("%+v after %d calls", j, calls.Load())
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, state job.State) {
		q, other := job.NewQueue(state, held), job.NewQueue(state, held)
		begun := make(chan struct{})
		q.Handle("long", 1, func(ctx context.Context, task *job.Task) error {
			close(begun)
			<-ctx.Done()
			if context.Cause(ctx) != job.ErrCancelled {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
			return ctx.Err()
		})
		id := add(t, q, job.New{Kind: "long"})
		waits := add(t, q, job.New{Kind: "nobody does it"})
		run(t, q)
		<-begun
		for _, id := range []string{id, waits} {
			if err := other.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if j := await(t, q, id, ended); j.Status != job.Cancelled {
				t.Errorf("%+v", j)
			}
			if err := other.Cancel(t.Context(), id); err != nil {
				t.Errorf("once more: %v", err)
			}
		}
		if err := other.Cancel(t.Context(), "none"); fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("no job: %v", err)
		}
	})
}

// TestStop: a server that stops puts back what it has not finished, and that is no failure.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		first, second := job.NewQueue(state, held), job.NewQueue(state, held)
		begun := make(chan struct{})
		first.Handle("count", 1, func(ctx context.Context, task *job.Task) error {
			if err := task.Save(ctx, 7); err != nil {
				return err
			}
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		second.Handle("count", 1, func(_ context.Context, task *job.Task) error {
			at := 0
			if there, err := task.Position(&at); !there || err != nil || at != 7 {
				t.Errorf("goes on at %d, %v", at, err)
			}
			return nil
		})
		id := add(t, first, job.New{Kind: "count"})
		stop := run(t, first)
		<-begun
		stop()
		if j, err := first.Get(t.Context(), id); err != nil || j.Status != job.Queued || j.Attempts != 0 {
			t.Errorf("%+v, %v", j, err)
		}
		run(t, second)
		if j := await(t, second, id, ended); j.Status != job.Done {
			t.Errorf("%+v", j)
		}
	})
}

// TestManyServers: whatever the number of servers, each job is at work once at a
// time, and done once.
func TestManyServers(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		const servers, jobs = 4, 24
		var at, done [jobs]atomic.Int64
		var ids []string
		for n := range servers {
			q := job.NewQueue(state, held)
			q.Handle("one", 2, func(ctx context.Context, task *job.Task) error {
				var i int
				if err := task.Payload(&i); err != nil {
					return err
				}
				if at[i].Add(1) > 1 {
					t.Errorf("job %d is at work twice", i)
				}
				for step := range 3 {
					if err := task.Save(ctx, step); err != nil {
						return err
					}
				}
				at[i].Add(-1)
				done[i].Add(1)
				return nil
			})
			for i := n; i < jobs; i += servers {
				ids = append(ids, add(t, q, job.New{Kind: "one", Payload: i}))
			}
			run(t, q)
		}
		q := job.NewQueue(state, quick)
		for _, id := range ids {
			if j := await(t, q, id, ended); j.Status != job.Done {
				t.Errorf("%+v", j)
			}
		}
		for i := range done {
			if done[i].Load() != 1 {
				t.Errorf("job %d was done %d times", i, done[i].Load())
			}
		}
	})
}

// unplugged is a state whose connection can be cut.
type unplugged struct {
	job.State
	cut atomic.Bool
}

func (u *unplugged) Put(ctx context.Context, entries ...fhir.Entry) error {
	if u.cut.Load() {
		return errors.New("no connection")
	}
	return u.State.Put(ctx, entries...)
}

// TestSilence: a server that cannot reach the database any more stops its work before
// another takes it over, and what it writes later does not count.
func TestSilence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, state job.State) {
		line := &unplugged{State: state}
		silent, other := job.NewQueue(line, watched), job.NewQueue(state, watched)
		begun, stopped := make(chan struct{}), make(chan struct{})
		var calls atomic.Int64
		silent.Handle("long", 1, func(ctx context.Context, task *job.Task) error {
			if calls.Add(1) > 1 {
				return nil // it was faster than the other, and has it again
			}
			close(begun)
			<-ctx.Done()
			close(stopped)
			line.cut.Store(false)
			if err := task.Save(t.Context(), "late"); err == nil {
				t.Log("it saved before it was taken over") // and then it is its own still
			}
			return nil
		})
		other.Handle("long", 1, func(_ context.Context, task *job.Task) error {
			select {
			case <-stopped:
			default:
				t.Error("two work at it")
			}
			return nil
		})
		id := add(t, silent, job.New{Kind: "long"})
		run(t, silent)
		<-begun
		line.cut.Store(true)
		run(t, other)
		if j := await(t, other, id, ended); j.Status != job.Done {
			t.Errorf("%+v", j)
		}
	})
}

// halting is a state of which one write takes a while, and comes to nothing: as when the
// machine stands still.
type halting struct {
	job.State
	puts atomic.Int64
	halt int64 // which of them, from 1
	long time.Duration
}

func (h *halting) Put(ctx context.Context, entries ...fhir.Entry) error {
	if h.puts.Add(1) != h.halt {
		return h.State.Put(ctx, entries...)
	}
	time.Sleep(h.long)
	return ctx.Err()
}

// TestStandstill: a server that stood still, and whose job nobody has taken over, goes on
// with it.
func TestStandstill(t *testing.T) {
	t.Parallel()
	state := engines["sqlite"].open(t, engines["sqlite"].place(t))
	h := &halting{State: state, halt: 3, long: 4 * time.Second} // after that of the job, and that it has begun
	q := job.NewQueue(h, watched)
	var calls atomic.Int64
	q.Handle("long", 1, func(ctx context.Context, _ *job.Task) error {
		calls.Add(1)
		for h.puts.Load() < 6 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(5 * time.Millisecond):
			}
		}
		return nil
	})
	id := add(t, q, job.New{Kind: "long"})
	run(t, q)
	if j := await(t, q, id, ended); j.Status != job.Done || calls.Load() != 1 || j.Attempts != 0 {
		t.Errorf("%+v after %d calls", j, calls.Load())
	}
}

func TestRemaining(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	j := job.Job{Status: job.Running, Started: at, Done: 25, Total: 100}
	if left := j.Remaining(at.Add(time.Minute)); left != 3*time.Minute {
		t.Errorf("%v", left)
	}
	for _, j := range []job.Job{{Status: job.Queued}, {Status: job.Running, Started: at}, {Status: job.Done, Started: at, Done: 1, Total: 2}} {
		if left := j.Remaining(at.Add(time.Minute)); left != 0 {
			t.Errorf("%+v: %v", j, left)
		}
	}
}
