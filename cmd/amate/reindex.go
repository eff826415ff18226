package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/amate-health/amate/store/job"
)

// reindexing makes the index of stored resources anew.
type reindexing struct {
	Storage storage  `embed:""`
	BaseURL string   `help:"The public FHIR base of the server: absolute references to it are local ones." default:"http://127.0.0.1:8080/fhir" placeholder:"URL"`
	Type    []string `help:"Only resources of these types; without it, all." placeholder:"TYPE"`
}

// Run queues the job, and works on it here, unless a server of the same PostgreSQL
// database is faster. Whoever has it, this shows how far it is.
func (r *reindexing) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	types, err := resourceTypes(r.Type)
	if err != nil {
		return usagef("--type: %s", told(err))
	}
	store, err := r.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	store.indexing.Base = strings.TrimRight(r.BaseURL, "/")
	store.handleReindexing()
	working, stop := context.WithCancel(ctx)
	wait := store.work(working)
	defer func() {
		stop()
		wait()
	}()
	j, err := store.reindexSome(ctx, types)
	if err != nil {
		return err
	}
	j, err = watchJob(ctx, store.jobs, j, s.err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped after %d of %d resources: a server goes on with it, or the same command", j.Done, j.Total)
	case err != nil:
		return err
	case j.Status != job.Done:
		return fmt.Errorf("%s after %d of %d resources: %s", j.Status, j.Done, j.Total, j.Error)
	}
	took := j.Ended.Sub(j.Started).Seconds()
	_, err = fmt.Fprintf(s.out, "%d resources in %.1f s (%.0f a second): %s\n", j.Done, took, float64(j.Done)/max(took, 0.001), j.Note)
	return err
}

// watchJob shows how far a job is until it has ended.
func watchJob(ctx context.Context, q *job.Queue, j job.Job, out io.Writer) (job.Job, error) {
	every, form := lineEvery, "%s\n"
	if isTerminal(out) {
		every, form = barEvery, "\r%s\x1b[K" // to the end of the line, clear
		defer fmt.Fprintln(out)
	}
	look, show := time.NewTicker(barEvery), time.NewTicker(every)
	defer look.Stop()
	defer show.Stop()
	for {
		now, err := q.Get(ctx, j.ID)
		if err != nil {
			return j, err
		}
		if j = now; j.Status.Ended() {
			return j, nil
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-show.C:
			fmt.Fprintf(out, form, jobLine(&j, time.Now(), isTerminal(out)))
		case <-look.C:
		}
	}
}

// jobLine says how far a job is.
func jobLine(j *job.Job, now time.Time, withBar bool) string {
	share := 0.0
	if j.Total > 0 {
		share = float64(j.Done) / float64(j.Total)
	}
	text := fmt.Sprintf("%3.0f%%  %d of %d resources  %s", 100*share, j.Done, j.Total, j.Note)
	if left := j.Remaining(now); left > 0 {
		text += "  " + left.Round(time.Second).String() + " left"
	}
	if withBar {
		return bar(share) + text
	}
	return text
}
