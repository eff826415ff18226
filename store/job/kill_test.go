package job_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/storetest"
)

// TestKill: when a server dies in the middle, another goes on where it was.
func TestKill(t *testing.T) {
	if argument := storetest.Child(); argument != "" {
		engine, place, _ := strings.Cut(argument, " ")
		q := job.NewQueue(engines[engine].open(t, place), quick)
		q.Handle("count", 1, counting(func(n int) bool {
			storetest.Say(fmt.Sprint(n))
			return true
		}))
		add(t, q, job.New{ID: "count", Kind: "count"})
		q.Run(t.Context())
		return
	}
	t.Parallel()
	for name, e := range engines {
		t.Run(name, func(t *testing.T) {
			place := e.place(t)
			said := storetest.KillChild(t, "TestKill", name+" "+place, 200*time.Millisecond)
			q := job.NewQueue(e.open(t, place), watched)
			first := 0
			q.Handle("count", 1, counting(func(n int) bool {
				if first == 0 {
					first = n
				}
				return n < first+10
			}))
			run(t, q)
			if j := await(t, q, "count", ended); j.Status != job.Done || j.Done != int64(first+10) {
				t.Errorf("%+v", j)
			}
			// What was said had been saved; one more may have been.
			if last := len(said); first != last+1 && first != last+2 {
				t.Errorf("it had said %d, and went on with %d", last, first)
			}
		})
	}
}

// counting is a work that counts, and saves each step before it says it, for as long
// as said wants more.
func counting(said func(int) bool) job.Work {
	return func(ctx context.Context, task *job.Task) error {
		at := 0
		if _, err := task.Position(&at); err != nil {
			return err
		}
		for more := true; more; {
			at++
			task.Progress(int64(at), 0, "")
			if err := task.Save(ctx, at); err != nil {
				return err
			}
			more = said(at)
		}
		return nil
	}
}

// TestDeadly: a job that kills its server each time is given up.
func TestDeadly(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		q := job.NewQueue(state, quick)
		id := add(t, q, job.New{Kind: "deadly"})
		for range 3 {
			// A server that takes the job, and is never heard of again.
			dying := job.NewQueue(&silentAfter{State: state, puts: 1}, quick)
			dying.Handle("deadly", 1, func(ctx context.Context, _ *job.Task) error {
				<-t.Context().Done()
				return nil
			})
			before, err := q.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go dying.Run(ctx)
			await(t, q, id, func(j job.Job) bool { return j.Worker != before.Worker || j.Status.Ended() })
			cancel()
		}
		last := job.NewQueue(state, quick)
		last.Handle("deadly", 1, func(context.Context, *job.Task) error {
			t.Error("it is tried once more")
			return nil
		})
		run(t, last)
		if j := await(t, q, id, ended); j.Status != job.Failed || !strings.Contains(j.Error, "died") {
			t.Errorf("%+v", j)
		}
	})
}

// silentAfter is a state that writes only so often, and fails from then on.
type silentAfter struct {
	job.State
	puts int64
	done atomic.Int64
}

func (s *silentAfter) Put(ctx context.Context, entries ...fhir.Entry) error {
	if s.done.Add(1) > s.puts {
		return errors.New("it is dead")
	}
	return s.State.Put(ctx, entries...)
}

// TestRegained: a server that could not hold its job for a while takes it up again,
// also when there is no other.
func TestRegained(t *testing.T) {
	each(t, func(t *testing.T, state job.State) {
		line := &unplugged{State: state}
		q := job.NewQueue(line, quick)
		var calls atomic.Int64
		q.Handle("long", 1, func(ctx context.Context, _ *job.Task) error {
			if calls.Add(1) > 1 {
				return nil
			}
			line.cut.Store(true)
			<-ctx.Done()
			line.cut.Store(false)
			return ctx.Err()
		})
		id := add(t, q, job.New{Kind: "long"})
		run(t, q)
		if j := await(t, q, id, ended); j.Status != job.Done || calls.Load() != 2 {
			t.Errorf("%+v after %d calls", j, calls.Load())
		}
	})
}
