package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// How many round trips of a kind are under way at once, and how many requests share one.
const (
	sharedTrips = 2
	sharedJobs  = 32
)

// sharedTime bounds a round trip that several requests share, none of which may end it for the others.
const sharedTime = 30 * time.Second

// readJob is a read that waits for its turn.
type readJob struct {
	ref   fhir.Ref
	found *store.Found
	done  chan error
}

// currentJob asks where resources stand.
type currentJob struct {
	refs []fhir.Ref
	rows []store.Row
	done chan error
}

// writeJob is a batch to be written without locks.
type writeJob struct {
	ctx          context.Context
	began        time.Time // before the writes took their time
	writes       []store.Write
	placeholders []store.Write
	done         chan error
}

// await returns the outcome of a job that was handed to g.
func await[J any](ctx context.Context, g *store.Gatherer[J], j J, done <-chan error) error {
	if err := g.Hand(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shared runs f on a connection, for several requests.
func (s *Store) shared(f func(context.Context, *connection) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), sharedTime)
	defer cancel()
	return s.with(ctx, func(c *connection) error { return f(ctx, c) })
}

// runReads reads for all jobs.
func (s *Store) runReads(jobs []*readJob) {
	err := s.shared(func(ctx context.Context, c *connection) error {
		if len(jobs) == 1 {
			var err error
			jobs[0].found, err = c.read(ctx, jobs[0].ref)
			return err
		}
		refs := make([]fhir.Ref, len(jobs))
		for i, j := range jobs {
			refs[i] = j.ref
		}
		return trip(ctx, c.pg, call{name: stmtReads, args: placeArgs(refs), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			n := f.int64() - 1
			found := scan(&f)
			jobs[n].found = &found
			return f.err()
		}})
	})
	for _, j := range jobs {
		j.done <- err
	}
}

// runCurrents asks for all jobs where their resources stand.
func (s *Store) runCurrents(jobs []*currentJob) {
	var refs []fhir.Ref
	for _, j := range jobs {
		refs = append(refs, j.refs...)
	}
	var rows []store.Row
	err := s.shared(func(ctx context.Context, c *connection) (err error) {
		rows, err = c.current(ctx, refs)
		return err
	})
	for _, j := range jobs {
		if err == nil {
			j.rows, rows = rows[:len(j.refs)], rows[len(j.refs):]
		}
		j.done <- err
	}
}

// runWrites writes all jobs in one transaction. When that fails, or has to wait for
// another transaction, they are told that something came in between, so that each
// goes on alone and under locks: none fails for another's fault, and none waits
// behind another's lock.
func (s *Store) runWrites(jobs []*writeJob) {
	for len(jobs) > 0 {
		together, rest := compatible(jobs)
		err := s.writeTogether(together)
		var known *pgError
		if len(together) > 1 && (errors.As(err, &known) || tookTooLong(err)) {
			err = fmt.Errorf("%w: %w", store.ErrMoved, err)
		}
		for _, j := range together {
			j.done <- err
		}
		jobs = rest
	}
}

// compatible returns those jobs that can share a transaction, since no two write
// the same resource, and the rest. Jobs whose caller has gone are answered.
func compatible(jobs []*writeJob) (together, rest []*writeJob) {
	taken := map[fhir.Ref]bool{}
	for _, j := range jobs {
		if err := j.ctx.Err(); err != nil {
			j.done <- err
			continue
		}
		if j.overlaps(taken) {
			rest = append(rest, j)
			continue
		}
		for _, rows := range [][]store.Write{j.writes, j.placeholders} {
			for i := range rows {
				taken[rows[i].Ref.Current()] = true
			}
		}
		together = append(together, j)
	}
	return together, rest
}

func (j *writeJob) overlaps(taken map[fhir.Ref]bool) bool {
	for _, rows := range [][]store.Write{j.writes, j.placeholders} {
		for i := range rows {
			if taken[rows[i].Ref.Current()] {
				return true
			}
		}
	}
	return false
}

func (s *Store) writeTogether(jobs []*writeJob) error {
	if len(jobs) == 0 {
		return nil
	}
	return s.shared(func(ctx context.Context, c *connection) error {
		for _, j := range jobs { // they may have waited for their turn, and for a connection
			if err := c.inTime(ctx, j.began); err != nil {
				return err
			}
		}
		t := &tx{connection: *c, pending: []call{{name: stmtImpatient}}}
		writes := jobs[0].writes
		t.placeholders = jobs[0].placeholders
		if len(jobs) > 1 {
			writes, t.placeholders = nil, nil
			for _, j := range jobs {
				writes = append(writes, j.writes...)
				t.placeholders = append(t.placeholders, j.placeholders...)
			}
		}
		return t.finish(ctx, t.writeNow(ctx, writes))
	})
}
