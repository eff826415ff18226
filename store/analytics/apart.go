package analytics

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

// apartRunner runs queries over the SQLite file in processes of their own, which can yield to
// the server: within one process, a query that computes for half a minute would take one of
// its few processors from everybody else for so long.
type apartRunner struct {
	path    string
	command []string
	limits  Limits
	turns   chan struct{}
}

// RunSQLiteApart is RunSQLite with each query in a process of its own that command starts, a
// program and its arguments: it calls Answer. While others are served it rests most of the
// time, and otherwise runs when nobody else wants the processor.
func RunSQLiteApart(path string, limits Limits, command ...string) Runner {
	return &apartRunner{path: path, command: command, limits: limits, turns: make(chan struct{}, limits.Connections)}
}

func (r *apartRunner) Dialect() string { return "sqlite" }

func (r *apartRunner) Close() error { return nil }

// asked is what such a process is told.
type asked struct {
	Path      string
	SQL       string
	Names     []string
	Arguments map[string]Argument
	Rows      int
	Time      time.Duration
}

// told is a piece of what it answers. The last one is Done.
type told struct {
	Columns []table.Column // of the first
	Rows    [][]table.Cell
	Done    bool
	More    bool
	Fault   *fault
}

// fault is why a query came to nothing.
type fault struct {
	Code                 fhir.Code
	Details, Diagnostics string
}

// apartMemory is how much memory such a process keeps within, when it can.
const apartMemory = 128 << 20

func (r *apartRunner) Run(ctx context.Context, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	limited, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
	case <-limited.Done():
		err = limited.Err()
	}
	if err == nil {
		more, err = r.run(limited, q, begin, row)
	}
	switch {
	case err == nil:
		return more, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case limited.Err() != nil:
		return false, tooSlow(r.limits.Time)
	}
	return false, err
}

// run runs a query whose turn it is. It keeps the turn until its process has ended, for which
// nobody waits: what everybody else comes before may take its time to die.
func (r *apartRunner) run(ctx context.Context, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, in, out, err := r.start(ctx)
	if err != nil {
		cancel()
		<-r.turns
		return false, err
	}
	cut := context.AfterFunc(ctx, func() { _ = errors.Join(in.Close(), out.Close()) })
	go r.pace(ctx, cmd.Process)
	defer func() {
		cut()
		cancel() // who reads no further ends the process
		go func() {
			_ = cmd.Wait() // what it had to say was read, or it was stopped
			<-r.turns
		}()
	}()
	// Its input stays open: that it ends tells the process that the server is no more.
	if err := gob.NewEncoder(in).Encode(asked{r.path, bound(q), q.Names, q.Arguments, q.Rows, r.limits.Time}); err != nil {
		return false, err
	}
	answer := gob.NewDecoder(bufio.NewReader(out))
	for first := true; ; first = false {
		var t told
		if err := answer.Decode(&t); err != nil {
			return false, fmt.Errorf("what runs queries has ended: %w", err)
		}
		if t.Fault != nil {
			return false, &fhir.Error{Code: t.Fault.Code, Details: t.Fault.Details, Diagnostics: t.Fault.Diagnostics}
		}
		if first {
			if err := begin(t.Columns); err != nil {
				return false, err
			}
		}
		for _, cells := range t.Rows {
			if err := row(cells); err != nil {
				return false, err
			}
		}
		if t.Done {
			return t.More, nil
		}
	}
}

// start starts a process that ends with ctx, and returns what it reads and writes.
func (r *apartRunner) start(ctx context.Context) (*exec.Cmd, io.WriteCloser, io.ReadCloser, error) {
	cmd := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	// It is told nothing of the environment, which may hold secrets.
	cmd.Env = []string{"GOMAXPROCS=1", "TMPDIR=" + os.TempDir()}
	grouped(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, fmt.Errorf("start what runs queries: %w", err)
	}
	return cmd, in, out, nil
}

// apartWork is for how long a query works between two rests.
const apartWork = 5 * time.Millisecond

// pace has a process yield while others are served, and work only a part of the time. That it
// yields is not enough: with what they leave of the processors it still takes caches and memory
// from them, and is in the way for a moment of whoever wakes up. It holds nothing meanwhile that
// anybody waits for, but old pages of a file that is of analysts alone. While nobody is served
// it is as any other process: what else the machine does may take all of it, and for hours.
//
// A process that rests when the server dies is woken, and ends since nobody waits for it.
func (r *apartRunner) pace(ctx context.Context, p *os.Process) {
	if r.limits.Busy == nil {
		return
	}
	for low := false; ctx.Err() == nil; {
		if busy := r.limits.Busy(); busy != low {
			_ = yields(p.Pid, busy) // or it is as it was, and rests all the same
			low = busy
		}
		began := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(apartWork):
		}
		if !low {
			continue
		}
		if pause(p) != nil {
			return // it has ended
		}
		_ = r.limits.Rest(ctx, time.Since(began)) // then it is killed
		if resume(p) != nil {
			return
		}
	}
}

// Rows and bytes that are told at a time.
const (
	apartRows  = 200
	apartBytes = 256 << 10
)

// Answer runs the query that stands in in, which a runner of RunSQLiteApart wrote, and
// writes the rows to out. It ends when in does: then nobody waits for it any more.
func Answer(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	debug.SetMemoryLimit(apartMemory)
	var a asked
	if err := gob.NewDecoder(in).Decode(&a); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.Time)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // it only ends
		cancel()
	}()
	to := gob.NewEncoder(out)
	runner, err := RunSQLite(a.Path, Limits{Time: a.Time, Connections: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	t, bytes := told{}, 0
	bring := func() error {
		err := to.Encode(&t)
		t, bytes = told{}, 0
		return err
	}
	t.More, err = runner.(*sqliteRunner).answer(ctx, &a, func(columns []table.Column) error {
		t.Columns = columns
		return nil
	}, func(row []table.Cell) error {
		for i := range row {
			bytes += len(row[i].Text)
		}
		t.Rows = append(t.Rows, append([]table.Cell(nil), row...))
		if len(t.Rows) < apartRows && bytes < apartBytes {
			return nil
		}
		return bring()
	})
	if known := (*fhir.Error)(nil); errors.As(err, &known) {
		t = told{Fault: &fault{known.Code, known.Details, known.Diagnostics}}
	} else if err != nil {
		return err
	}
	t.Done = true
	return bring()
}
