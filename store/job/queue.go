package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// State is where jobs are kept. Both engines of store have it.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

// Work does a job. It returns soon after ctx ends, and can be called again with the
// same task: then Task.Position tells how far it had come.
type Work func(ctx context.Context, t *Task) error

// Options are the settings of a Queue. The zero value is good for a server.
type Options struct {
	Log    *slog.Logger     // nil logs nothing
	Now    func() time.Time // nil is time.Now
	Poll   time.Duration    // how often jobs of other servers are looked for; 0 is 2 s
	Lease  time.Duration    // how long a server may be silent until its job is taken over; 0 is 15 s
	Retain time.Duration    // how long a job that has ended can be asked for; 0 is 30 days
	// Attempts is how often a job is begun in all while its position does not move; 0 is 8.
	Attempts int
	// Backoff is how long a job waits after its first failure; each further one doubles
	// that, up to 64 times. 0 is 2 s.
	Backoff time.Duration
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	o.Lease = cmp.Or(o.Lease, 15*time.Second)
	o.Retain = cmp.Or(o.Retain, 30*24*time.Hour)
	o.Attempts = cmp.Or(o.Attempts, 8)
	o.Backoff = cmp.Or(o.Backoff, 2*time.Second)
}

// mostStill is how much of the time between two looks counts as the silence of a server.
func (o *Options) mostStill() time.Duration { return max(2*o.Poll, o.Lease/5) }

// Queue is the view of one process on the jobs of a database. It is safe for
// concurrent use.
type Queue struct {
	state   State
	options Options
	worker  string // names this process among all
	wake    chan struct{}

	works map[string]*kind
	tasks sync.WaitGroup

	mu   sync.Mutex
	ours map[string]bool // jobs that this process is at; one that it lost is like that of another

	seen map[string]sighting // of jobs that others run; only Run uses it
}

// kind is a sort of jobs that this process works on.
type kind struct {
	work Work
	room chan struct{} // one place for each job at work
}

// sighting is for how long a job was seen at a version.
type sighting struct {
	version int64
	at      time.Time     // when it was last seen, by the monotonic clock of this process
	still   time.Duration // for how long it was watched since it was first seen so
}

// again returns the sighting of a job that is now at a version. Between two looks no more
// than most counts: whoever looks later than that stood still, perhaps with the whole
// machine, and whoever has the job did not have the time to renew it either.
func (s sighting) again(version int64, now time.Time, most time.Duration) sighting {
	if s.at.IsZero() || s.version != version {
		return sighting{version: version, at: now}
	}
	return sighting{version: version, at: now, still: s.still + min(now.Sub(s.at), most)}
}

// NewQueue returns a queue over the jobs in state.
func NewQueue(state State, options Options) *Queue {
	options.fill()
	return &Queue{
		state: state, options: options, worker: uuid.NewString(),
		wake: make(chan struct{}, 1), works: map[string]*kind{}, ours: map[string]bool{}, seen: map[string]sighting{},
	}
}

// Handle has this process work on jobs of a kind, on at most most of them at a time.
// It is called before Run.
func (q *Queue) Handle(name string, most int, work Work) {
	q.works[name] = &kind{work: work, room: make(chan struct{}, most)}
}

// now is the present as it is stored.
func (q *Queue) now() time.Time { return q.options.Now().UTC().Truncate(time.Millisecond) }

// Entry returns the entry that queues a job when it is put, so that it can be put
// together with what the job is about. Wake is called after that.
func (q *Queue) Entry(n New) (fhir.Entry, error) {
	payload, err := json.Marshal(n.Payload)
	if err != nil {
		return fhir.Entry{}, fmt.Errorf("payload of a job %s: %w", n.Kind, err)
	}
	if n.ID == "" {
		n.ID = uuid.Must(uuid.NewV7()).String()
	}
	j := Job{ID: n.ID, Kind: n.Kind, Payload: payload, Status: Queued, Created: q.now(), Due: n.Due}
	return j.entry(q.options.Retain), nil
}

// Add queues a job, and returns its id. When there is one with the id of n already,
// nothing happens.
func (q *Queue) Add(ctx context.Context, n New) (id string, err error) {
	e, err := q.Entry(n)
	if err != nil {
		return "", err
	}
	if err = q.state.Put(ctx, e); fhir.CodeOf(err) == fhir.Conflict && n.ID != "" {
		err = nil
	}
	q.Wake()
	return e.Key, err
}

// Wake has Run look for jobs now.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Get returns a job. Errors: fhir.NotFound.
func (q *Queue) Get(ctx context.Context, id string) (Job, error) {
	e, err := q.state.Entry(ctx, entryKind, id)
	if err != nil {
		if fhir.CodeOf(err) == fhir.NotFound {
			err = fhir.Errorf(fhir.NotFound, "there is no such job")
		}
		return Job{}, err
	}
	return read(&e)
}

// listPage is how many jobs are read at a time.
const listPage = 200

// Open returns the jobs of a kind that have not ended, and those of all kinds for
// "", by their ids: the oldest first where Add made these.
func (q *Queue) Open(ctx context.Context, kind string) ([]Job, error) {
	return q.list(ctx, kind, groupOpen)
}

// Ended returns the jobs of a kind that have ended, as far as they are kept.
func (q *Queue) Ended(ctx context.Context, kind string) ([]Job, error) {
	return q.list(ctx, kind, groupEnded)
}

func (q *Queue) list(ctx context.Context, kind, group string) (jobs []Job, err error) {
	for after := ""; ; {
		page, err := q.state.Entries(ctx, entryKind, group, after, listPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			j, err := read(&page[i])
			if err != nil {
				return nil, err
			}
			if kind == "" || j.Kind == kind {
				jobs = append(jobs, j)
			}
		}
		if len(page) < listPage {
			return jobs, nil
		}
		after = page[len(page)-1].Key
	}
}

// Cancel has a job end. One that runs may go on for some seconds; one that has
// ended stays as it is. Errors: fhir.NotFound.
func (q *Queue) Cancel(ctx context.Context, id string) error {
	for {
		j, err := q.Get(ctx, id)
		if err != nil || j.Status.Ended() {
			return err
		}
		if j.Status == Running {
			j.Cancel = true
		} else {
			j.Status, j.Ended = Cancelled, q.now()
		}
		if err = q.state.Put(ctx, j.entry(q.options.Retain)); fhir.CodeOf(err) != fhir.Conflict {
			return err
		}
	}
}

// Run works on jobs until ctx ends, and then until all works have returned: what
// they had not finished is queued again, for whoever runs next.
func (q *Queue) Run(ctx context.Context) {
	tick := time.NewTicker(q.options.Poll)
	defer tick.Stop()
	for {
		if err := q.look(ctx); err != nil && ctx.Err() == nil {
			q.options.Log.Warn("jobs cannot be read; they are looked for again", "error", err)
		}
		select {
		case <-ctx.Done():
			q.tasks.Wait()
			return
		case <-tick.C:
		case <-q.wake:
		}
	}
}

// look takes up what can be begun, or taken over.
func (q *Queue) look(ctx context.Context) error {
	looked := time.Now()
	jobs, err := q.list(ctx, "", groupOpen)
	if err != nil {
		return err
	}
	running := make(map[string]sighting, len(q.seen))
	for i := range jobs {
		j := &jobs[i]
		switch {
		case q.atWork(j.ID):
			continue
		case j.Status == Running:
			at := q.seen[j.ID].again(j.version, looked, q.options.mostStill())
			running[j.ID] = at
			if at.still < q.options.Lease {
				continue
			}
		case j.Due.After(q.now()):
			continue
		}
		if err := q.take(ctx, j); err != nil {
			return err
		}
	}
	q.seen = running
	return nil
}

// take begins a job if there is room for it and nobody else was faster.
func (q *Queue) take(ctx context.Context, j *Job) error {
	k := q.works[j.Kind]
	if k == nil {
		return nil
	}
	select {
	case k.room <- struct{}{}:
	default:
		return nil
	}
	begun, err := q.claim(ctx, j)
	if !begun {
		<-k.room
		return err
	}
	q.setOurs(j.ID, true)
	q.tasks.Go(func() {
		defer q.Wake() // after the room is free
		defer func() { <-k.room }()
		defer q.setOurs(j.ID, false)
		q.perform(ctx, k.work, *j)
	})
	return nil
}

// atWork reports whether this process works on a job now.
func (q *Queue) atWork(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ours[id]
}

func (q *Queue) setOurs(id string, ours bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ours {
		q.ours[id] = true
	} else {
		delete(q.ours, id)
	}
}

// claim writes that j is ours. A job that loses its server again and again is given
// up, since it may well be what ends the server.
func (q *Queue) claim(ctx context.Context, j *Job) (bool, error) {
	if j.Status == Running {
		j.Attempts++
	}
	switch {
	case j.Cancel:
		j.Status = Cancelled
	case j.Status == Running && j.Attempts >= q.options.Attempts:
		j.Status, j.Error = Failed, "its server died each time it was tried"
	default:
		j.Status, j.Worker = Running, q.worker
	}
	if j.Status.Ended() {
		j.Ended, j.Worker = q.now(), ""
	}
	if j.Started.IsZero() {
		j.Started = q.now()
	}
	err := q.state.Put(ctx, j.entry(q.options.Retain))
	if fhir.CodeOf(err) == fhir.Conflict {
		return false, nil // another was faster
	}
	j.version++
	return err == nil && j.Status == Running, err
}

// perform works on a job that is ours, and writes what came of it.
func (q *Queue) perform(ctx context.Context, work Work, j Job) {
	log := q.options.Log.With("job", j.ID, "kind", j.Kind)
	working, stop := context.WithCancelCause(ctx)
	t := &Task{q: q, id: j.ID, payload: j.Payload, job: j, stop: stop, renewed: time.Now(), log: log}
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		t.beat(working)
	}()
	log.Info("a job begins", "attempt", j.Attempts+1)
	err := guarded(work, working, t)
	cause := context.Cause(working)
	stop(nil)
	<-beating
	t.end(ctx, err, cause)
}

// guarded turns a panic of a work into an error.
func guarded(work Work, ctx context.Context, t *Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return work(ctx, t)
}

// backoff is how long to wait after the nth failure.
func (q *Queue) backoff(n int) time.Duration { return q.options.Backoff << min(n-1, 6) }

// outcome sets what a job comes to after an attempt that ended with err; cause is
// why its context had ended before, if it had.
func (q *Queue) outcome(j *Job, err, cause error, stopping bool) {
	var again *Again
	var fatal permanent
	j.Worker = ""
	switch {
	case err == nil:
		j.Status, j.Ended, j.Error, j.Attempts = Done, q.now(), "", 0
	case errors.Is(cause, ErrCancelled) || j.Cancel:
		j.Status, j.Ended = Cancelled, q.now()
	case errors.As(err, &again):
		j.Status, j.Due, j.Attempts, j.Position, j.Error, j.Done, j.Total = Queued, again.At, 0, nil, "", 0, 0
	case stopping:
		j.Status = Queued
	default:
		j.Attempts++
		j.Error = err.Error()
		if errors.As(err, &fatal) || j.Attempts >= q.options.Attempts {
			j.Status, j.Ended = Failed, q.now()
		} else {
			j.Status, j.Due = Queued, q.now().Add(q.backoff(j.Attempts))
		}
	}
}
