package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Status says where a job stands.
type Status string

// The statuses.
const (
	Queued    Status = "queued" // it waits for its time, or for a server with room
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Ended reports whether nothing will happen to the job any more.
func (s Status) Ended() bool { return s == Done || s == Failed || s == Cancelled }

// Job is a piece of work.
type Job struct {
	ID       string          `json:"-"`
	Kind     string          `json:"kind"`
	Payload  json.RawMessage `json:"payload,omitempty"` // what is to be done
	Status   Status          `json:"status"`
	Created  time.Time       `json:"created"`
	Due      time.Time       `json:"due,omitzero"`     // not to be begun before
	Started  time.Time       `json:"started,omitzero"` // when it was first taken up
	Ended    time.Time       `json:"ended,omitzero"`
	Done     int64           `json:"done"`            // of Total, in units of the work's own
	Total    int64           `json:"total,omitempty"` // 0 while it is not known
	Note     string          `json:"note,omitempty"`  // what it is at, for people
	Position json.RawMessage `json:"position,omitempty"`
	Attempts int             `json:"attempts,omitempty"` // that failed, or died with their server, since Position last moved
	Error    string          `json:"error,omitempty"`    // of the last attempt that failed
	Worker   string          `json:"worker,omitempty"`   // who is at it, while Running
	Cancel   bool            `json:"cancel,omitempty"`   // somebody asked for it to stop

	version int64 // of its entry
}

// Remaining estimates how long the job will go on; 0 when that cannot be said.
func (j *Job) Remaining(now time.Time) time.Duration {
	took := now.Sub(j.Started)
	if j.Status != Running || j.Done <= 0 || j.Total <= j.Done || took <= 0 {
		return 0
	}
	return time.Duration(float64(took) * float64(j.Total-j.Done) / float64(j.Done))
}

// The kind of the entries, and their groups. Open jobs are looked through often, so
// that those that have ended are kept apart.
const (
	entryKind  = "job"
	groupOpen  = "open"
	groupEnded = "ended"
)

// entry returns the entry to store for j.
func (j *Job) entry(retain time.Duration) fhir.Entry {
	value, err := json.Marshal(j)
	if err != nil {
		panic(fmt.Sprintf("job: %v", err)) // raw messages come from json.Marshal, and the rest cannot fail
	}
	e := fhir.Entry{Kind: entryKind, Key: j.ID, Group: groupOpen, Version: j.version, Value: value}
	if j.Status.Ended() {
		e.Group, e.Expires = groupEnded, j.Ended.Add(retain)
	}
	return e
}

// read returns the job of an entry.
func read(e *fhir.Entry) (Job, error) {
	j := Job{ID: e.Key, version: e.Version}
	if err := json.Unmarshal(e.Value, &j); err != nil {
		return j, fmt.Errorf("job %s cannot be read: %w", e.Key, err)
	}
	return j, nil
}

// New says what to do.
type New struct {
	ID      string    // of the caller's choosing, so that the same job is not queued twice; "" makes one
	Kind    string    // which Work does it
	Payload any       // for the Work, as JSON
	Due     time.Time // not before; zero is at once
}

// ErrCancelled is why the context of a work ends when somebody cancelled its job.
var ErrCancelled = errors.New("the job was cancelled")

// ErrLost is why the context of a work ends when another server has, or may have,
// taken over its job.
var ErrLost = errors.New("another server has taken over the job")

// Again is what a Work returns to be called again later, as a new beginning: it is
// no failure.
type Again struct{ At time.Time }

// Error says when.
func (a *Again) Error() string { return "to be done again at " + a.At.UTC().Format(time.RFC3339) }

// permanent marks an error after which trying again is of no use.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent returns err so that its job fails at once.
func Permanent(err error) error { return permanent{err} }
