package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Task is a job at work.
type Task struct {
	q       *Queue
	id      string
	payload json.RawMessage
	stop    context.CancelCauseFunc
	log     *slog.Logger

	mu      sync.Mutex // over what follows, and the writes of the job
	job     Job
	renewed time.Time // when the job was last written, by the monotonic clock
}

// ID returns the id of the job.
func (t *Task) ID() string { return t.id }

// Payload reads what is to be done.
func (t *Task) Payload(into any) error {
	if err := json.Unmarshal(t.payload, into); err != nil {
		return Permanent(fmt.Errorf("payload: %w", err))
	}
	return nil
}

// Position reads how far an earlier attempt came, and reports whether there was one
// that saved it.
func (t *Task) Position(into any) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.job.Position == nil {
		return false, nil
	}
	if err := json.Unmarshal(t.job.Position, into); err != nil {
		return false, Permanent(fmt.Errorf("position: %w", err))
	}
	return true, nil
}

// Progress notes how far the work is, for those who watch. It is written with the
// next renewal of the lease, or Save.
func (t *Task) Progress(done, total int64, note string) {
	t.mu.Lock()
	t.job.Done, t.job.Total, t.job.Note = done, total, note
	t.mu.Unlock()
}

// Save writes the position from which the work can go on, and the progress noted
// so far. Errors: ErrLost, ErrCancelled, after which the work must end.
func (t *Task) Save(ctx context.Context, position any) error {
	raw, err := json.Marshal(position)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	return t.write(ctx, func(j *Job) { j.Position, j.Attempts, j.Error = raw, 0, "" })
}

// write changes the job while it is ours.
func (t *Task) write(ctx context.Context, change func(*Job)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		next := t.job
		change(&next)
		err := t.q.state.Put(ctx, next.entry(t.q.options.Retain))
		if err == nil {
			next.version++
			t.job, t.renewed = next, time.Now()
			return nil
		}
		if fhir.CodeOf(err) != fhir.Conflict {
			return err
		}
		stored, err := t.q.Get(ctx, t.id)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		if err != nil || stored.Status != Running || stored.Worker != t.q.worker {
			t.stop(ErrLost)
			return ErrLost
		}
		t.job.version = stored.version
		if stored.Cancel && !t.job.Cancel {
			t.job.Cancel = true
			t.stop(ErrCancelled)
		}
	}
}

// beat renews the lease until ctx ends. When that fails for too long, the work is
// stopped: another server may be at it already. A renewal that was begun in time says
// nothing when it fails: the machine may have stood still. The next one tells.
func (t *Task) beat(ctx context.Context) {
	tick := time.NewTicker(t.q.options.Lease / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.mu.Lock()
		late := time.Since(t.renewed) > t.q.options.Lease*2/5
		t.mu.Unlock()
		limited, cancel := context.WithTimeout(ctx, t.q.options.Lease/5)
		err := t.write(limited, func(*Job) {})
		cancel()
		if err != nil && late {
			t.log.Warn("a job cannot be held", "error", err)
			t.stop(ErrLost)
		}
	}
}

// endWithin bounds how long it takes to write what came of a job.
const endWithin = 10 * time.Second

// end writes what came of an attempt.
func (t *Task) end(ctx context.Context, err, cause error) {
	if errors.Is(cause, ErrLost) || errors.Is(err, ErrLost) {
		t.log.Warn("a job went to another server")
		return
	}
	stopping := ctx.Err() != nil
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	writeErr := t.write(ending, func(j *Job) { t.q.outcome(j, err, cause, stopping) })
	if writeErr != nil {
		t.log.Warn("what came of a job cannot be written; it will be done again", "error", writeErr)
		return
	}
	var again *Again
	switch j := &t.job; {
	case j.Status == Failed:
		t.log.Error("a job has failed", "error", err)
	case errors.As(err, &again) || !j.Status.Ended() && stopping:
		t.log.Info("a job rests", "due", j.Due)
	case err != nil && !j.Status.Ended():
		t.log.Warn("a job will be tried again", "error", err, "due", j.Due)
	default:
		t.log.Info("a job ends", "status", string(j.Status), "done", j.Done, "seconds", j.Ended.Sub(j.Started).Seconds())
	}
}
