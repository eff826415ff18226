package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/storetest"
)

// TestStandingJobs: a job that stands is there once however often servers begin, also after
// it was given up, while they run and when they begin again at the same time.
func TestStandingJobs(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(t *testing.T) storage{
		"sqlite":   func(t *testing.T) storage { return storage{Data: t.TempDir()} },
		"postgres": func(t *testing.T) storage { return storage{Data: t.TempDir(), Database: storetest.EmptyPostgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const kind = "standing"
			at, given := where(t), make(chan string, 8)
			server := func() *opened {
				o, err := at.open(t.Context(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { o.Close() })
				o.jobs.Handle(kind, 1, func(_ context.Context, task *job.Task) error {
					given <- task.ID()
					return job.Permanent(errors.New("it cannot be done"))
				})
				return o
			}
			open := func(o *opened, want int) {
				t.Helper()
				all, err := o.jobs.Open(t.Context(), kind)
				if err != nil || len(all) != want {
					t.Fatalf("%d jobs are open, want %d: %+v %v", len(all), want, all, err)
				}
			}
			one, two := server(), server()
			for range 3 { // it is given up each time
				var both sync.WaitGroup
				for _, o := range []*opened{one, two} {
					both.Go(func() {
						for range 3 {
							if err := o.stand(t.Context(), kind); err != nil {
								t.Error(err)
							}
						}
					})
				}
				both.Wait()
				open(one, 1)
				ctx, stop := context.WithCancel(t.Context())
				wait := one.work(ctx)
				<-given
				eventually(t, "it is given up", func() bool {
					left, err := two.jobs.Open(ctx, kind)
					return err == nil && len(left) == 0
				})
				stop()
				wait()
			}
			if len(given) > 0 {
				t.Errorf("it was done %d times more", len(given))
			}
		})
	}
}
