package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// writer owns the one connection that writes. Jobs that wait are run in one
// transaction, so that they share its wait for the disk.
type writer struct {
	conn    *sqlite.Conn
	keys    *store.KeyCache
	observe func(string, time.Duration)
	jobs    *store.Gatherer[*job]

	block keyBlock // row keys for locked attempts
}

// job is one piece of work in a transaction.
type job struct {
	ctx  context.Context
	run  func(*sqlite.Conn) error
	done chan error
}

// maxJobs is how many jobs one transaction takes on.
const maxJobs = 64

func newWriter(conn *sqlite.Conn, keys *store.KeyCache, observe func(string, time.Duration)) *writer {
	w := &writer{conn: conn, keys: keys, observe: observe}
	w.jobs = store.NewGatherer(1, maxJobs, w.transact)
	return w
}

// do runs f in a transaction, alone with the database, and returns once it is on disk.
func (w *writer) do(ctx context.Context, f func(*sqlite.Conn) error) error {
	j := &job{ctx: ctx, run: f, done: make(chan error, 1)}
	if err := w.jobs.Hand(ctx, j); err != nil {
		return err
	}
	return <-j.done
}

// transact runs jobs in one transaction. A job that fails is undone alone.
func (w *writer) transact(jobs []*job) {
	var done []*job
	for i, j := range jobs {
		attempt := w.attempt
		if len(done) == 0 {
			if err := w.begin(); err != nil {
				answer(jobs[i:], err)
				return
			}
			attempt = w.attemptFirst
		}
		if err := attempt(j); err != nil {
			j.done <- err
		} else {
			done = append(done, j)
		}
	}
	if len(done) == 0 { // nothing was written, but there may be a transaction
		_ = w.rollback()
		return
	}
	start := time.Now()
	err := w.exec("COMMIT")
	w.observe("commit", time.Since(start))
	if err != nil {
		w.block = keyBlock{} // it may have been taken in this transaction
		err = failure(errors.Join(fmt.Errorf("commit: %w", err), w.rollback()))
	}
	answer(done, err)
}

// attempt runs j within a savepoint.
func (w *writer) attempt(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if err := w.exec("SAVEPOINT job"); err != nil {
		return err
	}
	err := guarded(j.run, w.conn)
	if err != nil {
		w.block = keyBlock{}
		if undoErr := w.exec("ROLLBACK TO job"); undoErr != nil {
			err = errors.Join(err, undoErr)
		}
	}
	return errors.Join(err, w.exec("RELEASE job"))
}

// begin begins a transaction, unless there is one.
func (w *writer) begin() error {
	if !w.conn.AutocommitEnabled() {
		return nil
	}
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return failure(fmt.Errorf("begin: %w", err))
	}
	return nil
}

// failure gives an error of SQLite the meaning it has here: fhir.Unavailable when another
// process has the file, for longer than is waited for it.
//
// See https://www.sqlite.org/rescode.html#busy.
func failure(err error) error {
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("%w: %w", fhir.Errorf(fhir.Unavailable, "another program is at work on the database file; try again"), err)
	}
	return err
}

// attemptFirst runs j as the first of a transaction. It needs no savepoint, for which every
// page would be copied before it is changed: what fails is undone with the transaction.
func (w *writer) attemptFirst(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	err := guarded(j.run, w.conn)
	if err != nil {
		w.block = keyBlock{}
		err = errors.Join(err, w.rollback())
	}
	return err
}

// guarded turns a panic of f into an error: it must not take other clients' jobs along.
func guarded(f func(*sqlite.Conn) error, conn *sqlite.Conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return f(conn)
}

func (w *writer) rollback() error {
	if w.conn.AutocommitEnabled() {
		return nil
	}
	return w.exec("ROLLBACK")
}

func (w *writer) exec(sql string) error { return sqlitex.Execute(w.conn, sql, nil) }

func answer(jobs []*job, err error) {
	for _, j := range jobs {
		j.done <- err
	}
}
